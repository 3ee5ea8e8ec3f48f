/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The books of probe/fault.c: what each process's ever-growing counters in the
 * kernel were when they were read last, and the sums over windows since the
 * last interval was handed out.
 */
#ifndef KSMSCOPE_PROBE_FAULT_TABLE_H
#define KSMSCOPE_PROBE_FAULT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/fault_facts.h"

struct fault_sums {
	struct duty_process events;
	struct fault_arrivals arrivals;
	uint64_t in_kernel;
};

/* Of intervals: the one since the last reading, and those that make the horizon. */
enum fault_period {
	PERIOD_NOW,
	PERIOD_RECENT,		/* since the horizon was moved on last */
	PERIOD_BEFORE,		/* as long before that */
	PERIODS
};

struct fault_slot {
	pid_t pid;
	uint64_t start_ticks;		/* 0: not known yet */
	bool fresh;			/* had events in the window that is being read */
	uint8_t unlisted;		/* intervals in a row at whose end nobody knew it */
	struct fault_counts before;	/* in the kernel, at the last reading */
	struct fault_counts delta;	/* since then: the window that is being read */
	struct fault_sums sums[PERIODS];
};

struct fault_table {
	struct fault_slot *slots;
	size_t count, room;
	uint32_t *index;		/* hash table of slot numbers + 1, twice as large as `room` */
	struct fault_slot machine;	/* all processes together */
	struct duty_total total[PERIODS];
	uint64_t consumed, hashed;	/* ever */
};

void fault_table_free(struct fault_table *table);

/* A process's counters now. False when memory is out. */
bool fault_table_see(struct fault_table *table, pid_t pid, const struct fault_counts *now);

/* All counters of a window of this length have been seen. */
void fault_table_close_window(struct fault_table *table, double seconds);

/* Begin a new interval of which nothing is known yet. */
void fault_table_begin(struct fault_table *table);

/*
 * What others counted for a process in the interval that ends now; one that is
 * not in the table and had no faults is left out. A process that is another one
 * than before by that PID begins anew. False when memory is out.
 */
bool fault_table_know(struct fault_table *table, pid_t pid, uint64_t start_ticks, double faults);

/*
 * Forget who was unknown to others at the end of FAULT_TABLE_ENDED intervals in a row: it has ended, and its part of
 * the machine's sums stays. Where processes come and go by the thousand, the table holds those that are there.
 * `dropped` is called for each. After fault_table_know() of all.
 */
#define FAULT_TABLE_ENDED 2
void fault_table_forget_ended(struct fault_table *table, void (*dropped)(pid_t pid, void *context), void *context);

/* The interval is over: enter it into the horizon. */
void fault_table_end(struct fault_table *table, double seconds, double machine_faults, double machine_cow);

/* Hand out the interval that is over, and the horizon with it. False when memory is out. */
bool fault_table_copy(const struct fault_table *table, struct fault_interval *ret);

/* The older half of the horizon is forgotten, and with it who had events only there; `dropped` is called for each. */
void fault_table_move_on(struct fault_table *table, void (*dropped)(pid_t pid, void *context), void *context);

#endif
