/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much else is accessed between two accesses of a page: its reuse distance,
 * which decides whether its translation is still cached by then. The working
 * set of one region is not that of another: between two accesses of a hot page
 * few others come, between two of a lukewarm one nearly all.
 *
 * Under the independent reference model (accesses of region i are a Poisson
 * process of rate a_i, spread evenly over its pages) the part of region i that
 * is accessed in a mean interval of region r is 1 − exp(−a_i/a_r); its sum over
 * all regions is the distance, after Denning's working set (CACM 1968) and Che's
 * approximation of LRU caches (Che, Tung and Wang, IEEE JSAC 2002; Fricker,
 * Robert and Roberts 2012). Of N equally hot regions it is N(1 − 1/e), and W is
 * given as the size of the evenly accessed set with the same distance, since
 * that is what a calibration walks through:
 *
 *	W_r = region size · Σ_i (1 − exp(−a_i/a_r)) / (1 − 1/e)
 *
 * Rates are put in buckets of a third more than the one before, so that adding
 * a region costs the same however many there are. The miss rates of simulated
 * LRU caches come out within a tenth, at worst a quarter too low: in one that
 * holds the hot pages and half of the others (tests/unit/test_reuse.c). It does
 * not know bursts, scans, or that accesses may keep to some pages of a region.
 */
#ifndef KSMSCOPE_CORE_HUGE_REUSE_H
#define KSMSCOPE_CORE_HUGE_REUSE_H

#include <stddef.h>

#define REUSE_BUCKETS 96		/* eight for a factor of ten, from REUSE_LOWEST_RATE on */
#define REUSE_PER_DECADE 8
#define REUSE_LOWEST_RATE 1e-4

struct reuse {
	double regions[REUSE_BUCKETS];	/* by bucket: accessed between two accesses of a page of such a rate */
	double part[2 * REUSE_BUCKETS];	/* 1 − exp(−q), q the quotient of the rates of two buckets */
};

void reuse_begin(struct reuse *reuse);

/* The bucket of a rate: 0 … REUSE_BUCKETS − 1; rates beyond either end are in the last one there. */
size_t reuse_bucket(double rate);

/* There is one more region with a rate of this bucket. */
void reuse_add(struct reuse *reuse, size_t bucket);

/* W of a region of this bucket among those that were added, in regions: not below 0, the region itself counts once added. */
double reuse_regions(const struct reuse *reuse, size_t bucket);

#endif
