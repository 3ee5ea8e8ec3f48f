// SPDX-License-Identifier: GPL-2.0-or-later
/* Working sets by reuse distance, against the misses of simulated LRU caches. */
#include "unit.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/huge/reuse.h"

#define REGIONS 96
#define PAGES 16u			/* in a region */
#define ACCESSES 1500000

/* An LRU cache as a list of pages, the one last accessed in front. */
struct lru {
	uint32_t next[REGIONS * PAGES + 1], previous[REGIONS * PAGES + 1];	/* the last entry is the list's head */
	bool cached[REGIONS * PAGES];
	uint32_t count, most;
};

#define HEAD (REGIONS * PAGES)

static void unlink_page(struct lru *l, uint32_t page)
{
	l->next[l->previous[page]] = l->next[page];
	l->previous[l->next[page]] = l->previous[page];
	l->cached[page] = false;
	l->count--;
}

/* True for a miss. */
static bool access_page(struct lru *l, uint32_t page)
{
	bool hit = l->cached[page];

	if (hit)
		unlink_page(l, page);
	else if (l->count == l->most)
		unlink_page(l, l->previous[HEAD]);
	l->next[page] = l->next[HEAD];
	l->previous[page] = HEAD;
	l->previous[l->next[HEAD]] = page;
	l->next[HEAD] = page;
	l->cached[page] = true;
	l->count++;
	return !hit;
}

static double uniform(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (*random >> 11) * 0x1p-53;
}

static uint32_t chosen(const double *cumulated, double at)
{
	uint32_t from = 0, to = REGIONS - 1;
	while (from < to) {
		uint32_t middle = (from + to) / 2;
		if (cumulated[middle] > at)
			to = middle;
		else
			from = middle + 1;
	}
	return from;
}

/* The share of accesses that miss a cache of `entries` pages. */
static double simulated(const double *rates, uint32_t entries)
{
	static struct lru l;
	double cumulated[REGIONS], sum = 0;
	uint64_t random = 88172645463325252ull, misses = 0;

	l = (struct lru){ .next[HEAD] = HEAD, .previous[HEAD] = HEAD, .most = entries };
	for (size_t i = 0; i < REGIONS; i++)
		cumulated[i] = sum += rates[i];
	for (uint32_t i = 0; i < ACCESSES; i++) {
		uint32_t region = chosen(cumulated, uniform(&random) * sum);
		uint32_t page = region * PAGES + (uint32_t)(uniform(&random) * PAGES);
		misses += access_page(&l, page) && i >= ACCESSES / 3;
	}
	return (double)misses / (ACCESSES - ACCESSES / 3);
}

/* The same by working sets: an evenly accessed set of W pages misses with 1 − entries/W. */
static double predicted(const double *rates, uint32_t entries)
{
	struct reuse reuse;
	double sum = 0, misses = 0;

	reuse_begin(&reuse);
	for (size_t i = 0; i < REGIONS; i++)
		reuse_add(&reuse, reuse_bucket(rates[i]));
	for (size_t i = 0; i < REGIONS; i++) {
		double pages = reuse_regions(&reuse, reuse_bucket(rates[i])) * PAGES;
		sum += rates[i];
		misses += rates[i] * fmax(1 - entries / pages, 0);
	}
	return misses / sum;
}

static void hold(const double *rates, double within)
{
	static const uint32_t sizes[] = { 40, 100, 300, 700 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		double actual = simulated(rates, sizes[i]), expected = predicted(rates, sizes[i]);
		if (!(fabs(expected - actual) <= within * actual + 0.01))
			fail_msg("%u entries: %.4f are predicted to miss, %.4f do", sizes[i], expected, actual);
	}
}

static void test_even(void **state)
{
	double rates[REGIONS];
	(void)state;
	for (size_t i = 0; i < REGIONS; i++)
		rates[i] = 1234;
	hold(rates, 0.02);
}

/*
 * Two kinds: a third is six times as hot as the others. One W for a region does not know how its reuse distances are
 * spread, which counts most in a cache that holds all the hot pages and half of the others: a quarter too low there.
 */
static void test_hot_and_lukewarm(void **state)
{
	double rates[REGIONS];
	(void)state;
	for (size_t i = 0; i < REGIONS; i++)
		rates[i] = i % 3 ? 100 : 600;
	hold(rates, 0.26);
}

/* One region takes most of the accesses: the others miss as if it weren't there. */
static void test_dominated(void **state)
{
	double rates[REGIONS];
	(void)state;
	for (size_t i = 0; i < REGIONS; i++)
		rates[i] = i ? 10 : 5000;
	hold(rates, 0.1);
	struct reuse reuse;
	reuse_begin(&reuse);
	for (size_t i = 0; i < REGIONS; i++)
		reuse_add(&reuse, reuse_bucket(rates[i]));
	assert_true(reuse_regions(&reuse, reuse_bucket(10)) > REGIONS);
	assert_true(reuse_regions(&reuse, reuse_bucket(5000)) < 2);
}

static void test_zipf(void **state)
{
	double rates[REGIONS];
	(void)state;
	for (size_t i = 0; i < REGIONS; i++)
		rates[i] = 1e5 / (i + 1);
	hold(rates, 0.1);
}

static void test_buckets(void **state)
{
	(void)state;
	assert_int_equal(reuse_bucket(0), 0);
	assert_int_equal(reuse_bucket(NAN), 0);
	assert_int_equal(reuse_bucket(INFINITY), REUSE_BUCKETS - 1);
	assert_int_equal(reuse_bucket(1e300), REUSE_BUCKETS - 1);
	assert_int_equal(reuse_bucket(1000), reuse_bucket(100) + REUSE_PER_DECADE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_even),
		cmocka_unit_test(test_hot_and_lukewarm),
		cmocka_unit_test(test_dominated),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_buckets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
