// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <string.h>

#include "out/json.h"
#include "out/top.h"

static bool is_whole(enum field f)
{
	enum unit unit = fields[f].unit;
	return unit != UNIT_PER_SECOND && unit != UNIT_RATIO && unit != UNIT_SECONDS;
}

static void number(struct json *j, const char *key, enum field f, double value)
{
	switch (fields[f].unit) {
	case UNIT_FLAG:
		json_bool(j, key, value != 0);
		break;
	case UNIT_CHOICE:
		json_string(j, key, field_choice(f, value));
		break;
	default:
		if (is_whole(f))
			json_i64(j, key, (int64_t)llrint(value));
		else
			json_double(j, key, value);
	}
}

/*
 * Estimates have a second key with their interval; an upper end that is not known is null. Ends are as exact as the value
 * is: rounded to fewer digits than it, a short interval would not hold it.
 */
static void interval(struct json *j, enum field f, struct quantity q)
{
	char key[96];
	snprintf(key, sizeof(key), "%s_interval", fields[f].json);
	bool whole = is_whole(f);
	json_array(j, key);
	number(j, NULL, f, whole ? floor(q.low) : q.low);
	if (isfinite(q.high))
		number(j, NULL, f, whole ? ceil(q.high) : q.high);
	else
		json_null(j, NULL);
	json_end_array(j);
}

static bool is_estimate(enum field f)
{
	switch (f) {
	case HOST_NEW_DUPLICATES:
	case HOST_POTENTIAL:
	case HOST_VOLATILE:
	case PROC_NEW_DUPLICATES:
	case PROC_POTENTIAL:
	case PROC_VOLATILE:
	case PROC_HALF_LIFE:
		return true;
	default:
		return fields[f].origin == ORIGIN_SEEN;
	}
}

static void quantity(struct json *j, enum field f, struct quantity q)
{
	const char *key = fields[f].json;
	if (q.known != KNOWN) {
		json_null(j, key);
		return;
	}
	number(j, key, f, q.value);
	if (is_estimate(f))
		interval(j, f, q);
}

/* ---- the machine ---- */

static void loss(struct json *j, const struct top_sample *s)
{
	json_array(j, "lost");
	for (size_t i = 0; i < s->losses_count; i++) {
		json_object(j, NULL);
		json_string(j, "path", s->losses[i].path);
		json_u64(j, "produced", s->losses[i].produced);
		json_u64(j, "consumed", s->losses[i].consumed);
		json_u64(j, "lost", s->losses[i].lost);
		json_end_object(j);
	}
	json_end_array(j);
}

static void programs(struct json *j, const struct top_sample *s)
{
	json_array(j, "bpf");
	for (size_t i = 0; i < s->programs_count; i++) {
		const struct program_use *p = &s->programs[i];
		json_object(j, NULL);
		json_string(j, "name", p->name);
		json_u64(j, "runs", p->runs);
		json_double(j, "seconds", (double)p->nanoseconds / 1e9);
		json_double(j, "measured_ratio", p->measured_share);
		json_end_object(j);
	}
	json_end_array(j);
}

/* How long merges lasted until a write broke them: the upper end of each power of two, in seconds, and how many. */
static void lifetimes(struct json *j, const struct top_sample *s)
{
	if (s->watched != KNOWN) {
		json_null(j, "merge_lifetimes");
		return;
	}
	json_object(j, "merge_lifetimes");
	json_array(j, "broken");
	for (size_t i = 0; i < TOP_LIFETIMES; i++) {
		if (!s->lifetimes[i])
			continue;
		json_object(j, NULL);
		json_double(j, "below_seconds", ldexp(1e-3, (int)i));
		json_u64(j, "pages", s->lifetimes[i]);
		json_end_object(j);
	}
	json_end_array(j);
	json_u64(j, "unseen", s->lifetimes_unseen);
	json_end_object(j);
}

/* How often merges and collapses ended in each way. */
static void outcomes(struct json *j, const struct top_sample *s, pid_t pid)
{
	size_t count;
	const struct outcome *o = top_sample_outcomes(s, pid, &count);

	json_array(j, "outcomes");
	for (size_t i = 0; i < count; i++) {
		json_object(j, NULL);
		json_string(j, "of", o[i].of);
		json_string(j, "result", o[i].what);
		json_u64(j, "count", o[i].count);
		json_end_object(j);
	}
	json_end_array(j);
}

static void bytes_between(struct json *j, int64_t bytes, int64_t low, int64_t high)
{
	json_i64(j, "bytes", bytes);
	json_array(j, "bytes_interval");
	json_i64(j, NULL, low);
	json_i64(j, NULL, high);
	json_end_array(j);
}

/* Between which trust domains what would cross; null before contents were looked at. */
static void crossings(struct json *j, const struct top_sample *s)
{
	if (!is_known(s->fact[FACT_CROSSING_BYTES])) {
		json_null(j, "crossing");
		return;
	}
	json_object(j, "crossing");
	bytes_between(j, s->fact[FACT_CROSSING_BYTES].number, s->fact[FACT_CROSSING_LOW_BYTES].number,
		      s->fact[FACT_CROSSING_HIGH_BYTES].number);
	json_array(j, "pairs");
	for (size_t i = 0; i < s->crossings_count; i++) {
		const struct top_crossing *c = &s->crossings[i];
		json_object(j, NULL);
		json_string(j, "a", top_name(s, c->a));
		json_string(j, "b", top_name(s, c->b));
		bytes_between(j, c->bytes, c->low, c->high);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

/* The host's fields stand in the order of their groups. */
static void host(struct json *j, const struct top_model *m)
{
	for (enum field f = 0; f < HOST_FIELDS; f++) {
		const char *group = fields[f].group;
		if (f == 0 || strcmp(group, fields[f - 1].group))
			json_object(j, group);
		quantity(j, f, m->host[f]);
		if (f + 1 < HOST_FIELDS && !strcmp(group, fields[f + 1].group))
			continue;
		if (!strcmp(group, "own"))
			programs(j, m->sample);
		if (!strcmp(group, "faults"))
			lifetimes(j, m->sample);
		json_end_object(j);
	}
}

/* ---- processes and groups ---- */

static void process(struct json *j, const struct top_sample *s, const struct top_row *row)
{
	char made[16];
	json_object(j, NULL);
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++) {
		if (fields[f].unit != UNIT_TEXT)
			quantity(j, f, top_row_value(row, f));
		else if (*field_text(s, row->task, f, made))
			json_string(j, fields[f].json, field_text(s, row->task, f, made));
		else
			json_null(j, fields[f].json);
	}
	outcomes(j, s, row->task->pid);
	json_end_object(j);
}

static void group(struct json *j, const struct top_group *g)
{
	char name[4096];
	json_object(j, NULL);
	snprintf(name, sizeof(name), "%.*s", (int)g->name_length, g->name);
	json_string(j, "name", name);
	json_u64(j, "processes", g->processes);
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++)
		if (fields[f].sums)
			quantity(j, f, g->value[f - HOST_FIELDS]);
	json_end_object(j);
}

static void groups(struct json *j, const struct top_groups *g)
{
	json_string(j, "grouped_by", group_kind_names[g->kind]);
	json_array(j, "groups");
	for (size_t i = 0; i < g->count; i++)
		group(j, &g->groups[i]);
	json_end_array(j);
}

void top_json(struct text *out, const struct top_shown *shown)
{
	const struct top_model *m = shown->model;
	struct json j = { .out = out };

	json_object(&j, NULL);
	json_string(&j, "schema", "ksmtop/1");
	json_time(&j, "time", m->sample->time_ns);
	if (m->seconds > 0)
		json_double(&j, "interval_seconds", m->seconds);
	else
		json_null(&j, "interval_seconds");
	json_string(&j, "host", m->sample->host);
	json_string(&j, "kernel", m->sample->release);
	json_u64(&j, "page_bytes", m->sample->page_bytes);
	host(&j, m);
	if (shown->groups)
		groups(&j, shown->groups);
	crossings(&j, m->sample);
	json_array(&j, "processes");
	for (size_t i = 0; i < shown->count; i++)
		process(&j, m->sample, shown->rows[i]);
	json_end_array(&j);
	outcomes(&j, m->sample, 0);
	loss(&j, m->sample);
	json_missing(&j, m->sample->missing, m->sample->missing_count);
	json_end_object(&j);
	text_puts(out, "\n");
}
