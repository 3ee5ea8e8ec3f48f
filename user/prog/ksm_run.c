// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Start a command opted in to merging: PR_SET_MEMORY_MERGE for ourselves, which
 * is inherited over fork and exec, then exec. Its exit status is the command's
 * own; where the command can't be started it is ours, 1 where there is no such
 * command and 4 where it may not be executed (not 127 and 126, as env(1) has
 * it: all programs of the project have one set of statuses).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/options.h"
#include "sys/ksm_read.h"
#include "sys/sysroot.h"

#define PROGRAM "ksm-run"
#define SET_MEMORY_MERGE 67		/* PR_SET_MEMORY_MERGE: include/uapi/linux/prctl.h, 6.4 */

static int opt_in(struct error *err)
{
	if (!prctl(SET_MEMORY_MERGE, 1, 0, 0, 0))
		return 0;
	if (errno == EINVAL)
		return fail(err, EXIT_KERNEL_CANNOT, "this kernel can't opt in a whole process: that takes Linux "
			    "6.4 or later with CONFIG_KSM; a program can call madvise(MADV_MERGEABLE) itself");
	return fail_errno(err, "opt in", "to merging (PR_SET_MEMORY_MERGE)", NULL);
}

/* Opted in, nothing merges until the engine runs. */
static void hint_at_engine(void)
{
	struct sysroot root;
	if (sysroot_open(&root, NULL, NULL))
		return;
	struct value run = ksm_knob_read(&root, KNOB_RUN);
	sysroot_close(&root);
	if (run.known == ABSENT)
		fprintf(stderr, PROGRAM ": this kernel has no /" KSM_DIRECTORY ": nothing will merge\n");
	else if (is_known(run) && run.number != 1)
		fprintf(stderr, PROGRAM ": KSM is off (/" KSM_DIRECTORY "/run is %d): nothing merges until 1 is "
			"written there; -q hides this\n", (int)run.number);
}

static int run(char **command, bool quiet, struct error *err)
{
	int rc = opt_in(err);
	if (rc)
		return rc;
	if (!quiet)
		hint_at_engine();
	execvp(command[0], command);
	return fail_errno(err, "start", command[0], NULL);
}

int main(int argc, char **argv)
{
	bool quiet = false;
	const struct option_row rows[] = {
		{ "quiet", 'q', NULL, "do not say that the engine is off", .flag = &quiet },
		{ 0 },
	};
	const struct program program = {
		.name = PROGRAM,
		.summary = "start a command whose memory may be merged (KSM), with all its children",
		.usage = "[-q] [--] COMMAND [ARGUMENT]…",
		.options = rows,
		.epilogue = "The exit status is the command's; where it can't be started: 1 no such command,\n"
			    "3 this kernel is older than 6.4 or has no KSM, 4 it may not be executed.\n",
		.operands = true,
		.stop_at_operand = true,
	};
	enum parsed parsed;
	struct error err;
	int operand;

	int rc = options_parse(&program, argc, argv, &parsed, &operand, &err);
	if (!rc && parsed == PARSED_DONE)
		return EXIT_DONE;
	if (!rc && operand >= argc)
		rc = fail(&err, EXIT_USAGE, "which command? see " PROGRAM " --help");
	if (!rc)
		rc = run(argv + operand, quiet, &err);
	return rc ? error_print(PROGRAM, &err) : EXIT_DONE;
}
