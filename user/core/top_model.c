// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/top_model.h"

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

/* ---- rates ---- */

/* Growth of a counter. What can't be reckoned with is NOT_READ for this interval. */
static struct value growth(struct value before, struct value now)
{
	if (!is_known(now))
		return now;
	if (!is_known(before) || now.number < before.number)
		return (struct value){ .known = NOT_READ };
	return value_of(now.number - before.number);
}

static struct quantity rate(struct value before, struct value now, double seconds, double scale)
{
	struct value grown = growth(before, now);
	if (!is_known(grown))
		return unknown(grown.known);
	return seconds > 0 ? exactly(grown.number * scale / seconds) : unknown(NOT_READ);
}

/*
 * Events that come by themselves: their number is Poisson's, and only the part
 * of the time that was not watched is uncertain. With none seen the upper end
 * is the rule of three, 3 / watched.
 */
struct quantity rate_of_seen(double seen, double watched, double seconds)
{
	if (!(watched > 0) || !(seconds > 0))
		return unknown(NOT_READ);
	double share = watched < seconds ? watched / seconds : 1, value = seen / watched;
	double unseen = sqrt(1 - share);
	struct quantity q = exactly(value);
	if (share > 0.999)
		return q;
	double half = 1.96 * sqrt(seen) / watched * unseen;
	q.low = fmax(seen / seconds, value - half);
	q.high = seen > 0 ? value + half : 3 / watched * unseen;
	return q;
}

/* ---- the machine ---- */

struct building {
	const struct top_sample *before, *now;	/* before: NULL where there are no rates */
	double seconds, watched;
	struct top_model *model;
	struct top_track *track;
};

static struct value fact_before(const struct building *b, unsigned int fact)
{
	return b->before ? b->before->fact[fact] : (struct value){ 0 };
}

static struct quantity seen(const struct building *b, struct value before, struct value now)
{
	struct value grown = growth(before, now);
	if (!is_known(grown))
		return unknown(grown.known);
	return rate_of_seen(grown.number, b->watched, b->seconds);
}

static struct quantity host_field(const struct building *b, const struct field_info *f)
{
	struct value before = fact_before(b, f->fact), now = b->now->fact[f->fact];
	switch (f->origin) {
	case ORIGIN_FACT:
		return of_value(now, f->scale);
	case ORIGIN_RATE:
		return rate(before, now, b->seconds, f->scale);
	case ORIGIN_SEEN:
		return seen(b, before, now);
	default:
		return unknown(ABSENT);
	}
}

/* Frames saved now. use_zero_pages is younger than KSM: without ksm_zero_pages there are none. */
static struct value saved_pages(const struct top_sample *s)
{
	struct value sharing = s->fact[KNOB_PAGES_SHARING], zero = s->fact[KNOB_KSM_ZERO_PAGES];
	if (!is_known(sharing) || zero.known == DENIED)
		return is_known(sharing) ? zero : sharing;
	return value_of(sharing.number + value_or(zero, 0));
}

/* Pages that the engine keeps an rmap_item for: pages_volatile is defined as the rest of them (mm/ksm.c). */
static struct value tracked_pages(const struct top_sample *s)
{
	static const enum knob parts[] = { KNOB_PAGES_SHARED, KNOB_PAGES_SHARING, KNOB_PAGES_UNSHARED, KNOB_PAGES_VOLATILE };
	int64_t sum = 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!is_known(s->fact[parts[i]]))
			return s->fact[parts[i]];
		sum += s->fact[parts[i]].number;
	}
	return value_of(sum);
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
		b->track->pass_seconds = (b->now->clock_ns - b->track->pass_ended_ns) / 1e9;
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
		     : b->track->pass_ended_ns ? (b->now->clock_ns - b->track->pass_ended_ns) / 1e9 : -1;

	if (pass.known != KNOWN || since < 0 || value_or(run, 0) != 1)
		return unknown(NOT_READ);
	return exactly(fmax(0, pass.value - since));
}

static void build_host(const struct building *b)
{
	struct quantity *host = b->model->host;

	for (enum field f = 0; f < HOST_FIELDS; f++)
		host[f] = host_field(b, &fields[f]);
	count_savings(b);
	follow_passes(b);
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

static struct quantity computed(const struct top_task *t, enum field f)
{
	switch (f) {
	case PROC_PID:
		return exactly(t->pid);
	case PROC_UID:
		return exactly(t->uid);
	case PROC_OPTED:
		return opted(t);
	case PROC_MERGEABLE:
		return of_value(mergeable(t), 1);
	default:
		return unknown(ABSENT);
	}
}

static struct quantity process_field(const struct building *b, const struct top_task *before,
				     const struct top_task *now, enum field f)
{
	const struct field_info *info = &fields[f];
	struct value then = before ? task_value(before, info->fact) : (struct value){ 0 };
	switch (info->origin) {
	case ORIGIN_FACT:
		return of_value(task_value(now, info->fact), info->scale);
	case ORIGIN_RATE:
		return rate(then, task_value(now, info->fact), b->seconds, info->scale);
	case ORIGIN_SEEN:
		return seen(b, then, task_value(now, info->fact));
	default:
		return computed(now, f);
	}
}

/* Both samples ascend by pid: walk them together. */
static void build_rows(const struct building *b)
{
	const struct top_sample *before = b->before;
	size_t old = 0;

	for (size_t i = 0; i < b->now->tasks_count; i++) {
		const struct top_task *t = &b->now->tasks[i], *then = NULL;
		while (before && old < before->tasks_count && before->tasks[old].pid < t->pid)
			old++;
		if (before && old < before->tasks_count && before->tasks[old].pid == t->pid &&
		    before->tasks[old].start_ticks == t->start_ticks)
			then = &before->tasks[old];
		struct top_row *row = &b->model->rows[i];
		row->task = t;
		for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++)
			row->value[f - HOST_FIELDS] = process_field(b, then, t, f);
	}
	b->model->count = b->now->tasks_count;
}

static bool make_room(struct top_model *m, size_t count)
{
	if (count <= m->room)
		return true;
	struct top_row *rows = realloc(m->rows, (count + count / 4) * sizeof(*rows));
	if (!rows)
		return false;
	m->rows = rows;
	m->room = count + count / 4;
	return true;
}

int top_model_build(struct top_model *m, const struct top_sample *before, const struct top_sample *now,
		    struct top_track *track)
{
	struct building b = { .before = before, .now = now, .model = m, .track = track };

	if (!make_room(m, now->tasks_count))
		return -ENOMEM;
	if (before && now->clock_ns > before->clock_ns)
		b.seconds = (now->clock_ns - before->clock_ns) / 1e9;
	else
		b.before = NULL;
	b.watched = value_or(growth(fact_before(&b, FACT_WATCHED_NS), now->fact[FACT_WATCHED_NS]), 0) / 1e9;
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
