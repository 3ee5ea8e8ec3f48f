// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/history.h"

#include <math.h>
#include <stdlib.h>

const enum field history_fields[HISTORY_LINES] = {
	[LINE_ANON] = PROC_ANON,
	[LINE_MERGED] = PROC_MERGED,
	[LINE_COW] = PROC_COW,
	[LINE_FAULTS] = PROC_FAULTS,
};

struct point {
	pid_t pid;
	uint32_t start;			/* low bits of start_ticks: enough to tell a reused PID */
	float value[HISTORY_LINES];
};

struct moment {
	float host[HOST_FIELDS];
	struct point *points;		/* ascending pid; NULL when they were given up */
	size_t count;
};

struct history {
	struct moment moments[HISTORY_POINTS];	/* a ring */
	size_t next, used;
	size_t points, points_limit;
};

struct history *history_new(size_t process_bytes)
{
	struct history *h = calloc(1, sizeof(*h));
	if (h)
		h->points_limit = process_bytes / sizeof(struct point);
	return h;
}

static void forget_points(struct history *h, struct moment *m)
{
	h->points -= m->count;
	free(m->points);
	m->points = NULL;
	m->count = 0;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < HISTORY_POINTS; i++)
		free(h->moments[i].points);
	free(h);
}

static float shown(struct quantity q)
{
	return q.known == KNOWN ? (float)q.value : NAN;
}

/* The moment `back` before the last one; 0 is the last. */
static const struct moment *moment_at(const struct history *h, size_t back)
{
	return &h->moments[(h->next + HISTORY_POINTS - 1 - back) % HISTORY_POINTS];
}

static void make_room(struct history *h, size_t count)
{
	for (size_t back = HISTORY_POINTS - 1; back > 0 && h->points + count > h->points_limit; back--)
		forget_points(h, (struct moment *)moment_at(h, back));
}

static void fill_points(struct moment *m, const struct top_model *model)
{
	m->points = model->count ? malloc(model->count * sizeof(*m->points)) : NULL;
	m->count = m->points ? model->count : 0;
	for (size_t i = 0; i < m->count; i++) {
		const struct top_row *row = &model->rows[i];
		m->points[i].pid = row->task->pid;
		m->points[i].start = (uint32_t)row->task->start_ticks;
		for (size_t line = 0; line < HISTORY_LINES; line++)
			m->points[i].value[line] = shown(top_row_value(row, history_fields[line]));
	}
}

void history_add(struct history *h, const struct top_model *model)
{
	struct moment *m = &h->moments[h->next];

	forget_points(h, m);
	h->next = (h->next + 1) % HISTORY_POINTS;
	if (h->used < HISTORY_POINTS)
		h->used++;
	for (enum field f = 0; f < HOST_FIELDS; f++)
		m->host[f] = shown(model->host[f]);
	make_room(h, model->count);
	fill_points(m, model);
	h->points += m->count;
}

static size_t fill(const struct history *h, float *ret, size_t count, float (*value)(const struct moment *, const void *),
		   const void *of)
{
	size_t have = h->used < count ? h->used : count;
	for (size_t i = 0; i < count; i++)
		ret[count - 1 - i] = i < have ? value(moment_at(h, i), of) : NAN;
	return have;
}

static float host_value(const struct moment *m, const void *of)
{
	return m->host[*(const enum field *)of];
}

size_t history_host(const struct history *h, enum field f, float *ret, size_t count)
{
	return fill(h, ret, count, host_value, &f);
}

struct wanted {
	pid_t pid;
	uint32_t start;
	enum history_line line;
};

static int by_pid(const void *key, const void *item)
{
	pid_t a = ((const struct wanted *)key)->pid, b = ((const struct point *)item)->pid;
	return a < b ? -1 : a > b;
}

static float process_value(const struct moment *m, const void *of)
{
	const struct wanted *w = of;
	const struct point *p = m->count ? bsearch(w, m->points, m->count, sizeof(*p), by_pid) : NULL;
	return p && p->start == w->start ? p->value[w->line] : NAN;
}

size_t history_process(const struct history *h, pid_t pid, uint64_t start_ticks, enum history_line line, float *ret,
		       size_t count)
{
	struct wanted w = { pid, (uint32_t)start_ticks, line };
	return fill(h, ret, count, process_value, &w);
}
