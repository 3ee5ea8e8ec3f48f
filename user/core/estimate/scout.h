/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which contents are so frequent that the next pass should follow them with
 * probability 1? Answered from a random sample of the *pages* of this pass,
 * not from the contents that the sketch kept: those are the ones whose place
 * is below the threshold, and following just these would leave the equally
 * frequent others out for good.
 *
 * Bounded: 128 KiB. It does not know how frequent a content is, only that it
 * was met several times among a few thousand pages.
 */
#ifndef KSMSCOPE_CORE_SCOUT_H
#define KSMSCOPE_CORE_SCOUT_H

#include <stdint.h>

#define SCOUT_PAGES 16384
/* Met as often in a sample of 8192 … 16384 pages: 0.02 … 0.04 % of all pages and more. */
#define SCOUT_HITS 3

/* A probe with this share of all pages is followed whatever it costs: left to chance, it would decide the estimate. */
#define SCOUT_ALWAYS (1.0 / 32)

struct scout {
	uint64_t probes[SCOUT_PAGES];
	uint32_t count;
	uint64_t stride;		/* one page in `stride` is taken on average */
	uint64_t skip;			/* pages to let pass before the next one */
	uint64_t random;
};

/* `seed` from the run's random key, so that nobody can tell which pages are taken. */
void scout_init(struct scout *scout, uint64_t seed);

void scout_take(struct scout *scout, uint64_t probe);

static inline void scout_see(struct scout *scout, uint64_t probe)
{
	if (scout->skip-- == 0)
		scout_take(scout, probe);
}

/*
 * The most frequent probes, most frequent first, at most `max` of them and of
 * at most a share `max_share` (0 … 1) of all pages: each of their pages costs
 * a full hash. Those that alone have SCOUT_ALWAYS of the pages are among them
 * even so. Returns how many. The sample is sorted by it and stays valid.
 */
uint32_t scout_frequent(struct scout *scout, uint64_t *ret, uint32_t max, double max_share);

#endif
