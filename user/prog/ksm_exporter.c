// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>

#include "cli/life.h"
#include "exporter/run.h"

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

int main(int argc, char **argv)
{
	struct exporter_settings settings;
	struct error err;
	enum parsed parsed;

	/* all it takes is to leave a loop: a second signal has nothing to add */
	life_heed_signals(on_signal);
	life_keep_memory();
	int rc = exporter_settings_parse(&settings, argc, argv, &parsed, &err);
	if (!rc && parsed == PARSED_GO)
		rc = exporter_run(&settings, &stop, &err);
	exporter_settings_free(&settings);
	return rc ? error_print(EXPORTER_PROGRAM, &err) : EXIT_DONE;
}
