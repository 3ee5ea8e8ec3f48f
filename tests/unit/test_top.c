// SPDX-License-Identifier: GPL-2.0-or-later
/* What follows from two moments, by hand and by properties. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/live/history.h"
#include "core/live/pack.h"
#include "core/live/top_group.h"
#include "core/live/top_model.h"
#include "core/live/top_pack.h"
#include "out/top.h"
#include "tests/unit/unit.h"

#define SECOND 1000000000ll
#define PAGE 4096

/* ---- made samples ---- */

static void begin(struct top_sample *s, double seconds)
{
	*s = (struct top_sample){ 0 };
	s->time_ns = 1700000000 * SECOND + (int64_t)(seconds * SECOND);
	s->clock_ns = 100 * SECOND + (int64_t)(seconds * SECOND);
	s->page_bytes = PAGE;
	s->cpus = 2;
	strcpy(s->host, "made");
	strcpy(s->release, "6.18.0");
}

static struct top_task *add_task(struct top_sample *s, pid_t pid, uint64_t start, const char *comm)
{
	struct top_task *t = top_sample_add_task(s);
	assert_non_null(t);
	t->pid = pid;
	t->start_ticks = start;
	snprintf(t->comm, sizeof(t->comm), "%s", comm);
	return t;
}

static void set(struct top_sample *s, unsigned int fact, int64_t number)
{
	s->fact[fact] = value_of(number);
}

struct two {
	struct top_sample before, now;
	struct top_model model;
	struct top_track track;
};

static void two_begin(struct two *t, double seconds)
{
	memset(t, 0, sizeof(*t));
	begin(&t->before, 0);
	begin(&t->now, seconds);
}

static void two_build(struct two *t)
{
	assert_int_equal(top_model_build(&t->model, &t->before, &t->now, &t->track), 0);
}

static void two_end(struct two *t)
{
	top_sample_free(&t->before);
	top_sample_free(&t->now);
	top_model_free(&t->model);
}

static void assert_is(struct quantity q, double value)
{
	assert_int_equal(q.known, KNOWN);
	assert_true(fabs(q.value - value) <= 1e-9 * fmax(1, fabs(value)));
}

static struct quantity of(const struct two *t, size_t row, enum field f)
{
	return top_row_value(&t->model.rows[row], f);
}

/* ---- the tables ---- */

static void test_tables_are_whole(void **state)
{
	(void)state;
	for (enum field f = 0; f < FIELD_COUNT; f++) {
		assert_non_null(fields[f].name);
		assert_non_null(fields[f].title);
		assert_non_null(fields[f].json);
		assert_non_null(fields[f].help);
		assert_int_equal(fields[f].group == NULL, field_is_process(f));
		assert_int_equal(fields[f].width > 0, field_is_process(f));
		assert_int_equal(fields[f].unit == UNIT_CHOICE, fields[f].choices != NULL);
		if (fields[f].origin == ORIGIN_FACT || fields[f].origin == ORIGIN_RATE)
			assert_true(fields[f].scale != 0);
		if (field_is_process(f))
			assert_true(strlen(fields[f].title) <= fields[f].width);
		if (field_is_process(f))
			assert_int_equal(field_by_name(fields[f].name, strlen(fields[f].name)), f);
	}
	for (enum top_fact fact = 0; fact < TOP_FACTS; fact++)
		assert_non_null(top_fact_name(fact));
	for (enum task_fact fact = 0; fact < TASK_FACTS; fact++)
		assert_non_null(task_facts[fact].name);
}

/* A JSON object is written once: the fields of a group stand together, and no two have one key. */
static void test_groups_of_fields(void **state)
{
	(void)state;
	for (enum field f = 0; f < FIELD_COUNT; f++)
		for (enum field g = 0; g < f; g++) {
			bool same = field_is_process(f) ? field_is_process(g)
							: !strcmp(fields[f].group, fields[g].group);
			if (same)
				assert_string_not_equal(fields[f].json, fields[g].json);
			if (same && !field_is_process(f))
				assert_string_equal(fields[f - 1].group, fields[f].group);
		}
}

static void test_field_lists(void **state)
{
	enum field list[PROC_FIELDS] = { PROC_PID };
	const char *bad = NULL;
	(void)state;
	assert_int_equal(field_list_parse("anon,cow,anon", list, 1, PROC_FIELDS, &bad), 2);
	assert_int_equal(list[0], PROC_ANON);
	assert_int_equal(list[1], PROC_COW);
	list[0] = PROC_PID;
	assert_int_equal(field_list_parse("+anon,pid", list, 1, PROC_FIELDS, &bad), 2);
	assert_int_equal(list[0], PROC_PID);
	assert_int_equal(list[1], PROC_ANON);
	assert_int_equal(field_list_parse("anon,nonsense,cow", list, 0, PROC_FIELDS, &bad), 0);
	assert_memory_equal(bad, "nonsense", 8);
	assert_int_equal(field_list_parse("", list, 0, PROC_FIELDS, &bad), 0);
	assert_int_equal(field_list_parse("anon,", list, 0, PROC_FIELDS, &bad), 0);
}

/* ---- rates ---- */

static void test_rates_of_the_machine(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 2);
	set(&t.before, FACT_COW_KSM, 1000);
	set(&t.now, FACT_COW_KSM, 2994);
	set(&t.before, FACT_KSMD_CPU_NS, 5 * SECOND);
	set(&t.now, FACT_KSMD_CPU_NS, 5 * SECOND + SECOND / 2);
	set(&t.before, FACT_STALL_SOME_US, 0);
	set(&t.now, FACT_STALL_SOME_US, 100000);
	set(&t.now, FACT_STALL_SOME_AVG10, 1234);
	two_build(&t);
	assert_is(t.model.host[HOST_FAULTS_COW], 997);
	assert_is(t.model.host[HOST_KSMD_CPU], 0.25);
	assert_is(t.model.host[HOST_STALL_SOME], 0.05);
	assert_is(t.model.host[HOST_STALL_SOME_AVG10], 0.1234);
	assert_true(t.model.host[HOST_FAULTS_COW].low == t.model.host[HOST_FAULTS_COW].high);
	two_end(&t);
}

/* Zero growth is a rate of zero; a counter that fell, was not there, or is not there has none. */
static void test_counters_that_cannot_be_used(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 1);
	set(&t.before, FACT_COW_KSM, 1000);
	set(&t.now, FACT_COW_KSM, 3);
	set(&t.before, FACT_SPLITS, 7);
	set(&t.now, FACT_SPLITS, 7);
	t.before.fact[FACT_COLLAPSES].known = ABSENT;
	set(&t.now, FACT_COLLAPSES, 5);
	set(&t.before, FACT_HUGE_FAULTS, 5);
	t.now.fact[FACT_HUGE_FAULTS].known = DENIED;
	two_build(&t);
	assert_int_equal(t.model.host[HOST_FAULTS_COW].known, NOT_READ);
	assert_is(t.model.host[HOST_SPLITS], 0);
	assert_int_equal(t.model.host[HOST_COLLAPSES].known, NOT_READ);
	assert_int_equal(t.model.host[HOST_HUGE_FAULTS].known, DENIED);
	two_end(&t);
}

/* An interval without a width is written with all the digits of its value, not rounded to where it does not hold it. */
static void test_written_interval_holds_its_value(void **state)
{
	struct two t;
	struct text out = { 0 };
	(void)state;
	two_begin(&t, 1);
	for (enum top_fact f = FACT_POTENTIAL_BYTES; f <= FACT_POTENTIAL_HIGH_BYTES; f++)
		set(&t.now, f, 84000768);
	two_build(&t);
	top_json(&out, &(struct top_shown){ .model = &t.model });
	assert_non_null(strstr(out.bytes, "\"potential_bytes\":84000768,\"potential_bytes_interval\":[84000768,84000768]"));
	text_free(&out);
	two_end(&t);
}

static void test_no_interval_no_rates(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 0);
	set(&t.before, FACT_COW_KSM, 1);
	set(&t.now, FACT_COW_KSM, 2);
	set(&t.now, KNOB_PAGES_SHARING, 10);
	t.now.watched = KNOWN;
	two_build(&t);
	assert_true(t.model.seconds == 0);
	assert_int_equal(t.model.host[HOST_FAULTS_COW].known, NOT_READ);
	assert_int_equal(t.model.host[HOST_FAULTS_USER].known, NOT_READ);
	assert_is(t.model.host[HOST_SAVED], 10 * PAGE);
	assert_int_equal(top_model_build(&t.model, NULL, &t.now, &t.track), 0);
	assert_int_equal(t.model.host[HOST_FAULTS_COW].known, NOT_READ);
	two_end(&t);
}

/* ---- savings ---- */

static void test_savings(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 1);
	set(&t.now, KNOB_PAGES_SHARING, 300);
	set(&t.now, KNOB_KSM_ZERO_PAGES, 200);
	set(&t.now, KNOB_GENERAL_PROFIT, -12345);
	set(&t.now, FACT_AVAILABLE_BYTES, 1000 * PAGE);
	two_build(&t);
	assert_is(t.model.host[HOST_SAVED], 500 * PAGE);
	assert_is(t.model.host[HOST_PROFIT], -12345);
	assert_is(t.model.host[HOST_EXPOSURE], 500 * PAGE);
	assert_is(t.model.host[HOST_EXPOSURE_RATIO], 0.5);
	two_end(&t);
}

/* A kernel before 6.4: no general_profit, no zero pages. The same formula by hand, and it may be negative. */
static void test_savings_of_an_old_kernel(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 1);
	t.now.fact[KNOB_KSM_ZERO_PAGES].known = ABSENT;
	t.now.fact[KNOB_GENERAL_PROFIT].known = ABSENT;
	set(&t.now, KNOB_PAGES_SHARED, 5);
	set(&t.now, KNOB_PAGES_SHARING, 10);
	set(&t.now, KNOB_PAGES_UNSHARED, 1000);
	set(&t.now, KNOB_PAGES_VOLATILE, 985);
	two_build(&t);
	assert_is(t.model.host[HOST_SAVED], 10 * PAGE);
	assert_is(t.model.host[HOST_PROFIT], 10.0 * PAGE - 2000 * 64);
	assert_int_equal(t.model.host[HOST_EXPOSURE_RATIO].known, NOT_READ);
	t.now.fact[KNOB_PAGES_VOLATILE].known = DENIED;
	two_build(&t);
	assert_int_equal(t.model.host[HOST_PROFIT].known, DENIED);
	t.now.fact[KNOB_PAGES_SHARING].known = DENIED;
	two_build(&t);
	assert_int_equal(t.model.host[HOST_SAVED].known, DENIED);
	two_end(&t);
}

/* ---- passes ---- */

/* full_scans goes up at 3 s and at 8 s: the pass took 5 s, and at 10 s there are 3 s to go. */
static void test_passes_from_full_scans(void **state)
{
	static const int64_t scans[] = { 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6 };
	struct top_sample s[2] = { { 0 }, { 0 } };
	struct top_model m = { 0 };
	struct top_track track = { 0 };
	(void)state;
	for (int i = 0; i <= 10; i++) {
		struct top_sample *now = &s[i & 1];
		begin(now, i);
		set(now, KNOB_RUN, 1);
		set(now, KNOB_FULL_SCANS, scans[i]);
		assert_int_equal(top_model_build(&m, i ? &s[!(i & 1)] : NULL, now, &track), 0);
		if (i < 8)
			assert_int_equal(m.host[HOST_PASS_SECONDS].known, NOT_READ);
	}
	assert_is(m.host[HOST_PASS_SECONDS], 5);
	assert_is(m.host[HOST_PASS_ETA], 3);
	top_model_free(&m);
}

static void test_quick_passes_and_estimates(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 2);
	set(&t.now, KNOB_RUN, 1);
	set(&t.before, KNOB_FULL_SCANS, 10);
	set(&t.now, KNOB_FULL_SCANS, 50);
	two_build(&t);
	assert_is(t.model.host[HOST_PASS_SECONDS], 0.05);

	/* nothing ended: 1,000 tracked pages at 200 a second */
	t.track = (struct top_track){ 0 };
	set(&t.now, KNOB_FULL_SCANS, 10);
	set(&t.now, KNOB_PAGES_SHARED, 100);
	set(&t.now, KNOB_PAGES_SHARING, 200);
	set(&t.now, KNOB_PAGES_UNSHARED, 300);
	set(&t.now, KNOB_PAGES_VOLATILE, 400);
	set(&t.before, KNOB_PAGES_SCANNED, 1000);
	set(&t.now, KNOB_PAGES_SCANNED, 1400);
	two_build(&t);
	assert_is(t.model.host[HOST_PASS_SECONDS], 5);
	assert_int_equal(t.model.host[HOST_PASS_ETA].known, NOT_READ);

	/* events know better */
	set(&t.now, FACT_PASS_LAST_NS, 4 * SECOND);
	set(&t.now, FACT_PASS_RUNNING_NS, SECOND);
	two_build(&t);
	assert_is(t.model.host[HOST_PASS_SECONDS], 4);
	assert_is(t.model.host[HOST_PASS_ETA], 3);
	set(&t.now, KNOB_RUN, 0);
	two_build(&t);
	assert_int_equal(t.model.host[HOST_PASS_ETA].known, NOT_READ);
	two_end(&t);
}

/* ---- processes ---- */

static void test_processes_come_go_and_change(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 1);
	task_set(add_task(&t.before, 10, 1, "stays"), TASK_PAGE_FAULTS, value_of(100));
	task_set(add_task(&t.before, 20, 1, "goes"), TASK_PAGE_FAULTS, value_of(100));
	task_set(add_task(&t.before, 30, 1, "reused"), TASK_PAGE_FAULTS, value_of(100));
	task_set(add_task(&t.now, 10, 1, "stays"), TASK_PAGE_FAULTS, value_of(150));
	task_set(add_task(&t.now, 30, 2, "another"), TASK_PAGE_FAULTS, value_of(170));
	task_set(add_task(&t.now, 40, 2, "comes"), TASK_PAGE_FAULTS, value_of(7));
	two_build(&t);
	assert_int_equal(t.model.count, 3);
	assert_is(of(&t, 0, PROC_FAULTS), 50);
	assert_int_equal(of(&t, 1, PROC_FAULTS).known, NOT_READ);
	assert_int_equal(of(&t, 2, PROC_FAULTS).known, NOT_READ);
	assert_is(of(&t, 1, PROC_PID), 30);
	two_end(&t);
}

/* Who was not asked for has no row; the others' rows are as they were. */
static void test_left_out(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 1);
	for (pid_t pid = 1; pid <= 4; pid++) {
		task_set(add_task(&t.before, pid, 1, "x"), TASK_PAGE_FAULTS, value_of(0));
		task_set(add_task(&t.now, pid, 1, "x"), TASK_PAGE_FAULTS, value_of(pid));
		t.now.tasks[pid - 1].left_out = pid % 2;
	}
	two_build(&t);
	assert_int_equal(t.model.count, 2);
	assert_is(of(&t, 0, PROC_PID), 2);
	assert_is(of(&t, 1, PROC_PID), 4);
	assert_is(of(&t, 1, PROC_FAULTS), 4);
	two_end(&t);
}

static void test_opting_in(void **state)
{
	static const struct {
		struct value any, mergeable;
		int64_t tracked;
		enum known known;
		double opted;
	} cases[] = {
		{ { 1, KNOWN }, { 0, NOT_READ }, 0, KNOWN, 2 },
		{ { 0, KNOWN }, { 1, KNOWN }, 0, KNOWN, 1 },
		{ { 0, KNOWN }, { 0, KNOWN }, 0, KNOWN, 0 },
		{ { 0, KNOWN }, { 0, NOT_READ }, 5, KNOWN, 1 },
		{ { 0, KNOWN }, { 0, ABSENT }, 0, ABSENT, 0 },
		{ { 0, ABSENT }, { 0, ABSENT }, 5, ABSENT, 0 },
		{ { 0, DENIED }, { 0, KNOWN }, 0, KNOWN, 0 },
	};
	struct two t;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		two_begin(&t, 1);
		struct top_task *task = add_task(&t.now, 1, 1, "x");
		task_set(task, TASK_MERGE_ANY, cases[i].any);
		task_set(task, TASK_MERGEABLE, cases[i].mergeable);
		task_set(task, TASK_TRACKED_PAGES, value_of(cases[i].tracked));
		two_build(&t);
		assert_int_equal(of(&t, 0, PROC_OPTED).known, cases[i].known);
		if (cases[i].known == KNOWN)
			assert_is(of(&t, 0, PROC_OPTED), cases[i].opted);
		two_end(&t);
	}
}

/* ---- faults that are looked at ---- */

/* One window after the other with these events of one process; all of its faults are of one kind. */
static void watch(struct top_sample *s, pid_t pid, enum fault_kind kind, int windows, double window_seconds,
		  uint64_t each, double seconds)
{
	struct top_watch *w = top_sample_add_watch(s);
	assert_non_null(w);
	w->pid = pid;
	w->now.all = w->horizon.all = -1;
	s->watched = KNOWN;
	s->windows = (struct duty_total){ .seconds = seconds, .machine = -1 };
	for (int i = 0; i < windows; i++) {
		struct duty_window window = { .seconds = window_seconds };
		uint64_t counts[DUTY_KINDS] = { 0 };
		counts[kind] = each;
		duty_add_window(&s->windows, &window);
		duty_add_counts(&w->now, &window, counts);
	}
	s->horizon = s->windows;
	w->horizon = w->now;
}

static void test_all_the_time_is_exact(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 2);
	task_set(add_task(&t.before, 5, 1, "x"), TASK_PAGE_FAULTS, value_of(0));
	task_set(add_task(&t.now, 5, 1, "x"), TASK_PAGE_FAULTS, value_of(1994));
	watch(&t.now, 5, FAULT_COW_MERGED, 1, 2, 1994, 2);
	two_build(&t);
	assert_is(of(&t, 0, PROC_COW), 997);
	assert_is(of(&t, 0, PROC_WRITE_PRESENT), 997);
	assert_is(of(&t, 0, PROC_FIRST), 0);
	assert_true(of(&t, 0, PROC_COW).low == of(&t, 0, PROC_COW).high);
	two_end(&t);
}

static void test_part_of_the_time_has_an_interval(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 2);
	task_set(add_task(&t.before, 5, 1, "x"), TASK_PAGE_FAULTS, (struct value){ 0, ABSENT });
	add_task(&t.now, 5, 1, "x");
	add_task(&t.now, 6, 1, "idle");
	watch(&t.now, 5, FAULT_COW_MERGED, 16, 1.0 / 64, 16, 2);
	two_build(&t);
	struct quantity q = of(&t, 0, PROC_COW);
	assert_is(q, 1024);
	assert_true(q.low < q.value && q.high > q.value);
	assert_true(q.low > 0.5 * q.value && q.high < 2 * q.value);
	/* of one that was not seen it is known that it had few */
	q = of(&t, 1, PROC_COW);
	assert_is(q, 0);
	assert_true(q.low == 0 && q.high > 0 && q.high < 100);
	two_end(&t);
}

/* The kernel says that a process had no faults: then it had none of any kind, windows or not. */
static void test_no_faults_at_all(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 2);
	task_set(add_task(&t.before, 6, 1, "idle"), TASK_PAGE_FAULTS, value_of(3));
	task_set(add_task(&t.now, 6, 1, "idle"), TASK_PAGE_FAULTS, value_of(3));
	watch(&t.now, 99, FAULT_FIRST_WRITE, 4, 0.1, 10, 2);
	two_build(&t);
	assert_is(of(&t, 0, PROC_COW), 0);
	assert_true(of(&t, 0, PROC_COW).high == 0);
	assert_is(of(&t, 0, PROC_NEW_DUPLICATES), 0);
	two_end(&t);
}

static void test_faults_that_are_not_looked_at(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 2);
	add_task(&t.now, 6, 1, "x");
	t.now.watched = DENIED;
	two_build(&t);
	assert_int_equal(of(&t, 0, PROC_COW).known, DENIED);
	assert_int_equal(of(&t, 0, PROC_NEW_DUPLICATES).known, DENIED);
	assert_int_equal(t.model.host[HOST_FAULTS_USER].known, DENIED);
	assert_int_equal(t.model.host[HOST_WASTE].known, DENIED);
	assert_int_equal(t.model.host[HOST_WATCHED_RATIO].known, DENIED);
	two_end(&t);
}

static void test_new_duplicates(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 1);
	add_task(&t.now, 5, 1, "x");
	watch(&t.now, 5, FAULT_FIRST_WRITE, 1, 1, 1000, 1);
	t.now.watches[0].arrivals = (struct fault_arrivals){ .hashed = 100, .duplicate = 25 };
	two_build(&t);
	struct quantity q = of(&t, 0, PROC_NEW_DUPLICATES);
	assert_is(q, 250);
	assert_true(q.low < 250 && q.low > 100 && q.high > 250 && q.high < 400);
	t.now.watches[0].arrivals = (struct fault_arrivals){ 0 };
	two_build(&t);
	assert_int_equal(of(&t, 0, PROC_NEW_DUPLICATES).known, NOT_READ);
	two_end(&t);
}

static void test_waste(void **state)
{
	struct two t;
	(void)state;
	two_begin(&t, 1);
	t.now.watched = KNOWN;
	t.now.lifetimes[3] = 10;		/* milliseconds */
	t.now.lifetimes[20] = 20;		/* minutes */
	t.now.lifetimes_unseen = 10;
	two_build(&t);
	assert_is(t.model.host[HOST_WASTE], 0.25);
	two_end(&t);
}

/* ---- sums and order ---- */

static void test_sums(void **state)
{
	struct quantity a = { 10, 9, 12, KNOWN, false }, b = { 5, 1, 5, KNOWN, false }, none = { .known = DENIED };
	(void)state;
	struct quantity sum = quantity_sum(a, b);
	assert_is(sum, 15);
	assert_true(fabs(sum.low - (15 - hypot(1, 4))) < 1e-9 && fabs(sum.high - 17) < 1e-9);
	assert_false(sum.partial);
	sum = quantity_sum(a, none);
	assert_is(sum, 10);
	assert_true(sum.partial);
	sum = quantity_sum(none, a);
	assert_true(sum.partial && sum.value == 10);
	assert_int_equal(quantity_sum(none, none).known, DENIED);
	assert_false(quantity_sum(none, none).partial);
}

/* Unknown values are last, whichever way the known ones run. */
static void test_order(void **state)
{
	struct quantity small = { 1, 1, 1, KNOWN, false }, large = { 2, 2, 2, KNOWN, false };
	struct quantity none = { .known = ABSENT };
	(void)state;
	assert_int_equal(quantity_compare(small, large, false), -1);
	assert_int_equal(quantity_compare(small, large, true), 1);
	assert_int_equal(quantity_compare(small, small, true), 0);
	assert_int_equal(quantity_compare(none, none, true), 0);
	for (int descending = 0; descending < 2; descending++) {
		assert_int_equal(quantity_compare(small, none, descending), -1);
		assert_int_equal(quantity_compare(none, small, descending), 1);
	}
}

/* ---- groups ---- */

static void add_grouped(struct top_sample *s, pid_t pid, const char *cgroup, int64_t anon, enum known known)
{
	struct top_task *t = add_task(s, pid, 1, "x");
	t->cgroup = names_add(&s->names, cgroup);
	t->uid = pid % 2;
	task_set(t, TASK_ANON_BYTES, (struct value){ anon, known });
}

static const struct top_group *group_named(const struct top_groups *g, const char *name)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->groups[i].name_length == strlen(name) && !memcmp(g->groups[i].name, name, strlen(name)))
			return &g->groups[i];
	return NULL;
}

static double anon_of(const struct top_group *g)
{
	return g->value[PROC_ANON - HOST_FIELDS].value;
}

static void test_groups(void **state)
{
	struct two t;
	struct top_groups g;
	(void)state;
	two_begin(&t, 1);
	add_grouped(&t.now, 1, "/a/b", 10, KNOWN);
	add_grouped(&t.now, 2, "/a", 20, KNOWN);
	add_grouped(&t.now, 3, "/a-b", 40, KNOWN);
	add_grouped(&t.now, 4, "/a/b/c", 80, KNOWN);
	add_grouped(&t.now, 5, "", 160, KNOWN);
	add_grouped(&t.now, 6, "/a/b", 320, DENIED);
	two_build(&t);

	assert_int_equal(top_groups_build(&g, &t.model, GROUP_CGROUP, true), 0);
	assert_int_equal(g.count, 6);
	assert_true(anon_of(group_named(&g, "/")) == 150);
	assert_true(anon_of(group_named(&g, "/a")) == 110);
	assert_true(anon_of(group_named(&g, "/a/b")) == 90);
	assert_true(anon_of(group_named(&g, "/a-b")) == 40);
	assert_true(anon_of(group_named(&g, "")) == 160);
	assert_true(group_named(&g, "/")->value[PROC_ANON - HOST_FIELDS].partial);
	assert_false(group_named(&g, "/a-b")->value[PROC_ANON - HOST_FIELDS].partial);
	assert_int_equal(group_named(&g, "/")->processes, 5);
	assert_int_equal(group_named(&g, "/a/b")->processes, 3);
	assert_int_equal(group_named(&g, "/a/b")->depth, 2);
	for (size_t i = 0; i < g.count; i++)
		assert_true(g.groups[i].parent == GROUP_NO_PARENT || g.groups[i].parent < i);
	top_groups_free(&g);

	assert_int_equal(top_groups_build(&g, &t.model, GROUP_CGROUP, false), 0);
	assert_int_equal(g.count, 5);
	assert_true(anon_of(group_named(&g, "/a")) == 20);
	top_groups_free(&g);

	assert_int_equal(top_groups_build(&g, &t.model, GROUP_UID, true), 0);
	assert_int_equal(g.count, 2);
	assert_true(anon_of(group_named(&g, "0")) == 100);
	assert_true(anon_of(group_named(&g, "1")) == 210);
	top_groups_free(&g);
	two_end(&t);
}

/* ---- history ---- */

static void test_history(void **state)
{
	struct history *h = history_new(1 << 20);
	struct two t;
	float line[HISTORY_POINTS + 10];
	(void)state;
	two_begin(&t, 1);
	task_set(add_task(&t.now, 5, 77, "x"), TASK_ANON_BYTES, value_of(0));
	for (int i = 0; i < HISTORY_POINTS + 5; i++) {
		set(&t.now, KNOB_PAGES_SHARING, i);
		task_set(&t.now.tasks[0], TASK_ANON_BYTES, value_of(1000 + i));
		two_build(&t);
		history_add(h, &t.model);
	}
	assert_int_equal(history_host(h, HOST_PAGES_SHARING, line, HISTORY_POINTS + 10), HISTORY_POINTS);
	assert_true(isnan(line[0]) && isnan(line[9]));
	assert_true(line[HISTORY_POINTS + 9] == HISTORY_POINTS + 4);
	assert_true(line[10] == 5);
	assert_int_equal(history_process(h, 5, 77, LINE_ANON, line, 3), 3);
	assert_true(line[2] == 1000 + HISTORY_POINTS + 4 && line[0] == line[2] - 2);
	/* another process of that PID */
	history_process(h, 5, 78, LINE_ANON, line, 3);
	assert_true(isnan(line[2]));
	history_process(h, 6, 77, LINE_ANON, line, 3);
	assert_true(isnan(line[2]));
	history_free(h);
	two_end(&t);
}

/* With little memory the older moments lose their processes, the machine's lines stay. */
static void test_history_is_bounded(void **state)
{
	struct history *h = history_new(3 * 24 + 1);
	struct two t;
	float line[10];
	(void)state;
	two_begin(&t, 1);
	task_set(add_task(&t.now, 5, 77, "x"), TASK_ANON_BYTES, value_of(1));
	set(&t.now, KNOB_PAGES_SHARING, 1);
	two_build(&t);
	for (int i = 0; i < 10; i++)
		history_add(h, &t.model);
	history_process(h, 5, 77, LINE_ANON, line, 10);
	assert_true(line[9] == 1 && line[7] == 1 && isnan(line[6]));
	history_host(h, HOST_PAGES_SHARING, line, 10);
	assert_true(line[0] == 1);
	history_free(h);
	two_end(&t);
}

/* ---- packing ---- */

static void fill(struct top_sample *s, unsigned int seed)
{
	begin(s, seed);
	srand(seed);
	for (enum top_fact f = 0; f < TOP_FACTS; f++)
		s->fact[f] = (struct value){ rand() % 3 ? rand() - rand() : 0, rand() % 5 };
	pid_t pid = 0;
	for (int i = 0; i < 50; i++) {
		struct top_task *t = add_task(s, pid += 1 + rand() % 100, rand(), i % 3 ? "sh" : "\xff\n(x) \"");
		t->uid = rand();
		t->parent = rand();
		t->cgroup = names_add(&s->names, i % 2 ? "/a/b" : "/c");
		t->user = names_add(&s->names, "somebody");
		t->vm = names_add(&s->names, i % 7 ? "" : "guest");
		t->domain = names_add(&s->names, i % 3 ? "shop" : i % 2 ? "build" : "");
		for (enum task_fact f = 0; f < TASK_FACTS; f++)
			task_set(t, f, (struct value){ rand() - rand(), rand() % 5 });
	}
	watch(s, 3, FAULT_COW_OTHER, 3, 1.0 / 7, 11, 1);
	watch(s, 9, FAULT_FIRST_READ, 5, 0.1, 3, 1);
	s->machine = s->watches[0];
	s->lifetimes[7] = 123456789;
	s->lifetimes_unseen = 5;
	struct loss *l = top_sample_add_loss(s);
	*l = (struct loss){ "faults", 100, 98, 2 };
	struct program_use *p = top_sample_add_program(s);
	*p = (struct program_use){ "each_task", 7, 12345, 0.125 };
	*top_sample_add_outcome(s) = (struct outcome){ 9, OUTCOME_COLLAPSES, "succeed", 3 };
	*top_sample_add_outcome(s) = (struct outcome){ 0, OUTCOME_SCANS, "exceed_none_pte", 70 };
	*top_sample_add_outcome(s) = (struct outcome){ 0, OUTCOME_MERGES, "EFAULT", 1 };
	*top_sample_add_outcome(s) = (struct outcome){ 0, OUTCOME_MERGES, "ENOMEM", 2 };
	top_sample_sort_outcomes(s);
	*top_sample_add_crossing(s) = (struct top_crossing){ names_add(&s->names, "build"), names_add(&s->names, "shop"), 7, 5, 9 };
	top_sample_missing(s, "general_profit", ABSENT, "came with %s", "6.4");
}

/* Those of one process, most frequent first within a kind; none where there are none. */
static void test_outcomes(void **state)
{
	struct top_sample s;
	size_t count;
	(void)state;
	fill(&s, 1);
	const struct outcome *o = top_sample_outcomes(&s, 0, &count);
	assert_int_equal(count, 3);
	assert_string_equal(o[0].of, OUTCOME_SCANS);
	assert_string_equal(o[1].what, "ENOMEM");
	assert_string_equal(o[2].what, "EFAULT");
	o = top_sample_outcomes(&s, 9, &count);
	assert_int_equal(count, 1);
	assert_int_equal(o->count, 3);
	top_sample_outcomes(&s, 5, &count);
	assert_int_equal(count, 0);
	top_sample_outcomes(&s, 10, &count);
	assert_int_equal(count, 0);
	top_sample_clear(&s);
	top_sample_outcomes(&s, 0, &count);
	assert_int_equal(count, 0);
	top_sample_free(&s);
}

static void order_here(struct top_order *order)
{
	struct text preamble = { 0 };
	struct error err;
	top_pack_preamble(&preamble);
	assert_int_equal(top_unpack_preamble(order, preamble.bytes, preamble.length, &err), 0);
	text_free(&preamble);
}

/* Packing, unpacking and packing again gives the same bytes; and the same answer. */
static void test_pack_round_trip(void **state)
{
	struct top_order order;
	(void)state;
	order_here(&order);
	for (unsigned int seed = 1; seed <= 20; seed++) {
		struct top_sample s, again = { 0 };
		struct text first = { 0 }, second = { 0 };
		struct error err;
		fill(&s, seed);
		top_pack(&first, &s);
		assert_int_equal(top_unpack(&again, &order, first.bytes, first.length, &err), 0);
		top_pack(&second, &again);
		assert_int_equal(first.length, second.length);
		assert_memory_equal(first.bytes, second.bytes, first.length);
		assert_string_equal(again.missing[0].why, "came with 6.4");
		assert_true(again.programs[0].measured_share == 0.125);
		assert_true(again.watches[1].now.kind[FAULT_FIRST_READ].y == 15);
		assert_int_equal(again.outcomes_count, 4);
		assert_string_equal(top_name(&again, again.tasks[1].domain), "shop");
		assert_int_equal(again.crossings_count, 1);
		assert_string_equal(top_name(&again, again.crossings[0].b), "shop");
		assert_true(again.crossings[0].low == 5 && again.crossings[0].high == 9);
		assert_string_equal(again.outcomes[1].what, "ENOMEM");
		text_free(&first);
		text_free(&second);
		top_sample_free(&s);
		top_sample_free(&again);
	}
}

static void test_numbers_packed(void **state)
{
	static const int64_t numbers[] = { 0, 1, -1, 63, 64, -64, -65, 127, 128, INT32_MAX, INT64_MAX, INT64_MIN };
	static const unsigned char endless[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 };
	struct text out = { 0 };
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		pack_i64(&out, numbers[i]);
		pack_double(&out, (double)numbers[i] / 3);
	}
	struct unpack in = { (unsigned char *)out.bytes, (unsigned char *)out.bytes + out.length, false };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_true(unpack_i64(&in) == numbers[i]);
		assert_true(unpack_double(&in) == (double)numbers[i] / 3);
	}
	assert_false(in.failed);
	assert_true(in.at == in.end);
	unpack_u64(&in);
	assert_true(in.failed);
	/* it goes on behind the end, or without one */
	in = (struct unpack){ endless + 9, endless + 10, false };
	assert_int_equal(unpack_u64(&in), 0);
	assert_true(in.failed && in.at == in.end);
	in = (struct unpack){ endless, endless + sizeof(endless), false };
	unpack_u64(&in);
	assert_true(in.failed);
	text_free(&out);
}

/* Cut anywhere, or with any byte changed: refused or a sample, never a crash, never a task out of order. */
static void test_unpack_of_rubbish(void **state)
{
	struct top_order order;
	struct top_sample s, again = { 0 };
	struct text packed = { 0 };
	struct error err;
	(void)state;
	order_here(&order);
	fill(&s, 1);
	top_pack(&packed, &s);
	/* one length is that of a recording from before trust domains stood at its end */
	size_t older = 0;
	for (size_t length = 0; length < packed.length; length++)
		older += top_unpack(&again, &order, packed.bytes, length, &err) >= 0;
	assert_int_equal(older, 1);
	srand(7);
	for (int i = 0; i < 20000; i++) {
		size_t at = rand() % packed.length;
		char was = packed.bytes[at];
		packed.bytes[at] = (char)rand();
		if (!top_unpack(&again, &order, packed.bytes, packed.length, &err))
			for (size_t k = 1; k < again.tasks_count; k++)
				assert_true(again.tasks[k].pid > again.tasks[k - 1].pid);
		packed.bytes[at] = was;
	}
	text_free(&packed);
	top_sample_free(&s);
	top_sample_free(&again);
}

/* A recording of a version that had other facts in another order. */
static void test_unpack_of_another_version(void **state)
{
	struct top_order order;
	struct top_sample s, again = { 0 };
	struct text packed = { 0 };
	struct error err;
	(void)state;
	order_here(&order);
	fill(&s, 3);
	top_pack(&packed, &s);
	/* as if our numbers 0 and 1 were 1 and 0, and we did not know number 2 */
	order.fact[0] = 1;
	order.fact[1] = 0;
	order.fact[2] = TOP_FACTS;
	assert_int_equal(top_unpack(&again, &order, packed.bytes, packed.length, &err), 0);
	assert_int_equal(again.fact[0].known, s.fact[1].known);
	assert_int_equal(again.fact[1].known, s.fact[0].known);
	assert_int_equal(again.fact[2].known, NOT_READ);
	assert_int_equal(again.fact[3].known, s.fact[3].known);
	text_free(&packed);
	top_sample_free(&s);
	top_sample_free(&again);
}

/* ---- CSV ---- */

static void test_csv(void **state)
{
	static const enum field columns[] = { PROC_PID, PROC_COMM, PROC_ANON, PROC_OPTED, PROC_FAULTS };
	struct two t;
	struct text out = { 0 };
	(void)state;
	two_begin(&t, 1);
	task_set(add_task(&t.now, 7, 1, "a,\"b\"\n"), TASK_ANON_BYTES, value_of(4096));
	add_task(&t.now, 8, 1, "plain");
	two_build(&t);
	const struct top_row *rows[] = { &t.model.rows[0], &t.model.rows[1] };
	struct top_shown shown = { .model = &t.model, .rows = rows, .count = 2, .columns = columns,
				   .columns_count = 5 };
	top_csv_head(&out, &shown);
	top_csv(&out, &shown);
	assert_string_equal(out.bytes, "time,pid,comm,anon_bytes,opted_in,faults_per_second\n"
				       "1700000001.000,7,\"a,\"\"b\"\"?\",4096,,\n1700000001.000,8,plain,,,\n");
	text_free(&out);
	two_end(&t);
}

static void fill_with(struct top_sample *s, size_t tasks)
{
	top_sample_clear(s);
	for (size_t i = 0; i < tasks; i++) {
		char name[32];
		snprintf(name, sizeof(name), "/a/group/number/%zu", i);
		struct top_task *t = top_sample_add_task(s);
		struct top_watch *w = top_sample_add_watch(s);
		assert_true(t && w);
		t->cgroup = names_add(&s->names, name);
		assert_true(t->cgroup);
	}
}

/* A crowd leaves no room behind; what is used from sample to sample stays. */
static void test_room_is_given_back(void **state)
{
	struct top_sample s = { 0 };
	struct top_model m = { 0 };
	struct top_track track = { 0 };

	(void)state;
	fill_with(&s, 5000);
	const struct top_task *kept = s.tasks;
	fill_with(&s, 5000);
	assert_ptr_equal(kept, s.tasks);
	s.page_bytes = 4096;
	assert_int_equal(top_model_build(&m, NULL, &s, &track), 0);
	assert_true(m.room >= 5000);
	fill_with(&s, 10);
	fill_with(&s, 10);
	assert_true(s.tasks_room <= 64 && s.watches_room <= 64 && s.names.capacity <= 65536);
	s.page_bytes = 4096;
	assert_int_equal(top_model_build(&m, NULL, &s, &track), 0);
	assert_true(m.room < 64);
	assert_string_equal(top_name(&s, s.tasks[9].cgroup), "/a/group/number/9");
	top_model_free(&m);
	top_sample_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room_is_given_back),
		cmocka_unit_test(test_tables_are_whole),
		cmocka_unit_test(test_groups_of_fields),
		cmocka_unit_test(test_field_lists),
		cmocka_unit_test(test_rates_of_the_machine),
		cmocka_unit_test(test_counters_that_cannot_be_used),
		cmocka_unit_test(test_no_interval_no_rates),
		cmocka_unit_test(test_written_interval_holds_its_value),
		cmocka_unit_test(test_savings),
		cmocka_unit_test(test_savings_of_an_old_kernel),
		cmocka_unit_test(test_passes_from_full_scans),
		cmocka_unit_test(test_quick_passes_and_estimates),
		cmocka_unit_test(test_processes_come_go_and_change),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_opting_in),
		cmocka_unit_test(test_all_the_time_is_exact),
		cmocka_unit_test(test_part_of_the_time_has_an_interval),
		cmocka_unit_test(test_no_faults_at_all),
		cmocka_unit_test(test_faults_that_are_not_looked_at),
		cmocka_unit_test(test_new_duplicates),
		cmocka_unit_test(test_waste),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_history_is_bounded),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_pack_round_trip),
		cmocka_unit_test(test_numbers_packed),
		cmocka_unit_test(test_unpack_of_rubbish),
		cmocka_unit_test(test_unpack_of_another_version),
		cmocka_unit_test(test_csv),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
