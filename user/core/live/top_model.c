// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/top_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/model.h"

static struct quantity unknown(enum known why)
{
	return (struct quantity){ .known = why };
}

static struct quantity exactly(double value)
{
	return (struct quantity){ .value = value, .low = value, .high = value, .known = KNOWN };
}

static struct quantity of_value(struct value v, double scale)
{
	return is_known(v) ? exactly(v.number * scale) : unknown(v.known);
}

/* Clocks of recordings can be anything: their distance need not fit into 64 bits. */
static double seconds_between(int64_t earlier, int64_t later)
{
	int64_t ns;
	return (__builtin_sub_overflow(later, earlier, &ns) ? (double)later - (double)earlier : (double)ns) / 1e9;
}

/* ---- rates ---- */

/* Growth of a counter. What can't be reckoned with is NOT_READ for this interval. */
static struct value growth(struct value before, struct value now)
{
	if (!is_known(now))
		return now;
	int64_t grown;
	bool tells = is_known(before) && !__builtin_sub_overflow(now.number, before.number, &grown) && grown >= 0;
	return tells ? value_of(grown) : (struct value){ .known = NOT_READ };
}

static struct quantity of_growth(struct value grown, double seconds, double scale)
{
	if (!is_known(grown))
		return unknown(grown.known);
	return seconds > 0 ? exactly(grown.number * scale / seconds) : unknown(NOT_READ);
}

struct building {
	const struct top_sample *before, *now;	/* before: NULL where there are no rates */
	double seconds;
	struct top_model *model;
	struct top_track *track;
};

static struct value fact_before(const struct building *b, unsigned int fact)
{
	return b->before ? b->before->fact[fact] : (struct value){ 0 };
}

/* ---- faults, looked at one by one for a part of the time ---- */

/* A process without any fault in the windows; how many it had outside is not known from here. */
static const struct top_watch nothing_seen = { .now.all = -1, .horizon.all = -1 };

static struct quantity per_second(struct duty_estimate e, double seconds)
{
	if (e.basis == DUTY_NOTHING)
		return unknown(NOT_READ);
	return (struct quantity){ .value = e.count / seconds, .low = e.low / seconds, .high = e.high / seconds,
				  .known = KNOWN };
}

/* Of one process in the same windows: their errors may go together. */
static struct quantity sum_of_kinds(struct quantity a, struct quantity b)
{
	if (a.known != KNOWN || b.known != KNOWN)
		return a.known != KNOWN ? a : b;
	return (struct quantity){ .value = a.value + b.value, .low = a.low + b.low, .high = a.high + b.high,
				  .known = KNOWN };
}

/* All kinds as one: its sums are there already. */
static struct duty_process as_one_kind(const struct duty_process *p)
{
	struct duty_process one = *p;
	one.kind[0] = (struct duty_kind){ p->x, p->xx, p->xx, p->xt, 0 };
	return one;
}

static struct quantity seen_all(const struct building *b, const struct top_watch *w)
{
	double seconds = b->now->windows.seconds;
	struct duty_process now = as_one_kind(&w->now), horizon = as_one_kind(&w->horizon);
	struct duty_case all = { &now, &horizon, &b->now->windows, &b->now->horizon, -1 };
	return per_second(duty_estimate(&all, 0), seconds);
}

/* Faults of these kinds per second; `faults` is the kernel's count of all of them in the interval. */
static struct quantity seen(const struct building *b, const struct top_watch *w, unsigned int kinds,
			    struct value faults)
{
	struct duty_case c = { &w->now, &w->horizon, &b->now->windows, &b->now->horizon, FAULT_COW_MERGED };
	struct quantity sum = exactly(0);
	double seconds = b->now->windows.seconds;

	if (b->now->watched != KNOWN)
		return unknown(b->now->watched);
	if (!(b->seconds > 0) || !(seconds > 0))
		return unknown(NOT_READ);
	if (is_known(faults) && !faults.number)
		return sum;
	if (kinds == (1u << FAULT_KINDS) - 1)
		return seen_all(b, w);
	for (int kind = 0; kind < FAULT_KINDS; kind++)
		if (kinds & 1u << kind)
			sum = sum_of_kinds(sum, per_second(duty_estimate(&c, kind), seconds));
	return sum;
}

/* Pages that were new to the process: the same faults as is_arrival() of fault.bpf.c. */
#define ARRIVALS \
	(1u << FAULT_FIRST_WRITE | 1u << FAULT_COW_MERGED | 1u << FAULT_COW_ZERO | 1u << FAULT_COW_OTHER | \
	 1u << FAULT_COW_UNKNOWN)

/* The share of duplicates among the arrivals that were hashed, of all arrivals. */
static struct quantity new_duplicates(const struct building *b, const struct top_watch *w, struct value faults)
{
	struct quantity arrivals = seen(b, w, ARRIVALS, faults);
	struct duty_estimate share = duty_share(w->arrivals.duplicate, w->arrivals.hashed);

	if (arrivals.known != KNOWN || arrivals.high <= 0)
		return arrivals;
	if (!w->arrivals.hashed)
		return unknown(NOT_READ);
	return (struct quantity){ .value = arrivals.value * share.count, .low = arrivals.low * share.low,
				  .high = arrivals.high * share.high, .known = KNOWN };
}

/* Up to a minute, as nearly as the histogram's powers of two tell: 2^16 ms. */
#define WASTE_BUCKETS 17

static struct quantity waste(const struct top_sample *s)
{
	uint64_t young = 0, all = s->lifetimes_unseen;
	for (size_t i = 0; i < TOP_LIFETIMES; i++) {
		young += i < WASTE_BUCKETS ? s->lifetimes[i] : 0;
		all += s->lifetimes[i];
	}
	if (s->watched != KNOWN || !all)
		return unknown(s->watched != KNOWN ? s->watched : NOT_READ);
	return exactly((double)young / all);
}

/* ---- the machine ---- */

static struct value machine_faults(const struct building *b)
{
	return growth(fact_before(b, FACT_PAGE_FAULTS), b->now->fact[FACT_PAGE_FAULTS]);
}

/* An estimate: a fact with the two that are its interval. */
static struct quantity with_interval(struct value v, struct value low, struct value high, double scale)
{
	struct quantity q = of_value(v, scale);
	if (q.known == KNOWN && is_known(low))
		q.low = low.number * scale;
	if (q.known == KNOWN && is_known(high))
		q.high = high.number == INT64_MAX ? INFINITY : high.number * scale;
	return q;
}

static struct quantity host_estimate(const struct top_sample *s, enum top_fact fact)
{
	return with_interval(s->fact[fact], s->fact[fact + 1], s->fact[fact + 2], 1);
}

static struct quantity host_field(const struct building *b, const struct field_info *f)
{
	switch (f->origin) {
	case ORIGIN_FACT:
		return of_value(b->now->fact[f->fact], f->scale);
	case ORIGIN_RATE:
		return of_growth(growth(fact_before(b, f->fact), b->now->fact[f->fact]), b->seconds, f->scale);
	case ORIGIN_SEEN:
		return seen(b, &b->now->machine, f->fact, machine_faults(b));
	default:
		return unknown(ABSENT);
	}
}

/* Numbers that add up to more than there is are none. */
static struct value plus(struct value a, int64_t more)
{
	int64_t sum;
	return __builtin_add_overflow(a.number, more, &sum) ? (struct value){ .known = ABSENT } : value_of(sum);
}

/* Frames saved now. use_zero_pages is younger than KSM: without ksm_zero_pages there are none. */
static struct value saved_pages(const struct top_sample *s)
{
	struct value sharing = s->fact[KNOB_PAGES_SHARING], zero = s->fact[KNOB_KSM_ZERO_PAGES];
	if (!is_known(sharing) || zero.known == DENIED)
		return is_known(sharing) ? zero : sharing;
	return plus(sharing, value_or(zero, 0));
}

/* Pages that the engine keeps an rmap_item for: pages_volatile is defined as the rest of them (mm/ksm.c). */
static struct value tracked_pages(const struct top_sample *s)
{
	static const enum knob parts[] = { KNOB_PAGES_SHARED, KNOB_PAGES_SHARING, KNOB_PAGES_UNSHARED,
					   KNOB_PAGES_VOLATILE };
	struct value sum = value_of(0);
	for (size_t i = 0; is_known(sum) && i < sizeof(parts) / sizeof(parts[0]); i++)
		sum = is_known(s->fact[parts[i]]) ? plus(sum, s->fact[parts[i]].number) : s->fact[parts[i]];
	return sum;
}

/* general_profit came with 6.4; before it the same formula is applied here. */
static struct quantity profit(const struct top_sample *s, struct value saved)
{
	struct value general = s->fact[KNOB_GENERAL_PROFIT], tracked = tracked_pages(s);
	if (general.known != ABSENT)
		return of_value(general, 1);
	if (!is_known(saved) || !is_known(tracked))
		return unknown(is_known(saved) ? tracked.known : saved.known);
	return exactly((double)saved.number * s->page_bytes - (double)tracked.number * RMAP_ITEM_BYTES);
}

static void count_savings(const struct building *b)
{
	struct quantity *host = b->model->host;
	struct value saved = saved_pages(b->now), available = b->now->fact[FACT_AVAILABLE_BYTES];

	host[HOST_SAVED] = of_value(saved, b->now->page_bytes);
	host[HOST_PROFIT] = profit(b->now, saved);
	host[HOST_EXPOSURE] = host[HOST_SAVED];
	if (host[HOST_EXPOSURE].known != KNOWN)
		host[HOST_EXPOSURE_RATIO] = unknown(host[HOST_EXPOSURE].known);
	else if (!is_known(available) || available.number <= 0)
		host[HOST_EXPOSURE_RATIO] = unknown(is_known(available) ? ABSENT : available.known);
	else
		host[HOST_EXPOSURE_RATIO] = exactly(host[HOST_EXPOSURE].value / available.number);
}

/* ---- passes ---- */

/* Without events: full_scans tells of a pass's end, as exactly as samples follow each other. */
static void follow_passes(const struct building *b)
{
	struct value ended = growth(fact_before(b, KNOB_FULL_SCANS), b->now->fact[KNOB_FULL_SCANS]);
	if (!is_known(ended) || ended.number <= 0)
		return;
	if (ended.number > 1)
		b->track->pass_seconds = b->seconds / ended.number;
	else if (b->track->pass_ended_ns)
		b->track->pass_seconds = seconds_between(b->track->pass_ended_ns, b->now->clock_ns);
	b->track->pass_ended_ns = b->now->clock_ns;
}

/* The last pass as it was seen, or what the scan rate makes of the tracked pages. */
static struct quantity pass_seconds(const struct building *b)
{
	struct value last = b->now->fact[FACT_PASS_LAST_NS], tracked = tracked_pages(b->now);
	struct quantity scans = b->model->host[HOST_SCAN_RATE];

	if (is_known(last) && last.number > 0)
		return exactly(last.number / 1e9);
	if (b->track->pass_seconds > 0)
		return exactly(b->track->pass_seconds);
	if (is_known(tracked) && tracked.number > 0 && scans.known == KNOWN && scans.value > 0)
		return exactly(tracked.number / scans.value);
	return unknown(NOT_READ);
}

static struct quantity pass_eta(const struct building *b, struct quantity pass)
{
	struct value run = b->now->fact[KNOB_RUN], running = b->now->fact[FACT_PASS_RUNNING_NS];
	double since = is_known(running) ? running.number / 1e9
		     : b->track->pass_ended_ns ? seconds_between(b->track->pass_ended_ns, b->now->clock_ns) : -1;

	if (pass.known != KNOWN || since < 0 || value_or(run, 0) != 1)
		return unknown(NOT_READ);
	return exactly(fmax(0, pass.value - since));
}

static void count_faults(const struct building *b)
{
	struct quantity *host = b->model->host;
	const struct duty_total *w = &b->now->windows;
	bool watched = b->now->watched == KNOWN && w->seconds > 0;

	host[HOST_NEW_DUPLICATES] = new_duplicates(b, &b->now->machine, machine_faults(b));
	host[HOST_WASTE] = waste(b->now);
	host[HOST_WATCHED_RATIO] = watched ? exactly(fmin(1, w->t / w->seconds))
					   : unknown(b->now->watched == KNOWN ? NOT_READ : b->now->watched);
}

/* What a break costs on this machine, and all of them together. */
static void count_break_costs(const struct building *b)
{
	struct quantity *host = b->model->host, breaks = host[HOST_FAULTS_COW];
	const struct value *fact = b->now->fact;
	struct quantity cost = with_interval(fact[FACT_COW_COST_NS], fact[FACT_COW_COST_LOW_NS],
					     fact[FACT_COW_COST_HIGH_NS], 1e-9);

	host[HOST_COW_COST] = host[HOST_COW_CPU] = cost;
	if (cost.known != KNOWN)
		return;
	if (breaks.known != KNOWN) {
		host[HOST_COW_CPU] = unknown(breaks.known);
		return;
	}
	host[HOST_COW_CPU].value *= breaks.value;
	host[HOST_COW_CPU].low *= breaks.low;
	host[HOST_COW_CPU].high *= breaks.high;
}

/*
 * The potential less the items that the engine would need besides those it has: one for each mapping of a candidate
 * page. What it has already is paid for, whatever becomes of the rest.
 */
static struct quantity potential_net(const struct top_sample *s)
{
	static const enum knob tracked[] = { KNOB_PAGES_SHARED, KNOB_PAGES_SHARING, KNOB_PAGES_UNSHARED,
					     KNOB_PAGES_VOLATILE, KNOB_KSM_ZERO_PAGES };
	struct quantity net = host_estimate(s, FACT_POTENTIAL_BYTES);
	double items = (double)value_or(s->fact[FACT_CANDIDATE_PAGES], 0);

	if (net.known == KNOWN && !is_known(s->fact[FACT_CANDIDATE_PAGES]))
		return unknown(s->fact[FACT_CANDIDATE_PAGES].known);
	for (size_t i = 0; i < sizeof(tracked) / sizeof(tracked[0]); i++)
		items -= (double)value_or(s->fact[tracked[i]], 0);
	double cost = RMAP_ITEM_BYTES * fmax(items, 0);
	net.value -= cost;
	net.low -= cost;
	net.high -= cost;
	return net;
}

static void build_host(const struct building *b)
{
	struct quantity *host = b->model->host;

	for (enum field f = 0; f < HOST_FIELDS; f++)
		host[f] = host_field(b, &fields[f]);
	count_savings(b);
	count_faults(b);
	follow_passes(b);
	count_break_costs(b);
	host[HOST_POTENTIAL] = host_estimate(b->now, FACT_POTENTIAL_BYTES);
	host[HOST_POTENTIAL_NET] = potential_net(b->now);
	host[HOST_VOLATILE] = host_estimate(b->now, FACT_VOLATILE_BYTES);
	host[HOST_PASS_SECONDS] = pass_seconds(b);
	host[HOST_PASS_ETA] = pass_eta(b, host[HOST_PASS_SECONDS]);
}

/* ---- processes ---- */

/* 1 where something of it is tracked, whatever else could be read. */
static struct value mergeable(const struct top_task *t)
{
	struct value said = task_value(t, TASK_MERGEABLE);
	bool tracked = value_or(task_value(t, TASK_TRACKED_PAGES), 0) > 0;
	return is_known(said) || !tracked ? said : value_of(1);
}

/* An index into the field's choices: no, some, all. */
static struct quantity opted(const struct top_task *t)
{
	struct value any = task_value(t, TASK_MERGE_ANY), some = mergeable(t);
	if (value_or(any, 0))
		return exactly(2);
	if (is_known(some) && !some.number)
		return exactly(0);
	return is_known(any) ? of_value(some, 1) : unknown(any.known);
}

/* One process, in both samples. */
struct both {
	const struct top_task *before, *now;	/* before: NULL for one that is new */
	const struct top_watch *watch;
	struct value faults;			/* of the interval, by the kernel's account */
};

/* The facts of an interval stand behind the fact. An end that is not known is INT64_MAX. */
static struct quantity task_estimate(const struct top_task *t, enum task_fact fact, double scale)
{
	return with_interval(task_value(t, fact), task_value(t, fact + 1), task_value(t, fact + 2), scale);
}

static struct quantity computed(const struct building *b, const struct both *p, enum field f)
{
	switch (f) {
	case PROC_PID:
		return exactly(p->now->pid);
	case PROC_UID:
		return exactly(p->now->uid);
	case PROC_OPTED:
		return opted(p->now);
	case PROC_MERGEABLE:
		return of_value(mergeable(p->now), 1);
	case PROC_NEW_DUPLICATES:
		return new_duplicates(b, p->watch, p->faults);
	case PROC_POTENTIAL:
		return task_estimate(p->now, TASK_POTENTIAL_BYTES, 1);
	case PROC_VOLATILE:
		return task_estimate(p->now, TASK_VOLATILE_BYTES, 1);
	case PROC_HALF_LIFE:
		return task_estimate(p->now, TASK_HALF_LIFE_MS, 1e-3);
	default:
		return unknown(ABSENT);
	}
}

static struct value task_growth(const struct both *p, enum task_fact fact)
{
	struct value before = p->before ? task_value(p->before, fact) : (struct value){ 0 };
	return growth(before, task_value(p->now, fact));
}

static struct quantity process_field(const struct building *b, const struct both *p, enum field f)
{
	const struct field_info *info = &fields[f];
	switch (info->origin) {
	case ORIGIN_FACT:
		return of_value(task_value(p->now, info->fact), info->scale);
	case ORIGIN_RATE:
		return of_growth(task_growth(p, info->fact), b->seconds, info->scale);
	case ORIGIN_SEEN:
		return seen(b, p->watch, info->fact, p->faults);
	default:
		return computed(b, p, f);
	}
}

/* The same process in the sample before; both ascend by pid, *at goes along. */
static const struct top_task *task_before(const struct top_sample *before, const struct top_task *t, size_t *at)
{
	while (before && *at < before->tasks_count && before->tasks[*at].pid < t->pid)
		++*at;
	if (!before || *at == before->tasks_count)
		return NULL;
	const struct top_task *found = &before->tasks[*at];
	return found->pid == t->pid && found->start_ticks == t->start_ticks ? found : NULL;
}

static const struct top_watch *watch_of(const struct top_sample *s, const struct top_task *t, size_t *at)
{
	while (*at < s->watches_count && s->watches[*at].pid < t->pid)
		++*at;
	return *at < s->watches_count && s->watches[*at].pid == t->pid ? &s->watches[*at] : &nothing_seen;
}

static void build_rows(const struct building *b)
{
	size_t task_at = 0, watch_at = 0;

	b->model->count = 0;
	for (size_t i = 0; i < b->now->tasks_count; i++) {
		struct both p = { .now = &b->now->tasks[i] };
		if (p.now->left_out)
			continue;
		p.before = task_before(b->before, p.now, &task_at);
		p.watch = watch_of(b->now, p.now, &watch_at);
		p.faults = task_growth(&p, TASK_PAGE_FAULTS);
		struct top_row *row = &b->model->rows[b->model->count++];
		row->task = p.now;
		for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++)
			row->value[f - HOST_FIELDS] = process_field(b, &p, f);
	}
}

/* Also given back, when a crowd has gone. */
static bool make_room(struct top_model *m, size_t count)
{
	if (count <= m->room && (m->room < 64 || count >= m->room / 4))
		return true;
	struct top_row *rows = realloc(m->rows, (count + count / 4 + 1) * sizeof(*rows));
	if (!rows)
		return false;
	m->rows = rows;
	m->room = count + count / 4 + 1;
	return true;
}

int top_model_build(struct top_model *m, const struct top_sample *before, const struct top_sample *now,
		    struct top_track *track)
{
	struct building b = { .before = before, .now = now, .model = m, .track = track };

	if (!make_room(m, now->tasks_count))
		return -ENOMEM;
	if (before && now->clock_ns > before->clock_ns)
		b.seconds = seconds_between(before->clock_ns, now->clock_ns);
	else
		b.before = NULL;
	m->sample = now;
	m->seconds = b.seconds;
	build_host(&b);
	build_rows(&b);
	return 0;
}

void top_model_free(struct top_model *m)
{
	free(m->rows);
	memset(m, 0, sizeof(*m));
}

/* ---- quantities ---- */

struct quantity quantity_sum(struct quantity a, struct quantity b)
{
	if (a.known == KNOWN && b.known == KNOWN) {
		/* independent errors add in squares */
		double down = hypot(a.value - a.low, b.value - b.low), up = hypot(a.high - a.value, b.high - b.value);
		double value = a.value + b.value;
		return (struct quantity){ .value = value, .low = value - down, .high = value + up, .known = KNOWN,
					  .partial = a.partial || b.partial };
	}
	struct quantity sum = a.known == KNOWN ? a : b;
	sum.partial = sum.known == KNOWN;
	return sum;
}

int quantity_compare(struct quantity a, struct quantity b, bool descending)
{
	bool has_a = a.known == KNOWN, has_b = b.known == KNOWN;
	if (!has_a || !has_b)
		return has_b - has_a;
	int order = a.value < b.value ? -1 : a.value > b.value;
	return descending ? -order : order;
}
