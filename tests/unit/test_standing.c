// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The share that ksmd has merged, against ksmd in small: its two trees, page
 * by page (mm/ksm.c: cmp_and_merge_page(), unstable_tree_search_insert(),
 * should_skip_rmap_item()). The unstable tree is the C library's red-black
 * tree, ordered by what the pages hold at the moment of each comparison.
 *
 * Told and simulated may be so far apart: see CLOSE.
 */
#include "unit.h"

#include <math.h>
#include <search.h>
#include <stdlib.h>

#include "core/judge/standing.h"
#include "core/mix.h"

#define PAIRS 3000
#define PAGES (2 * PAIRS)
/* In shares of all duplicates. The simulation itself is within 0.01 (standard error, by other seeds). */
#define CLOSE 0.03
/* The share falls while it is averaged, and scans get shorter meanwhile; what is told is that of one moment. */
#define SMART_CLOSE 0.04

struct page {
	uint64_t content, checksum;
	bool stored, merged;
	unsigned int age, skips, pair;
};

struct engine {
	struct page pages[PAGES];
	uint32_t place[PAIRS][2];
	uint64_t seed;
	double now, next_write, rate;	/* in scans that visit every page */
	bool smart, keeps_order;
};

static uint64_t draw(struct engine *e)
{
	return mix64(++e->seed * UINT64_C(0x9e3779b97f4a7c15));
}

static double draw_share(struct engine *e)
{
	return ldexp((double)(draw(e) >> 11), -53);
}

static void engine_make(struct engine *e, double rate, bool smart, uint64_t seed)
{
	static uint32_t shuffled[PAGES];

	*e = (struct engine){ .seed = seed << 32, .rate = rate, .smart = smart };
	for (uint32_t i = 0; i < PAGES; i++)
		shuffled[i] = i;
	for (uint32_t i = PAGES - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(draw(e) % (i + 1)), was = shuffled[i];
		shuffled[i] = shuffled[j];
		shuffled[j] = was;
	}
	for (uint32_t i = 0; i < PAIRS; i++) {
		uint64_t content = draw(e);
		for (int k = 0; k < 2; k++) {
			e->place[i][k] = shuffled[2 * i + k];
			e->pages[e->place[i][k]].content = content;
		}
	}
	e->next_write = rate > 0 ? -log1p(-draw_share(e)) / (rate * PAIRS) : INFINITY;
}

static void write_until(struct engine *e, double now)
{
	for (; e->next_write < now; e->next_write += -log1p(-draw_share(e)) / (e->rate * PAIRS)) {
		uint64_t content = draw(e);
		const uint32_t *twins = e->place[draw(e) % PAIRS];
		for (int k = 0; k < 2; k++) {
			e->pages[twins[k]].content = content;
			e->pages[twins[k]].merged = false;
		}
	}
}

static bool passed_over(struct page *p)
{
	unsigned int age = p->age;

	p->age += age < 255;
	if (age < 3)
		return false;
	if (p->skips) {
		p->skips--;
		return true;
	}
	p->skips = age <= 3 ? 1 : age <= 5 ? 2 : age <= 8 ? 4 : 8;
	return false;
}

static int by_content(const void *a, const void *b)
{
	const struct page *x = a, *y = b;
	return x->content < y->content ? -1 : x->content > y->content;
}

static void visit(struct page *p, void **unstable)
{
	if (!p->stored || p->checksum != p->content) {
		p->stored = true;
		p->checksum = p->content;
		return;
	}
	struct page **found = tsearch(p, unstable, by_content);
	assert_non_null(found);
	if (*found != p && !(*found)->merged)
		(*found)->merged = p->merged = true;
}

static void forget(void *page)
{
	(void)page;
}

/* One scan; adds to *sum the pairs merged, after each sixteenth of it. */
static void scan(struct engine *e, double *sum)
{
	void *unstable = NULL;

	for (uint32_t i = 0; i < PAGES; i++) {
		struct page *p = &e->pages[i];
		if (!e->smart || p->merged || !passed_over(p)) {
			e->now += 1.0 / PAGES;
			write_until(e, e->now);
			if (!p->merged)
				visit(p, &unstable);
		}
		if (i % (PAGES / 16))
			continue;
		for (uint32_t k = 0; k < PAIRS; k++)
			*sum += (e->pages[e->place[k][0]].merged && e->pages[e->place[k][1]].merged) / 16.0 / PAIRS;
	}
	tdestroy(unstable, forget);
}

/* Merged on average over the second half of so many full scans' time. */
static double simulated(double rate, bool smart, double until)
{
	static struct engine e;
	double sum = 0, unused = 0;
	int scans = 0;

	engine_make(&e, rate, smart, (uint64_t)(rate * 1000) + smart);
	while (e.now < until / 2)
		scan(&e, &unused);
	for (; e.now < until; scans++)
		scan(&e, &sum);
	return sum / scans;
}

static double told(double rate, bool smart, double after)
{
	const struct ksmd_pages pages = { PAGES, PAIRS, rate };
	struct ksmd_trees trees;

	ksmd_trees_make(&trees, &pages, 1, (struct ksmd_pace){ 1, false, smart ? after : KSMD_NO_SMART });
	double share = ksmd_merged(&trees, rate);
	assert_true(share >= 0 && share <= ksmd_merged_most(&trees, rate) + 1e-12);
	return share;
}

static void as_simulated(double rate, bool smart, double until)
{
	double have = told(rate, smart, until * 3 / 4), want = simulated(rate, smart, until);

	print_message("%.2f writes a scan%s: told %.3f, simulated %.3f\n", rate, smart ? ", smart_scan" : "", have, want);
	assert_true(fabs(have - want) <= (smart ? SMART_CLOSE : CLOSE));
}

static void the_share_merged_is_that_of_the_trees(void **state)
{
	(void)state;
	const double rates[] = { 0, 0.02, 0.1, 0.25, 0.5, 0.7, 1, 2 };

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		as_simulated(rates[i], false, 60);
}

static void smart_scan_parts_pairs(void **state)
{
	(void)state;
	as_simulated(0, true, 20);
	as_simulated(0.05, true, 60);
	as_simulated(0.1, true, 60);
	as_simulated(0.5, true, 40);
	as_simulated(0.1, true, 200);
	as_simulated(1, true, 40);
}

static void at_the_edges(void **state)
{
	(void)state;
	struct ksmd_trees trees;

	ksmd_trees_make(&trees, NULL, 0, (struct ksmd_pace){ 10, false, KSMD_NO_SMART });
	assert_true(ksmd_merged(&trees, 0) == 1);
	assert_true(ksmd_merged(&trees, INFINITY) == 0);
	assert_true(ksmd_merged_most(&trees, INFINITY) == 0);
	assert_true(ksmd_merged_most(&trees, 0) == 1);
	ksmd_trees_make(&trees, NULL, 0, (struct ksmd_pace){ 0, false, 0 });
	assert_true(fabs(ksmd_merged(&trees, 0.5) - 1) < 1e-12);
	ksmd_trees_make(&trees, NULL, 0, (struct ksmd_pace){ 10, true, 100 });
	assert_true(trees.scan == 10 && trees.visit == 90);
	assert_true(told(0.3, false, 0) < told(0.2, false, 0));
	assert_true(told(0.3, true, 100) < told(0.3, true, 10));
	assert_true(told(0.3, true, 100) < told(0.3, false, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_share_merged_is_that_of_the_trees),
		cmocka_unit_test(smart_scan_parts_pairs),
		cmocka_unit_test(at_the_edges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
