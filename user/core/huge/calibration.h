/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What breaking, rebuilding and merging cost on this very machine, as measured
 * by `ksm-advise --calibrate`: times of the processor, not of the clock. It
 * holds for one CPU model and one kernel, and for a while; calibration_refused()
 * says when not. What was not measured has no figure, and no constant stands
 * in for it. How they are taken: docs/model.md, "Calibration".
 */
#ifndef KSMSCOPE_CORE_HUGE_CALIBRATION_H
#define KSMSCOPE_CORE_HUGE_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/known.h"

/* Kernels are updated and hosts migrated: an older calibration is refused. */
#define CALIBRATION_DAYS 90
#define CALIBRATION_POINTS 12

/* A median, and the interval that holds the true one in 19 of 20 cases (of less than six values: their range). */
struct measured {
	enum known known;		/* KNOWN: the rest holds; else `why` says what is in the way */
	double median, low, high;
	uint32_t count;			/* values that it is the median of */
	char why[112];
};

/* Single costs, in nanoseconds of one CPU. */
enum cost {
	COST_SPLIT_FULL,		/* breaking a huge page of which no sub-page is zero */
	COST_SPLIT_ZERO,		/* ... of which all sub-pages but one are zero */
	COST_COLLAPSE,			/* rebuilding it (MADV_COLLAPSE) */
	COST_COW_BREAK,			/* writing to a merged page, the fault included */
	COST_WRITE_FAULT,		/* first write to an ordinary page, which gives it a frame */
	COST_COW_EXTRA,			/* of COST_COW_BREAK, what is above COST_WRITE_FAULT, by pairs */
	COST_COUNT
};

/* Extra nanoseconds per dependent random access with base pages instead of huge ones. */
struct access_point {
	uint64_t bytes;			/* of the working set */
	struct measured extra_ns;	/* by pairs */
	struct measured huge_ns;	/* an access with huge pages */
	struct measured walk_share;	/* cycles in page walks with base pages, by the PMU; 0 … 1 */
};

/* ksmd's work on a page with so many pages tracked. */
struct scan_point {
	uint64_t pages;
	struct measured visit_ns;	/* in a scan that finds nothing new */
	struct measured merge_ns;	/* in the scan in which pairs of equal pages merge */
};

struct calibration {
	char cpu[96];			/* "model name" of /proc/cpuinfo, or the machine's name for its CPU */
	char release[65];		/* of the kernel */
	char version[32];		/* of ksmscope */
	int64_t time_ns;		/* CLOCK_REALTIME when it ended */
	double seconds;			/* that it took */
	uint64_t page_bytes, pmd_bytes;
	struct measured cost[COST_COUNT];
	struct access_point access[CALIBRATION_POINTS];	/* ascending bytes */
	size_t accesses;
	struct scan_point scan[CALIBRATION_POINTS];	/* ascending pages */
	size_t scans;
	char left_out[160];		/* what was not measured on purpose; "" for nothing */
};

/* "split_full", "split_zero", "collapse", "cow_break", "write_fault", "cow_extra": names for files and programs. */
extern const char *const cost_names[COST_COUNT];

/* Median and interval of `count` values, which are sorted in place. No value: NOT_READ. */
struct measured measured_of(double *values, size_t count);

/* Facts that a calibration is held against. */
struct calibration_facts {
	const char *cpu, *release;
	int64_t time_ns;
	uint64_t page_bytes, pmd_bytes;
};

/*
 * NULL where it holds for a machine with these facts; else the reason in
 * `why`, which is returned: of another CPU, kernel or page size, older than
 * CALIBRATION_DAYS, or from the future.
 */
const char *calibration_refused(const struct calibration *calibration, const struct calibration_facts *facts,
				char why[256]);

/*
 * Extra nanoseconds per access at a working set: between two measured sizes on
 * the line over the logarithm, below the smallest falling to nothing at no
 * size, above the largest as there: then *ret_beyond is set, the true figure
 * is at least as large. `c` NULL, or nothing measured: not known.
 */
struct measured calibration_access(const struct calibration *c, uint64_t working_set_bytes, bool *ret_beyond);

/* Nanoseconds per access with huge pages: as above, and below the smallest size as there. */
struct measured calibration_huge_access(const struct calibration *c, uint64_t working_set_bytes);

/* One of the single costs; `c` may be NULL. */
struct measured calibration_cost(const struct calibration *c, enum cost cost);

/*
 * ksmd's work on a page with `pages` tracked, in nanoseconds: on the line over
 * log2(pages) through the measured points, never below the smallest of them.
 * Where only one size was measured, as there within a factor of four; not
 * known elsewhere.
 */
struct measured calibration_visit(const struct calibration *c, uint64_t pages);
struct measured calibration_merge(const struct calibration *c, uint64_t pages);

#endif
