// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pairs of equal pages, opted in, their places drawn at random; so many pairs a
 * second get other contents, both pages the same. Counts, by asking which two
 * pages are one frame, how many pairs are merged: nothing that ksmd still
 * counts and that was written since.
 *
 *	written_pairs PAIRS WRITES-PER-SECOND SECONDS
 *
 * "ready PID" once they are there; then every half second "merged N".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PFN_MASK ((UINT64_C(1) << 55) - 1)

struct pairs {
	size_t count, page;
	char *pages;
	size_t *place;			/* two a pair */
	uint64_t seed, *entries;
	int pagemap;
};

static uint64_t draw(struct pairs *p)
{
	uint64_t x = p->seed += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fill(struct pairs *p, size_t pair)
{
	char *one = p->pages + p->place[2 * pair] * p->page, *other = p->pages + p->place[2 * pair + 1] * p->page;

	for (size_t i = 0; i < p->page; i += sizeof(uint64_t)) {
		uint64_t word = draw(p);
		memcpy(one + i, &word, sizeof(word));
	}
	memcpy(other, one, p->page);
}

static int make(struct pairs *p)
{
	size_t pages = 2 * p->count, bytes = pages * p->page;

	p->seed = (uint64_t)getpid() << 32;
	p->place = calloc(pages, sizeof(*p->place));
	p->entries = calloc(pages, sizeof(*p->entries));
	p->pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (!p->place || !p->entries || p->pages == MAP_FAILED || p->pagemap < 0 ||
	    madvise(p->pages, bytes, MADV_NOHUGEPAGE))
		return 1;
	for (size_t i = 0; i < pages; i++)
		p->place[i] = i;
	for (size_t i = pages - 1; i > 0; i--) {
		size_t j = draw(p) % (i + 1), was = p->place[i];
		p->place[i] = p->place[j];
		p->place[j] = was;
	}
	for (size_t i = 0; i < p->count; i++)
		fill(p, i);
	return madvise(p->pages, bytes, MADV_MERGEABLE);
}

static int tell_merged(const struct pairs *p)
{
	size_t bytes = 2 * p->count * sizeof(*p->entries), merged = 0;
	off_t from = (off_t)((uintptr_t)p->pages / p->page * sizeof(*p->entries));

	if (pread(p->pagemap, p->entries, bytes, from) != (ssize_t)bytes)
		return 1;
	for (size_t i = 0; i < p->count; i++)
		merged += (p->entries[p->place[2 * i]] & PFN_MASK) == (p->entries[p->place[2 * i + 1]] & PFN_MASK);
	printf("merged %zu\n", merged);
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	struct pairs p = { .count = argc == 4 ? strtoul(argv[1], NULL, 10) : 0, .page = (size_t)sysconf(_SC_PAGESIZE) };

	if (!p.count || make(&p))
		return 2;
	double rate = atof(argv[2]), began = now(), told = 0, passed;
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (uint64_t done = 0; (passed = now() - began) < atof(argv[3]);) {
		for (; (double)done < passed * rate; done++)
			fill(&p, draw(&p) % p.count);
		if (passed >= told && tell_merged(&p))
			return 1;
		if (passed >= told)
			told += 0.5;
		usleep(2000);
	}
	return 0;
}
