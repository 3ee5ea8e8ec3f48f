// SPDX-License-Identifier: GPL-2.0-or-later
/* The ledger, heat from looks, slow-downs, the frontier and its knee, and what KSM can't take. */
#include "made_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/huge/frontier.h"
#include "core/huge/hidden.h"
#include "core/huge/ledger.h"
#include "core/huge/slowdown.h"
#include "core/judge/build.h"

#define PAGES 8u		/* in a huge page of these samples */
#define HUGE_BYTES (PAGES * MADE_PAGE)

static void near(double actual, double expected)
{
	if (!(fabs(actual - expected) <= 1e-5 * fabs(expected) + 1e-12))
		fail_msg("%.12g is not %.12g", actual, expected);
}

/* ---- heat ---- */

static struct heat looked(double exposure, uint32_t looks, uint32_t hits)
{
	struct heat_looks l = { 0 };
	struct heat_hits h = { 0 };
	size_t bin = heat_bin(exposure);

	l.count[bin] = looks;
	l.seconds[bin] = looks * exposure;
	h.hits[bin] = hits;
	return heat_estimate(&l, &h);
}

static double likelihood(double rate, double exposure, double looks, double hits)
{
	double hit = (1 - HEAT_DEAD_LOOKS) * (1 - exp(-rate * exposure));
	return (hits ? hits * log(hit) : 0) + (looks - hits) * log(1 - hit);
}

static void test_one_exposure(void **state)
{
	struct heat heat = looked(0.1, 100, 30);
	(void)state;
	near(heat.per_second, -log(1 - 0.3 / (1 - HEAT_DEAD_LOOKS)) / 0.1);
	double best = likelihood(heat.per_second, 0.1, 100, 30);
	near(best - likelihood(heat.low, 0.1, 100, 30), 1.9207);
	near(best - likelihood(heat.high, 0.1, 100, 30), 1.9207);
	assert_true(heat.low < heat.per_second && heat.per_second < heat.high);
	assert_false(heat.saturated);
	assert_int_equal(heat.known, KNOWN);
}

static void test_never_and_always(void **state)
{
	struct heat never = looked(0.1, 100, 0), always = looked(0.1, 100, 100), nobody = looked(0.1, 0, 0);
	(void)state;
	assert_true(never.per_second == 0 && never.low == 0);
	near(-likelihood(never.high, 0.1, 100, 0), 1.9207);
	assert_true(always.saturated && isinf(always.high));
	assert_true(always.per_second == always.low);
	near(likelihood(1e8, 0.1, 100, 100) - likelihood(always.low, 0.1, 100, 100), 1.9207);
	assert_int_equal(nobody.known, NOT_READ);
}

/* A hot page that one look in fifty missed, because the target was not let run, is hot all the same. */
static void test_dead_looks(void **state)
{
	struct heat_looks l = { 0 };
	struct heat_hits h = { 0 };
	size_t fast = heat_bin(5e-5), slow = heat_bin(4e-3);
	(void)state;
	l.count[fast] = 40;
	l.seconds[fast] = 40 * 5e-5;
	h.hits[fast] = 30;
	l.count[slow] = 60;
	l.seconds[slow] = 60 * 4e-3;
	h.hits[slow] = 58;
	struct heat heat = heat_estimate(&l, &h);
	double hot = -log(1 - 0.75 / (1 - HEAT_DEAD_LOOKS)) / 5e-5;
	assert_true(heat.per_second > hot * 0.95 && heat.per_second < hot * 1.05);
	assert_true(heat.low > hot / 2);
	assert_int_equal(heat.looks, 100);
	assert_int_equal(heat.hits, 88);
}

static double uniform(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (*random >> 11) * 0x1p-53;
}

/* The true rate is inside in about 19 of 20 cases, slow pages and fast ones. */
static void test_interval_covers(void **state)
{
	uint64_t random = 88172645463325252ull;
	int inside = 0, trials = 2000;
	(void)state;
	for (int t = 0; t < trials; t++) {
		double rate = pow(10, 4 * uniform(&random) - 1);
		struct heat_looks l = { 0 };
		struct heat_hits h = { 0 };
		for (int k = 0; k < 96; k++) {
			double exposure = 2e-4 * pow(10, (k % 8) / 2.0);
			size_t bin = heat_bin(exposure);
			l.count[bin]++;
			l.seconds[bin] += exposure;
			h.hits[bin] += uniform(&random) < (1 - HEAT_DEAD_LOOKS) * (1 - exp(-rate * exposure));
		}
		struct heat heat = heat_estimate(&l, &h);
		inside += heat.low <= rate && rate <= heat.high;
	}
	assert_in_range(inside, trials * 93 / 100, trials * 97 / 100);
}

/* Looks in which a busy process accesses nothing at all are none; those of a cold one tell that it is cold. */
static void test_looks_in_the_kernel(void **state)
{
	struct heat_looks looks = { .count = { [2] = 10, [3] = 10, [9] = 10 }, .seconds = { [3] = 1 } };
	const struct heat_totals totals = { .hits = { [2] = 49, [3] = 50, [9] = 30 }, .none = { [2] = 4, [3] = 5, [9] = 6 } };
	(void)state;
	heat_drop_dead(&looks, &totals);
	assert_int_equal(looks.count[2], 10);	/* not busy enough to be sure of it */
	assert_int_equal(looks.count[3], 5);
	assert_int_equal(looks.count[9], 4);
	near(looks.seconds[3], 1);		/* rates stay means over all time */
}

/* Reading takes as long as the exposure is: half of a page's looks are shorter than their mean, and are worth less. */
static void test_long_reading(void **state)
{
	uint64_t random = 20231117;
	double rate = 20000, x = 1e-4, w = 1.8e-4, sum = 0;
	int trials = 200, looks = 400, inside = 0;
	(void)state;
	for (int t = 0; t < trials; t++) {
		struct heat_looks l = { 0 };
		struct heat_hits h = { 0 };
		size_t bin = heat_bin(x);
		l.count[bin] = looks;
		l.seconds[bin] = looks * x;
		l.reading[bin] = looks * w;
		for (int k = 0; k < looks; k++) {
			double exposure = x + (uniform(&random) - 0.5) * w;
			h.hits[bin] += uniform(&random) < (1 - HEAT_DEAD_LOOKS) * (1 - exp(-rate * exposure));
		}
		struct heat heat = heat_estimate(&l, &h);
		sum += heat.per_second;
		inside += heat.low <= rate && rate <= heat.high;
	}
	assert_true(fabs(sum / trials / rate - 1) < 0.03);	/* by the mean exposure alone it would be a quarter too low */
	assert_in_range(inside, trials * 92 / 100, trials * 99 / 100);
}

static void test_bins(void **state)
{
	(void)state;
	assert_int_equal(heat_bin(0), HEAT_BINS);
	assert_int_equal(heat_bin(-1), HEAT_BINS);
	assert_int_equal(heat_bin(1e-9), 0);
	assert_int_equal(heat_bin(1e9), HEAT_BINS - 1);
	assert_int_equal(heat_bin(1.01e-4), heat_bin(1.01e-5) + 4);
}

/* ---- samples with huge pages ---- */

static void begin(struct sample *s)
{
	made_init(s);
	s->machine.pmd_bytes = HUGE_BYTES;
	made_task(s, 100, 0);
}

/* A huge page at the end of the last area; its contents count up from `content`, or are all `content`. */
static void add_huge(struct sample *s, uint32_t page, uint64_t content, bool all_the_same)
{
	for (uint32_t i = 0; i < PAGES; i++)
		made_page(s, page + i, content + (all_the_same ? 0 : i), FRAME_HUGE | FRAME_REGION);
}

static struct huge *built(struct sample *s, struct model *m, const struct frontier_options *o)
{
	const struct frontier_options nothing = { 0 };
	struct huge *h = NULL;
	assert_int_equal(model_build(m, s), 0);
	assert_int_equal(huge_build(&h, s, o ? o : &nothing), 0);
	m->huge = h;
	return h;
}

/* Two huge pages with the same contents, and a base page with one of them. */
static void test_ledger(void **state)
{
	struct sample s;
	struct model m;
	(void)state;
	begin(&s);
	made_area(&s, 0, 64 * HUGE_BYTES, 4 * PAGES);
	add_huge(&s, 0, 1000, false);
	add_huge(&s, PAGES, 1000, false);
	add_huge(&s, 2 * PAGES, 5000, false);
	made_page(&s, 3 * PAGES, 1003, 0);
	struct huge *h = built(&s, &m, NULL);
	assert_int_equal(h->count, 3);
	assert_int_equal(h->worth, 2);
	assert_int_equal(h->regions[1].address, 65 * HUGE_BYTES);
	assert_int_equal(h->regions[0].duplicates, PAGES);
	assert_int_equal(h->regions[2].unique, PAGES);
	assert_int_equal(h->regions[2].benefit_bytes, 0);
	/* seven contents with two hidden copies each, half a frame each; one with a base copy, a frame each */
	near(h->regions[0].attributed_frames, 7 * 0.5 + 1);
	/* the first one alone frees what is equal to the base page; the second the rest */
	assert_int_equal(h->frontier[1].saved_bytes, MADE_PAGE);
	assert_int_equal(h->frontier[2].saved_bytes, (7 + 2) * MADE_PAGE);
	assert_true(isnan(h->frontier[2].slowdown));
	model_free(&m);
	sample_free(&s);
}

/* A kernel without huge pages: no region, no division by their size, and an answer that says so. */
static void test_no_huge_pages(void **state)
{
	struct sample s;
	struct model m;
	(void)state;
	begin(&s);
	s.machine.pmd_bytes = 0;
	made_area(&s, 0, 64 * HUGE_BYTES, 2);
	made_page(&s, 0, 7, 0);
	made_page(&s, 1, 7, 0);
	struct huge *h = built(&s, &m, NULL);
	assert_int_equal(h->count, 0);
	assert_int_equal(h->worth, 0);
	struct huge_knee knee = huge_knee(h);
	assert_int_equal(knee.kind, KNEE_NONE);
	assert_int_equal(knee.base_saved_bytes, MADE_PAGE);
	assert_int_equal(knee.all.regions_broken, 0);
	model_free(&m);
	sample_free(&s);
}

/* Nothing is shared across users. */
static void test_domains(void **state)
{
	struct sample s;
	struct model m;
	(void)state;
	begin(&s);
	made_area(&s, 0, 64 * HUGE_BYTES, PAGES);
	add_huge(&s, 0, 1000, false);
	made_task(&s, 200, 1);
	made_area(&s, 1, 64 * HUGE_BYTES, PAGES);
	add_huge(&s, 0, 1000, false);
	struct huge *h = built(&s, &m, NULL);
	assert_int_equal(h->count, 2);
	assert_int_equal(h->worth, 0);
	assert_int_equal(h->regions[0].unique, PAGES);
	assert_int_equal(h->knee_kind, KNEE_NONE);
	model_free(&m);
	sample_free(&s);
}

/* At most M mappings to a frame: eight copies and M = 4 keep two frames. */
static void test_cap_and_zero(void **state)
{
	struct sample s;
	struct model m;
	(void)state;
	begin(&s);
	s.engine.knob[KNOB_MAX_PAGE_SHARING] = value_of(4);
	made_area(&s, 0, 64 * HUGE_BYTES, 2 * PAGES);
	add_huge(&s, 0, 7, true);
	add_huge(&s, PAGES, 0, true);
	s.machine.split_frees_zero = value_of(1);
	struct huge *h = built(&s, &m, NULL);
	near(h->regions[0].attributed_frames, 6);
	assert_int_equal(h->regions[1].zero, PAGES);
	near(h->regions[1].attributed_frames, PAGES);
	assert_int_equal(h->frontier[2].saved_bytes, (6 + PAGES) * MADE_PAGE);
	model_free(&m);
	sample_free(&s);
}

/* Shares add up to what breaking all frees, whatever the order was. */
static void test_shares_add_up(void **state)
{
	struct sample s;
	struct model m;
	double sum = 0;
	uint64_t random = 4711;
	(void)state;
	begin(&s);
	s.engine.knob[KNOB_MAX_PAGE_SHARING] = value_of(5);
	made_area(&s, 0, 64 * HUGE_BYTES, 60 * PAGES);
	for (uint32_t page = 0; page < 50 * PAGES; page++)
		made_page(&s, page, (uint64_t)(uniform(&random) * 90), FRAME_HUGE | FRAME_REGION |
			  (uniform(&random) < 0.1 ? FRAME_VOLATILE : 0));
	for (uint32_t page = 50 * PAGES; page < 60 * PAGES; page++)
		made_page(&s, page, (uint64_t)(uniform(&random) * 300), 0);
	struct huge *h = built(&s, &m, NULL);
	for (size_t i = 0; i < h->count; i++)
		sum += h->regions[i].attributed_frames;
	near(sum * MADE_PAGE, h->frontier[h->worth].saved_bytes);
	for (size_t i = 0; i < h->worth; i++)
		assert_true(h->frontier[i + 1].saved_bytes >= h->frontier[i].saved_bytes);
	assert_int_equal(h->base_saved_bytes + h->frontier[h->worth].saved_bytes, m.duplicates.capped * MADE_PAGE);
	model_free(&m);
	sample_free(&s);
}

/* ---- slow-down ---- */

static struct measured figure(double median)
{
	return (struct measured){ .known = KNOWN, .median = median, .low = median, .high = median, .count = 9 };
}

static void calibrate(struct calibration *c)
{
	*c = (struct calibration){ .accesses = 1 };
	c->access[0] = (struct access_point){ .bytes = HUGE_BYTES, .extra_ns = figure(50), .huge_ns = figure(200) };
	for (int i = 0; i < COST_COUNT; i++)
		c->cost[i] = figure(0);
}

static struct heat measured_heat(double rate)
{
	return (struct heat){ .known = KNOWN, .per_second = rate, .low = rate, .high = rate, .looks = 9, .hits = 4 };
}

static struct slowdown_share broken_too(struct slowdown *s, const struct region *r)
{
	slowdown_add(s, r);
	return slowdown_so_far(s);
}

static void test_slowdown(void **state)
{
	struct calibration c;
	struct region regions[3] = { { .pages = PAGES, .heat = measured_heat(1e6) },
				     { .pages = PAGES, .heat = { .known = NOT_READ } },
				     { .pages = PAGES, .heat = measured_heat(0) } };
	(void)state;
	calibrate(&c);
	struct slowdown s = { .calibration = &c, .region_bytes = HUGE_BYTES, .utilization = 0.5, .life_seconds = 1e30 };
	slowdown_begin(&s, regions, 3);
	/* half a processor makes a million accesses a second: two million per processor second */
	near(slowdown_rate(&s, &regions[0]), 2e6);
	/* the processor could do five million */
	near(slowdown_rate(&s, &regions[1]), 3e6);
	near(broken_too(&s, &regions[2]).most_likely, 0);
	near(broken_too(&s, &regions[0]).most_likely, 2e6 * 50e-9);
	near(broken_too(&s, &regions[1]).most_likely, 5e6 * 50e-9);
}

/* Independent distances add up by squares; a saturated region may have all that the others leave. */
static void test_slowdown_interval(void **state)
{
	struct calibration c;
	struct region regions[3] = {
		{ .pages = PAGES, .heat = { .known = KNOWN, .per_second = 1e6, .low = 0.7e6, .high = 1.3e6 } },
		{ .pages = PAGES, .heat = { .known = KNOWN, .per_second = 1e6, .low = 0.6e6, .high = 1.4e6 } },
		{ .pages = PAGES, .heat = { .known = KNOWN, .saturated = true, .per_second = 1e5, .low = 1e5,
					    .high = INFINITY } } };
	(void)state;
	calibrate(&c);
	c.access[0].extra_ns.low = 40;
	c.access[0].extra_ns.high = 60;
	struct slowdown s = { .calibration = &c, .region_bytes = HUGE_BYTES, .utilization = 1, .life_seconds = 1e30 };
	slowdown_begin(&s, regions, 3);
	slowdown_add(&s, &regions[0]);
	struct slowdown_share share = broken_too(&s, &regions[1]);
	near(share.most_likely, 2e6 * 50e-9);
	near(share.low, (2e6 - 0.5e6) * 40e-9);
	near(share.high, (2e6 + 0.5e6) * 60e-9);
	share = broken_too(&s, &regions[2]);
	near(share.most_likely, 5e6 * 50e-9);	/* all that a processor makes */
	near(share.low, (1.5e6 + 1e5) * 40e-9);
	near(share.high, 5e6 * 60e-9);
}

/*
 * One region that nobody can tell how hot it is, beside 64 of known heat: it may have all time that they leave, and
 * hides nothing of what they cost.
 */
static void test_one_dominates(void **state)
{
	struct calibration c;
	struct region hot = { .pages = PAGES, .heat = { .known = KNOWN, .saturated = true, .per_second = 3e4, .low = 3e4,
							  .high = INFINITY } };
	struct region warm = { .pages = PAGES, .heat = measured_heat(1e4) }, regions[65] = { hot };
	(void)state;
	calibrate(&c);
	/* nothing extra while one region is in use, 50 ns from 32 on */
	c.access[0].extra_ns = figure(0);
	c.access[0].bytes = 2 * HUGE_BYTES;
	c.access[1] = (struct access_point){ .bytes = 32 * HUGE_BYTES, .extra_ns = figure(50), .huge_ns = figure(200) };
	c.accesses = 2;
	for (size_t i = 1; i < 65; i++)
		regions[i] = warm;
	struct slowdown s = { .calibration = &c, .region_bytes = HUGE_BYTES, .utilization = 1, .life_seconds = 1e30 };
	slowdown_begin(&s, regions, 65);
	near(slowdown_rate(&s, &hot), 5e6 - 64e4);
	near(broken_too(&s, &hot).most_likely, 0);
	struct slowdown_share share = { 0 };
	for (size_t i = 1; i < 65; i++)
		share = broken_too(&s, &regions[i]);
	near(share.most_likely, 64e4 * 50e-9);
	near(share.high, 64e4 * 50e-9);
	assert_true(slowdown_working_set(&s, &hot) < 2 * HUGE_BYTES);
	assert_true(slowdown_working_set(&s, &warm) > 64 * HUGE_BYTES);
	assert_true(s.beyond);
	near(slowdown_of_region(&s, &warm), 1e4 * 50e-9);
}

/* What is not known to be accessed is at most what time in user mode allows. */
static void test_user_mode(void **state)
{
	struct calibration c;
	struct region unknown = { .pages = PAGES, .heat = { .known = NOT_READ } };
	(void)state;
	calibrate(&c);
	struct slowdown s = { .calibration = &c, .region_bytes = HUGE_BYTES, .utilization = 1, .user_share = 0.4,
			      .life_seconds = 1e30 };
	slowdown_begin(&s, &unknown, 1);
	near(broken_too(&s, &unknown).most_likely, 0.4 * 5e6 * 50e-9);
	near(slowdown_of_region(&s, &unknown), 0.4 * 5e6 * 50e-9);
	struct region hot = { .pages = PAGES, .heat = measured_heat(9e6) };
	s = (struct slowdown){ .calibration = &c, .region_bytes = HUGE_BYTES, .utilization = 1, .user_share = 0.4,
			       .life_seconds = 1e30 };
	slowdown_begin(&s, &hot, 1);
	near(broken_too(&s, &hot).most_likely, 0.4 * 5e6 * 50e-9);
}

/* More accesses than a processor makes are none. */
static void test_slowdown_limit(void **state)
{
	struct calibration c;
	struct region region = { .pages = PAGES, .heat = measured_heat(9e6) };
	(void)state;
	calibrate(&c);
	struct slowdown s = { .calibration = &c, .region_bytes = HUGE_BYTES, .utilization = 1, .life_seconds = 1e30 };
	slowdown_begin(&s, &region, 1);
	near(broken_too(&s, &region).most_likely, 5e6 * 50e-9);
}

static void test_no_calibration(void **state)
{
	struct region region = { .pages = PAGES, .heat = measured_heat(10) };
	struct slowdown s = { .region_bytes = HUGE_BYTES, .utilization = 1, .life_seconds = 1 };
	(void)state;
	slowdown_begin(&s, &region, 1);
	assert_true(isnan(broken_too(&s, &region).most_likely));
}

/* Rewrites: 4 of 8 pages changed in 2 s, the rest are written as often. */
static void test_rewrites(void **state)
{
	struct calibration c;
	struct region region = { .pages = PAGES, .is_volatile = 4, .duplicates = 4, .heat = measured_heat(0) };
	(void)state;
	calibrate(&c);
	c.cost[COST_COW_EXTRA] = figure(2000);
	struct slowdown s = { .calibration = &c, .region_bytes = HUGE_BYTES, .utilization = 1, .life_seconds = 1e30,
			      .settle_seconds = 2 };
	slowdown_begin(&s, &region, 1);
	near(broken_too(&s, &region).most_likely, 4 * log(2) / 2 * 2000e-9);
}

/* ---- the frontier ---- */

static void test_knee(void **state)
{
	struct frontier_point root[101], line[101];
	enum knee_kind kind;
	(void)state;
	for (int i = 0; i <= 100; i++) {
		root[i] = (struct frontier_point){ .regions_broken = i, .saved_bytes = 1e9 * sqrt(i / 100.0), .slowdown = 0.2 * i / 100 };
		line[i] = (struct frontier_point){ .regions_broken = i, .saved_bytes = 1e7 * i, .slowdown = 0.2 * i / 100 };
	}
	assert_int_equal(frontier_knee(root, 101, &kind), 25);	/* √x − x is greatest at ¼ */
	assert_int_equal(kind, KNEE_CHORD);
	assert_int_equal(frontier_knee(line, 101, &kind), 0);
	assert_int_equal(kind, KNEE_NONE);
	for (int i = 0; i <= 100; i++)
		root[i].slowdown = NAN;
	assert_int_equal(frontier_knee(root, 101, &kind), 25);
	for (int i = 0; i <= 100; i++)
		line[i].slowdown = 0.0001 * i / 100;	/* a hundredth of nothing */
	assert_int_equal(frontier_knee(line, 101, &kind), 100);
	assert_int_equal(frontier_knee(line, 1, &kind), 0);
}

/* Hot huge pages with a duplicate, cold ones full of them: only these are broken. */
static void test_hot_and_cold(void **state)
{
	struct sample s;
	struct model m;
	struct calibration c;
	(void)state;
	begin(&s);
	calibrate(&c);
	made_area(&s, 0, 64 * HUGE_BYTES, 4 * PAGES + 1);
	for (uint32_t h = 0; h < 2; h++)
		for (uint32_t i = 0; i < PAGES; i++)
			made_page(&s, h * PAGES + i, i ? 1000 + h * PAGES + i : 77, FRAME_HUGE | FRAME_REGION);
	add_huge(&s, 2 * PAGES, 77, true);
	add_huge(&s, 3 * PAGES, 77, true);
	made_page(&s, 4 * PAGES, 77, 0);
	s.heat = heat_facts_new(1, 4);
	s.heat->seconds = 1;
	s.heat->source = HEAT_PAGE_TABLES;
	s.heat->tasks[0] = (struct heat_task){ .known = KNOWN, .cpu_seconds = 1 };
	size_t bin = heat_bin(1e-3);
	s.heat->tasks[0].looks.count[bin] = 100;
	s.heat->tasks[0].looks.seconds[bin] = 0.1;
	s.heat->hits[0].hits[bin] = s.heat->hits[1].hits[bin] = 100;	/* saturated */
	struct huge *h = built(&s, &m, &(struct frontier_options){ .calibration = &c });
	assert_true(h->calibrated);
	near(h->disturbance, 200 * 200e-9);	/* so many hits, each of them an access to memory, in a second */
	assert_int_equal(h->knee, 2);
	assert_true(h->regions[2].breaks_at_knee && h->regions[3].breaks_at_knee);
	assert_int_equal(h->frontier[2].saved_bytes, 2 * HUGE_BYTES);
	assert_int_equal(h->frontier[4].saved_bytes, 2 * HUGE_BYTES + 2 * MADE_PAGE);
	near(h->frontier[4].slowdown, 50.0 / 200);	/* nothing but accesses, each 50 ns longer than 200 ns */
	assert_true(h->frontier[2].slowdown < 1e-4);
	struct huge_knee knee = huge_knee(h);
	assert_int_equal(knee.kind, KNEE_CHORD);
	assert_int_equal(knee.regions, 4);
	assert_int_equal(knee.at.regions_broken, 2);
	assert_int_equal(knee.at.saved_bytes, 2 * HUGE_BYTES);
	assert_int_equal(knee.all.saved_bytes, 2 * HUGE_BYTES + 2 * MADE_PAGE);
	assert_int_equal(huge_knee(NULL).kind, KNEE_NONE);
	assert_int_equal(frontier_within(h, 0.01), 2);
	assert_int_equal(frontier_within(h, 0.5), 4);
	assert_int_equal(frontier_within(h, -1), 0);
	model_free(&m);
	sample_free(&s);
}

/* A gibibyte's worth decides: below what a region costs it is left. */
static void test_exchange(void **state)
{
	struct sample s;
	struct model m;
	struct calibration c;
	(void)state;
	begin(&s);
	calibrate(&c);
	made_area(&s, 0, 64 * HUGE_BYTES, 2 * PAGES);
	add_huge(&s, 0, 5, true);
	add_huge(&s, PAGES, 6, true);
	struct frontier_options o = { .calibration = &c, .exchange_rate = 1e-6 };
	struct huge *h = built(&s, &m, &o);
	assert_int_equal(h->knee, 0);
	assert_int_equal(h->knee_kind, KNEE_EXCHANGE);
	model_free(&m);
	o.exchange_rate = 1e6;
	assert_int_equal(huge_build(&h, &s, &o), 0);
	assert_int_equal(h->knee, 2);
	huge_free(h);
	sample_free(&s);
}

/* ---- what KSM can't take ---- */

static void test_hidden(void **state)
{
	struct sample s;
	struct value frames, zero;
	(void)state;
	begin(&s);
	s.engine.knob[KNOB_MAX_PAGE_SHARING] = value_of(4);
	made_area(&s, 0, 64 * HUGE_BYTES, 4);
	made_page(&s, 0, 9, 0);
	made_page(&s, 1, 9, FRAME_VOLATILE);
	uint64_t hash = frame_hashes(&s.frames)[0];
	hidden_result(&s, &frames, &zero);
	assert_int_equal(frames.known, NOT_READ);
	assert_int_equal(hidden_begin(&s), 0);
	for (int i = 0; i < 4; i++)
		hidden_add(&s, hash, true, false);	/* five copies with the candidate: two frames are kept */
	for (int i = 0; i < 3; i++)
		hidden_add(&s, 1, true, true);
	hidden_add(&s, 12345, true, false);
	assert_int_equal(hidden_count(&s), 0);
	hidden_result(&s, &frames, &zero);
	assert_int_equal(frames.number, 3 + 2);
	assert_int_equal(zero.number, 2);
	sample_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_exposure),
		cmocka_unit_test(test_never_and_always),
		cmocka_unit_test(test_dead_looks),
		cmocka_unit_test(test_interval_covers),
		cmocka_unit_test(test_bins),
		cmocka_unit_test(test_looks_in_the_kernel),
		cmocka_unit_test(test_long_reading),
		cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_no_huge_pages),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_cap_and_zero),
		cmocka_unit_test(test_shares_add_up),
		cmocka_unit_test(test_slowdown),
		cmocka_unit_test(test_slowdown_interval),
		cmocka_unit_test(test_one_dominates),
		cmocka_unit_test(test_slowdown_limit),
		cmocka_unit_test(test_user_mode),
		cmocka_unit_test(test_no_calibration),
		cmocka_unit_test(test_rewrites),
		cmocka_unit_test(test_knee),
		cmocka_unit_test(test_hot_and_cold),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_hidden),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
