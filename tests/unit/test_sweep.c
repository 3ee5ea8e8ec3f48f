// SPDX-License-Identifier: GPL-2.0-or-later
/* What a sweep reckons with: ages and survival of pages, owners that leave a sample, holders, and budgets. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/estimate/ages.h"
#include "core/estimate/holders.h"
#include "core/mix.h"
#include "core/trust/assign.h"
#include "gather/pace.h"

#define PHASE UINT64_C(0x0123456789abcdef)

static struct sketch make(double theta)
{
	struct sketch_options options = { .bytes = 1 << 20, .theta = theta, .run = 1, .phase = PHASE };
	struct sketch s;

	assert_int_equal(sketch_init(&s, &options, NULL), 0);
	return s;
}

/* ---- budgets ---- */

static void test_budgets(void **state)
{
	static const struct {
		const char *text;
		double cpu, bytes;
	} good[] = {
		{ "1%", 0.01, 0 }, { "0.01", 0.01, 0 }, { "100%", 1, 0 }, { "200MB/s", 0, 200e6 }, { "1.5GB/s", 0, 1.5e9 },
		{ "64MiB/s", 0, 64 << 20 }, { "64M/s", 0, 64 << 20 }, { "4096/s", 0, 4096 },
		{ "1%,200MB/s", 0.01, 200e6 }, { "200kB/s,0.5", 0.5, 200e3 },
	};
	static const char *const bad[] = {
		"", "0", "0%", "101%", "-1%", "1", "x", "1%,", ",1%", "1%,2%", "200MB", "200MB/s,1MB/s", "0MB/s", "0/s", "/s",
		"MB/s", "-1MB/s", "1e3MB/s", "1%,200MB/s,3%", "1% ", "nan", "inf/s", "200 MB/s", "200MB/m",
		"00000000000000000000000000000000000000000000000000000000000001%",
	};
	struct budget budget;
	struct error err;

	(void)state;
	assert_int_equal(budget_parse("--budget", "1", &budget, &err), 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(budget_parse("--budget", good[i].text, &budget, &err), 0);
		assert_true(fabs(budget.cpu - good[i].cpu) < 1e-12 && fabs(budget.bytes_per_second - good[i].bytes) < 1e-3);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!strcmp(bad[i], "1"))
			continue;	/* a whole CPU */
		assert_int_equal(budget_parse("--budget", bad[i], &budget, &err), -EXIT_USAGE);
		assert_non_null(strstr(err.text, "200MB/s"));
	}
	assert_true(pace_due((struct budget){ 0 }, 5, 1000) == 0);
	assert_true(pace_due((struct budget){ .cpu = 0.01, .bytes_per_second = 10 }, 5, 1000) == 500);
	assert_true(pace_due((struct budget){ .cpu = 0.1, .bytes_per_second = 10 }, 5, 1000) == 100);
}

/* ---- ages ---- */

static void test_ages(void **state)
{
	struct survival sums[2] = { 0 };
	bool gone[2] = { false, false };
	struct ages a;

	(void)state;
	assert_int_equal(ages_init(&a, 1 << 16, 7), 0);
	ages_begin(&a, 100);
	assert_int_equal(ages_meet(&a, 0, 0, 11, SKETCH_LIGHT, 1), 0);	/* page 0 is a page */
	assert_int_equal(ages_meet(&a, 5, 0, 11, SKETCH_LIGHT, 1), 0);
	assert_int_equal(ages_meet(&a, 6, 0, 12, SKETCH_LIGHT, 1), 0);
	assert_int_equal(ages_meet(&a, 5, 1, 11, SKETCH_HEAVY, 1), 0);
	assert_int_equal(ages_end(&a, gone, sums, 2), 0);
	assert_true(sums[0].pages == 0);
	ages_begin(&a, 130);
	assert_int_equal(ages_meet(&a, 5, 0, 11, SKETCH_LIGHT, 1), 30);
	assert_int_equal(ages_meet(&a, 6, 0, 13, SKETCH_LIGHT, 1), 0);	/* another content */
	assert_int_equal(ages_meet(&a, 5, 1, 11, SKETCH_HEAVY, 1), 30);
	assert_int_equal(ages_end(&a, gone, sums, 2), 0);
	assert_true(sums[0].pages == 3 && sums[0].stayed == 1 && sums[0].contents == 2);
	assert_true(sums[1].pages == 1 && sums[1].stayed == 1);
	ages_begin(&a, 160);
	assert_int_equal(ages_meet(&a, 6, 0, 13, SKETCH_LIGHT, 1), 30);
	assert_int_equal(ages_meet(&a, 6, 0, 12, SKETCH_LIGHT, 1), 0);	/* what it held before is forgotten */
	gone[1] = true;
	memset(sums, 0, sizeof(sums));
	assert_int_equal(ages_end(&a, gone, sums, 2), 0);
	assert_true(sums[1].pages == 0);	/* who ended says nothing of how long pages stay */
	assert_true(a.used[SKETCH_LIGHT] == 2 && a.used[SKETCH_HEAVY] == 0);
	ages_free(&a);
}

/* A full table follows fewer, and those as it would have from the start. */
static void test_ages_thin(void **state)
{
	bool gone[1] = { false };
	struct survival sums[1] = { 0 };
	struct ages a;

	(void)state;
	assert_int_equal(ages_init(&a, 64 << 10, 7), 0);
	for (uint32_t pass = 0; pass < 2; pass++) {
		ages_begin(&a, 10 + pass);
		for (uint64_t page = 0; page < 20000; page++) {
			uint32_t place = mix64(page) >> 32;
			uint32_t age = ages_meet(&a, page, 0, mix64(page + 1), SKETCH_LIGHT, place);
			if (pass)
				assert_true(age == (place > a.last[SKETCH_LIGHT] ? AGE_NOT_FOLLOWED : 1));
		}
		assert_int_equal(ages_end(&a, gone, sums, 1), 0);
	}
	assert_true(a.used[SKETCH_LIGHT] < a.used_max && a.used[SKETCH_LIGHT] > a.used_max / 4);
	assert_true(fabs(sums[0].pages / 20000 - 1) < 0.15 && sums[0].stayed == sums[0].pages);
	assert_true(a.slots_count == a.slots_max && a.slots_max * sizeof(*a.slots) + 8 * a.used_max <= 64 << 10);
	ages_free(&a);
}

/* 95 % of the intervals hold the share, whether contents have one page or many. */
static void test_survival(void **state)
{
	uint64_t random = 3;

	(void)state;
	for (uint32_t copies = 1; copies <= 8; copies *= 8) {
		uint32_t held = 0;
		for (int run = 0; run < 1000; run++) {
			struct survival s = { 0 };
			for (int content = 0; content < 300; content++)
				survival_add(&s, copies, (double)(random64(&random) % 10 < 7) * copies, 16);
			struct survival_estimate e = survival_estimate(&s, 100);
			held += e.low <= 0.7 && 0.7 <= e.high;
			assert_true(e.known && e.half_life_low <= e.half_life && e.half_life <= e.half_life_high);
		}
		assert_in_range(held, 920, 975);
	}
	struct survival none = { 0 }, all = { 0 };
	assert_false(survival_estimate(&none, 100).known);
	survival_add(&all, 50, 50, 1);
	struct survival_estimate e = survival_estimate(&all, 100);
	assert_true(e.share == 1 && e.low < 1 && isinf(e.half_life) && isfinite(e.half_life_low));

	/* All contents alike, near enough: their pages change together, so 100 contents are 100 pages, not 800. */
	struct survival alike = { 0 };
	for (int content = 0; content < 100; content++)
		survival_add(&alike, 8, content % 2 ? 3 : 5, 1);
	e = survival_estimate(&alike, 100);
	assert_float_equal(e.share, 0.5, 1e-9);
	assert_float_equal(e.high - e.low, 2 * 0.0962, 1e-3);	/* Wilson's interval of 50 in 100 */
}

/* ---- owners that leave ---- */

/* Forgotten at the end, what is left is estimated as if they had never been met. */
static void test_owners_leave(void **state)
{
	uint32_t held = 0, runs = 300;

	(void)state;
	for (uint32_t run = 0; run < runs; run++) {
		struct sketch s = make(1.0 / 4);
		const bool gone[3] = { false, true, false };
		uint64_t key = mix64(run + 77);
		/* owner 0: 3000 of its own; 1: 3000 of its own and 500 of owner 0; 2: 800 pairs */
		for (uint64_t c = 0; c < 3000; c++) {
			sketch_add(&s, mix64(key + c), mix64(~key + c), 0, 1);
			sketch_add(&s, mix64(key + 10000 + c), mix64(~key + 10000 + c), 1, 1);
			if (c < 500)
				sketch_add(&s, mix64(key + c), mix64(~key + c), 1, 1);
			if (c < 800)
				sketch_add(&s, mix64(key + 20000 + c), mix64(~key + 20000 + c), 2, 2);
		}
		assert_int_equal(sketch_forget_many(&s, gone), 0);
		struct estimate_options options = { 0 };
		struct estimates e;
		assert_int_equal(estimate_make(&e, &s, &options, NULL), 0);
		assert_int_equal(e.frames, 3000 + 1600);
		assert_int_equal(e.classes[1].frames, 0);
		held += e.of[TOTAL_UNION].low <= 800 && 800 <= e.of[TOTAL_UNION].high;
		assert_true(fabs(e.of[TOTAL_UNION].value - 800) < 400);
		estimates_free(&e);
		sketch_free(&s);
	}
	assert_in_range(held, runs * 91 / 100, runs * 99 / 100);
}

/* Young pages are contents of their own: no potential, and counted. */
static void test_young(void **state)
{
	struct sketch s = make(1);
	struct estimate_options options = { .settled = true };
	struct estimates e;

	(void)state;
	for (uint64_t c = 0; c < 100; c++)
		sketch_add(&s, mix64(c), mix64(~c), c % 2, 3);
	for (uint64_t c = 0; c < 50; c++)
		sketch_keep_young(&s, mix64(~c), c % 2, c < 25 ? 1 : 9);	/* one of three; more than there are */
	assert_int_equal(estimate_make(&e, &s, &options, NULL), 0);
	/* 25 contents with two settled pages, 25 with none, 50 with three */
	assert_true(e.of[TOTAL_POLICY].value == 25 + 100 && e.of[TOTAL_POLICY].exact);
	assert_true(e.of[TOTAL_YOUNG].value == 25 + 75);
	assert_true(e.classes[0].of[CLASS_ATTRIBUTED].value + e.classes[1].of[CLASS_ATTRIBUTED].value == 125);
	estimates_free(&e);
	options.settled = false;
	assert_int_equal(estimate_make(&e, &s, &options, NULL), 0);
	assert_true(e.of[TOTAL_POLICY].value == 200 && e.of[TOTAL_YOUNG].value == 0);
	estimates_free(&e);
	sketch_free(&s);
}

/* ---- holders ---- */

static const struct holder *find(const struct holders *h, const struct sample *s, enum holder_kind kind, const char *name)
{
	for (size_t i = 0; i < h->count; i++) {
		size_t length;
		const char *here = holder_name(&h->list[i], s, &length);
		if (h->list[i].kind == kind && strlen(name) == length && !memcmp(here, name, length))
			return &h->list[i];
	}
	return NULL;
}

static void add_task(struct sample *s, pid_t pid, uid_t uid, const char *cgroup, const char *comm)
{
	struct task *t = sample_add_task(s);
	t->pid = pid;
	t->uid = uid;
	t->cgroup = sample_name(s, cgroup);
	strcpy(t->comm, comm);
}

static void test_holders(void **state)
{
	struct sketch s = make(1);
	struct holders h;
	struct sample sample;
	uint32_t task_of[] = { 0, 1, 2, CLASS_NONE };

	(void)state;
	sample_init(&sample);
	add_task(&sample, 10, 1, "/a/b", "one");
	add_task(&sample, 11, 1, "/a/c", "two");
	add_task(&sample, 12, 2, "/d", "three");
	assert_int_equal(trust_assign(&sample, NULL), 0);
	/* 100 in all three; 10 more in one and two */
	for (uint64_t c = 0; c < 110; c++)
		for (uint32_t owner = 0; owner < (c < 100 ? 3 : 2); owner++)
			sketch_add(&s, mix64(c), mix64(~c), owner, 1);
	const struct holders_input in = { .sample = &sample, .sketch = &s, .task_of = task_of };
	assert_int_equal(holders_build(&h, &in), 0);
	assert_true(h.list[0].kind == HOLDER_HOST && h.list[0].potential.value == 110 && h.list[0].frames == 320);
	assert_true(h.crossing.value == 100);	/* of 210 that are equal to others */
	assert_true(find(&h, &sample, HOLDER_PROCESS, "one")->potential.value == 55);
	assert_true(find(&h, &sample, HOLDER_PROCESS, "one")->marginal.value == 110);
	assert_true(find(&h, &sample, HOLDER_PROCESS, "three")->potential.value == 0);	/* another user: another domain */
	assert_true(find(&h, &sample, HOLDER_CGROUP, "/a/b")->potential.value == 55);
	assert_null(find(&h, &sample, HOLDER_CGROUP, "/a"));
	const struct holder *a = find(&h, &sample, HOLDER_CGROUP_TREE, "/a");
	assert_true(a->potential.value == 110 && a->marginal.value == 110 && a->self.value == 110 && a->processes == 2);
	assert_true(find(&h, &sample, HOLDER_CGROUP_TREE, "/")->processes == 3);
	assert_null(find(&h, &sample, HOLDER_VM, ""));
	/* uid 1: 110 twice; uid 2: alone, with 100 of these */
	const struct holder *domain = find(&h, &sample, HOLDER_DOMAIN, "uid 1");
	assert_true(domain->potential.value == 110 && domain->processes == 2 && domain->frames == 220);
	assert_true(find(&h, &sample, HOLDER_DOMAIN, "uid 2")->potential.value == 0);
	assert_int_equal(h.pairs_count, 1);
	assert_true(h.pairs[0].a == 0 && h.pairs[0].b == 2 && h.pairs[0].crosses);
	assert_true(h.pairs[0].frames == 100 && h.pairs[0].low == 100 && h.pairs[0].high == 100);
	holders_free(&h);
	sketch_free(&s);
	sample_free(&sample);
}

/* Nobody, and somebody with one page. */
static void test_holders_of_little(void **state)
{
	struct sketch s = make(1.0 / 64);
	struct holders h;
	struct sample sample;
	uint32_t task_of[] = { 0 };

	(void)state;
	sample_init(&sample);
	struct holders_input in = { .sample = &sample, .sketch = &s, .task_of = task_of, .settled = true };
	assert_int_equal(holders_build(&h, &in), 0);
	assert_true(h.count == 1 && h.list[0].frames == 0 && h.list[0].potential.exact && !h.list[0].stays.known);
	holders_free(&h);
	add_task(&sample, 10, 1, "", "one");
	assert_int_equal(trust_assign(&sample, NULL), 0);
	sketch_see(&s, 42, 0, 1);
	assert_int_equal(holders_build(&h, &in), 0);
	assert_true(h.list[0].frames == 1 && h.list[0].potential.exact && h.list[0].potential.value == 0);
	holders_free(&h);
	sketch_free(&s);
	sample_free(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budgets),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_ages_thin),
		cmocka_unit_test(test_survival),
		cmocka_unit_test(test_owners_leave),
		cmocka_unit_test(test_young),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_holders_of_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
