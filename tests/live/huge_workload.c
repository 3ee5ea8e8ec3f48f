// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A made workload of huge pages, in one process: hot ones with few duplicates,
 * cold ones with many. It loads from random places of the hot part, each load
 * waiting for the one before, and writes how many a second of its own
 * processor time, which other load on the machine does not change.
 *
 *   huge_workload [HOT-MIB [COLD-MIB [HOT-DUPLICATES [COLD-DUPLICATES [SECONDS [SEED]]]]]]
 *
 * Duplicates are base pages per huge page; each content has COPIES copies. Of
 * two with different seeds no contents are equal.
 * Once a line "ready PID FROM TO HOT-END" (hexadecimal), then ten times a
 * second "rate OPERATIONS-PER-CPU-SECOND". Exits with 77 where no huge pages
 * are had.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define COPIES 4
#define BATCH 20000
/* A cold huge page is read now and then. */
#define COLD_EVERY 4000000
#define RATES_PER_SECOND 10

struct made {
	char *start;
	size_t page_bytes, huge_bytes, hot, cold;	/* huge pages */
	size_t hot_duplicates, cold_duplicates;
	uint64_t seed;
};

static double seconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

static void fill_page(uint64_t *page, size_t words, uint64_t content)
{
	for (size_t i = 0; i < words; i++)
		page[i] = mix(content * words + i + 1);
}

/* The first `duplicates` pages of each huge page hold contents that others hold too. */
static void fill(const struct made *m)
{
	size_t per_huge = m->huge_bytes / m->page_bytes, words = m->page_bytes / 8;
	uint64_t copy = m->seed << 44, unique = copy + (1ull << 40);

	for (size_t h = 0; h < m->hot + m->cold; h++) {
		size_t duplicates = h < m->hot ? m->hot_duplicates : m->cold_duplicates;
		for (size_t p = 0; p < per_huge; p++)
			fill_page((uint64_t *)(m->start + h * m->huge_bytes + p * m->page_bytes), words,
				  p < duplicates ? copy++ / COPIES : unique++);
	}
}

static size_t huge_page_bytes(void)
{
	size_t bytes = 0;
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "r");
	if (file && fscanf(file, "%zu", &bytes) != 1)
		bytes = 0;
	if (file)
		fclose(file);
	return bytes;
}

static int make(struct made *m)
{
	size_t bytes = (m->hot + m->cold) * m->huge_bytes;
	char *raw = mmap(NULL, bytes + m->huge_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (raw == MAP_FAILED)
		return -1;
	m->start = (char *)(((uintptr_t)raw + m->huge_bytes - 1) / m->huge_bytes * m->huge_bytes);
	madvise(m->start, bytes, MADV_HUGEPAGE);
	fill(m);
	return 0;
}

struct loads {
	uint64_t random, operations;	/* so far */
	volatile uint64_t sink;
};

/* Loads up to the next rate; the sum makes each wait for the one before. */
static double run(const struct made *m, struct loads *l)
{
	size_t hot = m->hot * m->huge_bytes, cold = m->cold * m->huge_bytes;
	double end = seconds(CLOCK_MONOTONIC) + 1.0 / RATES_PER_SECOND, begin = seconds(CLOCK_THREAD_CPUTIME_ID);
	uint64_t x = l->random, sum = 0, before = l->operations;

	while (seconds(CLOCK_MONOTONIC) < end) {
		for (size_t i = 0; i < BATCH; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			sum += *(uint64_t *)(m->start + (((x >> 8) + (sum & 7)) % hot & ~7ull));
		}
		l->operations += BATCH;
		if (cold && l->operations % COLD_EVERY == 0)
			sum += *(uint64_t *)(m->start + hot + (x % cold & ~7ull));
	}
	l->random = x;
	l->sink = sum;
	return (l->operations - before) / (seconds(CLOCK_THREAD_CPUTIME_ID) - begin);
}

static size_t argument(int argc, char **argv, int i, size_t otherwise)
{
	return argc > i ? strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	struct made m = { .page_bytes = sysconf(_SC_PAGESIZE), .huge_bytes = huge_page_bytes() };
	size_t lasts = argument(argc, argv, 5, 3600);
	struct loads loads = { .random = 88172645463325252ull };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!m.huge_bytes)
		return 77;
	m.hot = argument(argc, argv, 1, 256) * (1 << 20) / m.huge_bytes;
	m.cold = argument(argc, argv, 2, 768) * (1 << 20) / m.huge_bytes;
	m.hot_duplicates = argument(argc, argv, 3, 8);
	m.cold_duplicates = argument(argc, argv, 4, 384);
	m.seed = argument(argc, argv, 6, 0);
	if (!m.hot || make(&m))
		return 77;
	printf("ready %d %lx %lx %lx\n", getpid(), (unsigned long)m.start,
	       (unsigned long)(m.start + (m.hot + m.cold) * m.huge_bytes), (unsigned long)(m.start + m.hot * m.huge_bytes));
	fflush(stdout);
	for (size_t i = 0; i < lasts * RATES_PER_SECOND; i++) {
		printf("rate %.0f\n", run(&m, &loads));
		fflush(stdout);
	}
	return 0;
}
