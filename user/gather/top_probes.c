// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the BPF probes add to a top_sample, each for itself: one that is
 * refused leaves its facts with the reason why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gather/top_private.h"

/* Runs and times of BPF programs are measured in one interval out of so many: measuring costs them 20 to 40 ns a run. */
#define COSTS_EVERY 10

/* ---- life ---- */

/* What became of opening a probe. */
static struct absence outcome(int rc, const struct error *err)
{
	struct absence a = { .state = rc ? attach_known(err) : KNOWN };
	if (rc)
		snprintf(a.why, sizeof(a.why), "%.159s", err->text);
	return a;
}

static void open_fault(struct top_probes *p, const struct sysroot *root, bool precise)
{
	struct fault_options options = fault_defaults();
	struct error err;

	options.precise = precise;
	/* as much of the time as by default, in half as many windows: attaching is what costs us */
	options.plan.window_ns *= 2;
	options.plan.period_ns *= 2;
	if (p->engine)
		options.merges = engine_merges(p->engine);
	int rc = fault_open(&p->fault, &options, root, &err);
	p->no_fault = outcome(rc, &err);
}

/* What splits cost is worth it only to those who ask for everything. */
static void open_huge(struct top_probes *p, const struct sysroot *root, bool precise)
{
	struct hugepage_options options = { .merges = MERGE_RECORD_NONE, .splits = precise };
	struct error err;

	if (p->engine)
		options.merges = engine_merges(p->engine);
	int rc = hugepage_open(&p->huge, &options, root, &err);
	p->no_huge = outcome(rc, &err);
}

void top_probes_open(struct top_probes *p, const struct sysroot *root, bool precise, uint64_t merged_pages)
{
	struct error err;
	int rc;

	*p = (struct top_probes){ .costs = -1 };
	rc = tasks_open(&p->tasks, &err);
	p->no_tasks = outcome(rc, &err);
	rc = engine_open(&p->engine, merged_pages, &err);
	p->no_engine = outcome(rc, &err);
	open_fault(p, root, precise);
	open_huge(p, root, precise);
}

void top_probes_close(struct top_probes *p)
{
	if (p->costs >= 0)
		close(p->costs);
	if (p->fault)
		fault_close(p->fault);
	if (p->huge)
		hugepage_close(p->huge);
	if (p->engine)
		engine_close(p->engine);
	tasks_close(p->tasks);
}

/* ---- helpers ---- */

/* A counter of a program, which may not be there while others are. */
static struct value counter_of(const struct attachment *attachment, const char *program, uint64_t number)
{
	const struct attach_program *p = attach_find(attachment, program);
	if (!p || p->state != KNOWN)
		return (struct value){ .known = p ? p->state : ABSENT };
	return value_of((int64_t)number);
}

/* The position of a pid among tasks that ascend by it. */
static struct top_task *find_task(struct top_sample *s, pid_t pid)
{
	return (struct top_task *)top_sample_task(s, pid);
}

static void set_all(struct top_sample *s, enum task_fact fact, struct value v)
{
	for (size_t i = 0; i < s->tasks_count; i++)
		task_set(&s->tasks[i], fact, v);
}

static void add_loss(struct top_sample *s, const char *path, uint64_t produced, uint64_t lost)
{
	struct loss *l = top_sample_add_loss(s);
	if (!l)
		return;
	snprintf(l->path, sizeof(l->path), "%s", path);
	l->produced = produced;
	l->consumed = produced - lost;
	l->lost = lost;
}

/* ---- the engine ---- */

static uint64_t sum_of(const __u64 *numbers, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += numbers[i];
	return sum;
}

static void put_passes(const struct attachment *a, const struct engine_totals *t, struct top_sample *s)
{
	s->fact[FACT_PASSES] = counter_of(a, "pass_ends", t->passes);
	if (!is_known(s->fact[FACT_PASSES]))
		return;
	if (t->passes) {
		s->fact[FACT_PASS_TRACKED_PAGES] = value_of((int64_t)t->pass_rmap_items);
		s->fact[FACT_PASS_LAST_NS] = value_of((int64_t)t->pass_last_ns);
		s->fact[FACT_PASS_LAST_CPU_NS] = value_of((int64_t)t->pass_last_cpu_ns);
	}
	if (t->pass_begun_ns && (int64_t)t->pass_begun_ns <= s->clock_ns)
		s->fact[FACT_PASS_RUNNING_NS] = value_of(s->clock_ns - (int64_t)t->pass_begun_ns);
}

static void put_advisor(const struct attachment *a, const struct engine_totals *t, struct top_sample *s)
{
	s->fact[FACT_ADVISOR_DECISIONS] = counter_of(a, "advisor", t->advisor_decisions);
	if (!is_known(s->fact[FACT_ADVISOR_DECISIONS]) || !t->advisor_decisions)
		return;
	s->fact[FACT_ADVISOR_SCAN_SECONDS] = value_of(t->advisor_scan_seconds);
	s->fact[FACT_ADVISOR_PAGES_TO_SCAN] = value_of((int64_t)t->advisor_pages_to_scan);
	s->fact[FACT_ADVISOR_CPU_PERCENT] = value_of((int64_t)t->advisor_cpu_percent);
}

static void add_outcome(struct top_sample *s, pid_t pid, const char *of, const char *what, uint64_t count)
{
	struct outcome *o = count ? top_sample_add_outcome(s) : NULL;
	if (!o)
		return;
	o->pid = pid;
	snprintf(o->of, sizeof(o->of), "%s", of);
	snprintf(o->what, sizeof(o->what), "%s", what);
	o->count = count;
}

/* The last one stands for itself and all greater ones. */
static void put_failures(const struct engine_totals *t, struct top_sample *s)
{
	for (int error = 0; error < ENGINE_ERRORS; error++) {
		const char *name = error < ENGINE_ERRORS - 1 ? strerrorname_np(error) : "other";
		add_outcome(s, 0, OUTCOME_MERGES, name ? name : "unknown", t->failures[error]);
	}
}

static void put_merges(struct top_probes *p, struct top_sample *s)
{
	scoped_free struct engine_process *list = NULL;
	struct value merges = counter_of(engine_attachment(p->engine), "merge", 0);
	size_t count = 0;
	struct error err;

	set_all(s, TASK_MERGES, merges);
	if (!is_known(merges) || engine_processes(p->engine, &list, &count, &err))
		return;
	for (size_t i = 0; i < count; i++) {
		struct top_task *t = find_task(s, list[i].pid);
		if (t)
			task_set(t, TASK_MERGES, value_of((int64_t)(list[i].counts.merges + list[i].counts.zero_merges)));
		else if (list[i].pid)
			engine_forget(p->engine, list[i].pid);
	}
}

static void take_engine(struct top_probes *p, struct top_sample *s)
{
	const struct attachment *a = engine_attachment(p->engine);
	struct engine_totals t;

	engine_read(p->engine, &t);
	uint64_t failures = sum_of(t.failures, ENGINE_ERRORS);
	s->fact[FACT_MERGES] = counter_of(a, "merge", t.merges - t.undone);
	s->fact[FACT_ZERO_MERGES] = counter_of(a, "merge_zero", t.zero_merges);
	s->fact[FACT_MERGE_FAILURES] = counter_of(a, "merge", failures);
	s->fact[FACT_REMOVED_PAGES] = counter_of(a, "removed_page", t.removed_pages);
	s->fact[FACT_REMOVED_MAPPINGS] = counter_of(a, "removed_item", t.removed_items);
	put_passes(a, &t, s);
	put_advisor(a, &t, s);
	put_failures(&t, s);
	put_merges(p, s);
	add_loss(s, "engine", t.merges + t.zero_merges + failures + t.removed_items, t.lost);
}

/* ---- faults ---- */

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct top_watch *)a)->pid, y = ((const struct top_watch *)b)->pid;
	return x < y ? -1 : x > y;
}

static struct top_watch watch_of(const struct fault_process *p)
{
	return (struct top_watch){ p->pid, p->now, p->horizon, p->arrivals };
}

static void put_losses(struct top_probes *p, struct top_sample *s)
{
	struct fault_loss loss;
	struct error err;

	if (fault_loss(p->fault, &loss, &err))
		return;
	add_loss(s, "faults", loss.totals.produced, loss.totals.lost);
	add_loss(s, "arrivals", loss.totals.armed - loss.waiting, loss.totals.unread + loss.totals.abandoned);
}

static void read_faults(struct top_probes *p, const struct process_facts *facts, size_t count, struct top_sample *s)
{
	struct fault_known known = { facts, count, s->fact[FACT_PAGE_FAULTS], s->fact[FACT_COW_KSM] };
	struct fault_interval interval;
	struct merge_lifetimes lifetimes;
	struct error err;

	if (fault_read(p->fault, &known, &interval, &err)) {
		top_sample_missing(s, SOURCE_FAULT, attach_known(&err), "%.150s", err.text);
		s->watched = ABSENT;
		return;
	}
	s->watched = KNOWN;
	s->windows = interval.now;
	s->horizon = interval.horizon;
	s->machine = watch_of(&interval.machine);
	for (size_t i = 0; i < interval.count; i++) {
		struct top_watch *w = top_sample_add_watch(s);
		if (w)
			*w = watch_of(&interval.processes[i]);
	}
	if (s->watches_count)
		qsort(s->watches, s->watches_count, sizeof(*s->watches), by_pid);
	fault_interval_free(&interval);
	fault_lifetimes(p->fault, &lifetimes);
	for (size_t i = 0; i < TOP_LIFETIMES; i++)
		s->lifetimes[i] = lifetimes.bucket[i];
	s->lifetimes_unseen = lifetimes.unseen;
	put_losses(p, s);
}

/* Without the frame behind an address, breaks of merged pages can't be told apart. */
static void note_unknown_breaks(const struct top_probes *p, struct top_sample *s)
{
	const char *why;
	enum known known = fault_tells_merged(p->fault, &why);
	if (known != KNOWN)
		top_sample_missing(s, "cow_merged", known, "%.150s", why);
}

/* ---- huge pages ---- */

static void add_to(struct top_sample *s, pid_t pid, enum task_fact fact, uint64_t number)
{
	struct top_task *t = find_task(s, pid);
	if (t && t->known[fact] == KNOWN)
		t->number[fact] += (int64_t)number;
}

static const char *const collapse_steps[COLLAPSE_STEPS] = {
	[COLLAPSE_SCAN] = OUTCOME_SCANS, [COLLAPSE_COPY] = OUTCOME_COLLAPSES };

/* Of the whole machine, those of processes that have ended included. */
static void add_machine_outcomes(const struct top_probes *p, const struct collapse_count *list, size_t count,
				 struct top_sample *s)
{
	uint64_t sums[COLLAPSE_STEPS][COLLAPSE_RESULTS] = { 0 };

	for (size_t i = 0; i < count; i++)
		if (list[i].key.step < COLLAPSE_STEPS && list[i].key.result < COLLAPSE_RESULTS)
			sums[list[i].key.step][list[i].key.result] += list[i].count;
	for (unsigned int step = 0; step < COLLAPSE_STEPS; step++)
		for (unsigned int result = 0; result < COLLAPSE_RESULTS; result++)
			add_outcome(s, 0, collapse_steps[step], collapse_result_name(p->huge, result),
				    sums[step][result]);
}

/* Ranges that became huge pages, of the many that were looked at; and how each look ended. */
static void put_collapses(struct top_probes *p, struct top_sample *s)
{
	scoped_free struct collapse_count *list = NULL;
	size_t count = 0;
	struct error err;

	if (hugepage_collapses(p->huge, &list, &count, &err))
		return;
	set_all(s, TASK_COLLAPSES, value_of(0));
	for (size_t i = 0; i < count; i++) {
		const struct collapse_key *key = &list[i].key;
		const char *result = collapse_result_name(p->huge, key->result);
		if (!key->tgid || !find_task(s, (pid_t)key->tgid) || key->step >= COLLAPSE_STEPS)
			continue;
		add_outcome(s, (pid_t)key->tgid, collapse_steps[key->step], result, list[i].count);
		if (key->step == COLLAPSE_COPY && !strcmp(result, "succeed"))
			add_to(s, (pid_t)key->tgid, TASK_COLLAPSES, list[i].count);
	}
	add_machine_outcomes(p, list, count, s);
}

static void put_huge_processes(struct top_probes *p, const struct hugepage_facts *facts, struct top_sample *s)
{
	scoped_free struct hugepage_process *list = NULL;
	uint64_t undoing = 0, undone = 0, splits = 0;
	size_t count = 0;
	struct error err;

	if (hugepage_processes(p->huge, &list, &count, &err))
		return;
	set_all(s, TASK_MERGES_UNDONE, (struct value){ .known = facts->tells_undone });
	set_all(s, TASK_KSMD_SPLITS, (struct value){ .known = facts->tells_splits });
	for (size_t i = 0; i < count; i++) {
		add_to(s, list[i].pid, TASK_MERGES_UNDONE, list[i].counts.merges_undone);
		add_to(s, list[i].pid, TASK_KSMD_SPLITS, list[i].ksmd_splits);
		undoing += list[i].counts.collapses_undoing;
		undone += list[i].counts.merges_undone;
		splits += list[i].ksmd_splits;
	}
	s->fact[FACT_COLLAPSES_UNDOING] = (struct value){ (int64_t)undoing, facts->tells_undone };
	s->fact[FACT_MERGES_UNDONE] = (struct value){ (int64_t)undone, facts->tells_undone };
	s->fact[FACT_KSMD_SPLITS] = (struct value){ (int64_t)splits, facts->tells_splits };
}

static void take_huge(struct top_probes *p, struct top_sample *s)
{
	struct hugepage_facts facts;

	hugepage_read(p->huge, &facts);
	s->fact[FACT_COLLAPSE_TRIES] = value_of((int64_t)facts.totals.produced);
	put_collapses(p, s);
	put_huge_processes(p, &facts, s);
	add_loss(s, "collapses", facts.totals.produced, facts.totals.lost);
	if (facts.tells_undone != KNOWN)
		top_sample_missing(s, "merges_undone", facts.tells_undone, "needs the %s", SOURCE_ENGINE);
	if (facts.tells_splits != KNOWN)
		top_sample_missing(s, "ksmd_splits", facts.tells_splits, "counted with --precise, where the kernel lets us");
	else
		add_loss(s, "splits", facts.splits.produced - facts.splits.waiting, facts.splits.lost);
}

/* ---- cost ---- */

static void put_costs_of(const struct attachment *a, double share, struct top_sample *s)
{
	for (size_t i = 0; a && i < a->count; i++) {
		struct program_cost cost;
		struct program_use *use;
		if (a->programs[i].state != KNOWN || !program_cost(&a->programs[i], &cost) ||
		    !(use = top_sample_add_program(s)))
			continue;
		snprintf(use->name, sizeof(use->name), "%s", a->programs[i].name);
		use->runs = cost.runs;
		use->nanoseconds = cost.nanoseconds;
		use->measured_share = share;
	}
}

static void take_costs(struct top_probes *p, struct top_sample *s)
{
	double passed = p->costs_clock_ns ? (s->clock_ns - p->costs_clock_ns) / 1e9 : 0;

	p->costs_clock_ns = s->clock_ns;
	p->seconds += passed;
	p->measured_seconds += p->costs >= 0 ? passed : 0;
	double share = p->seconds > 0 ? p->measured_seconds / p->seconds : 0;
	put_costs_of(p->tasks ? tasks_attachment(p->tasks) : NULL, share, s);
	put_costs_of(p->engine ? engine_attachment(p->engine) : NULL, share, s);
	put_costs_of(p->huge ? hugepage_attachment(p->huge) : NULL, share, s);
	put_costs_of(p->huge ? split_attachment(p->huge) : NULL, share, s);
	put_costs_of(p->fault ? fault_attachment(p->fault) : NULL, share, s);
	if (p->costs >= 0)
		close(p->costs);
	p->costs = p->samples++ % COSTS_EVERY == 0 ? program_costs_measure() : -1;
}

/* ---- */

static void note_absence(struct top_sample *s, const char *source, const struct absence *a)
{
	if (a->state != KNOWN)
		top_sample_missing(s, source, a->state, "%s", a->why);
}

static void mark_facts(struct top_sample *s, const char *source, enum known state)
{
	for (enum top_fact f = FACT_KSMD_CPU_NS; f < TOP_FACTS; f++)
		if (top_facts[f].source && !strcmp(top_facts[f].source, source))
			s->fact[f].known = state;
	for (enum task_fact f = 0; f < TASK_FACTS; f++)
		if (task_facts[f].source && !strcmp(task_facts[f].source, source))
			set_all(s, f, (struct value){ .known = state });
}

void top_probes_take_faults(struct top_probes *p, const struct process_facts *facts, size_t count,
			    struct top_sample *s)
{
	s->watched = p->no_fault.state;
	note_absence(s, SOURCE_FAULT, &p->no_fault);
	if (!p->fault)
		return;
	read_faults(p, facts, count, s);
	note_unknown_breaks(p, s);
}

void top_probes_take_engine(struct top_probes *p, struct top_sample *s)
{
	note_absence(s, SOURCE_ENGINE, &p->no_engine);
	note_absence(s, SOURCE_HUGE, &p->no_huge);
	note_absence(s, "task iterator", &p->no_tasks);
	if (p->engine)
		take_engine(p, s);
	else
		mark_facts(s, SOURCE_ENGINE, p->no_engine.state);
}

void top_probes_take_huge(struct top_probes *p, struct top_sample *s)
{
	if (p->huge)
		take_huge(p, s);
	else
		mark_facts(s, SOURCE_HUGE, p->no_huge.state);
	top_sample_sort_outcomes(s);
	take_costs(p, s);
}
