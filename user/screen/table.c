// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of processes and groups. */
#include <stdio.h>
#include <string.h>

#include "screen/draw.h"
#include "screen/format.h"

struct table {
	enum field columns[PROC_FIELDS];
	size_t count;
	const struct view *view;
	const struct display *display;
};

/* The columns' places: the last one has what is left. */
static struct span column_span(const struct table *t, struct span line, size_t column)
{
	int x = 0;
	for (size_t i = 0; i < column; i++)
		x += (int)fields[t->columns[i]].width + 1;
	struct span span = span_after(line, x);
	return column + 1 == t->count ? span : span_first(span, (int)fields[t->columns[column]].width);
}

static void draw_head(const struct table *t, struct span line)
{
	paint(line, ROLE_HEAD);
	for (size_t i = 0; i < t->count; i++) {
		enum field f = t->columns[i];
		enum role role = f == t->view->sort ? ROLE_SORTED : ROLE_HEAD;
		struct span span = column_span(t, line, i);
		if (field_is_text(f))
			put(span, role, fields[f].title);
		else
			put_right(span_first(span, (int)fields[f].width), role, fields[f].title);
	}
}

/* ---- what is in a cell ---- */

static enum role role_of(enum field f, struct quantity q)
{
	if (q.known != KNOWN || q.value == 0)
		return ROLE_DIM;
	if (f == PROC_PROFIT)
		return q.value < 0 ? ROLE_BAD : ROLE_GOOD;
	if (f == PROC_COW || f == PROC_COW_ZERO)
		return ROLE_WARN;
	return f == PROC_PID ? ROLE_PLAIN : ROLE_STRONG;
}

/* The last part of a cgroup's path; the whole of any other name. */
static void group_name(const struct top_group *g, enum group_kind kind, char *ret, size_t size)
{
	const char *name = g->name;
	size_t length = g->name_length;

	if (kind == GROUP_CGROUP)
		for (size_t i = 0; i + 1 < g->name_length; i++)
			if (g->name[i] == '/' && i + 1 < g->name_length) {
				name = g->name + i + 1;
				length = g->name_length - i - 1;
			}
	if (!length)
		snprintf(ret, size, "%s", kind == GROUP_VM ? "(no guest)" : "(unknown)");
	else
		snprintf(ret, size, "%.*s", (int)length, name);
}

static void draw_name(const struct table *t, struct span span, const struct shown_row *row)
{
	char name[256], made[16];
	int indent = (int)row->depth * 2;

	if (indent > span.width / 2)
		indent = span.width / 2;
	span = span_after(span, indent);
	if (row->process) {
		put(span, ROLE_PLAIN, field_text(t->display->model->sample, row->process->task, PROC_COMM, made));
		return;
	}
	put_glyph(span, 0, ROLE_GROUP, row->folded ? 0x25b8 : 0x25be, row->folded ? '+' : '-');
	group_name(row->group, t->view->tree, name, sizeof(name));
	int at = 2 + put(span_after(span, 2), ROLE_GROUP, name);
	putf(span_after(span, at), ROLE_DIM, " (%u)", row->group->processes);
}

static void draw_cell(const struct table *t, struct span span, const struct shown_row *row, enum field f)
{
	char made[16];

	if (f == PROC_COMM) {
		draw_name(t, span, row);
		return;
	}
	if (fields[f].unit == UNIT_TEXT) {
		if (row->process)
			put(span, ROLE_PLAIN, field_text(t->display->model->sample, row->process->task, f, made));
		return;
	}
	if (!row->process && !fields[f].sums)
		return;
	struct quantity q = row_value(row, f);
	struct brief brief = brief_column(f, q);
	bool plus = f == PROC_PROFIT && q.known == KNOWN && q.value > 0;
	char text[48];
	snprintf(text, sizeof(text), "%s%s", plus ? "+" : "", brief.text);
	if (field_is_text(f))
		put(span, role_of(f, q), text);
	else
		put_right(span_first(span, (int)fields[f].width), role_of(f, q), text);
}

static bool is_found(const struct table *t, const struct shown_row *row)
{
	const struct view *v = t->view;
	return v->prompt == PROMPT_SEARCH && *v->search && row_matches(t->display->rows, row, v->search);
}

static void draw_row(const struct table *t, struct span line, size_t at)
{
	const struct shown_row *row = &t->display->rows->items[at];

	for (size_t i = 0; i < t->count; i++)
		draw_cell(t, column_span(t, line, i), row, t->columns[i]);
	if (at == t->view->at)
		paint(line, ROLE_SELECTED);
	else if (is_found(t, row))
		paint(line, ROLE_FOUND);
}

static void draw_nothing(struct span line, const struct view *v, const struct display *d)
{
	if (d->model->count && *v->filter)
		putf(line, ROLE_DIM, "  no process fits \"%s\"; Esc shows all", v->filter);
	else
		put(line, ROLE_DIM, "  no processes");
}

void draw_table(struct canvas *canvas, int y, int rows, const struct view *v, const struct display *d)
{
	struct table t = { .view = v, .display = d };

	t.count = view_columns(v, canvas->width, t.columns);
	if (rows > 1)
		draw_head(&t, span_at(canvas, 0, y++, canvas->width));
	rows -= rows > 1;
	if (!d->rows->count && rows > 0)
		draw_nothing(span_at(canvas, 0, y, canvas->width), v, d);
	for (int i = 0; i < rows && v->first + i < d->rows->count; i++)
		draw_row(&t, span_at(canvas, 0, y + i, canvas->width), v->first + i);
}
