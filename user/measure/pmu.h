/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The share of cycles that this thread spends in page walks, by the counters
 * of the processor (perf_event_open). Intel's processors count them; which
 * event does is tried out, not looked up: the one under which walks grow with
 * base pages. AMD's and Arm's count walks but not their cycles: absent.
 */
#ifndef KSMSCOPE_MEASURE_PMU_H
#define KSMSCOPE_MEASURE_PMU_H

#include <stdbool.h>
#include <stdint.h>

#define PMU_EVENTS 2

struct pmu {
	int cycles, walks[PMU_EVENTS];	/* -1: not there */
	const char *why;		/* there is none: why; static storage */
};

/* False where this machine does not have them; `why` says which. */
bool pmu_open(struct pmu *ret);
void pmu_close(struct pmu *pmu);

struct pmu_reading {
	uint64_t cycles, walks[PMU_EVENTS];
};

bool pmu_read(const struct pmu *pmu, struct pmu_reading *ret);

/* Add what was counted between two readings. */
void pmu_add(struct pmu_reading *sum, const struct pmu_reading *before, const struct pmu_reading *after);

/*
 * The share of cycles spent in page walks with base pages, 0 … 1, by the event
 * that behaves as page walks do: it counts at least PMU_PLAUSIBLE_WALKS times
 * as much as with huge pages, and no more than the cycles. 0: none does.
 */
#define PMU_PLAUSIBLE_WALKS 1.2
double pmu_walk_share(const struct pmu_reading *base, const struct pmu_reading *huge);

#endif
