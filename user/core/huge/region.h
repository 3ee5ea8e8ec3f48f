/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A region: one huge page of a target that is mapped whole, with what
 * breaking it would give back and what it would cost. docs/model.md, "Huge
 * pages", has the formulas.
 *
 * A huge page that several processes map (after fork) is one region: of the
 * process where it was met first. Huge pages that are mapped in part, and
 * smaller large folios, are none: the processor has nothing to lose there.
 */
#ifndef KSMSCOPE_CORE_HUGE_REGION_H
#define KSMSCOPE_CORE_HUGE_REGION_H

#include "core/sample.h"

/*
 * How often a region is accessed, as far as looks at its accessed bit tell:
 * `looks` of them, `hits` found it accessed. Unknown heat counts as hot.
 */
struct heat {
	enum known known;		/* KNOWN: the rest holds; else why nobody could look */
	bool saturated;			/* every look found it accessed: per_second is a lower bound */
	bool broken;			/* it is mapped page by page already: breaking it costs no speed */
	uint32_t looks, hits;
	double per_second;		/* most likely; saturated: the same as low */
	double low, high;		/* 95 % interval; high is infinite where saturated */
};

struct region {
	uint32_t task;			/* index into sample.tasks */
	pid_t pid;
	uint32_t area;			/* index into sample.areas */
	uint64_t address;		/* of its first byte, aligned to its size */
	uint32_t first_frame;		/* of the frame table: the others follow */

	/* Base pages in it; pages = duplicates + zero + is_volatile + unread + unique. */
	uint32_t pages;
	uint32_t duplicates;		/* stable, not zero, and equal to another frame of the same trust domain */
	uint32_t zero;			/* full of zeros */
	uint32_t is_volatile;		/* changed between the two looks */
	uint32_t unread;
	uint32_t unique;
	bool shared;			/* mapped by other processes too: no lever breaks it from outside */
	bool opted_in;			/* its mapping is MADV_MERGEABLE already */

	double attributed_frames;	/* its fair share of what breaking every region frees */
	uint64_t benefit_bytes;		/* the same in bytes */
	struct heat heat;
	double cost;			/* processor seconds per second while it stays broken; NAN: no calibration */
	struct value cost_ppm;		/* the same as a share of the targets' processor time; NOT_READ without a calibration */
	bool breaks_at_knee;		/* it lies before the knee of the frontier */
};

/*
 * The regions of a sample whose frames were all looked at, by process and
 * address, with their place and nothing else filled in. *ret is the caller's.
 * 0 or -ENOMEM.
 */
int regions_list(const struct sample *sample, struct region **ret, size_t *ret_count);

#endif
