// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages beside the table: help, what is missing, and the choice of fields. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "screen/draw.h"
#include "screen/format.h"
#include "screen/keys.h"
#include "screen/page.h"
#include "screen/spark.h"

/* Pairs of trust domains on the machine's page. */
#define CROSSINGS_SHOWN 32

/* ---- why a field has no value ---- */

const struct missing *missing_of(const struct top_sample *s, enum field f)
{
	const char *names[] = { field_fact(f), field_source(f) };
	for (size_t i = 0; i < s->missing_count; i++)
		for (size_t j = 0; j < 2; j++)
			if (names[j] && !strcmp(s->missing[i].what, names[j]))
				return &s->missing[i];
	return NULL;
}

/* ---- lines ---- */

struct span page_line(struct page *p)
{
	size_t line = p->line++;
	if (line < p->first || line >= p->first + p->rows)
		return span_at(p->canvas, 0, -1, 0);
	return span_after(span_at(p->canvas, 0, p->y + (int)(line - p->first), p->canvas->width), 1);
}

void page_heading(struct page *p, const char *text)
{
	if (p->line)
		page_line(p);
	put(page_line(p), ROLE_LABEL, text);
}

void page_pair(struct page *p, int column, const char *left, const char *right)
{
	struct span line = page_line(p);
	put(span_first(span_after(line, 1), column - 2), ROLE_STRONG, left);
	put(span_after(line, column), ROLE_PLAIN, right);
}

/* ---- help ---- */

static void write_help(struct page *p)
{
	page_heading(p, "Keys");
	for (const struct key_help *k = view_keys; k->keys; k++)
		page_pair(p, 18, k->keys, k->help);
	page_heading(p, "What stands for a value that is not there");
	page_pair(p, 18, "-   !   .", "not on this kernel; may not be read; not measured yet");
	page_pair(p, 18, "~12   12+", "uncertain by more than a tenth; a sum of which parts are not known");
	page_heading(p, "Columns");
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++)
		page_pair(p, 18, fields[f].title, fields[f].help);
	page_heading(p, "Above the table");
	for (enum field f = 0; f < HOST_FIELDS; f++)
		page_pair(p, 18, fields[f].title, fields[f].help);
}

/* ---- what is missing, lost, and spent ---- */

static void write_missing(struct page *p, const struct top_sample *s)
{
	char text[256];

	page_heading(p, "Missing");
	if (!s->missing_count)
		page_pair(p, 26, "nothing", "");
	for (size_t i = 0; i < s->missing_count; i++) {
		snprintf(text, sizeof(text), "%s: %s", known_name(s->missing[i].state), s->missing[i].why);
		page_pair(p, 26, s->missing[i].what, text);
	}
	page_heading(p, "Events: produced = consumed + lost");
	if (!s->losses_count)
		page_pair(p, 26, "none are counted", "");
	for (size_t i = 0; i < s->losses_count; i++) {
		const struct loss *l = &s->losses[i];
		snprintf(text, sizeof(text), "%" PRIu64 " = %" PRIu64 " + %" PRIu64, l->produced, l->consumed, l->lost);
		page_pair(p, 26, l->path, text);
	}
	page_heading(p, "Our BPF programs");
	if (!s->programs_count)
		page_pair(p, 26, "none are loaded", "");
	for (size_t i = 0; i < s->programs_count; i++) {
		const struct program_use *u = &s->programs[i];
		double mean = u->runs ? (double)u->nanoseconds / (double)u->runs : 0;
		snprintf(text, sizeof(text), "%s runs, %.0f ns each, measured %.0f %% of the time",
			 brief_count((double)u->runs).text, mean, 100 * u->measured_share);
		page_pair(p, 26, u->name, text);
	}
}

/* ---- the machine ---- */

static void value_line(struct page *p, const struct top_model *m, enum field f)
{
	struct quantity q = m->host[f];
	struct span line = page_line(p);
	const struct missing *missing = q.known == KNOWN ? NULL : missing_of(m->sample, f);

	put(span_first(span_after(line, 1), 15), ROLE_LABEL, fields[f].title);
	bool count = fields[f].unit == UNIT_PAGES || fields[f].unit == UNIT_COUNT;
	bool whole = count && q.known == KNOWN && q.value >= 0 && q.value < 1e18;
	put_right(span_first(span_after(line, 17), 12), q.known == KNOWN && q.value ? ROLE_STRONG : ROLE_DIM,
		  whole ? show_count((uint64_t)q.value).text : brief_meter(f, q).text);
	put(span_first(span_after(line, 31), 17), ROLE_DIM, brief_interval(f, q).text);
	if (missing)
		putf(span_after(line, 49), ROLE_WARN, "%s: %s", known_name(missing->state), missing->why);
	else
		put(span_after(line, 49), ROLE_PLAIN, fields[f].help);
}

/* How long merges lasted until a write broke them: a bar for each power of two. */
static void write_lifetimes(struct page *p, const struct top_sample *s)
{
	uint64_t most = 1;

	page_heading(p, "How long merges lasted until a write broke them");
	for (size_t i = 0; i < TOP_LIFETIMES; i++)
		most = s->lifetimes[i] > most ? s->lifetimes[i] : most;
	for (size_t i = 0; s->watched == KNOWN && i < TOP_LIFETIMES; i++) {
		if (!s->lifetimes[i])
			continue;
		struct span line = page_line(p);
		putf(span_first(span_after(line, 1), 18), ROLE_LABEL, "below %s",
		     show_seconds(ldexp(1e-3, (int)i)).text);
		put_right(span_first(span_after(line, 19), 10), ROLE_STRONG, brief_count((double)s->lifetimes[i]).text);
		put_bar(span_after(line, 31), ROLE_SPARK, (double)s->lifetimes[i] / (double)most);
	}
	page_pair(p, 31, "", s->watched == KNOWN ? "of those whose merge and break were both seen"
						 : "it is not watched");
}

/* What the outcomes are of, in words. */
static const char *outcome_title(const char *of)
{
	static const char *const titles[][2] = {
		{ OUTCOME_MERGES, "Merges that failed, by error" },
		{ OUTCOME_SCANS, "Ranges that khugepaged considered, by what came of it" },
		{ OUTCOME_COLLAPSES, "Collapses into huge pages that were tried, by result" },
	};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (!strcmp(titles[i][0], of))
			return titles[i][1];
	return of;
}

void page_outcomes(struct page *p, const struct top_sample *s, pid_t pid)
{
	size_t count;
	const struct outcome *o = top_sample_outcomes(s, pid, &count);

	for (size_t i = 0; i < count; i++) {
		if (i == 0 || strcmp(o[i].of, o[i - 1].of))
			page_heading(p, outcome_title(o[i].of));
		page_pair(p, 31, o[i].what, show_count(o[i].count).text);
	}
}

/* What would be merged across trust domains: the largest pairs. */
static void write_crossings(struct page *p, const struct top_sample *s)
{
	char a[64], b[64], pair[160], bytes[128];

	if (s->crossings_count)
		page_heading(p, "equal across trust domains: a risk, not a saving");
	for (size_t i = 0; i < s->crossings_count && i < CROSSINGS_SHOWN; i++) {
		const struct top_crossing *c = &s->crossings[i];
		printable(a, sizeof(a), top_name(s, c->a));
		printable(b, sizeof(b), top_name(s, c->b));
		snprintf(pair, sizeof(pair), "%.24s, %.24s", a, b);
		snprintf(bytes, sizeof(bytes), "%s  (%s to %s)", show_bytes(c->bytes).text, show_bytes(c->low).text,
			 show_bytes(c->high).text);
		page_pair(p, 54, pair, bytes);
	}
	if (s->crossings_count > CROSSINGS_SHOWN)
		page_pair(p, 54, "and more", "--json has all");
}

static void write_machine(struct page *p, const struct top_model *m)
{
	for (enum field f = 0; f < HOST_FIELDS; f++) {
		if (f == 0 || strcmp(fields[f].group, fields[f - 1].group))
			page_heading(p, fields[f].group);
		value_line(p, m, f);
	}
	write_lifetimes(p, m->sample);
	page_outcomes(p, m->sample, 0);
	write_crossings(p, m->sample);
}

/* ---- a choice of fields ---- */

static bool is_column(const struct view *v, enum field f)
{
	for (size_t i = 0; i < v->columns_count; i++)
		if (v->columns[i] == f)
			return true;
	return false;
}

static void write_fields(struct page *p, const struct view *v, const struct top_sample *s)
{
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++) {
		bool chosen = v->page == PAGE_SORT ? f == v->sort : is_column(v, f);
		const struct missing *m = missing_of(s, f);
		struct span line = page_line(p);
		put(line, chosen ? ROLE_GOOD : ROLE_DIM, chosen ? "*" : " ");
		put(span_first(span_after(line, 2), 9), ROLE_STRONG, fields[f].title);
		put(span_first(span_after(line, 12), 10), ROLE_PLAIN, fields[f].name);
		int at = 23 + put(span_after(line, 23), ROLE_PLAIN, fields[f].help);
		if (m)
			putf(span_after(line, at), ROLE_WARN, "  (missing: %s)", m->why);
		if (f - HOST_FIELDS == v->line)
			paint(line, ROLE_SELECTED);
	}
}

static void write_page(struct page *p, const struct view *v, const struct display *d)
{
	switch (v->page) {
	case PAGE_MISSING:
		write_missing(p, d->model->sample);
		break;
	case PAGE_MACHINE:
		write_machine(p, d->model);
		break;
	case PAGE_SORT:
	case PAGE_COLUMNS:
		write_fields(p, v, d->model->sample);
		break;
	default:
		write_help(p);
	}
}

/* Written twice: without a screen, to learn how many lines there are; then those in sight. */
void draw_page(struct canvas *canvas, int y, int rows, struct view *v, const struct display *d)
{
	static const char *const titles[VIEW_PAGES] = {
		[PAGE_HELP] = " Help", [PAGE_MISSING] = " What is missing, lost and spent",
		[PAGE_MACHINE] = " The engine and the machine",
		[PAGE_SORT] = " Sort by", [PAGE_COLUMNS] = " Columns", [PAGE_DETAIL] = " Process" };
	bool chooses = v->page == PAGE_SORT || v->page == PAGE_COLUMNS;
	struct span title = span_at(canvas, 0, y, canvas->width);
	struct page p = { .canvas = canvas, .y = y + 1, .rows = rows - 1 };

	if (rows < 1)
		return;
	paint(title, ROLE_HEAD);
	put(title, ROLE_HEAD, titles[v->page]);
	p.first = PAGE_UNSEEN;
	write_page(&p, v, d);
	p.first = view_settle_page(v, p.line, rows - 1, chooses);
	p.line = 0;
	write_page(&p, v, d);
}
