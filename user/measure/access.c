// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The extra time of a dependent random access with broken huge pages instead
 * of whole ones, by the size of the working set. It is taken as it comes about:
 * a set in huge pages is walked through, the same set is broken where it lies
 * (its frames stay side by side, which processors make use of), and walked
 * through again. Nothing else is walked in between, and each timed run comes
 * after one that brings the page tables to where they are in a program that
 * does nothing else: two sets in turn displace each other from the caches,
 * which was seen to triple the difference. Sizes take turns, so that what else
 * the machine does meets all of them alike, and each time in fresh huge pages.
 * What is reported is the median difference.
 *
 * An access is a load whose address depends on the one before, anywhere in the
 * set, so it is the latency that counts: a program whose accesses overlap, or
 * keep to few pages for a while, loses less.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "base/units.h"
#include "measure/bench.h"
#include "measure/pmu.h"

#ifndef MADV_COLD
#define MADV_COLD 20			/* 5.4 */
#endif

#define LINE_BYTES 64
#define SMALLEST_SET (16ull << 20)
#define LARGEST_SET (4ull << 30)
#define RUN_ACCESSES 100000
#define WARM_VISITS 3			/* of each cache line of page tables, on average, before a timed run */
#define ENTRY_BYTES 8			/* of a page table */
#define LOOK_EVERY 8			/* which of the regions are looked at after they were broken: it takes time */
#define LEAST_ROUNDS 2
#define PLAUSIBLE_WALKS 1.2		/* base pages must show so many times the walks of huge ones */

/* What is found of one size. */
struct set {
	uint64_t bytes;
	struct values extra, of_huge;
	struct pmu_reading in_base, in_huge;
};

struct access {
	struct bench *bench;
	struct pmu pmu;
	char *at;
	uint64_t state;			/* of the walk: keeps the loads from being foreseen */
	struct set sets[CALIBRATION_POINTS];
	size_t count;
};

static void walk(struct access *a, uint64_t bytes, uint64_t accesses)
{
	uint64_t x = a->state, lines = bytes / LINE_BYTES;
	for (uint64_t i = 0; i < accesses; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		uint64_t line = (uint64_t)((unsigned __int128)x * lines >> 64);
		x += *(const volatile uint64_t *)(a->at + line * LINE_BYTES);
	}
	a->state = x;
}

/* Nanoseconds of CPU per access. */
static double run(struct access *a, uint64_t bytes, struct pmu_reading *sum)
{
	struct pmu_reading before, after;
	walk(a, bytes, WARM_VISITS * (bytes / a->bench->found->page_bytes * ENTRY_BYTES / LINE_BYTES));
	bool counted = pmu_read(&a->pmu, &before);
	double start = bench_cpu_ns();
	walk(a, bytes, RUN_ACCESSES);
	double spent = bench_cpu_ns() - start;
	if (counted && pmu_read(&a->pmu, &after))
		pmu_add(sum, &before, &after);
	return spent / RUN_ACCESSES;
}

/* Freed first, so that each time has fresh huge pages. */
static bool make_whole(struct access *a, uint64_t bytes)
{
	return !madvise(a->at, bytes, MADV_DONTNEED) && bench_huge(a->bench, a->at, bytes);
}

/* Where they will not break, base pages in their place. */
static bool make_broken(struct access *a, uint64_t bytes)
{
	uint64_t pmd = a->bench->found->pmd_bytes, page = a->bench->found->page_bytes, whole = 0;
	for (uint64_t at = 0; at < bytes; at += pmd)
		madvise(a->at + at, page, MADV_COLD);
	for (uint64_t at = 0; at < bytes; at += pmd)
		whole += at / pmd % LOOK_EVERY == 0 && bench_is_huge(a->bench, a->at + at);
	if (!whole)
		return true;
	if (madvise(a->at, bytes, MADV_DONTNEED) || madvise(a->at, bytes, MADV_NOHUGEPAGE))
		return false;
	for (uint64_t at = 0; at < bytes; at += page)
		*(volatile char *)(a->at + at) = 1;
	return true;
}

static void one_pair(struct access *a, struct set *s)
{
	if (values_full(&s->extra) || !make_whole(a, s->bytes))
		return;
	double huge = run(a, s->bytes, &s->in_huge);
	if (!make_broken(a, s->bytes))
		return;
	values_add(&s->extra, run(a, s->bytes, &s->in_base) - huge);
	values_add(&s->of_huge, huge);
}

static void fill_walks(const struct access *a, const struct set *s, struct measured *ret)
{
	double share = pmu_walk_share(&s->in_base, &s->in_huge);
	if (share > 0)
		*ret = (struct measured){ .known = KNOWN, .median = share, .low = share, .high = share,
					  .count = s->extra.count };
	else
		bench_absent(ret, ABSENT, "%s", a->pmu.why ? a->pmu.why : "no counter behaves as page walks do");
}

/* Four times as large each time, and at last as large as may be. */
static void choose_sizes(struct access *a)
{
	uint64_t pmd = a->bench->found->pmd_bytes, most = a->bench->memory_bytes / pmd * pmd;
	most = most < LARGEST_SET ? most : LARGEST_SET;
	for (uint64_t bytes = SMALLEST_SET; bytes <= most && a->count < CALIBRATION_POINTS - 1; bytes *= 4)
		a->sets[a->count++].bytes = bytes;
	if (a->count && most > a->sets[a->count - 1].bytes + a->sets[a->count - 1].bytes / 4)
		a->sets[a->count++].bytes = most;
}

/* What was found so far: a process that is ended because the machine is too busy leaves that. */
static void report(struct access *a)
{
	static const char why[] = "so much memory in huge pages could not be had";
	struct calibration *c = a->bench->found;
	for (size_t i = 0; i < a->count; i++) {
		c->access[i].bytes = a->sets[i].bytes;
		bench_figure(&c->access[i].extra_ns, &a->sets[i].extra, "%s", why);
		bench_figure(&c->access[i].huge_ns, &a->sets[i].of_huge, "%s", why);
		fill_walks(a, &a->sets[i], &c->access[i].walk_share);
	}
	c->accesses = a->count;
	uint64_t largest = a->count ? a->sets[a->count - 1].bytes : LARGEST_SET;
	if (largest < LARGEST_SET)
		snprintf(c->left_out, sizeof(c->left_out), "working sets above %s", show_bytes(largest).text);
}

static void measure_sets(struct access *a)
{
	struct bench *b = a->bench;
	for (size_t round = 0; bench_over(b) < 1 || round < LEAST_ROUNDS; round++) {
		for (size_t i = 0; i < a->count; i++) {
			one_pair(a, &a->sets[i]);
			report(a);
			*b->share = bench_over(b);
		}
		if (!a->count || !a->sets[0].extra.count)
			break;		/* no huge page is to be had */
	}
}

void bench_access(struct bench *b)
{
	struct access a = { .bench = b, .state = 1 };
	choose_sizes(&a);
	a.at = a.count ? bench_map(a.sets[a.count - 1].bytes, b->found->pmd_bytes) : NULL;
	if (a.at) {
		pmu_open(&a.pmu);
		measure_sets(&a);
		pmu_close(&a.pmu);
	}
	report(&a);
}
