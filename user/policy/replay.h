/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the controller would have decided at recorded moments (ksmtop --record).
 * Always a dry run. What a recording does not hold is not known here: the
 * executables of processes, and the contents of memory, so that nobody is
 * looked at and nobody is opted in.
 */
#ifndef KSMSCOPE_POLICY_REPLAY_H
#define KSMSCOPE_POLICY_REPLAY_H

#include <signal.h>

#include "policy/configure.h"

/* Tells the decisions as the daemon does, each with the time of its moment, and how long each state lasted. */
int policy_replay(const struct policy_settings *settings, const struct configuration *configuration,
		  const volatile sig_atomic_t *stop, struct error *err);

#endif
