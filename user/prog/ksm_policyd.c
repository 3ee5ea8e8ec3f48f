// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <stddef.h>

#include "policy/daemon.h"

#define PROGRAM "ksm-policyd"

static volatile sig_atomic_t stop, reload;

static void on_signal(int signal)
{
	if (signal == SIGHUP)
		reload = 1;
	else
		stop = 1;
}

/* They are let in while it waits, so that none comes between looking and waiting. */
static void heed_signals(sigset_t *ret_while_waiting)
{
	static const int heeded[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(heeded) / sizeof(heeded[0]); i++) {
		sigaction(heeded[i], &action, NULL);
		sigaddset(&blocked, heeded[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, ret_while_waiting);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct policy_signals signals = { .stop = &stop, .reload = &reload };
	struct policy_settings settings;
	struct error err;
	enum parsed parsed;

	heed_signals(&signals.while_waiting);
	int rc = policy_settings_parse(&settings, argc, argv, &parsed, &err);
	if (!rc && parsed == PARSED_GO)
		rc = policy_run(&settings, &signals, &err);
	policy_settings_free(&settings);
	return rc ? error_print(PROGRAM, &err) : EXIT_DONE;
}
