// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <stddef.h>

#include "advise/advise.h"

#define PROGRAM "ksm-advise"

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

/* The first signal asks for an orderly end; a second one ends at once (the guardian then restores). */
static void heed_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct advise_options options;
	struct error err;
	enum parsed parsed;

	heed_signals();
	int rc = advise_options_parse(&options, argc, argv, &parsed, &err);
	if (!rc && parsed == PARSED_GO)
		rc = advise_run(&options, &stop, &err);
	advise_options_free(&options);
	return rc ? error_print(PROGRAM, &err) : EXIT_DONE;
}
