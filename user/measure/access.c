// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The extra time of a dependent random access with base pages instead of huge
 * ones, by the size of the working set. Each size is there twice, once in base
 * and once in huge pages, and the two take turns in short runs; what is
 * reported is the median difference of neighbouring runs.
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

#define LINE_BYTES 64
#define SMALLEST_SET (16ull << 20)
#define LARGEST_SET (4ull << 30)
#define RUN_ACCESSES 40000
#define PLAUSIBLE_WALKS 1.2		/* base pages must show so many times the walks of huge ones */

struct access {
	struct bench *bench;
	struct pmu pmu;
	char *base, *huge;
	uint64_t bytes;
	uint64_t state;			/* of the walk: keeps the loads from being foreseen */
	struct values extra, of_huge;
	struct pmu_reading in_base, in_huge;
};

/* Nanoseconds of CPU per access. */
static double run(struct access *a, const char *at, struct pmu_reading *sum)
{
	uint64_t x = a->state, lines = a->bytes / LINE_BYTES;
	struct pmu_reading before, after;
	bool counted = pmu_read(&a->pmu, &before);
	double start = bench_cpu_ns();
	for (unsigned int i = 0; i < RUN_ACCESSES; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		uint64_t line = (uint64_t)((unsigned __int128)x * lines >> 64);
		x += *(const volatile uint64_t *)(at + line * LINE_BYTES);
	}
	double spent = bench_cpu_ns() - start;
	a->state = x;
	if (counted && pmu_read(&a->pmu, &after)) {
		sum->cycles += after.cycles - before.cycles;
		for (size_t i = 0; i < PMU_EVENTS; i++)
			sum->walks[i] += after.walks[i] - before.walks[i];
	}
	return spent / RUN_ACCESSES;
}

/* Every other pair the other way round, so that neither kind always comes first. */
static void one_pair(struct access *a)
{
	bool base_first = a->extra.count % 2;
	double base = base_first ? run(a, a->base, &a->in_base) : 0;
	double huge = run(a, a->huge, &a->in_huge);
	if (!base_first)
		base = run(a, a->base, &a->in_base);
	values_add(&a->extra, base - huge);
	values_add(&a->of_huge, huge);
}

/* The event by which base pages walk more than huge ones is the one that counts walks on this processor. */
static void fill_walks(const struct access *a, struct measured *ret)
{
	const char *why = a->pmu.why ? a->pmu.why : "no counter behaves as page walks do";
	bench_absent(ret, ABSENT, "%s", why);
	for (size_t i = 0; i < PMU_EVENTS; i++) {
		double base = a->in_base.cycles ? (double)a->in_base.walks[i] / a->in_base.cycles : 0;
		double huge = a->in_huge.cycles ? (double)a->in_huge.walks[i] / a->in_huge.cycles : 0;
		if (base <= 0 || base > 1 || base < PLAUSIBLE_WALKS * huge)
			continue;
		*ret = (struct measured){ .known = KNOWN, .median = base, .low = base, .high = base,
					  .count = a->extra.count };
		return;
	}
}

static bool map_both(struct access *a)
{
	uint64_t pmd = a->bench->found->pmd_bytes, page = a->bench->found->page_bytes;
	a->base = bench_map(a->bytes, pmd);
	a->huge = bench_map(a->bytes, pmd);
	if (!a->base || !a->huge || madvise(a->base, a->bytes, MADV_NOHUGEPAGE))
		return false;
	for (uint64_t at = 0; at < a->bytes; at += page)
		*(volatile char *)(a->base + at) = 1;
	return bench_huge(a->bench, a->huge, a->bytes);
}

static void unmap_both(struct access *a)
{
	if (a->base)
		munmap(a->base, a->bytes);
	if (a->huge)
		munmap(a->huge, a->bytes);
	a->base = a->huge = NULL;
}

static void one_size(struct access *a, struct access_point *ret, double until)
{
	struct bench *b = a->bench;
	a->extra.count = a->of_huge.count = 0;
	a->in_base = a->in_huge = (struct pmu_reading){ 0 };
	bool mapped = map_both(a);
	while (mapped && !values_full(&a->extra) && (bench_over(b) < until || a->extra.count < 8)) {
		one_pair(a);
		*b->share = bench_over(b);
	}
	ret->bytes = a->bytes;
	bench_figure(&ret->extra_ns, &a->extra, "so much memory in huge pages could not be had");
	bench_figure(&ret->huge_ns, &a->of_huge, "so much memory in huge pages could not be had");
	fill_walks(a, &ret->walk_share);
	unmap_both(a);
}

/* Four times as large each time, and at last as large as may be, two of them at once. */
static size_t choose_sizes(const struct bench *b, uint64_t ret[CALIBRATION_POINTS])
{
	uint64_t pmd = b->found->pmd_bytes, most = b->memory_bytes / 2 / pmd * pmd;
	size_t count = 0;
	most = most < LARGEST_SET ? most : LARGEST_SET;
	for (uint64_t bytes = SMALLEST_SET; bytes <= most && count < CALIBRATION_POINTS - 1; bytes *= 4)
		ret[count++] = bytes;
	if (count && most > ret[count - 1] + ret[count - 1] / 4)
		ret[count++] = most;
	return count;
}

void bench_access(struct bench *b)
{
	struct access a = { .bench = b, .state = 1 };
	uint64_t sizes[CALIBRATION_POINTS];
	struct calibration *c = b->found;
	size_t count = choose_sizes(b, sizes);
	pmu_open(&a.pmu);
	for (size_t i = 0; i < count; i++) {
		a.bytes = sizes[i];
		one_size(&a, &c->access[i], (i + 1.0) / count);
		c->accesses = i + 1;
	}
	pmu_close(&a.pmu);
	if (count && sizes[count - 1] < LARGEST_SET)
		snprintf(c->left_out, sizeof(c->left_out), "working sets above %s", show_bytes(sizes[count - 1]).text);
}
