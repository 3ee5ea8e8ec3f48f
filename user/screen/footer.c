// SPDX-License-Identifier: GPL-2.0-or-later
/* What stands below the table: what we cost and lost, or what is being typed; and the keys. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "screen/draw.h"
#include "screen/format.h"

static const struct top_sample *sample_of(const struct display *d)
{
	return d->model->sample;
}

/* ---- parts of the status line; each is left out where it does not fit as a whole ---- */

__attribute__((format(printf, 3, 4)))
static struct span part(struct span span, enum role role, const char *fmt, ...)
{
	char text[256];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (text_columns(text) + 1 > span.width)
		return span;
	return span_after(span, 2 + put(span_after(span, 1), role, text));
}

static struct span put_own(struct span span, const struct display *d)
{
	struct quantity cpu = d->model->host[HOST_OWN_CPU], rss = d->model->host[HOST_OWN_RSS];
	return part(span, cpu.known == KNOWN && cpu.value > 0.01 ? ROLE_WARN : ROLE_DIM, "own %s CPU %s",
		    brief_meter(HOST_OWN_CPU, cpu).text, brief_meter(HOST_OWN_RSS, rss).text);
}

static struct span put_programs(struct span span, const struct display *d)
{
	const struct top_sample *s = sample_of(d);
	double ns = 0, runs = 0;

	for (size_t i = 0; i < s->programs_count; i++) {
		ns += (double)s->programs[i].nanoseconds;
		runs += (double)s->programs[i].runs;
	}
	if (!s->programs_count)
		return span;
	if (runs <= 0)
		return part(span, ROLE_DIM, "BPF %zu programs", s->programs_count);
	return part(span, ROLE_DIM, "BPF %zu programs, %.0f ns a run", s->programs_count, ns / runs);
}

static struct span put_losses(struct span span, const struct display *d)
{
	const struct top_sample *s = sample_of(d);
	uint64_t produced = 0, lost = 0;

	for (size_t i = 0; i < s->losses_count; i++) {
		produced += s->losses[i].produced;
		lost += s->losses[i].lost;
	}
	if (!s->losses_count)
		return span;
	/* a few of a million say nothing yet; one in a hundred does */
	return part(span, lost * 100 > produced ? ROLE_BAD : ROLE_DIM, "events %s, lost %s",
		    brief_count((double)produced).text, brief_count((double)lost).text);
}

static struct span put_missing(struct span span, const struct display *d)
{
	size_t count = sample_of(d)->missing_count;
	return count ? part(span, ROLE_WARN, "%zu missing (m)", count) : span;
}

/* Why the column that is sorted by is empty. */
static struct span put_reason(struct span span, const struct view *v, const struct display *d)
{
	const struct missing *m = missing_of(sample_of(d), v->sort);
	return m ? part(span, ROLE_WARN, "%s: %s", fields[v->sort].title, m->why) : span;
}

static struct span put_state(struct span span, const struct view *v, const struct display *d)
{
	if (v->tree != GROUP_NONE)
		span = part(span, ROLE_LABEL, "by %s", group_kind_names[v->tree]);
	if (*v->filter)
		span = part(span, ROLE_LABEL, "\"%s\": %zu of %zu", v->filter, d->rows->processes, d->model->count);
	return span;
}

void draw_status(struct span span, const struct view *v, const struct display *d)
{
	if (v->prompt != PROMPT_NONE) {
		bool search = v->prompt == PROMPT_SEARCH;
		putf(span, ROLE_STRONG, " %s: %s_", search ? "search" : "filter", search ? v->search : v->filter);
		return;
	}
	if (d->message && *d->message) {
		putf(span, ROLE_WARN, " %s", d->message);
		return;
	}
	span = put_state(span, v, d);
	span = put_own(span, d);
	span = put_losses(span, d);
	span = put_missing(span, d);
	span = put_programs(span, d);
	put_reason(span, v, d);
}

/* ---- keys ---- */

struct key_label {
	const char *key, *label;
};

void draw_keys(struct span span, const struct view *v)
{
	static const struct key_label table[] = {
		{ "?", "Help" }, { "/", "Search" }, { "f", "Filter" }, { "s", "Sort" }, { "t", "Tree" },
		{ "Enter", "Detail" }, { "Space", "Pause" }, { "q", "Quit" }, { "c", "Columns" }, { "I", "Invert" },
		{ 0 } };
	static const struct key_label replay[] = {
		{ "?", "Help" }, { "[", "Back" }, { "]", "On" }, { "Space", "Play" }, { "s", "Sort" }, { "t", "Tree" },
		{ "Enter", "Detail" }, { "q", "Quit" }, { "/", "Search" }, { "f", "Filter" }, { 0 } };
	static const struct key_label choice[] = {
		{ "Up Down", "Move" }, { "Enter", "Choose" }, { "Esc", "Back" }, { 0 } };
	static const struct key_label other[] = { { "Up Down", "Scroll" }, { "q Esc", "Back" }, { 0 } };
	static const struct key_label prompt[] = { { "Enter", "Accept" }, { "Esc", "Cancel" }, { 0 } };
	const struct key_label *keys = v->prompt != PROMPT_NONE ? prompt
		: v->page == PAGE_SORT || v->page == PAGE_COLUMNS ? choice
		: v->page != PAGE_TABLE ? other : v->replay ? replay : table;

	for (; keys->key; keys++) {
		if (text_columns(keys->key) + (int)strlen(keys->label) + 2 > span.width)
			return;
		span = span_after(span, 1 + put(span_after(span, 1), ROLE_KEY, keys->key));
		span = span_after(span, 2 + put(span_after(span, 1), ROLE_DIM, keys->label));
	}
}
