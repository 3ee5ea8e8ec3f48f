// SPDX-License-Identifier: GPL-2.0-or-later
/* One process: its figures with their last minutes, reasons, mappings, partners. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "core/judge/doctor.h"
#include "screen/draw.h"
#include "screen/format.h"
#include "screen/page.h"
#include "screen/spark.h"

/* ---- figures ---- */

static int line_of(enum field f)
{
	for (int line = 0; line < HISTORY_LINES; line++)
		if (history_fields[line] == f)
			return line;
	return -1;
}

static void figure(struct span span, const struct top_row *row, enum field f, const struct display *d)
{
	struct quantity q = top_row_value(row, f);
	struct span rest = span_after(span, 31);
	float values[SPARK_MOST];
	int line = line_of(f);

	put(span_first(span, 12), ROLE_LABEL, fields[f].title);
	int at = 12 + put(span_first(span_after(span, 12), 11), q.known == KNOWN && q.value ? ROLE_STRONG : ROLE_DIM,
			  brief_meter(f, q).text);
	put(span_after(span_first(span, 31), at + 1), ROLE_DIM, brief_interval(f, q).text);
	if (line < 0 || !d->history)
		return;
	size_t count = rest.width < SPARK_MOST ? rest.width : SPARK_MOST;
	history_process(d->history, row->task->pid, row->task->start_ticks, line, values, count);
	put_spark(rest, ROLE_SPARK, values, count, f == PROC_ANON || f == PROC_MERGED);
}

static void write_figures(struct page *p, const struct top_row *row, const struct display *d)
{
	static const enum field list[] = {
		PROC_ANON, PROC_HUGE, PROC_MERGED, PROC_PROFIT, PROC_COW, PROC_NEW_DUPLICATES, PROC_FAULTS,
		PROC_WRITE_PRESENT, PROC_MERGES, PROC_TRACKED, PROC_ZERO_PAGES, PROC_OPTED, PROC_RSS, PROC_SWAP };
	size_t count = sizeof(list) / sizeof(list[0]), columns = p->canvas->width >= 100 ? 2 : 1;

	for (size_t i = 0; i < count; i += columns) {
		struct span line = span_after(page_line(p), 1);
		int width = line.width / (int)columns;
		for (size_t j = 0; j < columns && i + j < count; j++)
			figure(span_first(span_after(line, (int)j * width), width - 1), row, list[i + j], d);
	}
}

/* ---- reasons ---- */

static void write_reasons(struct page *p, const struct detail *detail)
{
	page_heading(p, "Why not more of it is merged");
	if (!detail->reasons_count)
		page_pair(p, 2, "", "nothing stands against it");
	for (size_t i = 0; i < detail->reasons_count; i++) {
		const struct reason *r = &detail->reasons[i];
		page_pair(p, 20, reason_name(r->code), r->text);
		if (*r->remedy)
			page_pair(p, 20, "", r->remedy);
	}
}

/* ---- partners ---- */

static void write_partners(struct page *p, const struct detail *detail)
{
	char name[32], text[128];

	page_heading(p, "Shares merged frames with");
	if (detail->partners_known == KNOWN && !detail->partners_count)
		page_pair(p, 2, "", "nobody else");
	for (size_t i = 0; i < detail->partners_count; i++) {
		const struct detail_partner *q = &detail->partners[i];
		snprintf(name, sizeof(name), "%d", q->pid);
		snprintf(text, sizeof(text), "%-16.60s %s%s", q->comm,
			 show_bytes((int64_t)(q->frames * detail->page_bytes)).text,
			 q->crosses ? "  across trust domains" : "");
		page_pair(p, 12, name, text);
	}
	if (*detail->partners_why)
		page_pair(p, 2, "", detail->partners_why);
}

/* ---- mappings ---- */

static const char *state_of(const struct detail_mapping *m)
{
	static const char *const refused[AREA_CLASSES] = {
		[AREA_SHARED] = "shared", [AREA_HUGETLB] = "hugetlb", [AREA_DAX] = "DAX", [AREA_PFNMAP] = "device",
		[AREA_SPECIAL] = "special" };
	if (m->class != AREA_CANDIDATE)
		return refused[m->class];
	return m->flags & AREA_MERGEABLE ? "mergeable" : "could be";
}

static void mapping_line(struct span line, const struct detail *d, const struct detail_mapping *m)
{
	uint64_t merged = (uint64_t)value_or(m->merged_pages, 0);
	bool mergeable = m->class == AREA_CANDIDATE && m->flags & AREA_MERGEABLE;
	enum role role = mergeable ? ROLE_GOOD : m->class ? ROLE_DIM : ROLE_PLAIN;

	put_right(span_first(line, 10), ROLE_PLAIN, show_bytes((int64_t)m->bytes).text);
	put_right(span_first(span_after(line, 11), 10), ROLE_STRONG,
		  show_bytes((int64_t)(m->resident_pages * d->page_bytes)).text);
	put_right(span_first(span_after(line, 22), 10), merged ? ROLE_GOOD : ROLE_DIM,
		  is_known(m->merged_pages) ? show_bytes((int64_t)(merged * d->page_bytes)).text : "-");
	put(span_first(span_after(line, 34), 10), role, state_of(m));
	int at = 45 + put(span_after(line, 45), ROLE_PLAIN, *m->name ? m->name : "[anonymous]");
	if (m->count > 1)
		putf(span_after(line, at), ROLE_DIM, " (%u)", m->count);
}

static void write_mappings(struct page *p, const struct detail *d)
{
	page_heading(p, "Mappings");
	if (d->mappings_known != KNOWN) {
		page_pair(p, 2, "", d->mappings_known == DENIED ? "they may not be read" : "they are gone");
		return;
	}
	struct span line = span_after(page_line(p), 1);
	put_right(span_first(line, 10), ROLE_LABEL, "size");
	put_right(span_first(span_after(line, 11), 10), ROLE_LABEL, "resident");
	put_right(span_first(span_after(line, 22), 10), ROLE_LABEL, "merged");
	put(span_after(line, 34), ROLE_LABEL, "KSM");
	put(span_after(line, 45), ROLE_LABEL, "name");
	for (size_t i = 0; i < d->mappings_count; i++)
		mapping_line(span_after(page_line(p), 1), d, &d->mappings[i]);
}

static void write_detail(struct page *p, const struct top_row *row, const struct display *d)
{
	write_figures(p, row, d);
	page_outcomes(p, d->model->sample, row->task->pid);
	if (d->detail) {
		write_reasons(p, d->detail);
		write_partners(p, d->detail);
		write_mappings(p, d->detail);
	} else {
		page_heading(p, d->replay_count ? "A recording holds no mappings." : "Mappings are being read.");
	}
}

static const struct top_row *selected(const struct view *v, const struct top_model *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->rows[i].task->pid == v->selected.pid && m->rows[i].task->start_ticks == v->selected.number)
			return &m->rows[i];
	return NULL;
}

void draw_detail(struct canvas *canvas, int y, int rows, struct view *v, const struct display *d)
{
	const struct top_row *row = selected(v, d->model);
	struct span title = span_at(canvas, 0, y, canvas->width);
	struct page p = { .canvas = canvas, .y = y + 1, .rows = rows - 1, .first = PAGE_UNSEEN };
	char user[16];

	if (rows < 1)
		return;
	paint(title, ROLE_HEAD);
	if (!row) {
		put(title, ROLE_HEAD, " The process has ended");
		return;
	}
	putf(title, ROLE_HEAD, " %d  %s  %s  %s", row->task->pid, row->task->comm,
	     field_text(d->model->sample, row->task, PROC_USER, user), top_name(d->model->sample, row->task->cgroup));
	write_detail(&p, row, d);
	p.first = view_settle_page(v, p.line, rows - 1, false);
	p.line = 0;
	write_detail(&p, row, d);
}
