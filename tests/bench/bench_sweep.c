// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What does a pass of the sweep cost? Against hashing every page of the same
 * memory, in turns within each round: CPU time of this process by the kernel's
 * account, so that BPF programs are in it; ratios are medians over the rounds.
 * First the contents alone, when it is known where they are: hashing all, or
 * probing all and hashing what the probe chooses. Then whole looks, and a pass.
 *
 * A missed aim is said, but is no failure: it depends on the machine. Root.
 *
 *	bench_sweep [ROUNDS [MIB]]	9 and 1024
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "gather/gather.h"
#include "gather/sweep.h"
#include "probe/content.h"
#include "sys/pagemap.h"
#include "tests/bench/holder.h"

#define MOST_ROUNDS 1000

enum way { HASHED, PROBED, EXACT, LOOK, PASS, WAYS };

static const struct {
	const char *name;
	enum way against;		/* itself: it is the measure of others */
} ways[WAYS] = {
	[HASHED] = { "hashing every page", HASHED },
	[PROBED] = { "probing, and hashing the chosen", HASHED },
	[EXACT] = { "an exact look", EXACT },
	[LOOK] = { "a look by a sample", EXACT },
	[PASS] = { "a pass of a sweep", EXACT },
};

static double cpu_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct bench {
	const struct sysroot *root;
	struct target target;
	struct sweep *sweep;
	struct content *content;
	struct page_ref *pages;		/* those that are there */
	size_t pages_count;
	uint64_t *values;
	bool *read;
	enum probe_state *states;
	double seconds[WAYS][MOST_ROUNDS];
};

/* ---- contents alone ---- */

static bool find_pages(struct bench *b, uint64_t address, size_t pages)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	struct pagemap map;

	b->pages = calloc(pages, sizeof(*b->pages));
	b->values = calloc(pages, sizeof(*b->values));
	b->read = calloc(pages, sizeof(*b->read));
	b->states = calloc(pages, sizeof(*b->states));
	if (!b->pages || !b->values || !b->read || !b->states ||
	    pagemap_open(&map, b->root, b->target.pids[0], page_bytes) != KNOWN)
		return false;
	bool ok = pagemap_read(&map, address, b->values, pages) == pages;
	pagemap_close(&map);
	for (size_t i = 0; ok && i < pages; i++)
		if (b->values[i] & PAGEMAP_PRESENT)
			b->pages[b->pages_count++] = (struct page_ref){ .address = address + i * page_bytes,
									.pfn = b->values[i] & PAGEMAP_PFN_MASK };
	return ok;
}

/* Those whose probe is below θ, and those of which it says nothing. */
static size_t choose(struct bench *b, struct page_ref *ret)
{
	uint64_t last = (uint64_t)(LOOK_THETA * 0x1p64);
	size_t chosen = 0;

	for (size_t i = 0; i < b->pages_count; i++)
		if (b->values[i] < last || b->states[i] == PROBE_ZEROS)
			ret[chosen++] = b->pages[i];
	return chosen;
}

static bool hash_contents(struct bench *b, bool probed, double *ret)
{
	double began = cpu_seconds();
	pid_t pid = b->target.pids[0];
	struct page_ref *chosen = probed ? calloc(b->pages_count + 1, sizeof(*chosen)) : NULL;
	size_t count = b->pages_count;
	struct error err = { 0 };
	bool ok = !probed || (chosen && content_probe(b->content, pid, b->pages, count, b->values, b->states));

	if (ok && probed)
		count = choose(b, chosen);
	ok = ok && !content_hash(b->content, pid, probed ? chosen : b->pages, count, b->values, b->read, &err);
	*ret = cpu_seconds() - began;
	free(chosen);
	if (!ok)
		printf("contents can't be probed here %s\n", err.text);
	return ok;
}

/* ---- looks ---- */

static bool look(struct bench *b, enum look_mode mode, double *ret)
{
	const struct gather_options options = { .target = b->target, .mode = mode };
	struct sample s;
	struct error err;
	bool named_missing, ok = !gather_sample(&s, b->root, &options, &named_missing, &err);

	*ret = s.cpu_seconds;		/* without loading the reader, which a sweep does once */
	if (!ok)
		printf("%s\n", err.text);
	sample_free(&s);
	return ok;
}

static bool sweep_once(struct bench *b, double *ret)
{
	double began = cpu_seconds();
	struct sweep_pass pass;
	struct error err;
	bool ok = !sweep_pass(b->sweep, &pass, &err);

	*ret = cpu_seconds() - began;
	if (!ok)
		printf("%s\n", err.text);
	return ok;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), ascending);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static void report(struct bench *b, size_t rounds)
{
	static double ratio[MOST_ROUNDS];

	for (int way = 0; way < WAYS; way++) {
		enum way against = ways[way].against;
		for (size_t r = 0; r < rounds; r++)
			ratio[r] = b->seconds[way][r] / b->seconds[against][r];
		double is = median(ratio, rounds);
		if ((int)against != way)
			printf("%-32s %6.2f of %s  (aim: at most 0.5)%s\n", ways[way].name, is, ways[against].name,
			       is <= 0.5 ? "" : "  MISSED");
	}
	for (int way = 0; way < WAYS; way++)
		printf("%-32s %6.0f ns a page\n", ways[way].name,
		       median(b->seconds[way], rounds) / (double)b->pages_count * 1e9);
}

static bool take_turn(struct bench *b, enum way way, double *ret)
{
	switch (way) {
	case HASHED:
	case PROBED:
		return hash_contents(b, way == PROBED, ret);
	case PASS:
		return sweep_once(b, ret);
	default:
		return look(b, way == EXACT ? LOOK_EXACT : LOOK_SAMPLED, ret);
	}
}

static bool run(struct bench *b, size_t rounds)
{
	const struct sweep_options options = { .target = b->target, .theta = LOOK_THETA };
	struct error err;
	double first;

	if (content_open(&b->content, READER_NONE, NULL, &err) || sweep_open(&b->sweep, b->root, &options, &err)) {
		printf("%s\n", err.text);
		return false;
	}
	bool ok = sweep_once(b, &first);	/* this one has to find out what is frequent */
	for (size_t r = 0; ok && r < rounds; r++)
		for (int i = 0; ok && i < WAYS; i++) {
			enum way way = (i + r) % WAYS;
			ok = take_turn(b, way, &b->seconds[way][r]);
		}
	sweep_close(b->sweep);
	content_close(b->content);
	return ok;
}

int main(int argc, char **argv)
{
	static struct bench b;
	uint64_t rounds = 9, mib = 1024;
	struct sysroot root;
	struct error err;

	if ((argc > 1 && !parse_u64(argv[1], &rounds)) || (argc > 2 && !parse_u64(argv[2], &mib)) || argc > 3 || !rounds ||
	    rounds > MOST_ROUNDS || mib < 4) {
		fprintf(stderr, "bench_sweep [ROUNDS [MIB]]\n");
		return EXIT_USAGE;
	}
	if (sysroot_open(&root, NULL, &err))
		return error_print("bench_sweep", &err);
	setvbuf(stdout, NULL, _IOLBF, 0);
	uint64_t address;
	pid_t pid = holder_start(mib << 20, &address);
	b.root = &root;
	b.target = (struct target){ .pids = &pid, .pids_count = 1 };
	bool ok = pid > 0 && find_pages(&b, address, (mib << 20) / (size_t)sysconf(_SC_PAGESIZE)) && run(&b, rounds);
	if (ok)
		report(&b, rounds);
	holder_end(pid);
	sysroot_close(&root);
	return ok ? EXIT_DONE : EXIT_FAILED;
}
