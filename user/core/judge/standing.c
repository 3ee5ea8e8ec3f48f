// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/judge/standing.h"

#include <math.h>

/* skip_age(): a page that was not merged in nine scans or more is passed over in eight of nine. */
#define SMART_TURN 9.0
/* Scan time, tree and what is merged hang on each other; the share converges to 1e-3 in fewer. */
#define ROUNDS 8
/*
 * The page that is searched for lies a level above the leaves on average, and
 * the levels near the root, whose range is wide, mislead by one level's worth less.
 */
#define LEVELS_LESS 2

static double gap_at(int i)
{
	return (i + 0.5) / KSMD_GAPS;
}

static double gap_weight(int i)
{
	return 2 * (1 - gap_at(i)) / KSMD_GAPS;
}

/* (1 - e^-x)/x: the share of a moment drawn at random in a span of x. */
static double mean_decay(double x)
{
	return x > 1e-9 ? -expm1(-x) / x : 1;
}

/* Pages in the unstable tree at the end of a scan, and the share of them that stays as it is for `seconds`. */
static double nodes(const struct ksmd_trees *t, const struct ksmd_pages *pages, size_t count, double merged_pages,
		    double seconds, double *ret_share)
{
	double all = 0, tree = 0, stay = 0;

	for (size_t i = 0; i < count; i++) {
		double still = pages[i].pages * exp(-pages[i].rate * t->visit);
		all += pages[i].pages;
		tree += still;
		stay += still * exp(-pages[i].rate * seconds);
	}
	*ret_share = tree > 0 ? stay / tree : 1;
	return all > 0 ? tree * fmax(1 - merged_pages / all, 0) * t->scan / t->visit : 0;
}

static double pair_merged(const struct ksmd_trees *t, int gap, double rate)
{
	double one = exp(-rate * t->visit), found = t->found[gap];

	return exp(-rate * (t->visit + gap_at(gap) * t->scan)) * mean_decay(rate * t->visit) * found /
	       (1 - (1 - found) * one);
}

double ksmd_merged(const struct ksmd_trees *t, double rate)
{
	double sum = 0;

	if (isinf(rate))
		return 0;
	for (int i = 0; rate > 0 && i < KSMD_GAPS; i++) {
		double share = pair_merged(t, i, rate);
		sum += gap_weight(i) * share * exp(-rate * gap_at(i) * share * t->after);
	}
	return rate > 0 ? sum : 1;
}

double ksmd_merged_most(const struct ksmd_trees *t, double rate)
{
	return isinf(rate) ? 0 : exp(-rate * t->visit) * mean_decay(rate * t->visit);
}

static double all_merged(const struct ksmd_trees *t, const struct ksmd_pages *pages, size_t count)
{
	double merged = 0;

	for (size_t i = 0; i < count; i++)
		merged += fmin(2 * pages[i].duplicates, pages[i].pages) * ksmd_merged(t, pages[i].rate);
	return merged;
}

static void search_trees(struct ksmd_trees *t, const struct ksmd_pages *pages, size_t count, double merged)
{
	for (int i = 0; i < KSMD_GAPS; i++) {
		double stay, tree = nodes(t, pages, count, merged, gap_at(i) * t->scan, &stay);
		double levels = log2(fmax(tree * (1 + gap_at(i)) / 2, 1)) - LEVELS_LESS;
		t->found[i] = pow((1 + stay) / 2, fmax(levels, 0));
	}
}

void ksmd_trees_make(struct ksmd_trees *ret, const struct ksmd_pages *pages, size_t count, struct ksmd_pace pace)
{
	bool smart = pace.smart_seconds >= 0;
	double all = 0;

	*ret = (struct ksmd_trees){ .scan = pace.scan_seconds, .visit = pace.scan_seconds * (smart ? SMART_TURN : 1),
				    .after = smart ? pace.smart_seconds : 0 };
	for (int i = 0; i < KSMD_GAPS; i++)
		ret->found[i] = 1;
	for (size_t i = 0; i < count; i++)
		all += pages[i].pages;
	for (int round = 0; all > 0 && round < ROUNDS; round++) {
		double merged = all_merged(ret, pages, count);
		if (smart && !pace.advised) {
			ret->scan = pace.scan_seconds * (merged + (all - merged) / SMART_TURN) / all;
			ret->visit = ret->scan * SMART_TURN;
		}
		search_trees(ret, pages, count, merged);
	}
}
