// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The estimator against counting: exact where everything is kept; inside its
 * own interval as often as it says, on the populations of the study at a
 * smaller size; sane on populations that are hardly there.
 */
#include "unit.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "tests/study/trial.h"

static struct sketch make(double theta, bool probe_is_hash)
{
	struct sketch_options options = { .bytes = TRIAL_SKETCH_BYTES, .theta = theta, .phase = 77,
					  .probe_is_hash = probe_is_hash };
	struct sketch s;

	assert_int_equal(sketch_init(&s, &options, NULL), 0);
	return s;
}

static struct estimates estimate(const struct sketch *s, const struct estimate_options *options)
{
	static const struct estimate_options plain;
	struct estimates e;

	assert_int_equal(estimate_make(&e, s, options ? options : &plain, NULL), 0);
	return e;
}

static void expect_exact(const struct estimate *e, double value)
{
	assert_true(e->exact);
	assert_true(fabs(e->value - value) <= 1e-9 * (1 + value));
	assert_true(e->low == e->value && e->high == e->value);
}

static void expect_sane(const struct estimate *e, double least, double most)
{
	assert_true(e->low <= e->value && e->value <= e->high);
	assert_true(least <= e->low && e->high <= most);
	assert_true(!e->exact || e->low == e->high);
}

static void domains_of(const struct population_made *p, uint32_t *ret)
{
	for (uint32_t owner = 0; owner < p->owners; owner++)
		ret[owner] = study_domain_of(p, owner);
}

/* ---- everything kept ---- */

static void test_exact_at_theta_1(void **state)
{
	(void)state;
	for (size_t k = 0; k < POPULATION_KINDS; k++) {
		struct population_made p = population_make(&population_kinds[k], 6000);
		struct sketch s = make(1, p.probe_is_hash);
		uint32_t domain_of[256];
		domains_of(&p, domain_of);
		/* Some frequent contents in the other stratum: no difference. */
		uint64_t heavy[2] = { trial_hash(9, p.holdings[0].group), trial_hash(9, p.holdings[50].group) };
		sketch_set_heavy(&s, heavy, 2);
		trial_sample(&p, &s, 9);
		struct estimates e = estimate(&s, &(struct estimate_options){
			.domain_of = domain_of, .max_page_sharing = STUDY_CAP });
		assert_int_equal(e.frames, p.frames);
		for (unsigned int m = 0; m < TOTAL_MEASURES; m++)
			expect_exact(&e.of[m], p.truth[m]);
		expect_exact(&e.distinct, p.contents);
		double attributed = 0;
		for (uint32_t o = 0; o < e.classes_count; o++) {
			for (unsigned int m = 0; m < CLASS_MEASURES; m++)
				expect_exact(&e.classes[o].of[m], p.class_truth[o][m]);
			attributed += e.classes[o].of[CLASS_ATTRIBUTED].value;
		}
		assert_true(fabs(attributed - p.truth[TOTAL_POLICY]) < 1e-6 * (1 + attributed));
		estimates_free(&e);
		sketch_free(&s);
		population_free(&p);
	}
}

/* Three owners, of which two are one class; contents by hand. */
static void test_classes_and_domains_by_hand(void **state)
{
	(void)state;
	struct sketch s = make(1, true);
	const uint32_t class_of[] = { 0, 0, 1, CLASS_NONE }, domain_of[] = { 10, 10, 10, 20 };
	const uint64_t candidates[] = { 20, 4 };

	sketch_add(&s, 1, 1, 0, 3);	/* content 1: 3 + 2 in class 0, 1 in class 1, 4 in another domain */
	sketch_add(&s, 1, 1, 1, 2);
	sketch_add(&s, 1, 1, 2, 1);
	sketch_add(&s, 1, 1, 3, 4);
	sketch_add(&s, 2, 2, 0, 5);	/* content 2: only class 0 */
	sketch_add(&s, 3, 3, 2, 1);	/* content 3: single */
	struct estimates e = estimate(&s, &(struct estimate_options){
		.class_of = class_of, .classes_count = 2, .domain_of = domain_of, .max_page_sharing = 4,
		.candidates = candidates, .total_candidates = 32 });

	expect_exact(&e.of[TOTAL_UNION], 9 + 4);
	expect_exact(&e.of[TOTAL_POLICY], 5 + 3 + 4);
	expect_exact(&e.of[TOTAL_CROSSING], 1);
	expect_exact(&e.of[TOTAL_WITHIN], 4 + 0 + 3 + 4);
	expect_exact(&e.of[TOTAL_BETWEEN], 1);
	/* 6 copies need two frames, 5 need two, 4 one. */
	expect_exact(&e.of[TOTAL_CAPPED], 4 + 3 + 3);
	expect_exact(&e.classes[0].of[CLASS_SELF], 4 + 4);
	expect_exact(&e.classes[0].of[CLASS_BETWEEN], 1);
	expect_exact(&e.classes[0].of[CLASS_ATTRIBUTED], 5 * 5 / 6.0 + 4);
	expect_exact(&e.classes[0].of[CLASS_MARGINAL], 5 + 4);
	expect_exact(&e.classes[0].of[CLASS_CAPPED], 5 * 4 / 6.0 + 3);
	expect_exact(&e.classes[1].of[CLASS_SELF], 0);
	expect_exact(&e.classes[1].of[CLASS_MARGINAL], 1);
	assert_true(e.classes[0].coverage == 0.5 && e.classes[1].coverage == 0.5 && e.coverage == 0.5);
	estimates_free(&e);
	sketch_free(&s);
}

/* ---- hardly anything there ---- */

static void test_empty(void **state)
{
	(void)state;
	struct sketch s = make(1.0 / 64, false);
	struct estimates e = estimate(&s, NULL);

	assert_int_equal(e.frames, 0);
	assert_int_equal(e.classes_count, 0);
	assert_true(e.coverage == 1);
	for (unsigned int m = 0; m < TOTAL_MEASURES; m++)
		expect_exact(&e.of[m], 0);
	estimates_free(&e);
	sketch_free(&s);
}

static void test_one_page(void **state)
{
	(void)state;
	for (uint64_t key = 1; key < 400; key++) {
		struct sketch s = make(1.0 / 64, key % 2);
		sketch_add(&s, mix64(key), mix64(key), 4, 1);
		struct estimates e = estimate(&s, NULL);
		assert_int_equal(e.classes_count, 5);
		for (unsigned int m = 0; m < TOTAL_MEASURES; m++)
			expect_exact(&e.of[m], 0);	/* one frame has no duplicate, sampled or not */
		expect_exact(&e.classes[4].of[CLASS_SELF], 0);
		expect_exact(&e.classes[1].of[CLASS_MARGINAL], 0);
		expect_sane(&e.classes[4].of[CLASS_MARGINAL], 0, 1);
		estimates_free(&e);
		sketch_free(&s);
	}
}

/* Small owners: nobody may get a number beyond what he has, nor a point that is sure of itself without a ground. */
static void test_small_populations_are_sane(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 3000; seed++) {
		uint64_t random = seed;
		struct sketch s = make(ldexp(1, -(int)(seed % 9)), seed % 2);
		uint64_t frames = 0, of_owner[3] = { 0 };
		for (uint32_t i = 0, n = below(&random, 40); i < n; i++) {
			uint64_t probe = mix64(seed * 1000 + below(&random, 30));
			uint64_t hash = seed % 2 ? probe : probe + below(&random, 2);
			uint32_t owner = below(&random, 3), copies = 1 + below(&random, 50) / (1 + below(&random, 50));
			sketch_add(&s, probe, hash, owner, copies);
			frames += copies;
			of_owner[owner] += copies;
		}
		struct estimates e = estimate(&s, NULL);
		assert_int_equal(e.frames, frames);
		double most = frames ? (double)frames - 1 : 0;
		for (unsigned int m = 0; m < TOTAL_MEASURES; m++)
			expect_sane(&e.of[m], 0, most);
		expect_sane(&e.distinct, frames ? 1 : 0, (double)frames);
		for (uint32_t o = 0; o < e.classes_count; o++)
			for (unsigned int m = 0; m < CLASS_MEASURES; m++)
				expect_sane(&e.classes[o].of[m], 0, (double)of_owner[o]);
		estimates_free(&e);
		sketch_free(&s);
	}
}

/* 2000 single frames, none of them in the sample or a few: the interval may not be a point. */
static void test_no_duplicates_seen_is_not_none(void **state)
{
	(void)state;
	struct sketch s = make(1.0 / 64, false);

	for (uint64_t c = 0; c < 2000; c++)
		sketch_add(&s, mix64(c), mix64(~c), 0, 1);
	struct estimates e = estimate(&s, NULL);
	assert_true(e.of[TOTAL_UNION].value < 5 && e.of[TOTAL_UNION].low == 0);
	/* 63 × 4.66: what a pair in 430 contents would have shown at least once, 97.5 times in 100 and more */
	assert_in_range((int)e.of[TOTAL_UNION].high, 200, 300);
	assert_false(e.of[TOTAL_UNION].exact);
	estimates_free(&e);
	sketch_free(&s);
}

static void test_frames_that_could_not_be_read(void **state)
{
	(void)state;
	struct sketch s = make(1, true);

	sketch_add(&s, 1, 1, 0, 10);
	assert_true(sketch_see(&s, 2, 0, 5));	/* and no hash comes */
	struct estimates e = estimate(&s, NULL);
	assert_false(e.of[TOTAL_UNION].exact);
	assert_true(e.of[TOTAL_UNION].low == 9 && e.of[TOTAL_UNION].high == 13);
	estimates_free(&e);
	sketch_free(&s);
}

static void test_failed_sketch_is_refused(void **state)
{
	(void)state;
	struct sketch s = make(1, true);
	struct estimates e;
	struct error err = { 0 };

	s.failed = -ENOSPC;
	assert_int_equal(estimate_make(&e, &s, &(struct estimate_options){ 0 }, &err), -EXIT_FAILED);
	assert_non_null(strstr(err.text, "give it more memory"));
	estimates_free(&e);
	sketch_free(&s);
}

/* ---- sampled ---- */

/*
 * Binomial(n, 0.95) leaves [lowest, highest] with a probability below 1/1000 on
 * each side: a coverage that is what it says fails less than one such check in 500.
 */
static bool is_coverage(uint32_t covered, uint32_t n, bool or_more)
{
	double below = 0, above = or_more;

	for (uint32_t k = 0; k <= n; k++) {
		double p = exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * log(0.95) +
			       (n - k) * log(0.05));
		below += k <= covered ? p : 0;
		above += k >= covered ? p : 0;
	}
	return below >= 0.001 && above >= 0.001;
}

static void test_binomial_tolerance(void **state)
{
	(void)state;
	assert_true(is_coverage(380, 400, false) && is_coverage(366, 400, false) && is_coverage(392, 400, false));
	assert_false(is_coverage(364, 400, false) || is_coverage(394, 400, false) || is_coverage(364, 400, true));
	assert_true(is_coverage(400, 400, true));
}

/*
 * The study at a smaller size. Its bounds of 1 and 1.5 points of N are for
 * 250,000 frames; errors grow as 1/√N. Where no run errs at all (every content
 * alike), the interval covers always.
 */
static void expect_study(const struct population_kind *kind, double frames, int theta_log2, double bound)
{
	const uint32_t runs = 400;
	struct population_made p = population_make(kind, (uint64_t)frames);
	struct trial t = trial_make(&p, ldexp(1, -theta_log2), runs);
	bool errs = trial_rms(&t, TOTAL_UNION) > 1e-9;
	uint32_t covered = t.of[TOTAL_UNION].covered;

	struct probe_sharing sharing = population_sharing(&p);
	assert_true(p.probe_is_hash ? sharing.inflation == 1 : sharing.inflation >= 1.05);
	print_message("%s, θ = 1/%d: RMS %.2f, 95 %% %.2f points, coverage %.1f %%, inside domains %.1f %%\n", p.name,
		      1 << theta_log2, trial_rms(&t, TOTAL_UNION), trial_error95(&t, TOTAL_UNION),
		      100.0 * covered / runs, 100.0 * t.of[TOTAL_POLICY].covered / runs);
	assert_true(trial_error95(&t, TOTAL_UNION) <= bound * sqrt(250000 / frames));
	if (!errs)
		assert_int_equal(covered, runs);
	else
		assert_true(is_coverage(covered, runs, sharing_in_steps(&sharing, ldexp(1, -theta_log2))));
	/* What is inside domains, and the classes, by the same intervals: no tighter than 92 %. */
	assert_true(t.of[TOTAL_POLICY].covered >= 0.92 * runs);
	for (unsigned int m = 0; m < CLASS_MEASURES; m++)
		assert_true((double)t.class_covered[m] >= 0.92 * (double)t.class_answers[m]);
	trial_free(&t);
	population_free(&p);
}

static void test_study(void **state)
{
	(void)state;
	for (size_t k = 0; k < POPULATION_KINDS; k++)
		expect_study(&population_kinds[k], 12000, 4, 1);
}

/* Among fewer frames the scout meets each of the few probes that are shared. */
static void test_few_shared_probes_in_full(void **state)
{
	(void)state;
	assert_string_equal(population_kinds[POPULATION_KINDS - 1].name, "few shared probes");
	expect_study(&population_kinds[POPULATION_KINDS - 1], 250000, 4, 1);
}

/* A sketch that has to halve θ on its way gives what the smaller θ would have given from the start. */
static void test_thinned_is_as_good(void **state)
{
	(void)state;
	struct population_made p = population_make(&population_kinds[5], 20000);
	struct sketch_options small = { .bytes = SKETCH_MIN_BYTES, .theta = 1, .phase = 77, .probe_is_hash = true };
	struct sketch thinned;

	assert_int_equal(sketch_init(&thinned, &small, NULL), 0);
	trial_sample(&p, &thinned, 5);
	double theta = sketch_theta(&thinned, SKETCH_LIGHT);
	struct sketch fresh = make(theta, true);
	trial_sample(&p, &fresh, 5);
	/* The two count probes with maps of different size; without, they have to agree to the last bit. */
	thinned.counts_distinct = fresh.counts_distinct = false;
	struct estimates a = estimate(&thinned, NULL), b = estimate(&fresh, NULL);
	assert_true(theta < 0.5);
	assert_memory_equal(a.of, b.of, sizeof(a.of));
	assert_memory_equal(a.classes, b.classes, a.classes_count * sizeof(*a.classes));
	estimates_free(&a);
	estimates_free(&b);
	sketch_free(&thinned);
	sketch_free(&fresh);
	population_free(&p);
}

/*
 * Tables that fill, so that θ is halved again and again on the way: the totals stay within their intervals, and the
 * memory, as the allocator has it, within what was given, owners apart.
 */
static void test_halved_again_and_again(void **state)
{
	const uint64_t frames[] = { 6000, 24000, 100000 };
	const uint32_t runs = 100;
	struct scout *scout = malloc(sizeof(*scout));
	uint64_t heavy[SKETCH_HEAVY_MAX];
	double last = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct population_made p = population_make(&population_kinds[5], frames[i]);
		uint32_t covered[TOTAL_MEASURES] = { 0 };
		double theta = 1;
		for (uint32_t run = 0; run < runs; run++) {
			struct sketch_options options = { .bytes = SKETCH_MIN_BYTES, .theta = 1, .phase = mix64(run + 1) };
			struct sketch s;
			size_t before = mallinfo2().uordblks;
			assert_int_equal(sketch_init(&s, &options, NULL), 0);
			sketch_set_heavy(&s, heavy, trial_scout(&p, mix64(~(uint64_t)run), scout, heavy));
			trial_sample(&p, &s, mix64(~(uint64_t)run));
			size_t taken = mallinfo2().uordblks - before;
			assert_int_equal(s.failed, 0);
			assert_true(taken + sizeof(s) <= SKETCH_MIN_BYTES + 64 * (size_t)p.owners + 1024);
			theta = fmin(theta, sketch_theta(&s, SKETCH_LIGHT));
			struct estimates e = estimate(&s, NULL);
			covered[TOTAL_UNION] += trial_covers(&e.of[TOTAL_UNION], p.truth[TOTAL_UNION]);
			covered[TOTAL_WITHIN] += trial_covers(&e.of[TOTAL_WITHIN], p.truth[TOTAL_WITHIN]);
			estimates_free(&e);
			sketch_free(&s);
		}
		print_message("%llu frames in 64 KiB: θ down to 1/%.0f, covered %u and %u of %u\n",
			      (unsigned long long)frames[i], 1 / theta, covered[TOTAL_UNION], covered[TOTAL_WITHIN], runs);
		assert_true(theta <= last / 2);
		last = theta;
		/* fewer than 88 of 100 intervals of 95 % hold once in 240 times */
		assert_in_range(covered[TOTAL_UNION], 88, runs);
		assert_in_range(covered[TOTAL_WITHIN], 88, runs);
		population_free(&p);
	}
	assert_true(last <= 1.0 / 32);
	free(scout);
}

/* ---- the matrix ---- */

static double overlap(const struct population_made *p, uint32_t a, uint32_t b)
{
	double both = 0;

	for (size_t i = 0, end; i < p->count; i = end) {
		bool has_a = false, has_b = false;
		for (end = i; end < p->count && p->holdings[end].content == p->holdings[i].content; end++) {
			has_a = has_a || study_domain_of(p, p->holdings[end].owner) == a;
			has_b = has_b || study_domain_of(p, p->holdings[end].owner) == b;
		}
		both += has_a && has_b;
	}
	return both;
}

static void test_matrix(void **state)
{
	(void)state;
	struct population_made p = population_make(&population_kinds[6], 20000);
	struct estimate matrix[10 * 10];
	uint32_t domain_of[256], covered = 0, answers = 0;

	domains_of(&p, domain_of);
	for (uint32_t run = 0; run < 41; run++) {
		struct sketch s = make(run ? 1.0 / 16 : 1, true);
		trial_sample(&p, &s, mix64(run));
		struct sketch_order order;
		assert_true(sketch_order_init(&order, &s));
		assert_int_equal(estimate_matrix(matrix, &order, domain_of, 10, NULL), 0);
		sketch_order_free(&order);
		for (uint32_t a = 0; a < 3; a++)
			for (uint32_t b = a + 1; b < 4; b++) {
				double truth = overlap(&p, a, b);
				if (!run)
					expect_exact(&matrix[a * 10 + b], truth);
				assert_true(matrix[a * 10 + b].value == matrix[b * 10 + a].value);
				covered += trial_covers(&matrix[a * 10 + b], truth);
				answers++;
			}
		expect_exact(&matrix[0], 0);
		sketch_free(&s);
	}
	assert_true(covered >= 0.9 * answers && covered < answers);
	struct sketch s = make(1, true);
	struct sketch_order order;
	assert_true(sketch_order_init(&order, &s));
	assert_int_equal(estimate_matrix(matrix, &order, domain_of, ESTIMATE_MATRIX_MAX + 1, NULL), -EXIT_FAILED);
	sketch_order_free(&order);
	sketch_free(&s);
	population_free(&p);
}

/* ---- the arithmetic ---- */

static void test_student(void **state)
{
	(void)state;
	/* From tables of the t distribution, 97.5 % */
	const double table[][2] = { { 1, 12.706 }, { 2, 4.303 }, { 3, 3.182 }, { 5, 2.571 }, { 10, 2.228 },
				    { 30, 2.042 }, { 120, 1.980 }, { 1e9, 1.960 } };

	assert_true(isinf(student_quantile(0)));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_true(fabs(student_quantile(table[i][0]) - table[i][1]) < 0.01);
}

/* The formula of a plain regression on N, worked out by hand: contents of 1, 1 and 4 copies at θ = 1/2, N = 20. */
static void test_regression_by_hand(void **state)
{
	(void)state;
	struct regression r = { 0 };
	struct population of = { .theta = 0.5, .frames = 20, .groups_variance = INFINITY, .never_whole = 1 };
	const double copies[] = { 1, 1, 4 };

	for (int i = 0; i < 3; i++)
		regression_sum(&r, copies[i], &(double){ copies[i] - 1 }, 1);
	regression_fit(&r, &of, 1);
	assert_true(fabs(r.of[0].slope - 12.0 / 18) < 1e-12 && r.of[0].level == 0);
	for (int i = 0; i < 3; i++)
		regression_residual(&r, copies[i], &(double){ copies[i] - 1 }, 1);
	struct part part = regression_part(&r, 0, &of);
	/* 6 + 2/3 (20 - 12) */
	assert_true(fabs(part.value - (6 + 16.0 / 3)) < 1e-12);
	/* Leverages 1/18, 1/18, 16/18: residuals -2/3 × √(18/17), twice, and 1/3 × √(18/2); (1 - θ)/θ² = 2 */
	double single = -2.0 / 3 * sqrt(18.0 / 17), four = 1.0 / 3 * 3, z2 = 3.8414588;
	double squares = 2 * pow(single, 2) + pow(four, 2), cubes = 2 * pow(single, 3) + pow(four, 3);
	double fourths = 2 * pow(single, 4) + pow(four, 4);
	assert_true(fabs(part.variance - 2 * squares) < 1e-9);
	/* (2 z² + 1)/6, and as much more as makes z²/2 of it where all residuals are alike */
	double shift = (2 * z2 + 1) / 6 + cubes * cubes / (squares * fourths) * (z2 - 1) / 6;
	assert_true(fabs(part.skew - cubes / squares * shift) < 1e-6);
	assert_true(part.least == 3 && part.most == 3 + 14 - 1 && part.freedom <= 2);
}

static void expect_near(double a, double b, double within)
{
	assert_true(fabs(a - b) <= within);
}

/* A count of n at a small θ: the score interval of a Poisson count, n + z²/2 ± z √(n + z²/4), over θ. */
static void test_count_has_a_score_interval(void **state)
{
	(void)state;
	const double theta = 1e-6, z2 = 3.8414588;

	for (int n = 1; n < 200; n *= 3) {
		struct part part = counted_part(n, n, n, theta, 1e12);
		struct estimate e = part_estimate(&part);
		double half = sqrt(z2 * (n + z2 / 4));
		expect_near(e.value, n / theta, 1e-6 * e.value);
		expect_near(e.low, (n + z2 / 2 - half) / theta, 1e-3 * e.low);
		expect_near(e.high, (n + z2 / 2 + half) / theta, 1e-3 * e.high);
	}
	struct part none = counted_part(0, 0, 0, theta, 1e12), all = counted_part(5, 5, 5, 1, 7);
	assert_true(part_estimate(&none).low == 0 && part_estimate(&none).high > 3.7 / theta);
	struct estimate exact = part_estimate(&all);
	expect_exact(&exact, 5);
}

/* Residuals with a long tail to one side reach further to that side. */
static void test_skew_moves_the_interval(void **state)
{
	(void)state;
	const struct part even = { .value = 1000, .variance = 100, .most = 1e6, .freedom = INFINITY };
	struct part right = even, left = even;

	right.skew = 10;
	left.skew = -10;
	struct estimate a = part_estimate(&even), b = part_estimate(&right), c = part_estimate(&left);
	expect_near(a.high - a.value, 19.6, 0.01);
	expect_near(a.value - a.low, 19.6, 0.01);
	expect_near(b.high - b.value, 10 + sqrt(19.6 * 19.6 + 100), 0.01);
	expect_near(b.value - b.low, sqrt(19.6 * 19.6 + 100) - 10, 0.01);
	expect_near(c.value - c.low, b.high - b.value, 1e-9);
}

static struct regression fitted(const double *x, const double *y, int count, const struct population *of)
{
	struct regression r = { 0 };

	for (int i = 0; i < count; i++)
		regression_sum(&r, x[i], &y[i], 1);
	regression_fit(&r, of, 1);
	for (int i = 0; i < count; i++)
		regression_residual(&r, x[i], &y[i], 1);
	return r;
}

/* Of 100 groups, two make all of the variance: it is known as from two or four, not as from a hundred. */
static void test_few_groups_make_the_variance(void **state)
{
	(void)state;
	const struct population of = { .theta = 0.01, .frames = 10000, .groups_variance = INFINITY };
	double x[100], y[100] = { 0 };

	for (int i = 0; i < 100; i++)
		x[i] = y[i] = 1;
	y[0] = 2;
	y[1] = 0;
	struct regression r = fitted(x, y, 100, &of);
	struct part part = regression_part(&r, 0, &of);
	assert_true(part.freedom > 2 && part.freedom < 6);
	/* a count, as of two groups of one size off to one side, has its own interval: no wider quantile beside it */
	memset(y, 0, sizeof(y));
	y[0] = y[1] = 1;
	r = fitted(x, y, 100, &of);
	part = regression_part(&r, 0, &of);
	assert_true(part.freedom > 60 && part.skew > 0);
	for (int i = 0; i < 100; i++)
		y[i] = i % 2;
	r = fitted(x, y, 100, &of);
	part = regression_part(&r, 0, &of);
	assert_true(part.freedom == 99);
}

/* Nothing but single frames in the sample, and a tenth of the frames that there should be: the rest may all be copies. */
static void test_missing_frames_are_doubted(void **state)
{
	(void)state;
	const struct population of = { .theta = 0.1, .frames = 10000, .groups_variance = INFINITY };
	double x[100], y[100] = { 0 };

	for (int i = 0; i < 100; i++)
		x[i] = 1;
	struct regression r = fitted(x, y, 100, &of);
	struct part part = regression_part(&r, 0, &of);
	struct estimate e = part_estimate(&part);
	assert_true(e.value == 0 && e.low == 0 && e.high > 8000);
	/* With about as many as there should be, there is no such doubt. */
	const struct population full = { .theta = 0.1, .frames = 1000, .groups_variance = INFINITY };
	r = fitted(x, y, 100, &full);
	part = regression_part(&r, 0, &full);
	e = part_estimate(&part);
	assert_true(e.high < 50);
}

/* Beside a bound: 95 % of normal estimates of any mean at or above it, and never a point. */
static void test_interval_beside_a_bound(void **state)
{
	(void)state;
	const double means[] = { 0, 0.3, 1, 2, 3, 4, 6 };
	const uint32_t runs = 40000;
	uint64_t random = 1;

	for (size_t i = 0; i < sizeof(means) / sizeof(means[0]); i++)
		for (int mirrored = 0; mirrored < 2; mirrored++) {
			uint32_t covered = 0;
			for (uint32_t run = 0; run < runs; run++) {
				double normal = sqrt(-2 * log(1 - uniform(&random))) * cos(2 * M_PI * uniform(&random));
				double x = means[i] + normal;
				struct part part = { .value = mirrored ? 100 - x : x, .variance = 1, .least = 0, .most = 100,
						     .even = true, .freedom = INFINITY };
				struct estimate e = part_estimate(&part);
				covered += trial_covers(&e, mirrored ? 100 - means[i] : means[i]);
				assert_true(e.low < e.high);
			}
			/* σ = 0.11 % */
			expect_near((double)covered / runs, 0.95, 0.0045);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_at_theta_1),
		cmocka_unit_test(test_classes_and_domains_by_hand),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_one_page),
		cmocka_unit_test(test_small_populations_are_sane),
		cmocka_unit_test(test_no_duplicates_seen_is_not_none),
		cmocka_unit_test(test_frames_that_could_not_be_read),
		cmocka_unit_test(test_failed_sketch_is_refused),
		cmocka_unit_test(test_binomial_tolerance),
		cmocka_unit_test(test_study),
		cmocka_unit_test(test_few_shared_probes_in_full),
		cmocka_unit_test(test_thinned_is_as_good),
		cmocka_unit_test(test_halved_again_and_again),
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_student),
		cmocka_unit_test(test_regression_by_hand),
		cmocka_unit_test(test_count_has_a_score_interval),
		cmocka_unit_test(test_skew_moves_the_interval),
		cmocka_unit_test(test_few_groups_make_the_variance),
		cmocka_unit_test(test_missing_frames_are_doubted),
		cmocka_unit_test(test_interval_beside_a_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
