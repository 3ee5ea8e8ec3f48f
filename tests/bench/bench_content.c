// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What does it cost to look at a page? Times the two readers of probe/content.h
 * against a plain C loop over the same memory, which is the floor, and against
 * what a program without BPF would do: process_vm_readv and XXH3.
 *
 * All ways take turns in each round, so that what else the machine does hits
 * all of them; times are medians over the rounds, ratios medians of the ratios
 * within one round. A missed aim is said, but is no failure: it depends on the
 * machine. Needs root; takes --mib MiB of memory (512) once as base pages, then as huge pages.
 *
 * What base pages cost depends on where their frames lie: the plain loop goes
 * through virtual addresses in order, which the CPU foresees; whoever reads by
 * frame has that only as far as frames lie one behind the other. So that part
 * is told, and the same plain loop in a random order of pages stands beside it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "probe/content.h"
#include "sys/pagemap.h"
#include "sys/sysroot.h"

#define ROUNDS 9
#define READV_PAGES 512
#define HUGE_ALIGN (2ul << 20)

struct bench {
	char *memory;
	size_t page_bytes, count;
	struct page_ref *pages;
	uint64_t *hashes;
	bool *read;
	enum probe_state *probed;
	char *copy;			/* READV_PAGES, for process_vm_readv */
	struct content *direct, *copying;	/* NULL: refused */
	const char *why_no_direct;
	size_t huge;			/* pages of them that are mapped by huge pages */
	size_t following;		/* pages whose frame lies behind that of the page before */
	uint32_t *shuffled;		/* the pages in random order */
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the ways; each returns false when it did not look at every page ---- */

static bool read_plainly(struct bench *b)
{
	const uint64_t *words = (const uint64_t *)b->memory;
	uint64_t sum = 0;

	for (size_t i = 0; i < b->count * b->page_bytes / sizeof(*words); i++)
		sum += words[i];
	__asm__ volatile("" : : "r"(sum));
	return true;
}

static bool read_scattered(struct bench *b)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < b->count; i++) {
		const uint64_t *words = (const uint64_t *)(b->memory + b->shuffled[i] * b->page_bytes);
		for (size_t word = 0; word < b->page_bytes / sizeof(*words); word++)
			sum += words[word];
	}
	__asm__ volatile("" : : "r"(sum));
	return true;
}

static bool all_read(const struct bench *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (!b->read[i])
			return false;
	return true;
}

static bool read_by_direct_map(struct bench *b)
{
	return !content_hash(b->direct, getpid(), b->pages, b->count, b->hashes, b->read, NULL) &&
	       content_reader(b->direct) == READER_DIRECT_MAP;
}

static bool probe_by_direct_map(struct bench *b)
{
	bool ok = content_probe(b->direct, getpid(), b->pages, b->count, b->hashes, b->probed);
	for (size_t i = 0; i < b->count; i++)
		b->read[i] = b->probed[i] != PROBE_UNREAD;
	return ok;
}

static bool read_by_copying(struct bench *b)
{
	return !content_hash(b->copying, getpid(), b->pages, b->count, b->hashes, b->read, NULL);
}

static bool read_by_readv(struct bench *b)
{
	for (size_t i = 0; i < b->count; i += READV_PAGES) {
		size_t bytes = READV_PAGES * b->page_bytes;
		struct iovec from = { b->memory + i * b->page_bytes, bytes }, to = { b->copy, bytes };

		if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)bytes)
			return false;
		for (size_t page = 0; page < READV_PAGES; page++)
			b->hashes[i + page] = XXH3_64bits(b->copy + page * b->page_bytes, b->page_bytes);
	}
	return true;
}

enum way { PLAIN, DIRECT, PROBE, COPYING, READV, SCATTERED, WAYS };

static const struct {
	const char *name;
	bool (*run)(struct bench *b);
	double aim;			/* times the plain read; 0: none */
	bool checks;			/* fills b->read */
} ways[WAYS] = {
	[PLAIN] = { "plain C read", read_plainly, 0, false },
	[DIRECT] = { "direct-map reader", read_by_direct_map, 2, true },
	[PROBE] = { "probe of four cache lines", probe_by_direct_map, 1, true },
	[COPYING] = { "copying reader", read_by_copying, 4, true },
	[READV] = { "process_vm_readv + XXH3", read_by_readv, 0, false },
	[SCATTERED] = { "plain C read, random pages", read_scattered, 0, false },
};

static bool available(const struct bench *b, enum way way)
{
	return ((way != DIRECT && way != PROBE) || b->direct) && (way != COPYING || b->copying);
}

/* ---- memory ---- */

static bool look_up_frames(struct bench *b)
{
	struct sysroot live;
	struct pagemap map;
	scoped_free uint64_t *entries = calloc(b->count, sizeof(*entries));

	if (!entries || sysroot_open(&live, NULL, NULL))
		return false;
	bool ok = pagemap_open(&map, &live, getpid(), b->page_bytes) == KNOWN;
	if (ok) {
		ok = pagemap_read(&map, (uintptr_t)b->memory, entries, b->count) == b->count;
		pagemap_close(&map);
	}
	sysroot_close(&live);
	b->following = 0;
	for (size_t i = 1; ok && i < b->count; i++)
		b->following += (entries[i] & PAGEMAP_PFN_MASK) == (entries[i - 1] & PAGEMAP_PFN_MASK) + 1;
	for (size_t i = 0; ok && i < b->count; i++)
		b->pages[i] = (struct page_ref){ (uintptr_t)b->memory + i * b->page_bytes, entries[i] & PAGEMAP_PFN_MASK };
	return ok;
}

/* How much of the memory huge pages map, from its line in smaps. */
static size_t huge_bytes(const void *memory)
{
	char line[512], start[32];
	unsigned long kib;
	bool here = false;
	scoped_file FILE *f = fopen("/proc/self/smaps", "re");

	snprintf(start, sizeof(start), "%lx-", (unsigned long)memory);
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, start, strlen(start)))
			here = true;
		if (here && sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
			return kib << 10;
	}
	return 0;
}

static bool make_memory(struct bench *b, size_t bytes, int advice)
{
	char *reserved = mmap(NULL, bytes + HUGE_ALIGN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved == MAP_FAILED)
		return false;
	char *aligned = (char *)(((uintptr_t)reserved + HUGE_ALIGN - 1) & ~(HUGE_ALIGN - 1));
	b->memory = mmap(aligned, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (b->memory == MAP_FAILED || madvise(b->memory, bytes, advice))
		return false;
	uint64_t *words = (uint64_t *)b->memory;
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = i * 0x9e3779b97f4a7c15ull ^ i >> 9;
	b->huge = huge_bytes(b->memory) / b->page_bytes;
	return true;
}

/* ---- measuring ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(const double *values)
{
	double sorted[ROUNDS];
	memcpy(sorted, values, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(*sorted), by_value);
	return sorted[ROUNDS / 2];
}

/* Microseconds per page; negative when it failed. */
static double time_way(struct bench *b, enum way way)
{
	memset(b->read, 0, b->count);
	double start = now();
	bool ok = ways[way].run(b);
	double seconds = now() - start;

	ok = ok && (!ways[way].checks || all_read(b));
	return ok ? seconds / (double)b->count * 1e6 : -1;
}

static bool measure(struct bench *b, double times[WAYS][ROUNDS], double ratios[WAYS][ROUNDS])
{
	for (int round = -1; round < ROUNDS; round++) {	/* the first one warms up */
		double took[WAYS] = { 0 };

		if (!look_up_frames(b))
			return false;
		for (int turn = 0; turn < WAYS; turn++) {
			enum way way = (enum way)((turn + round + 1) % WAYS);
			took[way] = available(b, way) ? time_way(b, way) : 0;
			if (took[way] < 0) {
				fprintf(stderr, "bench_content: the %s did not read every page\n", ways[way].name);
				return false;
			}
		}
		for (int way = 0; round >= 0 && way < WAYS; way++) {
			times[way][round] = took[way];
			ratios[way][round] = took[way] / took[PLAIN];
		}
	}
	return true;
}

static void report(const struct bench *b, const char *title, double times[WAYS][ROUNDS], double ratios[WAYS][ROUNDS])
{
	printf("\n%s: %zu MiB, %zu %% in huge pages, %zu %% of the frames lie behind the one before\n", title,
	       b->count * b->page_bytes >> 20, 100 * b->huge / b->count, 100 * b->following / b->count);
	printf("%-28s %12s %10s   %s\n", "", "us per page", "x plain", "aim");
	for (int way = 0; way < WAYS; way++) {
		if (!available(b, (enum way)way)) {
			printf("%-28s %12s %10s   not measured: %s\n", ways[way].name, "-", "-", b->why_no_direct);
			continue;
		}
		double ratio = median(ratios[way]);
		printf("%-28s %12.3f %10.2f", ways[way].name, median(times[way]), ratio);
		if (ways[way].aim > 0)
			printf("   <= %.0f: %s", ways[way].aim, ratio <= ways[way].aim ? "met" : "MISSED");
		putchar('\n');
	}
}

static int bench_memory(struct bench *b, const char *title, int advice)
{
	double times[WAYS][ROUNDS], ratios[WAYS][ROUNDS];
	size_t bytes = b->count * b->page_bytes;

	if (!make_memory(b, bytes, advice)) {
		fprintf(stderr, "bench_content: %s: %s\n", title, strerror(errno));
		return EXIT_FAILED;
	}
	bool ok = measure(b, times, ratios);
	if (ok)
		report(b, title, times, ratios);
	munmap(b->memory, bytes);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

static bool make_room(struct bench *b, size_t bytes)
{
	b->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	b->count = bytes / b->page_bytes / READV_PAGES * READV_PAGES;
	b->pages = calloc(b->count, sizeof(*b->pages));
	b->hashes = calloc(b->count, sizeof(*b->hashes));
	b->read = calloc(b->count, sizeof(*b->read));
	b->probed = calloc(b->count, sizeof(*b->probed));
	b->copy = malloc(READV_PAGES * b->page_bytes);
	b->shuffled = calloc(b->count, sizeof(*b->shuffled));
	if (!b->count || !b->pages || !b->hashes || !b->read || !b->probed || !b->copy || !b->shuffled)
		return false;
	for (size_t i = 0; i < b->count; i++) {		/* Fisher and Yates, inside out */
		size_t other = (size_t)random() % (i + 1);
		b->shuffled[i] = b->shuffled[other];
		b->shuffled[other] = (uint32_t)i;
	}
	return true;
}

static void free_room(struct bench *b)
{
	content_close(b->direct);
	content_close(b->copying);
	free(b->pages);
	free(b->hashes);
	free(b->read);
	free(b->probed);
	free(b->copy);
	free(b->shuffled);
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct error err;
	uint64_t mib = 512;

	if (argc > 1 && (argc != 3 || strcmp(argv[1], "--mib") || !parse_u64(argv[2], &mib) || mib < 2 || mib > 1024)) {
		fprintf(stderr, "usage: bench_content [--mib 2...1024]\n");
		return EXIT_USAGE;
	}
	if (content_open(&b.direct, READER_DIRECT_MAP, &b.why_no_direct, &err))
		b.direct = NULL;
	int rc = -content_open(&b.copying, READER_COPY, NULL, &err);
	if (rc) {
		error_print("bench_content", &err);
	} else if (!make_room(&b, mib << 20)) {
		fprintf(stderr, "bench_content: out of memory\n");
		rc = EXIT_FAILED;
	}
	if (!rc)
		rc = bench_memory(&b, "base pages", MADV_NOHUGEPAGE);
	if (!rc)
		rc = bench_memory(&b, "huge pages", MADV_HUGEPAGE);
	free_room(&b);
	return rc;
}
