// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans: what is opted in, in which order, and what is never done. */
#include "made_sample.h"

#include <string.h>

#include "core/huge/frontier.h"
#include "core/judge/build.h"
#include "core/judge/plan.h"

static void two_uids(struct sample *s)
{
	made_init(s);
	for (uint32_t p = 0; p < 4; p++) {
		made_task(s, 10 + p, p < 2 ? 0 : 1000);
		s->tasks[p].start_ticks = 100 + p;
		made_area(s, p, 0x10000, 64);
		/* within a uid 20 contents are common; the contents 1 … 5 also across */
		for (uint32_t i = 0; i < (p < 2 ? 20u : 10u); i++)
			made_page(s, i, i < 5 ? 1 + i : 1 + i + 1000 * (p / 2), 0);
	}
}

static struct plan plan_of(struct sample *s, const struct plan_options *o)
{
	struct model m;
	struct plan plan;
	assert_int_equal(model_build(&m, s), 0);
	assert_int_equal(plan_make(&plan, s, &m, o), 0);
	model_free(&m);
	return plan;
}

static const struct change *find(const struct plan *p, enum change_kind kind, enum knob knob)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->changes[i].kind == kind && (kind != CHANGE_KNOB || p->changes[i].knob == knob))
			return &p->changes[i];
	return NULL;
}

static void test_one_domain_only(void **state)
{
	struct sample s;
	struct plan_options o = { .ksmd_cpu = 0.5 };
	(void)state;
	two_uids(&s);
	struct plan p = plan_of(&s, &o);
	assert_int_equal(p.predicted_bytes, 20 * 4096);
	assert_int_equal(p.domains_left_out, 1);
	assert_int_equal(p.crossing_frames, 0);
	assert_int_equal(p.tracked_pages, 40);
	for (size_t i = 0; i < p.count; i++)
		assert_true(p.changes[i].kind == CHANGE_KNOB || p.changes[i].pid < 12);
	assert_int_equal(p.changes[0].start_ticks, 100);
	plan_free(&p);
	sample_free(&s);
}

static void test_across_domains_when_accepted(void **state)
{
	struct sample s;
	struct plan_options o = { .ksmd_cpu = 0.5, .cross_domains = true };
	(void)state;
	two_uids(&s);
	struct plan p = plan_of(&s, &o);
	assert_int_equal(p.predicted_bytes, (20 + 10 + 5) * 4096);
	assert_int_equal(p.crossing_frames, 5);
	assert_int_equal(p.domains_left_out, 0);
	plan_free(&p);
	sample_free(&s);
}

static void test_knobs_and_their_order(void **state)
{
	struct sample s;
	struct plan_options o = { .ksmd_cpu = 0.5 };
	(void)state;
	two_uids(&s);
	s.engine.knob[KNOB_ADVISOR_MODE] = value_of(ADVISOR_SCAN_TIME);
	s.engine.knob[KNOB_SMART_SCAN] = (struct value){ .known = ABSENT };
	struct plan p = plan_of(&s, &o);
	const struct change *advisor = find(&p, CHANGE_KNOB, KNOB_ADVISOR_MODE);
	const struct change *pages = find(&p, CHANGE_KNOB, KNOB_PAGES_TO_SCAN);
	assert_non_null(advisor);
	assert_non_null(pages);
	assert_true(advisor < pages);		/* with the advisor on, pages_to_scan answers EINVAL */
	assert_int_equal(pages->before, 100);
	assert_null(find(&p, CHANGE_KNOB, KNOB_SMART_SCAN));
	assert_null(find(&p, CHANGE_KNOB, KNOB_SLEEP_MILLISECS));	/* it has the wanted value */
	assert_int_equal(p.changes[p.count - 1].knob, KNOB_RUN);
	assert_int_equal(p.changes[0].kind, CHANGE_MADVISE);
	plan_free(&p);
	sample_free(&s);
}

/* Swept: no knob is ever planned outside its bounds, none that is unknown, none that is as wanted already. */
static void test_bounds(void **state)
{
	(void)state;
	for (int cpu = 1; cpu <= 95; cpu++) {
		for (int known = KNOWN; known <= DENIED; known++) {
			struct sample s;
			struct plan_options o = { .ksmd_cpu = cpu / 100.0 };
			two_uids(&s);
			for (int k = 0; k < KNOB_COUNT; k++)
				if (k != KNOB_MAX_PAGE_SHARING)
					s.engine.knob[k].known = known;
			struct plan p = plan_of(&s, &o);
			for (size_t i = 0; i < p.count; i++) {
				const struct change *c = &p.changes[i];
				if (c->kind != CHANGE_KNOB)
					continue;
				assert_int_equal(known, KNOWN);
				assert_true(knob_writable(c->knob));
				assert_in_range(c->after, knobs[c->knob].low, knobs[c->knob].high);
				assert_int_not_equal(c->after, c->before);
				assert_false(c->knob == KNOB_RUN && c->after == 2);
			}
			plan_free(&p);
			sample_free(&s);
		}
	}
}

static void test_opted_in_already(void **state)
{
	struct sample s;
	struct plan_options o = { .ksmd_cpu = 0.5 };
	(void)state;
	two_uids(&s);
	for (size_t a = 0; a < s.areas_count; a++)
		s.areas[a].flags |= AREA_MERGEABLE;
	struct plan p = plan_of(&s, &o);
	assert_null(find(&p, CHANGE_MADVISE, 0));
	assert_int_equal(p.predicted_bytes, 20 * 4096);
	plan_free(&p);
	sample_free(&s);
}

static void test_whole_process(void **state)
{
	struct sample s;
	struct plan_options o = { .ksmd_cpu = 0.5, .opt_in = OPT_IN_PROCESS };
	(void)state;
	two_uids(&s);
	s.tasks[1].ksm.merge_any = value_of(1);
	struct plan p = plan_of(&s, &o);
	assert_int_equal(p.changes[0].kind, CHANGE_PRCTL);
	assert_int_equal(p.changes[0].pid, 10);
	assert_int_equal(p.changes[1].kind, CHANGE_KNOB);	/* 11 is in already */
	plan_free(&p);
	sample_free(&s);
}

static void test_nothing_worth_it(void **state)
{
	struct sample s;
	struct plan_options o = { .ksmd_cpu = 0.5 };
	(void)state;
	made_init(&s);
	made_task(&s, 10, 0);
	made_area(&s, 0, 0x10000, 200);
	for (uint32_t i = 0; i < 200; i++)	/* one pair in 200 pages does not pay for tracking them */
		made_page(&s, i, i ? i : 1, 0);
	struct plan p = plan_of(&s, &o);
	assert_int_equal(p.count, 0);
	assert_int_equal(p.predicted_bytes, 0);
	plan_free(&p);
	sample_free(&s);
}

/* Regions of eight pages in the first process: at the start of its mapping, behind that, and after a gap. */
static struct plan huge_plan(struct sample *s, enum huge_pages what, double slowdown, bool opted_in)
{
	static const uint64_t addresses[] = { 0x10000, 0x18000, 0x30000 };
	static const uint32_t order[] = { 1, 0, 2 };
	static const struct frontier_point points[] = {
		{ .regions_broken = 0 },
		{ .regions_broken = 1, .saved_bytes = 100, .slowdown = 0.001 },
		{ .regions_broken = 2, .saved_bytes = 150, .slowdown = 0.02 },
		{ .regions_broken = 3, .saved_bytes = 160, .slowdown = 0.5 },
	};
	struct region regions[3];
	struct huge huge = { .regions = regions, .count = 3, .region_bytes = 8 * 4096, .order = (uint32_t *)order,
			     .worth = 3, .frontier = (struct frontier_point *)points, .knee = 1,
			     .knee_kind = KNEE_CHORD, .calibrated = true };
	const struct plan_options o = { .ksmd_cpu = 0.5, .huge_pages = what, .max_slowdown = slowdown };
	struct model m;
	struct plan plan;

	two_uids(s);
	for (int i = 0; i < 3; i++)
		regions[i] = (struct region){ .pid = 10, .address = addresses[i], .pages = 8, .duplicates = 4 };
	if (opted_in)
		s->areas[0].flags |= AREA_MERGEABLE;
	assert_int_equal(model_build(&m, s), 0);
	m.huge = &huge;
	assert_int_equal(plan_make(&plan, s, &m, &o), 0);
	m.huge = NULL;
	model_free(&m);
	return plan;
}

/* The n-th change of a kind in process 10 is of this range; there is none behind the last. */
static void has_range(const struct plan *p, enum change_kind kind, size_t n, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->changes[i].kind != kind || p->changes[i].pid != 10 || n--)
			continue;
		assert_int_equal(p->changes[i].start, start);
		assert_int_equal(p->changes[i].end, end);
		return;
	}
	assert_int_equal(end, 0);
}

static void test_huge_pages(void **state)
{
	struct sample s;
	(void)state;
	struct plan p = huge_plan(&s, HUGE_PAGES_KNEE, 0, false);
	has_range(&p, CHANGE_BREAK, 0, 0x18000, 0x20000);
	has_range(&p, CHANGE_BREAK, 1, 0, 0);
	has_range(&p, CHANGE_MADVISE, 0, 0x18000, 0x30000);	/* the broken one, and base pages up to the next */
	has_range(&p, CHANGE_MADVISE, 1, 0x38000, 0x50000);
	has_range(&p, CHANGE_MADVISE, 2, 0, 0);
	has_range(&p, CHANGE_OPT_OUT, 0, 0, 0);
	assert_int_equal(p.regions_broken, 1);
	assert_int_equal(p.regions_kept, 2);
	assert_true(p.slowdown == 0.001);
	plan_free(&p);
	sample_free(&s);

	p = huge_plan(&s, HUGE_PAGES_WITHIN, 0.02, false);
	has_range(&p, CHANGE_BREAK, 0, 0x10000, 0x20000);	/* two that adjoin are one range */
	has_range(&p, CHANGE_MADVISE, 0, 0x10000, 0x30000);
	assert_int_equal(p.regions_broken, 2);
	plan_free(&p);
	sample_free(&s);

	p = huge_plan(&s, HUGE_PAGES_KEEP, 0, false);
	has_range(&p, CHANGE_BREAK, 0, 0, 0);
	assert_true(p.merges);
	has_range(&p, CHANGE_MADVISE, 0, 0x20000, 0x30000);
	has_range(&p, CHANGE_MADVISE, 1, 0x38000, 0x50000);
	plan_free(&p);
	sample_free(&s);

	p = huge_plan(&s, HUGE_PAGES_ALL, 0, false);
	has_range(&p, CHANGE_BREAK, 1, 0x30000, 0x38000);
	has_range(&p, CHANGE_MADVISE, 0, 0x10000, 0x50000);
	plan_free(&p);
	sample_free(&s);
}

/* Where the process has opted in itself, what is to be kept is taken out. */
static void test_huge_pages_taken_out(void **state)
{
	struct sample s;
	(void)state;
	struct plan p = huge_plan(&s, HUGE_PAGES_KNEE, 0, true);
	has_range(&p, CHANGE_OPT_OUT, 0, 0x10000, 0x18000);
	has_range(&p, CHANGE_OPT_OUT, 1, 0x30000, 0x38000);
	has_range(&p, CHANGE_OPT_OUT, 2, 0, 0);
	has_range(&p, CHANGE_BREAK, 0, 0x18000, 0x20000);
	has_range(&p, CHANGE_MADVISE, 0, 0, 0);
	plan_free(&p);
	sample_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_huge_pages),
		cmocka_unit_test(test_huge_pages_taken_out),
		cmocka_unit_test(test_one_domain_only), cmocka_unit_test(test_across_domains_when_accepted),
		cmocka_unit_test(test_knobs_and_their_order), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_opted_in_already), cmocka_unit_test(test_whole_process),
		cmocka_unit_test(test_nothing_worth_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
