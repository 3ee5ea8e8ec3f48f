// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/options.h"

#include <stdlib.h>

#include "act/apply.h"

static const char *const formats[] = { "text", "json", NULL };

static const char epilogue[] =
	"Without --apply, and without \"apply = yes\" in the configuration, nothing is changed: it says what\n"
	"it would do. See ksm-policyd(8) and ksm-policyd.conf(5).\n";

static int check(const struct policy_settings *s, struct error *err)
{
	int others = s->check + s->status + s->explain + s->restore + (s->replay != NULL);

	if (others > 1)
		return fail(err, EXIT_USAGE, "--check, --status, --explain, --restore and --replay: one at a time");
	if (s->apply && others)
		return fail(err, EXIT_USAGE, "--apply goes with none of --check, --status, --explain, --restore and --replay");
	return 0;
}

static const struct policy_settings shape;
#define TO(member) OPTION_TO(struct policy_settings, shape, member)

static const struct option_row rows[] = {
	{ .name = "What to do" },
	{ "apply", 0, NULL, "act, instead of saying what would be done", .flag = TO(apply) },
	{ "steps", 'n', "N", "end after so many decisions (default: when told to)", .number = TO(steps) },
	{ "check", 0, NULL, "read the configuration, say what is wrong with it, and end", .flag = TO(check) },
	{ "restore", 0, NULL, "put back what a run that was killed has left", .flag = TO(restore) },
	{ "replay", 0, "FILE", "say what would have been decided at moments that ksmtop recorded", .string = TO(replay) },
	{ .name = "Ask the one that runs" },
	{ "status", 0, NULL, "where it stands", .flag = TO(status) },
	{ "explain", 0, NULL, "its last decisions, with reasons", .flag = TO(explain) },
	{ .name = "How" },
	{ "config", 'c', "FILE", "configuration (default /etc/ksmscope/ksm-policyd.conf), with FILE.d/*.conf",
	  .string = TO(config), .given = TO(config_given) },
	{ "domains", 0, "FILE", "trust domains (default /etc/ksmscope/domains.conf), with FILE.d/*.conf",
	  .string = TO(domains), .given = TO(domains_given) },
	{ "format", 'f', "FORM", "text or json (default text); json: one decision a line on standard output",
	  .choice = TO(format), .choices = formats },
	{ "no-bpf", 0, NULL, "load no BPF programs: news of duplicates and who breaks merges is not seen",
	  .flag = TO(no_bpf) },
	{ "state-dir", 0, "DIR", "where journals and the socket are (default " ACT_STATE_DIR ")",
	  .string = TO(state_dir) },
	HTTP_OPTION_ROWS(TO(http), "none: no metrics are served"),
	{ 0 },
};

int policy_settings_parse(struct policy_settings *s, int argc, char **argv, enum parsed *ret_parsed, struct error *err)
{
	*s = (struct policy_settings){ .config = "/etc/ksmscope/ksm-policyd.conf", .domains = "/etc/ksmscope/domains.conf",
				       .state_dir = ACT_STATE_DIR,
				       .http = { .program = "ksm-policyd", .telemetry_path = "/metrics",
						 .stale_seconds = HTTP_DEFAULT_STALE_SECONDS } };
	const struct program program = {
		.name = "ksm-policyd",
		.summary = "drive the kernel's merge engine by memory pressure, by what it wins and what it costs",
		.usage = "[OPTION]…",
		.options = rows, .shape = &shape, .to = s,
		.epilogue = epilogue,
	};
	int operand;
	int rc = options_parse(&program, argc, argv, ret_parsed, &operand, err);

	if (rc || *ret_parsed == PARSED_DONE)
		return rc;
	return check(s, err);
}

void policy_settings_free(struct policy_settings *s)
{
	free(s->http.listen.words);
}
