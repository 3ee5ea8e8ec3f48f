/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A budget for looking at memory: sleep between batches so that this process
 * takes no more than a share of one CPU, by the kernel's account and from its
 * first moment, so that loading and starting is paid for as well; and reads no
 * more bytes of contents a second than it may.
 *
 * It does not bound a single batch: what follows waits until the whole is
 * within the budget again.
 */
#ifndef KSMSCOPE_GATHER_PACE_H
#define KSMSCOPE_GATHER_PACE_H

#include <signal.h>
#include <stdint.h>

#include "base/error.h"

/* A zeroed budget is none. */
struct budget {
	double cpu;			/* share of one CPU, 0 … 1; 0: no bound */
	double bytes_per_second;	/* of contents read; 0: no bound */
};

/*
 * "1%", "0.01", "200MB/s", "64MiB/s", or a share and a rate with a comma in
 * between. MB is 10^6 bytes, MiB and a bare M 2^20. EXIT_USAGE says what it
 * takes; `option` names the option in the message.
 */
int budget_parse(const char *option, const char *text, struct budget *ret, struct error *err);

struct pace {
	struct budget budget;
	double began;		/* CLOCK_MONOTONIC, seconds */
};

struct pace pace_begin(struct budget budget);

/*
 * Sleep until the CPU time of this process so far, and the bytes read so far,
 * are within the budget; at most until `stop` is set.
 */
void pace_wait(const struct pace *pace, uint64_t bytes, const volatile sig_atomic_t *stop);

/* Seconds that a process which took `cpu` seconds and read so many bytes must have lived at least. */
double pace_due(struct budget budget, double cpu, uint64_t bytes);

#endif
