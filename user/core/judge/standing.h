/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many of the duplicates does ksmd have merged, where pages are written?
 *
 * In mm/ksm.c (6.11 to 6.18: cmp_and_merge_page(), unstable_tree_search_insert(),
 * should_skip_rmap_item()) a page that was written passes these stages anew:
 *
 * 1. A visit that only stores its checksum.
 * 2. A visit, a scan later, that finds the checksum unchanged and looks the
 *    page up: in the stable tree, whose pages can't be written, then in the
 *    unstable tree, which begins empty with each scan. The first of two equal
 *    pages is put there, the second one of the same scan finds it: so a pair
 *    has to stand still for a scan and the gap between its two places in it.
 * 3. The search may miss it. The unstable tree is ordered by contents, and its
 *    pages are written to while they are in it: each page on the way down that
 *    changed since the first of the pair came sends one search in two the wrong
 *    way. Then the pair has another chance with the next scan.
 * 4. With smart_scan (6.7) a page that was no KSM page in some scans is visited
 *    in one of nine. Its turn goes on counting while it is written to, but
 *    stands still while the page is merged. A write between the visits of the
 *    two shifts their turns against each other; from then on the two are never
 *    in the unstable tree in one scan, and nothing brings them together again.
 *
 * So the share merged, for a rate λ of writes and a scan T, is
 *
 *    e^(-λ(T + gT)) (1 - e^(-λT))/(λT) · p/(1 - (1 - p) e^(-λT))
 *
 * with p = ((1 + e^(-λgT))/2)^(log2 of the nodes, less 2) for the search and the
 * mean over g, the gap as a share of the scan: two places drawn at random are g
 * apart with density 2(1 - g).
 *
 * It takes duplicates for pairs whose pages are written together, with
 * contents that don't keep their place in the order, at a constant rate. What it
 * does not know: where in the scan equal pages lie, and what part of a page is
 * written. Contents with many copies are found in the stable tree, which no
 * write misleads: ksmd_merged_most() is what that alone would give, the upper end.
 */
#ifndef KSMSCOPE_CORE_STANDING_H
#define KSMSCOPE_CORE_STANDING_H

#include <stdbool.h>
#include <stddef.h>

#define KSMD_GAPS 32

#define KSMD_NO_SMART (-1.0)

/* Pages that are written at one rate, a second; a rate of 0: never. */
struct ksmd_pages {
	double pages, duplicates, rate;
};

struct ksmd_pace {
	double scan_seconds;		/* of a scan that visits every page */
	bool advised;			/* the kernel's advisor holds to it, however many pages smart_scan passes over */
	double smart_seconds;		/* for so long it has gone on with smart_scan; KSMD_NO_SMART: without */
};

struct ksmd_trees {
	double scan;			/* seconds that one scan takes */
	double visit;			/* seconds between two visits of a page that is not merged */
	double after;			/* seconds since ksmd began; with smart_scan the share hangs on it, else 0 */
	double found[KSMD_GAPS];	/* probability that a search finds the other page of the pair, by gap */
};

/* ksmd goes over `pages` at a pace; `count` may be 0. */
void ksmd_trees_make(struct ksmd_trees *ret, const struct ksmd_pages *pages, size_t count, struct ksmd_pace pace);

/* The share of the duplicates that is merged at a moment, 0 … 1; and the upper end. */
double ksmd_merged(const struct ksmd_trees *trees, double rate);
double ksmd_merged_most(const struct ksmd_trees *trees, double rate);

#endif
