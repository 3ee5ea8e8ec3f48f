/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon: sample, decide, act, tell, again. It decides nothing itself:
 * core/policy/ does, and act/ writes.
 */
#ifndef KSMSCOPE_POLICY_DAEMON_H
#define KSMSCOPE_POLICY_DAEMON_H

#include <signal.h>

#include "policy/options.h"

/* Set by signal handlers; the signals themselves are blocked but while the daemon waits. */
struct policy_signals {
	const volatile sig_atomic_t *stop;
	volatile sig_atomic_t *reload;
	sigset_t while_waiting;		/* the mask then */
};

/* Do what the settings ask for: run, check, restore, or ask the one that runs. */
int policy_run(const struct policy_settings *settings, const struct policy_signals *signals, struct error *err);

#endif
