// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "out/top.h"
#include "screen/draw.h"
#include "top/run.h"

/* Lines of text are as wide as this, and wider where columns were asked for. */
#define TEXT_WIDTH 160

struct batch {
	const struct top_settings *settings;
	struct session *session;
	uint64_t written;
};

/* ---- text ---- */

static void add_glyph(struct text *out, uint32_t glyph)
{
	char bytes[4];
	size_t n = glyph < 0x80 ? 1 : glyph < 0x800 ? 2 : glyph < 0x10000 ? 3 : 4;

	bytes[0] = n == 1 ? (char)glyph : (char)(0xf00 >> n | glyph >> 6 * (n - 1));
	for (size_t i = 1; i < n; i++)
		bytes[i] = (char)(0x80 | (glyph >> 6 * (n - 1 - i) & 0x3f));
	text_add(out, bytes, n);
}

/* Without the blanks at the ends of lines. */
static void add_canvas(struct text *out, const struct canvas *canvas)
{
	for (int y = 0; y < canvas->height; y++) {
		const struct cell *line = &canvas->cells[(size_t)y * canvas->width];
		int width = canvas->width;
		while (width && line[width - 1].glyph == ' ')
			width--;
		for (int x = 0; x < width; x++)
			if (line[x].glyph)
				add_glyph(out, line[x].glyph);
		text_puts(out, "\n");
	}
	text_puts(out, "\n");
}

static int table_width(const struct view *v)
{
	int width = 0;
	for (size_t i = 0; i < v->columns_count; i++)
		width += (int)fields[v->columns[i]].width + 1;
	/* the last column's texts may be longer than their title's place */
	return width + 60 > TEXT_WIDTH ? width + 60 : TEXT_WIDTH;
}

/* By trust domains, what would cross between them, too. */
static void add_crossings(struct text *out, const struct top_sample *s)
{
	char a[64], b[64];

	if (s->crossings_count)
		text_puts(out, " EQUAL ACROSS TRUST DOMAINS: A RISK, NOT A SAVING (95 %)\n");
	for (size_t i = 0; i < s->crossings_count; i++) {
		const struct top_crossing *c = &s->crossings[i];
		printable(a, sizeof(a), top_name(s, c->a));
		printable(b, sizeof(b), top_name(s, c->b));
		text_printf(out, " %-30s %-30s %10s  (%s to %s)\n", a, b, show_bytes(c->bytes).text, show_bytes(c->low).text,
			    show_bytes(c->high).text);
	}
}

static int add_text(struct text *out, const struct batch *b, struct error *err)
{
	struct view view = b->settings->view;
	struct display d = { .model = session_model(b->session), .interval_seconds = b->settings->delay_seconds };
	int width = table_width(&view), meters = meter_rows(width);
	struct canvas canvas;
	struct rows rows;

	if (rows_build(&rows, d.model, &view))
		return fail(err, EXIT_FAILED, "out of memory");
	if (b->settings->most_processes && rows.count > b->settings->most_processes)
		rows.count = b->settings->most_processes;
	d.rows = &rows;
	d.replay_at = session_at(b->session, &d.replay_count) + 1;
	view.at = SIZE_MAX;
	bool made = canvas_init(&canvas, width, 2 + meters + 1 + (int)rows.count, false);
	if (made) {
		draw_title(span_at(&canvas, 0, 0, width), &view, &d);
		draw_engine(span_at(&canvas, 0, 1, width), &d);
		draw_meters(&canvas, 2, meters, &d);
		draw_table(&canvas, 2 + meters, 1 + (int)rows.count, &view, &d);
		add_canvas(out, &canvas);
		if (view.tree == GROUP_DOMAIN)
			add_crossings(out, d.model->sample);
	}
	canvas_free(&canvas);
	rows_free(&rows);
	return made ? 0 : fail(err, EXIT_FAILED, "out of memory");
}

/* ---- JSON and CSV ---- */

static int add_lines(struct text *out, const struct batch *b, const struct top_groups *groups, struct error *err)
{
	const struct top_model *m = session_model(b->session);
	const struct view *v = &b->settings->view;
	scoped_free const struct top_row **rows = calloc(m->count + 1, sizeof(*rows));
	enum field columns[PROC_FIELDS];
	struct top_shown shown = { .model = m, .rows = rows, .count = m->count, .groups = groups,
				   .columns = v->columns_count ? v->columns : columns,
				   .columns_count = v->columns_count ? v->columns_count : PROC_FIELDS };

	if (!rows)
		return fail(err, EXIT_FAILED, "out of memory");
	for (size_t i = 0; i < PROC_FIELDS; i++)
		columns[i] = HOST_FIELDS + i;
	for (size_t i = 0; i < m->count; i++)
		rows[i] = &m->rows[i];
	rows_sort_processes(rows, m->count, m, v->sort, v->ascending);
	if (b->settings->most_processes && shown.count > b->settings->most_processes)
		shown.count = b->settings->most_processes;
	if (b->settings->format == FORMAT_JSON) {
		top_json(out, &shown);
		return 0;
	}
	if (!b->written)
		top_csv_head(out, &shown);
	top_csv(out, &shown);
	return 0;
}

static int add_grouped(struct text *out, const struct batch *b, struct error *err)
{
	struct top_groups groups;
	enum group_kind kind = b->settings->view.tree;

	if (kind == GROUP_NONE || b->settings->format == FORMAT_CSV)
		return add_lines(out, b, NULL, err);
	if (top_groups_build(&groups, session_model(b->session), kind, false))
		return fail(err, EXIT_FAILED, "out of memory");
	int rc = add_lines(out, b, &groups, err);
	top_groups_free(&groups);
	return rc;
}

/* ---- the loop ---- */

static int write_sample(struct batch *b, struct error *err)
{
	scoped_text struct text out = { 0 };
	int rc = b->settings->format == FORMAT_TEXT ? add_text(&out, b, err) : add_grouped(&out, b, err);

	if (!rc)
		rc = text_write(&out, stdout, err);
	b->written++;
	return rc;
}

/* Until then, or until a signal comes; what has to be done in between is done. */
static void wait_until(struct session *session, int64_t when, const volatile sig_atomic_t *stop)
{
	while (!*stop && clock_now_ns() < when) {
		int64_t wake;
		session_tick(session, &wake);
		if (wake > when)
			wake = when;
		struct timespec at = { wake / 1000000000, wake % 1000000000 };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
}

/* The first sample is there for the second one's rates alone; of a recording that has but one, it is shown. */
static int first_sample(struct batch *b, struct error *err)
{
	enum session_state state;
	size_t count;

	int rc = session_next(b->session, &state, err);
	if (!rc && state == SESSION_SAMPLE)
		rc = check_wanted(b->settings, b->session, err);
	session_at(b->session, &count);
	if (!rc && count == 1)
		rc = write_sample(b, err);
	return rc;
}

static int write_samples(struct batch *b, const volatile sig_atomic_t *stop, struct error *err)
{
	int64_t step = (int64_t)(b->settings->delay_seconds * 1e9), due = clock_now_ns() + step;
	enum session_state state = SESSION_SAMPLE;
	int rc = first_sample(b, err);

	while (!rc && (!b->settings->iterations || b->written < b->settings->iterations)) {
		if (!b->settings->replay)
			wait_until(b->session, due, stop);
		if (*stop)
			break;
		rc = session_next(b->session, &state, err);
		if (rc || state == SESSION_END)
			break;
		rc = write_sample(b, err);
		/* a step that was missed is not made up for */
		for (due += step; due < clock_now_ns(); due += step)
			;
	}
	return rc;
}

int batch_run(const struct top_settings *settings, const volatile sig_atomic_t *stop, struct error *err)
{
	struct batch b = { .settings = settings };
	struct error closing;

	int rc = session_open(&b.session, settings, err);
	if (rc)
		return rc;
	rc = write_samples(&b, stop, err);
	if (*session_message(b.session))
		fprintf(stderr, "ksmtop: %s\n", session_message(b.session));
	int closed = session_close(b.session, &closing);
	if (!rc && closed) {
		rc = closed;
		*err = closing;
	}
	return rc;
}
