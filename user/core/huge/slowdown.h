/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What broken huge pages cost the targets, as a share of their own processor
 * time: accesses that miss the TLB, writes to merged pages, and the breaking
 * and rebuilding itself.
 *
 * Accesses: a_r per processor second of region r cost Δw(W_r) each, the
 * calibrated extra time of a random access with base pages in a working set of
 * W_r bytes: that of the region, by its reuse distance among the broken ones
 * (reuse.h). A region that takes most of the accesses has next to none of it,
 * and hides nothing of the many others.
 *
 * Where looks saturated or there were none, a_r is not known. All accesses
 * together take at most the time in user mode, Σ a_r t(W_r) <= u with t the
 * calibrated time with huge pages: regions of unknown heat share what known
 * ones leave of that. It is a bound, and says so by being one: a program that
 * does anything but access memory is slowed down by less. Known rates that
 * would take more than all time count as that much.
 *
 * The interval. Regions were looked at independently of each other, so the
 * distances of the ends of their intervals from their rates add up by squares
 * (Zou and Donner 2008, "Construction of confidence limits about effect
 * measures": MOVER), each times what an access of it costs. Of unknown ones only their lower end is sure, and all that
 * the known leave is possible. Each end is taken at that end of the calibrated
 * time. It does not know how much the machine's memory differs from the day on
 * which it was calibrated.
 */
#ifndef KSMSCOPE_CORE_HUGE_SLOWDOWN_H
#define KSMSCOPE_CORE_HUGE_SLOWDOWN_H

#include "core/huge/calibration.h"
#include "core/huge/region.h"
#include "core/huge/reuse.h"

/* Of broken regions with rates of one bucket: all rates and distances are of accesses per processor second. */
struct slowdown_bucket {
	size_t regions;
	double accesses;		/* Σa */
	double sure, below, above;	/* Σ of known a; Σ of squared distances to the ends of their intervals */
	double least;			/* Σ of the lower ends of unknown a */
	bool unknown;			/* there is one of these */
};

struct slowdown {
	const struct calibration *calibration;
	uint64_t region_bytes;
	double utilization;		/* processor seconds per second; 0: unknown */
	double user_share;		/* of these, in user mode: accesses take at most that; 0: not known */
	double settle_seconds;		/* distance of the two looks; 0: one look, writes are not known */
	double life_seconds;
	double unknown_rate;		/* a_r of a region of unknown heat */
	double left_rate;		/* of a processor, that regions of known heat leave to the others */
	/* of the regions broken so far */
	struct slowdown_bucket bucket[REUSE_BUCKETS];
	struct reuse reuse;
	double others;			/* of the rest of the bill: share of processor time */
	bool beyond;
};

/* Work out what unknown heat stands for. All else is filled in by the caller. */
void slowdown_begin(struct slowdown *s, const struct region *regions, size_t count);

/* Accesses of a region per processor second of the targets. */
double slowdown_rate(const struct slowdown *s, const struct region *region);

/* A share of the targets' processor time: most likely, and its 95 % interval. All NAN without a calibration. */
struct slowdown_share {
	double most_likely, low, high;
};

/* Break it too. */
void slowdown_add(struct slowdown *s, const struct region *region);

/* The slow-down of all that are broken so far. Its work does not grow with their number. */
struct slowdown_share slowdown_so_far(struct slowdown *s);

/* Share of processor time that a region costs which is among those broken so far; NAN without a calibration. */
double slowdown_of_region(struct slowdown *s, const struct region *region);

/* The working set of a region among those broken so far, in bytes. */
uint64_t slowdown_working_set(const struct slowdown *s, const struct region *region);

#endif
