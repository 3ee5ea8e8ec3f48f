// SPDX-License-Identifier: GPL-2.0-or-later
/* What stands above the table: title, the engine's state and settings, meters. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "screen/draw.h"
#include "screen/format.h"
#include "screen/spark.h"

static struct quantity host(const struct display *d, enum field f)
{
	return d->model->host[f];
}

/* ---- title ---- */

/* "6 opted in", "6+" where some processes don't tell, and why where none does. */
static void opted_in(const struct top_model *m, char *ret, size_t size)
{
	size_t opted = 0, told = 0;
	enum known why = KNOWN;

	for (size_t i = 0; i < m->count; i++) {
		struct quantity q = top_row_value(&m->rows[i], PROC_OPTED);
		if (q.known != KNOWN)
			why = q.known;
		told += q.known == KNOWN;
		opted += q.known == KNOWN && q.value > 0;
	}
	if (m->count && !told)
		snprintf(ret, size, "opted in: %s", known_name(why));
	else
		snprintf(ret, size, "%zu%s opted in", opted, told < m->count ? "+" : "");
}

static void right_of_title(const struct view *v, const struct display *d, char *ret, size_t size)
{
	const char *paused = v->paused ? "PAUSED  " : "";
	if (d->replay_count)
		snprintf(ret, size, " %sREPLAY %zu/%zu ", paused, d->replay_at, d->replay_count);
	else
		snprintf(ret, size, " %severy %s ", paused, show_seconds(d->interval_seconds).text);
}

void draw_title(struct span span, const struct view *v, const struct display *d)
{
	const struct top_sample *s = d->model->sample;
	time_t seconds = s->time_ns / 1000000000;
	struct tm broken;
	char when[32] = "", right[64], opted[40];

	paint(span, ROLE_TITLE);
	opted_in(d->model, opted, sizeof(opted));
	if (localtime_r(&seconds, &broken))
		strftime(when, sizeof(when), "%F %T", &broken);
	right_of_title(v, d, right, sizeof(right));
	if (span.width > 40)
		put_right(span, ROLE_TITLE, right);
	int room = span.width > 40 ? span.width - text_columns(right) : span.width;
	putf(span_first(span, room), ROLE_TITLE, " ksmtop  %s  %.20s  %zu processes, %s", when, s->host,
	     d->model->count, opted);
}

/* ---- engine ---- */

static int put_state(struct span span, const struct display *d)
{
	struct quantity run = host(d, HOST_RUN);
	static const char *const names[] = { "stopped", "running", "unmerged" };
	static const enum role roles[] = { ROLE_WARN, ROLE_GOOD, ROLE_WARN };

	int at = put(span, ROLE_LABEL, " KSM ");
	const char *why = run.known == DENIED ? "may not be read" : "is not in this kernel";
	if (run.known != KNOWN)
		return at + put(span_after(span, at), ROLE_BAD, why);
	int which = run.value >= 0 && run.value <= 2 ? (int)run.value : 0;
	return at + put(span_after(span, at), roles[which], names[which]);
}

/* "a break takes 4.6 ± 0.2 µs → 0.3 % CPU", where this machine is calibrated and there is room. */
static int put_break_cost(struct span span, const struct display *d)
{
	struct quantity cost = host(d, HOST_COW_COST), cpu = host(d, HOST_COW_CPU);
	char text[96];

	if (cost.known != KNOWN)
		return 0;
	bool ascii = span.canvas->ascii;
	int used = snprintf(text, sizeof(text), "a break takes %.2g %s %.1g %s", cost.value * 1e6, ascii ? "+-" : "±",
			    fmax(cost.high - cost.value, cost.value - cost.low) * 1e6, ascii ? "us" : "µs");
	if (cpu.known == KNOWN)
		snprintf(text + used, sizeof(text) - used, " %s %.2g %% CPU", ascii ? "->" : "→", 100 * cpu.value);
	if (text_columns(text) + 3 > span.width)
		return 0;
	return 3 + put(span_after(span, 3), cpu.known == KNOWN && cpu.value > 0.01 ? ROLE_WARN : ROLE_DIM, text);
}

/* A setting and its value, where there is room for both and the setting exists. */
static int put_setting(struct span span, const struct display *d, enum field f, const char *fmt)
{
	struct quantity q = host(d, f);
	char text[64];

	if (q.known != KNOWN)
		return 0;
	bool whole = (fields[f].unit == UNIT_PAGES || fields[f].unit == UNIT_COUNT) && q.value < 100000;
	snprintf(text, sizeof(text), fmt, whole ? show_count((uint64_t)q.value).text : brief_meter(f, q).text);
	if (text_columns(text) + 3 > span.width)
		return 0;
	return 3 + put(span_after(span, 3), ROLE_DIM, text);
}

void draw_engine(struct span span, const struct display *d)
{
	static const struct {
		enum field field;
		const char *fmt;
	} settings[] = {
		{ HOST_PAGES_TO_SCAN, "%s pages" },
		{ HOST_SLEEP_MILLISECS, "every %s" },
		{ HOST_FULL_SCANS, "%s scans" },
		{ HOST_ADVISOR_MODE, "advisor %s" },
		{ HOST_SMART_SCAN, "smart scan %s" },
		{ HOST_USE_ZERO_PAGES, "zero pages %s" },
		{ HOST_MAX_PAGE_SHARING, "max sharing %s" },
		{ HOST_PAGES_SHARED, "%s shared" },
		{ HOST_PAGES_SHARING, "%s sharing" },
		{ HOST_PAGES_UNSHARED, "%s unshared" },
		{ HOST_PAGES_VOLATILE, "%s volatile" },
	};
	int at = put_state(span, d);

	at += put_break_cost(span_after(span, at), d);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		at += put_setting(span_after(span, at), d, settings[i].field, settings[i].fmt);
}

/* ---- meters ---- */

struct meter_text {
	char value[80], note[80];
	enum role role;			/* of the value */
	double bar;			/* share of the bar; NAN: a sparkline */
};

struct meter {
	const char *label;
	enum field field;		/* its value, and its sparkline */
	bool relative;			/* its sparkline shows changes, not the height over zero */
	void (*fill)(const struct display *d, struct meter_text *ret);	/* beyond the value; may be NULL */
};

__attribute__((format(printf, 2, 3)))
static void note(struct meter_text *t, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(t->note, sizeof(t->note), fmt, args);
	va_end(args);
}

static void note_field(const struct display *d, struct meter_text *t, const char *fmt, enum field f)
{
	struct quantity q = host(d, f);
	if (q.known == KNOWN)
		snprintf(t->note, sizeof(t->note), fmt, brief_meter(f, q).text);
}

/* By how much an estimate may be off. */
static void note_error(const struct display *d, struct meter_text *t, enum field f)
{
	struct quantity q = host(d, f);
	double share = fmax(q.high - q.value, q.value - q.low) / q.value;
	if (quantity_uncertain(q, 0.005) && share < 10)
		note(t, "error %.0f %%", 100 * share);
}

static void fill_saved(const struct display *d, struct meter_text *t)
{
	struct quantity saved = host(d, HOST_SAVED), total = host(d, HOST_TOTAL);
	if (saved.known == KNOWN && total.known == KNOWN && total.value > 0)
		note(t, "%.1f %% RAM", 100 * saved.value / total.value);
	if (saved.known == KNOWN && saved.value > 0)
		t->role = ROLE_GOOD;
}

static void fill_profit(const struct display *d, struct meter_text *t)
{
	struct quantity q = host(d, HOST_PROFIT);
	if (q.known != KNOWN)
		return;
	t->role = q.value < 0 ? ROLE_BAD : q.value > 0 ? ROLE_GOOD : t->role;
	snprintf(t->value, sizeof(t->value), "%s%s", q.value > 0 ? "+" : "", show_bytes(q.value).text);
}

static void fill_potential(const struct display *d, struct meter_text *t)
{
	struct quantity done = host(d, HOST_SWEEP_RATIO);

	if (host(d, HOST_POTENTIAL).known == KNOWN)
		return;
	if (done.known == KNOWN)
		note(t, "%.0f %% swept", done.value * 100);
	else
		note(t, "unmeasured");
}

static void fill_ksmd(const struct display *d, struct meter_text *t)
{
	struct quantity scan = host(d, HOST_SCAN_RATE);
	if (scan.known == KNOWN)
		note(t, "%s p/s", brief_count(scan.value).text);
}

static void fill_pass(const struct display *d, struct meter_text *t)
{
	note_field(d, t, "ETA %s", HOST_PASS_ETA);
}

static void fill_merges(const struct display *d, struct meter_text *t)
{
	struct quantity failed = host(d, HOST_MERGE_FAILURE_RATE);
	if (failed.known == KNOWN && failed.value > 0)
		note(t, "%s failed", brief_count(failed.value).text);
}

static void fill_exposure(const struct display *d, struct meter_text *t)
{
	struct quantity ratio = host(d, HOST_EXPOSURE_RATIO);
	if (ratio.known != KNOWN)
		return;
	note(t, "of avail.");
	t->bar = ratio.value;
	t->role = ratio.value > 1 ? ROLE_BAD : ratio.value > 0.5 ? ROLE_WARN : t->role;
}

static void fill_breaks(const struct display *d, struct meter_text *t)
{
	struct quantity breaks = host(d, HOST_FAULTS_COW);
	if (breaks.known == KNOWN && breaks.value > 0)
		t->role = ROLE_WARN;
	if (host(d, HOST_WASTE).known == KNOWN)
		note(t, "waste %s", brief_column(HOST_WASTE, host(d, HOST_WASTE)).text);
}

static void fill_available(const struct display *d, struct meter_text *t)
{
	struct quantity total = host(d, HOST_TOTAL), available = host(d, HOST_AVAILABLE);
	if (total.known == KNOWN && available.known == KNOWN && total.value > 0) {
		note(t, "of %s", show_bytes(total.value).text);
		t->role = available.value < total.value * 0.06 ? ROLE_BAD : t->role;
	}
}

/* Where faults are not looked at one by one, vmstat's count stands in. */
static void fill_faults(const struct display *d, struct meter_text *t)
{
	if (host(d, HOST_FAULTS_USER).known == KNOWN) {
		struct brief user = brief_meter(HOST_FAULTS_USER, host(d, HOST_FAULTS_USER));
		snprintf(t->value, sizeof(t->value), "%s", user.text);
		note_error(d, t, HOST_FAULTS_USER);
	} else if (host(d, HOST_FAULTS_ALL).known == KNOWN) {
		note(t, "by vmstat");
	}
}

static void fill_pressure(const struct display *d, struct meter_text *t)
{
	struct quantity some = host(d, HOST_STALL_SOME);
	note_field(d, t, "full %s", HOST_STALL_FULL);
	if (some.known == KNOWN)
		t->role = some.value > 0.1 ? ROLE_BAD : some.value > 0.01 ? ROLE_WARN : t->role;
}

static void fill_huge(const struct display *d, struct meter_text *t)
{
	struct quantity huge = host(d, HOST_HUGE_BYTES), anon = host(d, HOST_ANON);
	if (huge.known == KNOWN && anon.known == KNOWN && anon.value > 0)
		note(t, "%.0f %% anon", 100 * huge.value / anon.value);
}

static void fill_splits(const struct display *d, struct meter_text *t)
{
	struct quantity splits = host(d, HOST_SPLITS), collapses = host(d, HOST_COLLAPSES);
	if (splits.known == KNOWN && splits.value > 0)
		t->role = ROLE_WARN;
	if (collapses.known == KNOWN)
		note(t, "coll. %s", brief_meter(HOST_COLLAPSES, collapses).text);
}

static void fill_new(const struct display *d, struct meter_text *t)
{
	note_error(d, t, HOST_NEW_DUPLICATES);
}

/* Most important first: with little room the last ones go. */
static const struct meter meters[] = {
	{ "saved", HOST_SAVED, true, fill_saved },
	{ "ksmd CPU", HOST_KSMD_CPU, false, fill_ksmd },
	{ "profit", HOST_PROFIT, true, fill_profit },
	{ "pass", HOST_PASS_SECONDS, false, fill_pass },
	{ "exposure", HOST_EXPOSURE, false, fill_exposure },
	{ "breaks", HOST_FAULTS_COW, false, fill_breaks },
	{ "available", HOST_AVAILABLE, true, fill_available },
	{ "merges", HOST_MERGE_RATE, false, fill_merges },
	{ "pressure", HOST_STALL_SOME, false, fill_pressure },
	{ "huge", HOST_HUGE_BYTES, true, fill_huge },
	{ "potential", HOST_POTENTIAL, false, fill_potential },
	{ "splits", HOST_SPLITS, false, fill_splits },
	{ "faults", HOST_FAULTS_ALL, false, fill_faults },
	{ "new dups", HOST_NEW_DUPLICATES, false, fill_new },
};

#define METERS ((int)(sizeof(meters) / sizeof(meters[0])))
#define METER_WIDTH 40			/* of the narrowest that shows all its parts */
#define LABEL_COLUMNS 10
#define VALUE_COLUMNS 10
#define NOTE_COLUMNS 12			/* a blank included */
#define LINE_COLUMNS 6			/* below that it says nothing */

static int meter_columns(int width)
{
	int columns = width / METER_WIDTH;
	return columns < 1 ? 1 : columns > 4 ? 4 : columns;
}

int meter_rows(int width)
{
	int columns = meter_columns(width);
	return (METERS + columns - 1) / columns;
}

static void draw_line(struct span span, const struct meter *m, const struct meter_text *t, const struct display *d)
{
	float values[SPARK_MOST];

	if (isfinite(t->bar)) {
		put_bar(span, t->bar > 1 ? ROLE_BAD : ROLE_SPARK, t->bar);
	} else if (d->history) {
		size_t count = span.width < SPARK_MOST ? span.width : SPARK_MOST;
		history_host(d->history, m->field, values, count);
		put_spark(span, ROLE_SPARK, values, count, m->relative);
	}
}

/* Label, value, note, line; the line has what is left. */
static void draw_meter(struct span span, const struct meter *m, const struct display *d)
{
	struct meter_text t = { .role = ROLE_STRONG, .bar = NAN };
	struct quantity q = host(d, m->field);
	struct span rest = span_after(span, 1 + LABEL_COLUMNS + VALUE_COLUMNS);
	int line = rest.width >= NOTE_COLUMNS + LINE_COLUMNS ? rest.width - NOTE_COLUMNS : 0;

	snprintf(t.value, sizeof(t.value), "%s", brief_meter(m->field, q).text);
	if (q.known != KNOWN || q.value == 0)
		t.role = ROLE_DIM;
	if (m->fill)
		m->fill(d, &t);
	put(span_first(span_after(span, 1), LABEL_COLUMNS - 1), ROLE_LABEL, m->label);
	put(span_first(span_after(span, 1 + LABEL_COLUMNS), VALUE_COLUMNS - 1), t.role, t.value);
	put(span_first(rest, rest.width - line - 1), ROLE_DIM, t.note);
	draw_line(span_after(rest, rest.width - line), m, &t, d);
}

void draw_meters(struct canvas *canvas, int y, int rows, const struct display *d)
{
	int columns = meter_columns(canvas->width), width = canvas->width / columns;

	for (int i = 0; i < METERS && i / columns < rows; i++) {
		struct span span = span_at(canvas, i % columns * width, y + i / columns, width);
		draw_meter(columns > 1 ? span_first(span, span.width - 1) : span, &meters[i], d);
	}
}
