// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/pace.h"

#include <time.h>

#define SLICE_NS 50000000	/* a signal is heeded so soon */

static double seconds_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

struct pace pace_begin(double share)
{
	return (struct pace){ .share = share, .began = seconds_of(CLOCK_MONOTONIC) };
}

void pace_wait(const struct pace *p, const volatile sig_atomic_t *stop)
{
	double due = p->began + pace_due(p->share, seconds_of(CLOCK_PROCESS_CPUTIME_ID));

	for (double left; !(stop && *stop) && (left = due - seconds_of(CLOCK_MONOTONIC)) > 0;) {
		double slice = left < SLICE_NS * 1e-9 ? left : SLICE_NS * 1e-9;
		struct timespec nap = { .tv_nsec = (long)(slice * 1e9) };
		nanosleep(&nap, NULL);
	}
}
