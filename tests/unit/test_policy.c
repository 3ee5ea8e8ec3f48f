// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The policy against a made machine: what it does in plain cases, and what
 * holds whatever the figures are, over a day with jumps, gaps and nonsense.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mix.h"
#include "core/policy/policy.h"

#define PAGE 4096
#define GIB (INT64_C(1) << 30)
#define SECOND INT64_C(1000000000)
#define PAGE_CPU_NS 1500		/* of the made ksmd */

/* ---- a made machine ---- */

struct made {
	int64_t clock_ns;
	int64_t knob[KNOB_COUNT];
	int64_t total, available, stall_some, stall_full;
	int64_t anon, huge;		/* of the one process that KSM looks at; anon 0: there is none */
	double undone;			/* merges of it that khugepaged undid */
	int64_t cow_cost_ns;		/* calibrated; 0: not */
	int64_t potential;		/* measured, in the process */
	int64_t duplicates;		/* pages that merge in the second scan */
	double scanned, ksmd_ns, cow;
	int64_t scan_pages;		/* of the scan under way */
	int64_t since;			/* full_scans when the duplicates came */
};

static struct made plenty(void)
{
	struct made m = { .clock_ns = 1000 * SECOND, .total = 24 * GIB, .available = 20 * GIB, .anon = GIB,
			     .duplicates = 100000 };
	m.knob[KNOB_PAGES_TO_SCAN] = 100;
	m.knob[KNOB_SLEEP_MILLISECS] = 20;
	m.knob[KNOB_MAX_PAGE_SHARING] = 256;
	m.knob[KNOB_SMART_SCAN] = 1;
	return m;
}

/* The engine goes on for so long at its settings. */
static void pass(struct made *m, double seconds)
{
	m->clock_ns += (int64_t)(seconds * 1e9);
	if (m->knob[KNOB_RUN] != 1 || !m->anon)
		return;
	double batch = (double)m->knob[KNOB_PAGES_TO_SCAN];
	double period = (double)m->knob[KNOB_SLEEP_MILLISECS] / 1e3 + batch * PAGE_CPU_NS / 1e9;
	if (period <= 0)
		return;
	double pages = batch * seconds / period;
	int64_t all = m->anon / PAGE;
	m->scanned += pages;
	m->ksmd_ns += pages * PAGE_CPU_NS;
	for (m->scan_pages += (int64_t)pages; m->scan_pages >= all; m->scan_pages -= all)
		m->knob[KNOB_FULL_SCANS]++;
	if (m->knob[KNOB_FULL_SCANS] - m->since >= 2)
		m->knob[KNOB_PAGES_SHARING] = m->duplicates;
	m->knob[KNOB_PAGES_SHARED] = m->knob[KNOB_PAGES_SHARING] / 10;
	m->knob[KNOB_PAGES_UNSHARED] = all - m->knob[KNOB_PAGES_SHARING] - m->knob[KNOB_PAGES_SHARED];
	m->knob[KNOB_GENERAL_PROFIT] = m->knob[KNOB_PAGES_SHARING] * PAGE - all * 64;
	m->knob[KNOB_PAGES_SCANNED] = (int64_t)m->scanned;
}

static void add_process(const struct made *m, struct top_sample *s)
{
	struct top_task *t = top_sample_add_task(s);

	assert_non_null(t);
	*t = (struct top_task){ .pid = 100, .start_ticks = 7, .uid = 1000 };
	strcpy(t->comm, "worker");
	t->cgroup = names_add(&s->names, "/system.slice/worker-1.service");
	task_set(t, TASK_ANON_BYTES, value_of(m->anon));
	task_set(t, TASK_HUGE_BYTES, value_of(m->huge));
	task_set(t, TASK_MERGEABLE, value_of(1));
	task_set(t, TASK_MERGED_PAGES, value_of(m->knob[KNOB_PAGES_SHARING]));
	task_set(t, TASK_POTENTIAL_BYTES, m->potential ? value_of(m->potential) : (struct value){ .known = ABSENT });
	task_set(t, TASK_MERGES_UNDONE, value_of((int64_t)m->undone));
}

static void sample_of(const struct made *m, struct top_sample *ret)
{
	top_sample_clear(ret);
	ret->clock_ns = m->clock_ns;
	ret->page_bytes = PAGE;
	ret->cpus = 2;
	for (enum knob k = 0; k < KNOB_COUNT; k++)
		ret->fact[k] = value_of(m->knob[k]);
	ret->fact[FACT_TOTAL_BYTES] = value_of(m->total);
	ret->fact[FACT_AVAILABLE_BYTES] = value_of(m->available);
	ret->fact[FACT_STALL_SOME_AVG10] = value_of(m->stall_some);
	ret->fact[FACT_STALL_FULL_AVG10] = value_of(m->stall_full);
	ret->fact[FACT_KSMD_CPU_NS] = value_of((int64_t)m->ksmd_ns);
	ret->fact[FACT_COW_KSM] = value_of((int64_t)m->cow);
	ret->fact[FACT_COW_COST_NS] = m->cow_cost_ns ? value_of(m->cow_cost_ns) : (struct value){ .known = ABSENT };
	if (m->anon)
		add_process(m, ret);
}

/* The policy at work on it. */
struct driving {
	struct made machine;
	struct policy_config config;
	struct policy_memory memory;
	struct policy_facts facts;
	struct policy_decision decision;
	struct domain_rules rules;
	struct top_sample samples[2];
	struct top_model model;
	struct top_track track;
	unsigned int now;
	int64_t arrivals;		/* pages a second whose content exists elsewhere; 0: as the sample has it */
	int64_t time_ns;		/* what the clock has gone forward in all */
	int64_t changed_ns[KNOB_COUNT];	/* on that time */
	bool changed[KNOB_COUNT];
	unsigned int changes;
};

static void configure(struct driving *d, const char *text)
{
	struct error err = { 0 };
	if (policy_config_add(&d->config, "t.conf", text, strlen(text), &err) || policy_config_check(&d->config, &err))
		print_error("%s\n", err.text);
	assert_string_equal(err.text, "");
}

static void begin(struct driving *d, const char *text)
{
	*d = (struct driving){ .machine = plenty() };
	policy_config_init(&d->config);
	configure(d, text);
}

static void end(struct driving *d)
{
	policy_decision_free(&d->decision);
	policy_memory_free(&d->memory);
	policy_facts_free(&d->facts);
	policy_config_free(&d->config);
	top_sample_free(&d->samples[0]);
	top_sample_free(&d->samples[1]);
	top_model_free(&d->model);
}

/* What holds of every change, and then it is made. */
static void carry_out(struct driving *d, const struct change *c)
{
	assert_true(*c->reason);
	d->changes++;
	if (c->kind == CHANGE_KNOB) {
		const struct knob_info *k = &knobs[c->knob];
		if (d->changed[c->knob] && d->time_ns - d->changed_ns[c->knob] < d->config.hold_ns)
			print_error("%s again after %g s\n", k->name, (double)(d->time_ns - d->changed_ns[c->knob]) / 1e9);
		assert_false(d->changed[c->knob] && d->time_ns - d->changed_ns[c->knob] < d->config.hold_ns);
		assert_true(knob_writable(c->knob) && c->after >= k->low && c->after <= k->high);
		assert_false(c->knob == KNOB_RUN && c->after == 2);
		d->changed[c->knob] = true;
		d->changed_ns[c->knob] = d->time_ns;
		d->machine.knob[c->knob] = c->after;
	}
	assert_int_equal(policy_note(&d->config, &d->memory, c, POLICY_MADE), 0);
}

/* A clock that jumps from one end to the other goes further than 64 bits tell. */
static int64_t passed_at_most(int64_t earlier, int64_t later, int64_t most)
{
	int64_t passed;
	return __builtin_sub_overflow(later, earlier, &passed) || passed > most ? most : passed;
}

static void decide(struct driving *d, const struct policy_look *look)
{
	struct top_sample *before = d->memory.steps ? &d->samples[d->now] : NULL;

	d->now = !d->now;
	if (before && d->samples[d->now].clock_ns > before->clock_ns)
		d->time_ns += passed_at_most(before->clock_ns, d->samples[d->now].clock_ns, 1000 * 86400 * SECOND);
	assert_int_equal(top_model_build(&d->model, before, &d->samples[d->now], &d->track), 0);
	assert_int_equal(policy_facts_take(&d->facts, &d->model, &d->config, &d->rules, NULL, NULL), 0);
	policy_decision_free(&d->decision);
	if (d->arrivals)
		d->facts.new_duplicates = value_of(d->arrivals * 1000);
	assert_int_equal(policy_step(&d->config, &d->memory, &d->facts, look, &d->decision), 0);
	for (size_t i = 0; i < d->decision.plan.count; i++)
		carry_out(d, &d->decision.plan.changes[i]);
}

static void step(struct driving *d, double seconds)
{
	pass(&d->machine, seconds);
	sample_of(&d->machine, &d->samples[!d->now]);
	decide(d, NULL);
}

static void steps(struct driving *d, unsigned int count)
{
	while (count--)
		step(d, 2);
}

/* ---- plain cases ---- */

static void test_plenty_costs_nothing(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "");
	d.machine.knob[KNOB_RUN] = 1;		/* as somebody left it */
	steps(&d, 300);
	assert_int_equal(d.machine.knob[KNOB_RUN], 0);
	assert_int_equal(d.changes, 1);
	assert_int_equal(d.memory.pressure.state, PRESSURE_HIGH);
	assert_int_equal(d.memory.pressure.time_ns[PRESSURE_HIGH], 299 * 2 * SECOND);
	end(&d);
}

static void test_min_free(void **state)
{
	(void)state;
	struct policy_config c;
	policy_config_init(&c);
	assert_int_equal(pressure_min_free(&c, value_of(4 * GIB)) >> 20, 245);
	assert_int_equal(pressure_min_free(&c, value_of(28 * GIB)) >> 20, 901);
	assert_int_equal(pressure_min_free(&c, value_of(128 * GIB)) >> 20, 1925);
	assert_int_equal(pressure_min_free(&c, (struct value){ 0 }), 0);
	c.min_free_bytes = 5;
	assert_int_equal(pressure_min_free(&c, value_of(4 * GIB)), 5);
	policy_config_free(&c);
}

static void test_states_have_hysteresis(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 1G\nworse_hold = 2s\nbetter_hold = 60s\n");
	d.machine.anon = 0;
	steps(&d, 3);
	d.machine.available = 4 * GIB - 1;
	steps(&d, 3);
	assert_int_equal(d.memory.pressure.state, PRESSURE_CLEAR);
	d.machine.available = 5 * GIB - 1;	/* not yet 1.25 times the bound */
	steps(&d, 100);
	assert_int_equal(d.memory.pressure.state, PRESSURE_CLEAR);
	d.machine.available = 5 * GIB;
	steps(&d, 29);
	assert_int_equal(d.memory.pressure.state, PRESSURE_CLEAR);
	steps(&d, 3);
	assert_int_equal(d.memory.pressure.state, PRESSURE_HIGH);
	d.machine.stall_full = 1000;		/* a tenth of the time everything stalls */
	steps(&d, 3);
	assert_int_equal(d.memory.pressure.state, PRESSURE_HARD);
	d.machine.stall_full = 0;
	d.machine.available = GIB / 4;
	steps(&d, 3);
	assert_int_equal(d.memory.pressure.state, PRESSURE_LOW);
	assert_int_equal(d.memory.pressure.entered[PRESSURE_LOW], 1);
	assert_int_equal(d.memory.pressure.entered[PRESSURE_HIGH], 2);
	end(&d);
}

static void test_sweeps_then_watches(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 24G\n");
	steps(&d, 4);
	assert_int_equal(d.memory.pressure.state, PRESSURE_SOFT);
	assert_int_equal(d.memory.pace.pace, PACE_SWEEP);
	assert_int_equal(d.machine.knob[KNOB_RUN], 1);
	assert_int_equal(d.machine.knob[KNOB_SMART_SCAN], 0);
	steps(&d, 30);
	assert_int_equal(d.machine.knob[KNOB_PAGES_SHARING], d.machine.duplicates);
	assert_int_equal(d.memory.pace.pace, PACE_WATCH);
	steps(&d, 20);
	assert_int_equal(d.machine.knob[KNOB_SMART_SCAN], 1);
	double cpu = d.machine.ksmd_ns;
	steps(&d, 500);
	assert_int_equal(d.memory.pace.pace, PACE_WATCH);
	assert_true((d.machine.ksmd_ns - cpu) / (1000 * 1e9) < 0.004);
	/* more memory of the same kind: another sweep */
	d.machine.anon *= 2;
	d.machine.duplicates *= 2;
	d.machine.since = d.machine.knob[KNOB_FULL_SCANS];
	steps(&d, 2);
	assert_int_equal(d.memory.pace.pace, PACE_SWEEP);
	steps(&d, 60);
	assert_int_equal(d.machine.knob[KNOB_PAGES_SHARING], d.machine.duplicates);
	end(&d);
}

/* pages_to_scan was changed a moment ago and must be left alone: it slows down at once all the same. */
static void test_slows_down_at_once(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 24G\n[engine]\nhold = 10min\n");
	d.machine.potential = GIB / 3;		/* it is known to pay: no need to go slowly */
	for (int i = 0; i < 60 && d.memory.pace.pace != PACE_WATCH; i++)
		step(&d, 2);
	assert_int_equal(d.memory.pace.pace, PACE_WATCH);
	assert_true(d.time_ns - d.changed_ns[KNOB_PAGES_TO_SCAN] < d.config.hold_ns);
	double cpu = d.machine.ksmd_ns;
	steps(&d, 100);
	assert_in_range((d.machine.ksmd_ns - cpu) / 200e9 * 1e6, 100, 3000);	/* millionths; 0.2 % is meant */
	end(&d);
}

static void test_stops_where_it_never_pays(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 24G\n");
	d.machine.duplicates = 9;		/* of libraries */
	steps(&d, 100);
	assert_int_equal(d.memory.pace.pace, PACE_REST);
	assert_int_equal(d.machine.knob[KNOB_RUN], 0);
	/* two scans, and what the last step before the stop went on for */
	assert_in_range(d.machine.knob[KNOB_FULL_SCANS], 2, 2);
	double cpu = d.machine.ksmd_ns;
	steps(&d, 3600 / 2 * 12);
	assert_true((d.machine.ksmd_ns - cpu) / (12 * 3600e9) < 0.005);
	end(&d);
}

static void test_stops_when_cow_breaks_cost_more(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 24G\n");
	steps(&d, 60);
	assert_int_equal(d.memory.pace.pace, PACE_WATCH);
	for (int i = 0; i < 100; i++) {
		d.machine.cow += 2 * 100000;	/* nearly half a CPU */
		step(&d, 2);
	}
	assert_int_equal(d.memory.pace.pace, PACE_REST);
	assert_int_equal(d.machine.knob[KNOB_RUN], 0);
	end(&d);
}

/* COW breaks at this rate for three minutes, in a machine where 390 MiB are merged: is the engine stopped? */
static bool stops_at(double breaks_per_second, int64_t calibrated_ns, char reason[240])
{
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 24G\n");
	d.machine.cow_cost_ns = calibrated_ns;
	steps(&d, 60);
	assert_int_equal(d.memory.pace.pace, PACE_WATCH);
	for (int i = 0; i < 90; i++) {
		d.machine.cow += 2 * breaks_per_second;
		step(&d, 2);
	}
	bool stopped = d.memory.pace.pace == PACE_REST;
	assert_int_equal(d.machine.knob[KNOB_RUN], !stopped);
	strcpy(reason, d.memory.pace.reason);
	end(&d);
	return stopped;
}

/* The same breaks are worth it where they are cheap, and not where they are dear; what is assumed is dear, and said to be. */
static void test_cow_breaks_cost_what_was_calibrated(void **state)
{
	(void)state;
	char reason[240];

	assert_false(stops_at(2500, 3000, reason));
	assert_true(stops_at(2500, 12000, reason));
	assert_non_null(strstr(reason, "at 12.0 µs each by the calibration"));
	assert_true(stops_at(2500, 0, reason));
	assert_non_null(strstr(reason, "at 9.2 µs each, assumed"));
	assert_true(stops_at(2500, -3000, reason));	/* nonsense is none */
	assert_non_null(strstr(reason, "assumed"));
}

/* What it costs and gains can't be seen any more, each way: it stops. */
static void test_stops_where_costs_cannot_be_seen(void **state)
{
	(void)state;
	static const unsigned int facts[] = { FACT_KSMD_CPU_NS, FACT_COW_KSM, KNOB_PAGES_SHARING, KNOB_PAGES_UNSHARED };

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		struct driving d;
		begin(&d, "[pressure]\nmin_free = 24G\n");
		steps(&d, 60);
		assert_int_equal(d.memory.pace.pace, PACE_WATCH);
		for (int k = 0; k < 10; k++) {
			pass(&d.machine, 2);
			sample_of(&d.machine, &d.samples[!d.now]);
			d.samples[!d.now].fact[facts[i]] = (struct value){ .known = DENIED };
			if (facts[i] == KNOB_PAGES_SHARING || facts[i] == KNOB_PAGES_UNSHARED)
				d.samples[!d.now].fact[KNOB_GENERAL_PROFIT] = (struct value){ .known = ABSENT };
			decide(&d, NULL);
		}
		assert_int_equal(d.memory.pace.pace, PACE_REST);
		assert_int_equal(d.machine.knob[KNOB_RUN], 0);
		end(&d);
	}
}

/* Available memory that cannot be presses nobody. */
static void test_available_memory_is_plausible(void **state)
{
	(void)state;
	static const int64_t cannot_be[] = { -1, INT64_MIN, -GIB };
	struct driving d;

	for (size_t i = 0; i < sizeof(cannot_be) / sizeof(*cannot_be); i++) {
		begin(&d, "[pressure]\nmin_free = 6G\n");
		d.machine.available = cannot_be[i];
		steps(&d, 20);
		assert_int_equal(d.memory.pressure.state, PRESSURE_HIGH);
		assert_false(is_known(d.facts.available_bytes));
		assert_int_equal(d.machine.knob[KNOB_RUN], 0);
		end(&d);
	}
	/* more than there is, by a bound above it; and where it is not known how much there is */
	for (int i = 0; i < 2; i++) {
		begin(&d, "[pressure]\nmin_free = 100G\n");
		d.machine.available = i ? 0 : 25 * GIB;
		d.machine.total = i ? -1 : 24 * GIB;
		steps(&d, 20);
		assert_int_equal(d.memory.pressure.state, PRESSURE_HIGH);
		assert_int_equal(d.machine.knob[KNOB_RUN], 0);
		end(&d);
	}
}

/* Forward it ends no hold time and no back-off early; backward it makes none last for ever. */
static void test_a_clock_that_jumps(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 24G\n[engine]\nback_off = 10min\n");
	steps(&d, 10);
	assert_int_equal(d.machine.knob[KNOB_RUN], 1);
	d.machine.knob[KNOB_RUN] = 0;		/* somebody */
	steps(&d, 10);
	int64_t before = d.memory.now_ns;
	d.machine.clock_ns += 7200 * SECOND;
	step(&d, 2);
	assert_int_equal(d.memory.now_ns, before + POLICY_STEP_NS);
	steps(&d, 10);
	assert_int_equal(d.machine.knob[KNOB_RUN], 0);
	before = d.memory.now_ns;
	d.machine.clock_ns -= 50000 * SECOND;
	step(&d, 2);
	assert_int_equal(d.memory.now_ns, before);
	d.machine.clock_ns = INT64_MIN;
	step(&d, 2);
	d.machine.clock_ns = INT64_MAX - 2 * SECOND;
	step(&d, 2);
	assert_int_equal(d.memory.now_ns, before + POLICY_STEP_NS);
	d.machine.clock_ns = 5 * SECOND;
	steps(&d, 300);
	assert_int_equal(d.machine.knob[KNOB_RUN], 1);
	end(&d);
}

/* Duplicates arrive somewhere, and the engine finds nothing: each sweep for them takes twice as many as the one before. */
static void test_arrivals_in_vain(void **state)
{
	(void)state;
	struct driving d;
	unsigned int sweeps[2] = { 0 };
	begin(&d, "[pressure]\nmin_free = 24G\n");
	steps(&d, 60);
	assert_int_equal(d.memory.pace.pace, PACE_WATCH);
	d.arrivals = 1000;			/* 16 MiB in 4 s */
	for (int i = 0; i < 1800; i++) {
		enum pace before = d.memory.pace.pace;
		step(&d, 2);
		sweeps[i >= 900] += d.memory.pace.pace == PACE_SWEEP && before != PACE_SWEEP;
	}
	assert_in_range(sweeps[0], 3, 10);
	assert_in_range(sweeps[1], 0, 2);
	/* they merge after all: the next ones are believed at once */
	d.arrivals = 100000;
	d.machine.duplicates += 50000;
	d.machine.since = d.machine.knob[KNOB_FULL_SCANS];
	for (int i = 0; i < 300 && d.memory.pace.pace != PACE_SWEEP; i++)
		step(&d, 2);
	d.arrivals = 0;
	steps(&d, 60);
	assert_int_equal(d.machine.knob[KNOB_PAGES_SHARING], d.machine.duplicates);
	assert_int_equal(d.memory.pace.pace, PACE_WATCH);
	assert_int_equal(d.memory.pace.in_vain, 0);
	d.arrivals = 1000;
	steps(&d, 4);
	assert_int_equal(d.memory.pace.pace, PACE_SWEEP);
	end(&d);
}

static void test_hands_off_what_others_write(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 24G\n[engine]\nback_off = 10min\n");
	steps(&d, 10);
	assert_int_equal(d.machine.knob[KNOB_RUN], 1);
	d.machine.knob[KNOB_RUN] = 0;
	unsigned int changes = d.changes;
	steps(&d, 290);
	assert_int_equal(d.machine.knob[KNOB_RUN], 0);
	assert_int_equal(d.changes, changes);
	assert_string_equal(d.memory.hands_off, "somebody set run to 0 (we had set 1)");
	steps(&d, 30);
	assert_int_equal(d.machine.knob[KNOB_RUN], 1);
	end(&d);
}

static void test_no_engine_across_domains(void **state)
{
	(void)state;
	struct driving d;
	struct top_task *other;

	begin(&d, "[pressure]\nmin_free = 24G\n");
	for (int i = 0; i < 10; i++) {
		pass(&d.machine, 2);
		sample_of(&d.machine, &d.samples[!d.now]);
		other = top_sample_add_task(&d.samples[!d.now]);
		*other = (struct top_task){ .pid = 200, .start_ticks = 8, .uid = 1001 };
		task_set(other, TASK_ANON_BYTES, value_of(GIB));
		task_set(other, TASK_MERGEABLE, value_of(1));
		decide(&d, NULL);
	}
	assert_int_equal(d.machine.knob[KNOB_RUN], 0);
	assert_non_null(strstr(d.memory.barred, "uid 1000, uid 1001"));
	end(&d);
}

static void test_keeps_huge_pages(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 6G\n[state clear]\nengine_cpu = 50%\n");
	d.machine.huge = GIB / 2;
	steps(&d, 10);
	assert_int_equal(d.memory.pressure.state, PRESSURE_CLEAR);
	assert_int_equal(d.machine.knob[KNOB_RUN], 0);
	d.machine.available = 5 * GIB;		/* soft: rich ones may go */
	steps(&d, 10);
	assert_int_equal(d.machine.knob[KNOB_RUN], 1);
	end(&d);
}

static void test_advisor_is_driven_or_off(void **state)
{
	(void)state;
	struct driving d;
	begin(&d, "[pressure]\nmin_free = 24G\n");
	d.machine.knob[KNOB_ADVISOR_MODE] = ADVISOR_SCAN_TIME;
	d.machine.knob[KNOB_ADVISOR_MAX_CPU] = 70;
	d.machine.knob[KNOB_ADVISOR_TARGET_SCAN_TIME] = 200;
	steps(&d, 10);
	assert_int_equal(d.machine.knob[KNOB_RUN], 1);
	assert_int_equal(d.machine.knob[KNOB_ADVISOR_MODE], ADVISOR_SCAN_TIME);
	assert_int_equal(d.machine.knob[KNOB_ADVISOR_MAX_CPU], 50);
	assert_int_equal(d.machine.knob[KNOB_PAGES_TO_SCAN], 100);
	end(&d);
	begin(&d, "[pressure]\nmin_free = 24G\n[engine]\npace = direct\n");
	d.machine.knob[KNOB_ADVISOR_MODE] = ADVISOR_SCAN_TIME;
	steps(&d, 10);
	assert_int_equal(d.machine.knob[KNOB_ADVISOR_MODE], ADVISOR_NONE);
	assert_true(d.machine.knob[KNOB_PAGES_TO_SCAN] > 100);
	end(&d);
}

/* ---- whom it opts in ---- */

static const char workers[] = "[pressure]\nmin_free = 24G\n[allow workers]\nunit = worker-*.service\ninject = yes\n";

static struct policy_range range(uint64_t start)
{
	return (struct policy_range){ .pid = 100, .start_ticks = 7, .start = start, .end = start + 1000 * PAGE, .pages = 1000,
				      .duplicates = 900 };
}

static unsigned int opted_in(struct driving *d, const struct policy_range *r)
{
	struct policy_range ranges[] = { *r };
	const struct policy_look look = { .domain = "uid 1000", .ranges = ranges, .count = 1 };
	unsigned int count = 0;

	pass(&d->machine, 2);
	sample_of(&d->machine, &d->samples[!d->now]);
	decide(d, &look);
	for (size_t i = 0; i < d->decision.plan.count; i++)
		count += d->decision.plan.changes[i].kind == CHANGE_MADVISE;
	return count;
}

static void test_whom_it_opts_in(void **state)
{
	(void)state;
	struct driving d;
	struct policy_range r;

	begin(&d, workers);
	steps(&d, 4);
	assert_true(d.decision.want_look);
#define REFUSED(what) (r = range(0x1000000), what, assert_int_equal(opted_in(&d, &r), 0))
	REFUSED(r.secret = true);
	REFUSED(r.mergeable = true);
	REFUSED(r.duplicates = 50);
	REFUSED(r.is_volatile = 600);
	REFUSED(r.pid = 101);
	REFUSED(r.start_ticks = 8);
	REFUSED((r.pages = 10, r.duplicates = 9));
	REFUSED((r.huge = 1000, r.huge_hot = 10));
	REFUSED((r.huge = 1000, r.duplicates = 200));
#undef REFUSED
	r = range(0x2000000);
	r.huge = 1000;			/* rich, and nobody says that it is hot: soft allows it */
	assert_int_equal(opted_in(&d, &r), 1);
	assert_int_equal(d.memory.own_count, 1);
	assert_int_equal(d.memory.own[0].count, 1);
	/* in a state that breaks cold ones only, unknown heat counts as hot */
	d.config.state[PRESSURE_SOFT].break_huge = BREAK_COLD;
	r = range(0x3000000);
	r.huge = 1000;
	assert_int_equal(opted_in(&d, &r), 0);
	r.huge_cold = 1000;
	assert_int_equal(opted_in(&d, &r), 1);
	end(&d);
	/* nobody without a rule, and nobody without inject */
	begin(&d, "[pressure]\nmin_free = 24G\n");
	r = range(0x1000000);
	steps(&d, 4);
	assert_false(d.decision.want_look);
	assert_int_equal(opted_in(&d, &r), 0);
	end(&d);
	begin(&d, "[pressure]\nmin_free = 24G\n[allow workers]\nuid = 1000\n");
	steps(&d, 4);
	assert_int_equal(opted_in(&d, &r), 0);
	end(&d);
}

static void test_takes_out_what_churns(void **state)
{
	(void)state;
	struct driving d;
	struct policy_range r = range(0x1000000);
	bool released = false;

	begin(&d, workers);
	steps(&d, 4);
	assert_int_equal(opted_in(&d, &r), 1);
	r.mergeable = true;
	r.is_volatile = 900;
	r.duplicates = 10;
	for (int i = 0; i < 2; i++) {
		opted_in(&d, &r);
		for (size_t k = 0; k < d.decision.plan.count; k++)
			released |= d.decision.plan.changes[k].kind == CHANGE_RELEASE;
		assert_int_equal(released, i == 1);
	}
	assert_int_equal(d.memory.own[0].count, 0);
	end(&d);
}

/* khugepaged undoes 5000 merges every tenth second, as its scans come round: it and ksmd play ping-pong. */
static unsigned int released_while_undone(double merges)
{
	struct driving d;
	struct policy_range r = range(0x1000000);
	unsigned int released = 0;

	begin(&d, workers);
	steps(&d, 4);
	assert_int_equal(opted_in(&d, &r), 1);
	for (int i = 0; i < 100; i++) {
		d.machine.undone += i % 5 ? 0 : merges;
		step(&d, 2);
		for (size_t k = 0; k < d.decision.plan.count; k++) {
			const struct change *c = &d.decision.plan.changes[k];
			released += c->kind == CHANGE_RELEASE;
			if (c->kind == CHANGE_RELEASE)
				assert_non_null(strstr(c->reason, "khugepaged undoes"));
		}
	}
	assert_int_equal(d.memory.own[0].count, !released);
	if (released)		/* and it is left alone */
		assert_int_equal(opted_in(&d, &r), 0);
	end(&d);
	return released;
}

static void test_stops_ping_pong_with_khugepaged(void **state)
{
	(void)state;
	assert_int_equal(released_while_undone(5000), 1);
	assert_int_equal(released_while_undone(50), 0);	/* hardly any of 100000 merged */
}

/* ---- whatever the figures are ---- */

static int64_t pick(uint64_t *random, const int64_t *from, size_t count)
{
	return from[random64(random) % count];
}

static const int64_t nonsense[] = { 0, 1, -1, 2, 100, 4096, 1000000, GIB, 24 * GIB, INT64_MAX, INT64_MIN, INT64_MAX / 2,
				    -GIB, 1 << 30, UINT32_MAX };

/* Some facts are not known, some cannot be. */
static void spoil(uint64_t *random, struct top_sample *s, unsigned int one_in)
{
	for (unsigned int f = 0; f < TOP_FACTS; f++) {
		if (random64(random) % one_in)
			continue;
		if (random64(random) % 2)
			s->fact[f].known = (enum known)(random64(random) % (GONE + 1));
		else
			s->fact[f] = value_of(pick(random, nonsense, sizeof(nonsense) / sizeof(*nonsense)));
	}
	for (size_t i = 0; i < s->tasks_count; i++)
		for (unsigned int f = 0; f < TASK_FACTS; f++)
			if (random64(random) % one_in == 0)
				task_set(&s->tasks[i], f, value_of(pick(random, nonsense, sizeof(nonsense) / sizeof(*nonsense))));
}

static void wander(uint64_t *random, struct made *m)
{
	switch (random64(random) % 400) {
	case 0:
		m->available = (int64_t)(random64(random) % (24 * GIB));
		break;
	case 1:
		m->anon = (int64_t)(random64(random) % (4 * GIB));
		break;
	case 2:
		m->duplicates = (int64_t)(random64(random) % 200000);
		m->since = m->knob[KNOB_FULL_SCANS];
		break;
	case 3:
		m->stall_full = (int64_t)(random64(random) % 10001);
		break;
	case 4:
		m->stall_full = m->stall_some = 0;
		break;
	case 5:		/* the counters begin anew */
		m->knob[KNOB_FULL_SCANS] = m->since = 0;
		m->scanned = 0;
		break;
	case 6:		/* somebody else */
		m->knob[random64(random) % KNOB_ADVISOR_MODE] = (int64_t)(random64(random) % 3);
		break;
	case 7:
		m->huge = m->anon / (1 + (int64_t)(random64(random) % 30));
		break;
	case 8:		/* the clock jumps */
		m->clock_ns += (int64_t)(random64(random) % (7200 * SECOND)) - 3600 * SECOND;
		break;
	case 9:		/* nobody was there for a while */
		pass(m, (double)(random64(random) % 600));
		break;
	case 10:
		m->cow += (double)(random64(random) % 10000000);
		break;
	}
}

/* carry_out() holds each change against hold and bounds. */
static void test_a_day(void **state)
{
	(void)state;
	static const char *const configs[] = {
		"[pressure]\nmin_free = 6G\n",
		"[pressure]\nmin_free = 6G\nworse_hold = 0\nbetter_hold = 0\n[engine]\nhold = 30s\npace = advisor\nrest = 1s\n"
		"back_off = 1s\nmax_page_sharing = 512\nuse_zero_pages = yes\n",
	};
	for (size_t c = 0; c < sizeof(configs) / sizeof(*configs); c++) {
		struct driving d;
		uint64_t random = 20 + c;
		begin(&d, configs[c]);
		for (int i = 0; i < 43200; i++) {
			wander(&random, &d.machine);
			pass(&d.machine, 2);
			sample_of(&d.machine, &d.samples[!d.now]);
			if (random64(&random) % 3 == 0)
				spoil(&random, &d.samples[!d.now], 30);
			decide(&d, NULL);
		}
		/* it was no day in which nothing happened */
		assert_in_range(d.changes, 100, 43200);
		end(&d);
	}
}

/* How much a decision does: ranges opted in, and the pace of the engine after it. */
static double boldness(const struct policy_facts *f, const struct policy_decision *d)
{
	double run = (double)value_or(f->knob[KNOB_RUN], 0), pages = (double)value_or(f->knob[KNOB_PAGES_TO_SCAN], 100);
	double sleep = (double)value_or(f->knob[KNOB_SLEEP_MILLISECS], 20), opt_ins = 0;

	for (size_t i = 0; i < d->plan.count; i++) {
		const struct change *c = &d->plan.changes[i];
		opt_ins += c->kind != CHANGE_KNOB && c->kind != CHANGE_RELEASE;
		if (c->kind != CHANGE_KNOB)
			continue;
		run = c->knob == KNOB_RUN ? (double)c->after : run;
		pages = c->knob == KNOB_PAGES_TO_SCAN ? (double)c->after : pages;
		sleep = c->knob == KNOB_SLEEP_MILLISECS ? (double)c->after : sleep;
	}
	return opt_ins * 1e12 + (run == 1 ? pages / (sleep > 0 ? sleep : 1) : 0);
}

/* Started from nothing with these facts: three steps, as a state has to hold. */
static double bold_with(const struct policy_config *config, struct policy_facts *f)
{
	struct policy_memory m = { 0 };
	struct policy_decision d;
	double bold = 0;

	f->clock_ns = 0;
	for (int i = 0; i < 3; i++) {
		f->clock_ns += 20 * SECOND;
		assert_int_equal(policy_step(config, &m, f, NULL, &d), 0);
		double now = boldness(f, &d);
		bold = now > bold ? now : bold;
		policy_decision_free(&d);
	}
	policy_memory_free(&m);
	return bold;
}

static void test_less_is_never_bolder(void **state)
{
	(void)state;
	struct driving d;
	uint64_t random = 5;
	unsigned int bold = 0;

	begin(&d, "[pressure]\nmin_free = 2G\n");
	for (int i = 0; i < 3000; i++) {
		d.machine = plenty();
		d.machine.available = (int64_t)(random64(&random) % (16 * GIB));
		d.machine.stall_some = (int64_t)(random64(&random) % 5000);
		d.machine.stall_full = (int64_t)(random64(&random) % 2000);
		d.machine.huge = random64(&random) % 2 ? GIB : 0;
		sample_of(&d.machine, &d.samples[!d.now]);
		decide(&d, NULL);
		double with = bold_with(&d.config, &d.facts);
		bold += with > 10;
		struct value *inputs[] = {
			&d.facts.available_bytes, &d.facts.total_bytes, &d.facts.stall_some, &d.facts.stall_full,
			&d.facts.mergeable_bytes, &d.facts.win_bytes, &d.facts.new_duplicates, &d.facts.ksmd_cpu_ns,
			&d.facts.cow_ksm, &d.facts.cow_cost_ns, &d.facts.tasks[0].huge_bytes, &d.facts.tasks[0].anon_bytes,
			&d.facts.knob[random64(&random) % KNOB_COUNT],
		};
		for (size_t k = 0; k < sizeof(inputs) / sizeof(*inputs); k++) {
			struct value kept = *inputs[k];
			*inputs[k] = (struct value){ .known = random64(&random) % 2 ? ABSENT : DENIED };
			double without = bold_with(&d.config, &d.facts);
			if (without > with)
				print_error("input %zu: %g with, %g without\n", k, with, without);
			assert_true(without <= with);
			*inputs[k] = kept;
		}
		memset(d.changed, 0, sizeof(d.changed));
		policy_memory_free(&d.memory);
	}
	assert_in_range(bold, 300, 2900);	/* both kinds were met */
	end(&d);
}

/* ksmd takes more than it may, whatever it is thought to cost: nothing makes it take more. */
static void test_over_budget_never_raises(void **state)
{
	(void)state;
	uint64_t random = 9;

	for (int i = 0; i < 300; i++) {
		struct driving d;
		begin(&d, "[pressure]\nmin_free = 24G\n[engine]\nhold = 1s\n");
		d.machine.anon = 16 * GIB;
		steps(&d, 5);
		for (int k = 0; k < 20; k++) {
			double before = (double)d.machine.knob[KNOB_PAGES_TO_SCAN] / (double)d.machine.knob[KNOB_SLEEP_MILLISECS];
			/* the machine gets slower or faster, and ksmd takes most of a CPU */
			d.machine.scanned += (double)(random64(&random) % 10000000);
			d.machine.ksmd_ns += 1.9e9;
			d.machine.clock_ns += 2 * SECOND;
			d.machine.knob[KNOB_PAGES_SCANNED] = (int64_t)d.machine.scanned;
			sample_of(&d.machine, &d.samples[!d.now]);
			decide(&d, NULL);
			double after = (double)d.machine.knob[KNOB_PAGES_TO_SCAN] / (double)d.machine.knob[KNOB_SLEEP_MILLISECS];
			if (d.memory.pace.ksmd_share > d.decision.pace.budget * 1.1)
				assert_true(after <= before);
		}
		end(&d);
	}
}

/* ---- configurations ---- */

static void test_refused_configurations(void **state)
{
	(void)state;
	static const struct { const char *text, *says; } cases[] = {
		{ "apply = yes\n", "t.conf:1:1: this entry belongs to no section" },
		{ "[policy]\napply = maybe\n", "t.conf:2:9: expected \"no\" or \"yes\"" },
		{ "[policy]\nhold = 3s\n", "t.conf:2:1: [policy] has no \"hold\"" },
		{ "[engine]\nhold = 0\n", "t.conf:2:8: expected a time" },
		{ "[engine]\nwatch_cpu = 96%\n", "t.conf:2:13: expected a share" },
		{ "[state medium]\n", "t.conf:1:8: expected \"high\", \"clear\", \"soft\", \"hard\" or \"low\"" },
		{ "[state soft]\nbreak_huge = some\n", "t.conf:2:14: expected \"none\", \"cold\", \"rich\" or \"all\"" },
		{ "[allow a]\nuid = x\n", "t.conf:2:7: expected a uid" },
		{ "[allow a]\nuser = x\n", "t.conf:2:1: expected \"unit\"" },
		{ "[allow a]\ninject = yes\n", "t.conf:1:1: no rule says who is in the group a" },
		{ "[allow a]\nuid = 1\n[allow a]\n", "t.conf:3:8: the group a is described at t.conf:1 already" },
		{ "[state soft]\nbelow = 500%\n", "[state soft] begins below 500% of min_free" },
		{ "[engine]\nrest = 7h\n", "[engine] longest_rest (6 h 0 min) is shorter" },
		{ "[state low]\nengine_cpu = 1e-3\n", "t.conf:2:14: expected a share" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct policy_config c;
		struct error err = { 0 };
		policy_config_init(&c);
		int rc = policy_config_add(&c, "t.conf", cases[i].text, strlen(cases[i].text), &err);
		if (!rc)
			rc = policy_config_check(&c, &err);
		if (rc != -EXIT_USAGE || strncmp(err.text, cases[i].says, strlen(cases[i].says)))
			print_error("%s-> %d \"%s\"\n", cases[i].text, rc, err.text);
		assert_int_equal(rc, -EXIT_USAGE);
		assert_memory_equal(err.text, cases[i].says, strlen(cases[i].says));
		policy_config_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plenty_costs_nothing),
		cmocka_unit_test(test_min_free),
		cmocka_unit_test(test_states_have_hysteresis),
		cmocka_unit_test(test_sweeps_then_watches),
		cmocka_unit_test(test_slows_down_at_once),
		cmocka_unit_test(test_stops_where_it_never_pays),
		cmocka_unit_test(test_stops_when_cow_breaks_cost_more),
		cmocka_unit_test(test_cow_breaks_cost_what_was_calibrated),
		cmocka_unit_test(test_stops_where_costs_cannot_be_seen),
		cmocka_unit_test(test_available_memory_is_plausible),
		cmocka_unit_test(test_a_clock_that_jumps),
		cmocka_unit_test(test_arrivals_in_vain),
		cmocka_unit_test(test_hands_off_what_others_write),
		cmocka_unit_test(test_no_engine_across_domains),
		cmocka_unit_test(test_keeps_huge_pages),
		cmocka_unit_test(test_advisor_is_driven_or_off),
		cmocka_unit_test(test_whom_it_opts_in),
		cmocka_unit_test(test_takes_out_what_churns),
		cmocka_unit_test(test_stops_ping_pong_with_khugepaged),
		cmocka_unit_test(test_a_day),
		cmocka_unit_test(test_less_is_never_bolder),
		cmocka_unit_test(test_over_budget_never_raises),
		cmocka_unit_test(test_refused_configurations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
