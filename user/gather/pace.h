/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A budget of CPU: sleep between batches so that this process takes no more
 * than a share of one CPU, by the kernel's account and from its first moment,
 * so that loading and starting is paid for as well.
 */
#ifndef KSMSCOPE_GATHER_PACE_H
#define KSMSCOPE_GATHER_PACE_H

#include <signal.h>

struct pace {
	double share;		/* of one CPU; 0: no budget */
	double began;		/* CLOCK_MONOTONIC, seconds */
};

struct pace pace_begin(double share);

/* Sleep until the time taken so far is within the budget; at most until `stop` is set. */
void pace_wait(const struct pace *pace, const volatile sig_atomic_t *stop);

/* Seconds that a process which took `cpu` seconds must have lived at least. */
static inline double pace_due(double share, double cpu)
{
	return share > 0 ? cpu / share : 0;
}

#endif
