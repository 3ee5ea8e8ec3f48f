// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What breaking a huge page costs, full and nearly empty, and what rebuilding
 * one costs. Two kinds of regions take turns: those that are full in one round
 * are nearly empty in the next. A round fills all regions before it breaks the
 * first, so that none is fresh in a cache.
 */
#include <string.h>
#include <sys/mman.h>

#include "measure/bench.h"

#ifndef MADV_COLD
#define MADV_COLD 20			/* 5.4 */
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define REGIONS 16

struct shape {
	struct bench *bench;
	char *at;
	uint64_t pmd, page, rounds;
	struct values full, empty, collapse;
	unsigned int whole;		/* regions that would not break */
};

/* All sub-pages full, or all but one empty. Freed first, so that each round has fresh huge pages. */
static bool prepare(struct shape *s, char *region, bool full)
{
	madvise(region, s->pmd, MADV_DONTNEED);
	if (!bench_huge(s->bench, region, s->pmd))
		return false;
	if (full)
		bench_fill(region, s->pmd, (uintptr_t)region + s->rounds);
	else
		memset(region + s->page, 0, s->pmd - s->page);
	return bench_is_huge(s->bench, region);
}

static void split(struct shape *s, char *region, struct values *ret)
{
	double before = bench_cpu_ns();
	int rc = madvise(region, s->page, MADV_COLD);
	double spent = bench_cpu_ns() - before;
	if (rc || bench_is_huge(s->bench, region))
		s->whole++;
	else
		values_add(ret, spent);
}

static void collapse(struct shape *s, char *region)
{
	double before = bench_cpu_ns();
	int rc = madvise(region, s->pmd, MADV_COLLAPSE);
	double spent = bench_cpu_ns() - before;
	if (!rc && bench_is_huge(s->bench, region))
		values_add(&s->collapse, spent);
}

static void one_round(struct shape *s)
{
	bool ready[REGIONS];
	for (size_t i = 0; i < REGIONS; i++)
		ready[i] = prepare(s, s->at + i * s->pmd, (i + s->rounds) % 2);
	for (size_t i = 0; i < REGIONS; i++)
		if (ready[i])
			split(s, s->at + i * s->pmd, (i + s->rounds) % 2 ? &s->full : &s->empty);
	for (size_t i = 0; i < REGIONS; i++)
		if (ready[i] && (i + s->rounds) % 2)
			collapse(s, s->at + i * s->pmd);
	s->rounds++;
}

void bench_shape(struct bench *b)
{
	struct shape s = { .bench = b, .pmd = b->found->pmd_bytes, .page = b->found->page_bytes };
	s.at = bench_map(REGIONS * s.pmd, s.pmd);
	while (s.at && bench_over(b) < 1 && !values_full(&s.full)) {
		one_round(&s);
		*b->share = bench_over(b);
		if (!s.full.count && s.rounds == 3)
			break;
	}
	const char *why = s.whole ? "MADV_COLD on a part of it does not split a huge page here"
				  : "no huge page could be had";
	bench_figure(&b->found->cost[COST_SPLIT_FULL], &s.full, "%s", why);
	bench_figure(&b->found->cost[COST_SPLIT_ZERO], &s.empty, "%s", why);
	bench_figure(&b->found->cost[COST_COLLAPSE], &s.collapse, "%s", s.full.count ? "MADV_COLLAPSE rebuilt none (since 6.1)"
									      : why);
}
