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

#endif
