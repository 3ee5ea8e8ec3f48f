// SPDX-License-Identifier: GPL-2.0-or-later
#include <malloc.h>
#include <signal.h>
#include <stddef.h>

#include "top/run.h"

#define PROGRAM "ksmtop"

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

/*
 * Every sample takes and gives back the same hundreds of kilobytes: without
 * this they would go back to the kernel each time, and be faulted in again.
 */
static void keep_memory(void)
{
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
}

/* All it takes is to leave a loop: a second signal has nothing to add. */
static void heed_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct top_settings settings;
	struct error err;
	enum parsed parsed;

	heed_signals();
	keep_memory();
	int rc = top_settings_parse(&settings, argc, argv, &parsed, &err);
	if (!rc && parsed == PARSED_GO)
		rc = top_run(&settings, &stop, &err);
	top_settings_free(&settings);
	return rc ? error_print(PROGRAM, &err) : EXIT_DONE;
}
