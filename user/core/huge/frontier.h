/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frontier: which huge pages to break, and which to leave whole. Regions
 * by benefit per cost, the best first; after each of them the bytes saved so
 * far (marginal: ledger.h) against the predicted slow-down. docs/model.md,
 * "Huge pages", has the formulas, their sources and how far off they are.
 *
 * Without a calibration of this machine there is no slow-down, only huge pages
 * lost; the order then weighs benefit against heat alone. Without heat all
 * regions count as equally hot, and as hot as the processor allows.
 */
#ifndef KSMSCOPE_CORE_HUGE_FRONTIER_H
#define KSMSCOPE_CORE_HUGE_FRONTIER_H

#include "core/huge/calibration.h"
#include "core/huge/heat.h"
#include "core/huge/region.h"
#include "core/model.h"

/* A huge page that is broken stays so for this long, when nobody says otherwise. */
#define FRONTIER_LIFE_SECONDS 3600.0
/* By price one vCPU is about 4 GiB: processor seconds per second that a GiB is worth. */
#define FRONTIER_FAIR_EXCHANGE 0.25

struct frontier_point {
	size_t regions_broken;
	uint64_t saved_bytes;		/* beyond what merging saves without breaking any */
	double slowdown;		/* share of the targets' processor time that is added; NAN: no calibration */
	double slowdown_low, slowdown_high;	/* its 95 % interval (slowdown.h); NAN: the same */
};

enum knee_kind {
	KNEE_NONE,			/* the curve has none: nothing to save, or all regions are alike */
	KNEE_CHORD,			/* farthest above the chord */
	KNEE_EXCHANGE,			/* as far as the exchange rate allows */
};

/* "none", "chord", "exchange-rate". */
const char *knee_kind_name(enum knee_kind kind);

struct huge {
	struct region *regions;		/* by process and address */
	size_t count;
	uint64_t region_bytes;
	uint64_t base_saved_bytes;	/* what merging saves with no region broken */
	uint32_t *order;		/* indices of regions, best first; those that free nothing are last */
	size_t worth;			/* of these: free something */
	struct frontier_point *frontier;	/* worth + 1 points: none broken … all broken that free something */
	size_t knee;			/* index of a point */
	enum knee_kind knee_kind;
	bool calibrated;
	bool beyond;			/* a working set is larger than any calibrated: the slow-down is at least that */
	double utilization;		/* processor seconds per second that the targets use; 0: unknown */
	double disturbance;		/* of the watching: heat_disturbance(); NAN: not known */
	struct value hidden_frames, hidden_zero;	/* hidden.h */
};

struct frontier_options {
	const struct calibration *calibration;	/* NULL: none that holds here */
	double exchange_rate;		/* processor seconds per second and GiB; 0: the knee of the curve */
	double life_seconds;		/* 0: FRONTIER_LIFE_SECONDS */
};

/*
 * Of a sample after model_build(). A sample of contents knows no regions:
 * *ret is NULL then. 0 or -ENOMEM. huge_free(NULL) is fine.
 */
int huge_build(struct huge **ret, const struct sample *sample, const struct frontier_options *options);
void huge_free(struct huge *huge);

/*
 * What others than the report want of it (metrics, a policy): one plain value,
 * which stays as it is. For a sample `s` with its model built:
 *	huge_build(&h, s, &options); struct huge_knee knee = huge_knee(h); huge_free(h);
 */
struct huge_knee {
	enum knee_kind kind;
	size_t regions;			/* of the sample, whether or not they hide something */
	uint64_t base_saved_bytes;	/* what merging saves with none broken; the points are beyond that */
	struct frontier_point at;	/* the knee: regions broken, bytes saved, slow-down and its interval */
	struct frontier_point all;	/* all broken that hide something */
};

/* Of NULL (no huge pages, or a sample of contents): KNEE_NONE, nothing saved, slow-downs NAN. */
struct huge_knee huge_knee(const struct huge *huge);

/* The last point with at most this slow-down; point 0 where slow-downs are not known. */
size_t frontier_within(const struct huge *huge, double slowdown);

/*
 * The knee: the point farthest above the chord from the first point to the
 * last, both axes scaled to 1 (Satopää et al., "Finding a 'Kneedle' in a
 * Haystack", 2011, for a whole curve and without smoothing). A slow-down of
 * everything below FRONTIER_NEGLIGIBLE is not scaled up to 1. x: slow-down, or
 * regions broken where there is none. Below FRONTIER_FLAT above the chord
 * there is no knee: *ret_kind is KNEE_NONE, and the answer 0.
 */
#define FRONTIER_NEGLIGIBLE 0.01
#define FRONTIER_FLAT 0.05
size_t frontier_knee(const struct frontier_point *points, size_t count, enum knee_kind *ret_kind);

#endif
