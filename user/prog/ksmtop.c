// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>

#include "cli/life.h"
#include "top/run.h"

#define PROGRAM "ksmtop"

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

int main(int argc, char **argv)
{
	struct top_settings settings;
	struct error err;
	enum parsed parsed;

	/* all it takes is to leave a loop: a second signal has nothing to add */
	life_heed_signals(on_signal);
	life_keep_memory();
	int rc = top_settings_parse(&settings, argc, argv, &parsed, &err);
	if (!rc && parsed == PARSED_GO)
		rc = top_run(&settings, &stop, &err);
	top_settings_free(&settings);
	return rc ? error_print(PROGRAM, &err) : EXIT_DONE;
}
