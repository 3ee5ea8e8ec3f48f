// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What merged pages and ksmd's work on a page cost, while the engine runs.
 * Pages in equal pairs are opted in and merge in one scan: ksmd's work on a
 * page that merges. Each is then written to, in turns with first writes to
 * fresh pages: the cost of a COW break, total and above an ordinary write
 * fault. Now all differ and stay as they are: ksmd's work on a page in a scan
 * that finds nothing new.
 *
 * ksmd's CPU time and visits are those of the whole machine. Where others have
 * opted in, their pages are visited, too: the cost of a visit is then that of
 * an average page with all of them tracked, and that of merging is not told.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "measure/bench.h"
#include "sys/host.h"
#include "sys/ksm_read.h"

#define BLOCK_PAGES 64			/* timed at once: the clock costs less than a per cent of it */
#define BLOCKS 128
#define MERGED_SHARE 0.95		/* of the pages must be merged before breaks are timed */
#define OTHERS_SHARE 0.25		/* so many visits to others' pages are none of merging ours */
#define WINDOW_CPU_NS 60e6		/* ksmd's clock goes by ticks of some milliseconds */
#define LONG_CPU_NS 1500e6		/* a scan that takes longer is not waited for */
#define WINDOWS 3

struct merging {
	struct bench *bench;
	pid_t ksmd;
	char *at;
	uint64_t page, bytes;
};

/* The engine at one moment. */
struct mark {
	int64_t scans, visited, tracked;
	double cpu_ns;
};

static bool give_up(struct merging *m, const char *why)
{
	snprintf(m->bench->merging->why, sizeof(m->bench->merging->why), "%s", why);
	return false;
}

static int64_t knob_now(const struct merging *m, enum knob knob)
{
	return value_or(ksm_knob_read(m->bench->root, knob), -1);
}

static bool take_mark(struct merging *m, struct mark *ret)
{
	struct value cpu = host_task_cpu_ns(m->bench->root, m->ksmd);
	*ret = (struct mark){ .scans = knob_now(m, KNOB_FULL_SCANS), .visited = knob_now(m, KNOB_PAGES_SCANNED),
			      .cpu_ns = cpu.number };
	ret->tracked = knob_now(m, KNOB_PAGES_SHARED) + knob_now(m, KNOB_PAGES_SHARING) +
		       knob_now(m, KNOB_PAGES_UNSHARED) + knob_now(m, KNOB_PAGES_VOLATILE);
	return (is_known(cpu) && ret->scans >= 0 && ret->visited >= 0) ||
	       give_up(m, "the engine's counters can't be read (pages_scanned: since 6.6)");
}

/* The next reading; false when there is no time left. */
static bool next_mark(struct merging *m, struct mark *ret)
{
	static const struct timespec nap = { .tv_nsec = 500000 };
	if (bench_over(m->bench) > 1)
		return give_up(m, "the engine took too long: others have opted in much memory, or the machine is busy");
	nanosleep(&nap, NULL);
	return take_mark(m, ret);
}

/* Wait for the end of the scan that is going on, as far as it is near. */
static bool next_scan(struct merging *m, struct mark *mark)
{
	const struct mark start = *mark;
	while (mark->scans == start.scans && mark->cpu_ns - start.cpu_ns < LONG_CPU_NS)
		if (!next_mark(m, mark))
			return false;
	return true;
}

/* Each page has an equal one, half of the memory further on. */
static bool fill_pairs(struct merging *m)
{
	m->at = bench_map(m->bytes, m->page);
	if (!m->at || madvise(m->at, m->bytes, MADV_NOHUGEPAGE))
		return give_up(m, "out of memory to merge");
	bench_fill(m->at, m->bytes / 2, (uint64_t)getpid() << 32 ^ (uint64_t)bench_clock());
	memcpy(m->at + m->bytes / 2, m->at, m->bytes / 2);
	if (madvise(m->at, m->bytes, MADV_MERGEABLE))
		return give_up(m, "this kernel does not merge (MADV_MERGEABLE)");
	return true;
}

/* Where it was one scan, from its beginning, and hardly anybody else's pages were visited in it. */
static void count_merge(struct merging *m, const struct mark *from, const struct mark *to)
{
	struct bench *b = m->bench;
	double visited = to->visited - from->visited;
	if (to->scans - from->scans <= 1 && visited <= b->pages * (1 + OTHERS_SHARE))
		values_add(&b->merging->merge[b->size], (to->cpu_ns - from->cpu_ns) / visited);
}

/* Wait until our pages have merged. */
static bool merge(struct merging *m, struct mark *mark)
{
	struct bench *b = m->bench;
	struct mark begin = *mark;		/* of the scan in which they begin to */
	int64_t own = 0;
	while (own < MERGED_SHARE * b->pages) {
		const struct mark before = *mark;
		if (!next_mark(m, mark))
			return false;
		own = value_or(sysroot_number(b->root, "proc/self/ksm_merging_pages"), -1);
		if (own < 0)
			return give_up(m, "this kernel does not tell what is merged (ksm_merging_pages)");
		if (own == 0 && mark->scans != before.scans)
			begin = *mark;
	}
	count_merge(m, &begin, mark);
	return true;
}

/* One write to each page of a block; its nanoseconds per page. */
static double write_block(const struct merging *m, char *block, uint64_t salt)
{
	double before = bench_cpu_ns();
	for (uint64_t i = 0; i < BLOCK_PAGES; i++)
		*(volatile uint64_t *)(block + i * m->page) = salt + i;
	return (bench_cpu_ns() - before) / BLOCK_PAGES;
}

/* Afterwards no two pages are equal. */
static bool break_all(struct merging *m)
{
	struct merging_values *v = m->bench->merging;
	uint64_t block = BLOCK_PAGES * m->page, blocks = m->bytes / block;
	char *fresh = bench_map(BLOCKS * block, m->page);
	if (!fresh || madvise(fresh, BLOCKS * block, MADV_NOHUGEPAGE))
		return give_up(m, "out of memory for fresh pages");
	for (uint64_t i = 0; i < blocks; i++) {
		double broken = write_block(m, m->at + i * block, i * BLOCK_PAGES);
		if (i >= BLOCKS)
			continue;
		double fault = write_block(m, fresh + i * block, 1);
		values_add(&v->cow, broken);
		values_add(&v->fault, fault);
		values_add(&v->extra, broken - fault);
	}
	munmap(fresh, BLOCKS * block);
	return true;
}

/* As many whole scans as give ksmd's clock time to be exact; a part of one where scans are long. */
static bool visit(struct merging *m, struct mark *mark)
{
	struct bench *b = m->bench;
	const struct mark before = *mark;
	while (mark->cpu_ns - before.cpu_ns < WINDOW_CPU_NS)
		if (!next_scan(m, mark))
			return false;
	values_add(&b->merging->visit[b->size], (mark->cpu_ns - before.cpu_ns) / (mark->visited - before.visited));
	b->merging->tracked[b->size] = mark->tracked;
	return true;
}

void bench_merging(struct bench *b)
{
	struct merging m = { .bench = b, .ksmd = ksmd_find(b->root), .page = b->found->page_bytes };
	struct mark mark;

	m.bytes = b->pages * m.page;
	bool good = take_mark(&m, &mark) && fill_pairs(&m) && merge(&m, &mark) && break_all(&m);
	/* the scan that is going on, and the one that sees that they have changed */
	good = good && take_mark(&m, &mark) && next_scan(&m, &mark) && next_scan(&m, &mark);
	for (unsigned int i = 0; good && i < WINDOWS; i++)
		good = visit(&m, &mark);
}
