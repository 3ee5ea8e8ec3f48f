// SPDX-License-Identifier: GPL-2.0-or-later
/* The report for people: the verdict first, then where it comes from, then what to do. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "core/huge/calibration.h"
#include "core/judge/doctor.h"
#include "core/judge/verdict.h"
#include "out/advise.h"
#include "out/advise_huge.h"
#include "out/calibration.h"

#define BAR_CELLS 40
#define FEW_ROWS 8		/* rows of a list unless everything is asked for */

struct report {
	struct text *out;
	const struct sample *sample;
	const struct model *model;
	const struct advise_style *style;
};

static void heading(struct report *r, const char *title)
{
	text_printf(r->out, "\n%s%s%s\n", r->style->colour ? "\033[1m" : "", title, r->style->colour ? "\033[0m" : "");
}

/* A heading whose columns stand over those of rows(). */
static void rows_heading(struct report *r, const char *title)
{
	char line[96];
	snprintf(line, sizeof(line), "%-36s %12s  %10s  %7s", title, "frames", "bytes", "share");
	heading(r, line);
}

static int64_t bytes_of(const struct report *r, double frames)
{
	return llround(frames * r->sample->machine.page_bytes);
}

/* `cells` of a bar, in the block or the letter that stands for its kind. */
static void bar_part(struct report *r, int cells, const char *block, char letter, const char *colour)
{
	if (cells > 0 && r->style->colour)
		text_puts(r->out, colour);
	for (int i = 0; i < cells; i++) {
		if (r->style->utf8)
			text_puts(r->out, block);
		else
			text_printf(r->out, "%c", letter);
	}
	if (cells > 0 && r->style->colour)
		text_puts(r->out, "\033[0m");
}

static int cells_of(double part, double whole)
{
	return whole > 0 ? (int)lround(BAR_CELLS * part / whole) : 0;
}

/* ---- what was found ---- */

static void looked(struct report *r)
{
	const struct sample *s = r->sample;
	static const char *const readers[] = { "", "by the direct map", "by copying" };
	if (s->reader == READER_NONE) {
		text_printf(r->out, "%zu process%s; page contents were not read\n", s->tasks_count,
			    s->tasks_count == 1 ? "" : "es");
		return;
	}
	text_printf(r->out, "%zu process%s, %s of candidate memory (%s frames) looked at in %s, %s",
		    s->tasks_count, s->tasks_count == 1 ? "" : "es",
		    show_bytes(bytes_of(r, r->model->frames.candidate)).text, show_count(r->model->frames.candidate).text,
		    show_seconds(s->seconds).text, readers[s->reader]);
	if (s->reader_why)
		text_printf(r->out, " (%s)", s->reader_why);
	if (s->settle_seconds > 0)
		text_printf(r->out, "; two looks %s apart", show_seconds(s->settle_seconds).text);
	if (r->model->sampled)
		text_printf(r->out, "; estimated from %s of the contents\n", show_share(r->model->theta, 1).text);
	else
		text_puts(r->out, "; exact count\n");
}

static void verdict(struct report *r)
{
	static const char *const colours[] = { "\033[1;32m", "\033[1;33m", "\033[1;36m", "\033[1;31m" };
	text_printf(r->out, "\n%s%s%s\n", r->style->colour ? colours[r->model->verdict] : "", r->model->verdict_text,
		    r->style->colour ? "\033[0m" : "");
}

/* Is it the same of another process? What is of no process has no number in it, and is alike to nothing. */
static bool alike(const struct missing *a, const struct missing *b)
{
	size_t words = strcspn(a->what, "0123456789");
	return a->what[words] && words == strcspn(b->what, "0123456789") && !strncmp(a->what, b->what, words) &&
	       a->harmless == b->harmless && a->state == b->state && !strcmp(a->why, b->why);
}

/* What is missing of many processes is said once, with how many they are. */
static void incomplete(struct report *r)
{
	const struct sample *s = r->sample;
	bool verbose = r->style->verbose;

	if (r->model->complete)
		return;
	heading(r, "This answer is partial");
	for (size_t i = 0; i < s->missing_count; i++) {
		const struct missing *m = &s->missing[i];
		size_t first = 0, more = 0;
		while (first < i && !alike(&s->missing[first], m))
			first++;
		if (m->harmless || (first < i && !verbose))
			continue;
		for (size_t k = i + 1; k < s->missing_count && !verbose; k++)
			more += alike(m, &s->missing[k]);
		text_printf(r->out, "  %s", m->what);
		if (more)
			text_printf(r->out, " and of %zu more", more);
		text_printf(r->out, ": %s (%s)\n", known_name(m->state), m->why);
	}
}

struct row {
	const char *name;
	uint64_t frames;
	const char *note;
};

static void composition_bar(struct report *r)
{
	const struct frame_counts *f = &r->model->frames;
	double all = f->candidate, dup = r->model->duplicates.frames, changing = f->is_volatile;
	int dup_cells = cells_of(dup, all), volatile_cells = cells_of(changing, all);

	if (!f->candidate)
		return;
	text_puts(r->out, "  ");
	bar_part(r, dup_cells, "█", '#', "\033[32m");
	bar_part(r, volatile_cells, "▒", ':', "\033[33m");
	bar_part(r, BAR_CELLS - dup_cells - volatile_cells, "░", '.', "\033[2m");
	text_printf(r->out, "  %s duplicates  %s changing  %s unique\n", r->style->utf8 ? "█" : "#",
		    r->style->utf8 ? "▒" : ":", r->style->utf8 ? "░" : ".");
}

static void rows(struct report *r, const struct row *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!list[i].frames && list[i].note)
			continue;	/* rows with a note are of interest only when there is something */
		text_printf(r->out, "  %-34s %12s  %10s  %7s%s%s\n", list[i].name, show_count(list[i].frames).text,
			    show_bytes(bytes_of(r, list[i].frames)).text,
			    show_share(list[i].frames, r->model->frames.candidate).text,
			    list[i].note && *list[i].note ? "  " : "", list[i].note ? list[i].note : "");
	}
}

#define ROWS(r, ...)										\
	do {											\
		const struct row list_[] = { __VA_ARGS__ };					\
		rows(r, list_, sizeof(list_) / sizeof(list_[0]));				\
	} while (0)

static void composition(struct report *r)
{
	const struct frame_counts *f = &r->model->frames;
	rows_heading(r, "Memory");
	composition_bar(r);
	ROWS(r,
	     { "candidates", f->candidate, NULL },
	     { "  zero, in huge pages", f->zero_in_huge, "freed when the huge page is split (6.12+)" },
	     { "  zero, elsewhere", f->zero - f->zero_in_huge, "" },
	     { "  in huge pages", f->huge, "" },
	     { "  merged already", f->merged, "" },
	     { "  saved by that now", f->saved_now, "" },
	     { "  shared by fork", f->multi, "one frame each, no saving" },
	     { "  changing", f->is_volatile, "between the two looks" },
	     { "  unread", f->unread, "counted as unique" });
}

/* Estimates, with what they are within in 19 of 20 cases. */
static void duplicates_sampled(struct report *r)
{
	const struct duplicate_counts *d = &r->model->duplicates;
	rows_heading(r, "Duplicates, estimated");
	ROWS(r,
	     { "all", d->frames, NULL },
	     { "  within processes", d->within_processes, NULL },
	     { "  between processes", d->between_processes, NULL },
	     { "  of these zero pages", d->zero, "" },
	     { "  inside trust domains", d->inside_domains, NULL },
	     { "  across trust domains", r->model->crossing_frames, "a risk, not a saving" },
	     { "under max_page_sharing", d->capped, NULL },
	     { "in worthwhile mappings", d->mergeable, NULL });
	text_printf(r->out, "  all, 95 %% interval: %s to %s; inside trust domains: %s to %s\n",
		    show_bytes(bytes_of(r, d->low)).text, show_bytes(bytes_of(r, d->high)).text,
		    show_bytes(bytes_of(r, d->inside_low)).text, show_bytes(bytes_of(r, d->inside_high)).text);
	text_printf(r->out, "  in worthwhile mappings, 95 %% interval: %s to %s\n",
		    show_bytes(bytes_of(r, d->mergeable_low)).text, show_bytes(bytes_of(r, d->mergeable_high)).text);
	text_printf(r->out, "  net after metadata: %s with everything opted in, %s (%s to %s) with the worthwhile mappings\n"
		    "  Block sizes and what huge pages hide are not known from a sample: --exact.\n",
		    show_bytes(r->model->net_bytes).text, show_bytes(r->model->net_part_bytes).text,
		    show_bytes(r->model->net_part_low).text, show_bytes(r->model->net_part_high).text);
}

static void duplicates(struct report *r)
{
	const struct duplicate_counts *d = &r->model->duplicates;
	rows_heading(r, "Duplicates");
	ROWS(r,
	     { "all (exact)", d->frames, NULL },
	     { "  within processes", d->within_processes, NULL },
	     { "  between processes", d->between_processes, NULL },
	     { "  of these zero pages", d->zero, "" },
	     { "  across trust domains", r->model->crossing_frames, "a risk, not a saving" },
	     { "under max_page_sharing", d->capped, NULL },
	     { "in worthwhile mappings", d->mergeable, NULL });
	text_printf(r->out, "  net after metadata: %s with everything opted in, %s with the worthwhile mappings\n",
		    show_bytes(r->model->net_bytes).text, show_bytes(r->model->net_part_bytes).text);
}

static void refused(struct report *r)
{
	const struct frame_counts *f = &r->model->frames;
	uint64_t sum = 0;
	for (int c = AREA_CANDIDATE + 1; c < AREA_CLASSES; c++)
		sum += f->not_mergeable[c];
	if (!sum)
		return;
	rows_heading(r, "What KSM cannot take");
	ROWS(r,
	     { "shared memory (MAP_SHARED, memfd)", f->not_mergeable[AREA_SHARED], "" },
	     { "hugetlb", f->not_mergeable[AREA_HUGETLB], "" },
	     { "DAX", f->not_mergeable[AREA_DAX], "" },
	     { "device memory", f->not_mergeable[AREA_PFNMAP], "" },
	     { "special mappings", f->not_mergeable[AREA_SPECIAL], "" });
}

static void granularity(struct report *r)
{
	const struct model *m = r->model;
	heading(r, "Duplicates left to find by block size");
	for (size_t i = 0; i < m->granularity_levels; i++) {
		const struct granularity *g = &m->granularity[i];
		uint64_t twice = g->blocks - g->distinct;
		int cells = cells_of(twice, g->blocks);
		text_printf(r->out, "  %9s  ", show_bytes(g->block_bytes).text);
		bar_part(r, cells, "█", '#', "\033[32m");
		bar_part(r, BAR_CELLS - cells, "░", '.', "\033[2m");
		text_printf(r->out, " %7s of %s blocks\n", show_share(twice, g->blocks).text, show_count(g->blocks).text);
	}
}

/* ---- whose, and where ---- */

static size_t shown_rows(const struct report *r, size_t count)
{
	return r->style->verbose || count <= FEW_ROWS ? count : FEW_ROWS;
}

static void rest(struct report *r, size_t count)
{
	size_t shown = shown_rows(r, count);
	if (shown < count)
		text_printf(r->out, "  … and %zu more (--verbose)\n", count - shown);
}

/* Indices of the `count` largest by `weight`, largest first: a selection, the lists are short. */
static size_t largest(const struct report *r, size_t count, double (*weight)(const struct report *, size_t),
		      size_t *ret, size_t most)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		double w = weight(r, i);
		size_t at = n;
		if (!(w > 0))
			continue;
		while (at > 0 && weight(r, ret[at - 1]) < w)
			at--;
		if (at == most)
			continue;
		n += n < most;
		memmove(ret + at + 1, ret + at, (n - 1 - at) * sizeof(*ret));
		ret[at] = i;
	}
	return n;
}

static double process_weight(const struct report *r, size_t i)
{
	return r->model->processes[i].attributed_frames + 1e-6 * r->model->processes[i].candidate;
}

static double mapping_weight(const struct report *r, size_t i)
{
	return r->model->mappings[i].duplicates >= 0.5 ? r->model->mappings[i].duplicates : 0;
}

#define LARGEST_MOST 256

/* Where no change was seen, it has a lower end alone. */
static void half_life(struct report *r, const struct lasting *l)
{
	if (isfinite(l->half_life))
		text_printf(r->out, "  %s (%s to %s)", show_seconds(l->half_life).text, show_seconds(l->half_life_low).text,
			    isfinite(l->half_life_high) ? show_seconds(l->half_life_high).text : "any time");
	else
		text_printf(r->out, "  at least %s", show_seconds(l->half_life_low).text);
}

static void processes(struct report *r)
{
	const struct sample *s = r->sample;
	size_t order[LARGEST_MOST + 1];
	size_t n = largest(r, s->tasks_count, process_weight, order, LARGEST_MOST);

	heading(r, "Processes          pid   candidates  self-duplicates   its share of all duplicates  half-life of its pages");
	for (size_t k = 0; k < shown_rows(r, n); k++) {
		const struct task *t = &s->tasks[order[k]];
		const struct owner_counts *c = &r->model->processes[order[k]];
		char name[48];
		printable(name, 16, t->vm ? sample_string(s, t->vm) : t->comm);
		text_printf(r->out, "  %-15s %6d %12s %16s %14s", name, t->pid, show_count(c->candidate).text,
			    show_count(c->self_duplicates).text, show_bytes(bytes_of(r, c->attributed_frames)).text);
		if (c->lasts.known)
			half_life(r, &c->lasts);
		text_puts(r->out, "\n");
	}
	rest(r, n);
}

/* Of a sample: what is in mappings that are too small to be told one by one. */
static void small_mappings(struct report *r)
{
	uint64_t candidate = 0;
	double duplicates = 0;

	for (size_t i = 0; r->model->rests && i < r->sample->tasks_count; i++) {
		candidate += r->model->rests[i].candidate;
		duplicates += fmax(r->model->rests[i].duplicates, 0);
	}
	if (candidate)
		text_printf(r->out, "  %-15s %6s %12s %16s  small mappings, by process: --format json\n", "all", "",
			    show_count(candidate).text, show_count(llround(duplicates)).text);
}

static void mappings(struct report *r)
{
	const struct sample *s = r->sample;
	size_t order[LARGEST_MOST + 1];
	size_t n = largest(r, s->areas_count, mapping_weight, order, LARGEST_MOST);

	if (!n && !r->model->sampled)
		return;
	heading(r, "Where they are     pid   candidates       duplicates  mapping");
	for (size_t k = 0; k < shown_rows(r, n); k++) {
		const struct area *a = &s->areas[order[k]];
		const struct mapping_counts *c = &r->model->mappings[order[k]];
		char name[80];
		printable(name, sizeof(name), *sample_string(s, a->name) ? sample_string(s, a->name) : "anonymous");
		text_printf(r->out, "  %-15s %6d %12s %16s  %s, %s%s%s", s->tasks[a->task].comm, s->tasks[a->task].pid,
			    show_count(c->candidate).text, show_count(llround(c->duplicates)).text, name,
			    show_bytes(a->end - a->start).text, a->flags & AREA_MERGEABLE ? ", opted in" : "",
			    a->flags & AREA_SECRET ? ", secret: left out" : r->model->worthwhile[order[k]] ? "" :
			    ", not worth it");
		if (r->model->sampled)
			text_printf(r->out, " (95 %%: %s to %s)", show_count(floor(fmax(c->low, 0))).text,
				    show_count(ceil(fmax(c->high, 0))).text);
		text_puts(r->out, "\n");
	}
	rest(r, n);
	small_mappings(r);
}

static void sharing(struct report *r)
{
	const struct sample *s = r->sample;
	const struct model *m = r->model;

	if (!m->sharing_count)
		return;
	heading(r, "Who shares with whom (contents held by both)");
	for (size_t i = 0; i < shown_rows(r, m->sharing_count); i++) {
		const struct sharing *p = &m->sharing[i];
		const struct task *a = &s->tasks[p->a], *b = &s->tasks[p->b];
		text_printf(r->out, "  %6d %-15s  %6d %-15s %12s  %10s%s\n", a->pid, a->comm, b->pid, b->comm,
			    show_count(p->frames).text, show_bytes(bytes_of(r, p->frames)).text,
			    p->crosses ? "  crosses a trust boundary" : "");
	}
	rest(r, m->sharing_count);
}

/* ---- trust domains ---- */

static double domain_weight(const struct report *r, size_t i)
{
	return r->model->by_domain[i].candidate + 1e-6;
}

static const char *domain_name_of(const struct report *r, size_t domain, char *ret, size_t size)
{
	const struct sample *s = r->sample;
	printable(ret, size, sample_string(s, s->tasks[r->model->by_domain[domain].first_task].domain));
	return ret;
}

static void domain_rows(struct report *r, const size_t *order, size_t n)
{
	const struct model *m = r->model;
	char name[24];

	heading(r, "Trust domains              processes    candidates   duplicates inside");
	for (size_t k = 0; k < n; k++) {
		const struct domain_counts *d = &m->by_domain[order[k]];
		text_printf(r->out, "  %2zu %-23s %8s  %12s %12s  %10s", k + 1, domain_name_of(r, order[k], name, sizeof(name)),
			    show_count(d->processes).text, show_count(d->candidate).text, show_count(d->duplicates).text,
			    show_bytes(bytes_of(r, d->duplicates)).text);
		if (m->sampled)
			text_printf(r->out, "  (%s to %s)", show_bytes(bytes_of(r, d->low)).text,
				    show_bytes(bytes_of(r, d->high)).text);
		text_puts(r->out, "\n");
	}
	if (n < m->by_domain_count)
		text_printf(r->out, "  … and %zu more (--verbose)\n", m->by_domain_count - n);
}

static const struct sharing *domain_pair(const struct model *m, uint32_t a, uint32_t b)
{
	for (size_t i = 0; i < m->domain_sharing_count; i++)
		if (m->domain_sharing[i].a == (a < b ? a : b) && m->domain_sharing[i].b == (a < b ? b : a))
			return &m->domain_sharing[i];
	return NULL;
}

static void domain_matrix(struct report *r, const size_t *order, size_t n)
{
	const struct model *m = r->model;
	char name[24];

	heading(r, "What would cross between them (contents that both hold: a risk, not a saving)");
	text_printf(r->out, "%28s", "");
	for (size_t k = 0; k + 1 < n; k++)
		text_printf(r->out, " %9zu", k + 1);
	text_puts(r->out, "\n");
	for (size_t k = 1; k < n; k++) {
		text_printf(r->out, "  %2zu %-23s", k + 1, domain_name_of(r, order[k], name, sizeof(name)));
		for (size_t i = 0; i < k; i++) {
			const struct sharing *pair = domain_pair(m, m->by_domain[order[k]].first_task,
								 m->by_domain[order[i]].first_task);
			text_printf(r->out, " %9s", pair ? show_bytes(bytes_of(r, pair->frames)).text : "-");
		}
		text_puts(r->out, "\n");
	}
}

/* The whole list of pairs, where not all fit into the matrix. */
static void domain_pairs(struct report *r)
{
	const struct sample *s = r->sample;
	const struct model *m = r->model;

	for (size_t i = 0; i < shown_rows(r, m->domain_sharing_count); i++) {
		const struct sharing *p = &m->domain_sharing[i];
		char a[24], b[24];
		printable(a, sizeof(a), sample_string(s, s->tasks[p->a].domain));
		printable(b, sizeof(b), sample_string(s, s->tasks[p->b].domain));
		text_printf(r->out, "  %-23s  %-23s %12s\n", a, b, show_bytes(bytes_of(r, p->frames)).text);
	}
	rest(r, m->domain_sharing_count);
}

/* Nothing to say of one domain alone. */
static void domains(struct report *r)
{
	const struct model *m = r->model;
	size_t order[LARGEST_MOST + 1];

	if (m->by_domain_count < 2)
		return;
	size_t n = largest(r, m->by_domain_count, domain_weight, order, LARGEST_MOST);
	domain_rows(r, order, shown_rows(r, n));
	domain_matrix(r, order, n < FEW_ROWS ? n : FEW_ROWS);
	if (n > FEW_ROWS)
		domain_pairs(r);
}

/* ---- what it means ---- */

static bool same_cause(const struct reason *a, const struct reason *b)
{
	return a->code == b->code && a->pid && b->pid;
}

/* The other processes that have the same cause, the first few by name. */
static void others(struct report *r, size_t of)
{
	const struct model *m = r->model;
	size_t count = 0;

	for (size_t i = of + 1; i < m->reasons_count; i++) {
		if (!same_cause(&m->reasons[of], &m->reasons[i]))
			continue;
		if (count++ < FEW_ROWS)
			text_printf(r->out, "%s%d", count == 1 ? "      also " : ", ", m->reasons[i].pid);
	}
	if (count > FEW_ROWS)
		text_printf(r->out, " and %zu more (--verbose)", count - FEW_ROWS);
	if (count)
		text_puts(r->out, "\n");
}

/* A cause that many processes have is told of the first one. */
static void reasons(struct report *r)
{
	const struct model *m = r->model;

	if (m->reasons_count)
		heading(r, "Why it is not merged today, and what to do");
	for (size_t i = 0; i < m->reasons_count; i++) {
		const struct reason *reason = &m->reasons[i];
		size_t first = 0;
		while (first < i && !same_cause(&m->reasons[first], reason))
			first++;
		if (first < i && !r->style->verbose)
			continue;
		if (reason->pid)
			text_printf(r->out, "  %d: ", reason->pid);
		else
			text_puts(r->out, "  ");
		text_printf(r->out, "%s\n      → %s\n", reason->text, reason->remedy);
		if (!r->style->verbose)
			others(r, i);
	}
}

/* What changes, and what of the potential is left of it when ksmd comes round. */
static void pace(struct report *r)
{
	const struct model *m = r->model;
	const struct duplicate_counts *d = &m->duplicates;

	if (!m->lasts.known)
		return;
	text_printf(r->out, "  pages stay: %s did, for %s; half-life", show_share(m->lasts.share, 1).text,
		    show_seconds(r->sample->settle_seconds).text);
	half_life(r, &m->lasts);
	text_puts(r->out, "\n");
	if (d->paced)
		text_printf(r->out, "  of the worthwhile mappings, mergeable at ksmd's pace: %s (%s to %s)\n",
			    show_bytes(bytes_of(r, d->at_pace)).text, show_bytes(bytes_of(r, d->at_pace_low)).text,
			    show_bytes(bytes_of(r, d->at_pace_high)).text);
}

static void cost(struct report *r)
{
	const struct model *m = r->model;
	heading(r, "Time and risk");
	if (m->eta_seconds >= 0)
		text_printf(r->out, "  until merged at the present settings: about %s (two scans)\n",
			    show_seconds(m->eta_seconds).text);
	else
		text_puts(r->out, "  until merged at the present settings: never, the engine is not running\n");
	pace(r);
	text_printf(r->out, "  exposure: %s needed if every merged page of the host were written",
		    show_bytes(m->exposure.needed_bytes).text);
	text_printf(r->out, ", %s after this advice", show_bytes(m->exposure.needed_predicted_bytes).text);
	if (m->sampled)
		text_printf(r->out, " (%s to %s)", show_bytes(m->exposure.needed_low).text,
			    show_bytes(m->exposure.needed_high).text);
	text_puts(r->out, "; ");
	if (is_known(m->exposure.available_bytes))
		text_printf(r->out, "%s available\n", show_bytes(m->exposure.available_bytes.number).text);
	else
		text_printf(r->out, "available memory %s\n", known_name(m->exposure.available_bytes.known));
}

/* What it costs on this machine, where that was measured. */
static void calibrated(struct report *r)
{
	static const struct { enum cost cost; const char *name; } shown[] = {
		{ COST_COW_BREAK, "each write to a merged page" },
		{ COST_SPLIT_FULL, "breaking a huge page" },
		{ COST_COLLAPSE, "rebuilding it" },
	};
	const struct calibration *c = r->sample->calibration;
	struct measured visit = calibration_visit(c, r->model->tracked_pages);
	const char *before = "  measured here: ";

	for (size_t i = 0; c && i < sizeof(shown) / sizeof(shown[0]); i++) {
		struct measured m = calibration_cost(c, shown[i].cost);
		if (m.known != KNOWN)
			continue;
		text_printf(r->out, "%s%s %s", before, shown[i].name, measured_show(&m).text);
		before = ", ";
	}
	if (visit.known == KNOWN && r->model->tracked_pages) {
		text_printf(r->out, "%sksmd %s a page and scan", before, measured_show(&visit).text);
		before = ", ";
	}
	if (*before == ',')
		text_puts(r->out, "\n");
}

static void applied(struct report *r, const struct applied *a)
{
	heading(r, "Applied");
	text_printf(r->out, "  predicted  %10s\n  actual     %10s   (frames that the targets gave back; %s of the prediction)\n"
		    "  the kernel %10s   (pages_sharing + ksm_zero_pages gained)\n",
		    show_bytes(a->predicted_bytes).text, show_bytes(a->actual_bytes).text,
		    show_share(a->actual_bytes, a->predicted_bytes).text, show_bytes(a->kernel_bytes).text);
	text_printf(r->out, "  %s in %s", a->converged ? "converged" : "stopped before it had converged, after",
		    show_seconds(a->seconds).text);
	if (is_known(a->ksmd_milliseconds))
		text_printf(r->out, "; ksmd took %s of CPU", show_seconds(a->ksmd_milliseconds.number / 1000.0).text);
	text_puts(r->out, "\n");
	for (size_t i = 0; i < a->plan->count; i++)
		if (strncmp(a->outcomes[i], "done", 4) && strncmp(a->outcomes[i], "restored", 8))
			text_printf(r->out, "  %d: %s\n", a->plan->changes[i].pid, a->outcomes[i]);
}

void advise_text(struct text *out, const struct advice *advice, const struct advise_style *style)
{
	struct report r = { out, advice->sample, advice->model, style };
	bool contents = advice->sample->reader != READER_NONE;

	looked(&r);
	verdict(&r);
	incomplete(&r);
	if (contents) {
		composition(&r);
		if (r.model->sampled)
			duplicates_sampled(&r);
		else
			duplicates(&r);
	}
	refused(&r);
	if (contents && !r.model->sampled)
		granularity(&r);
	if (contents)
		processes(&r);
	if (contents)
		mappings(&r);
	if (contents)
		sharing(&r);
	if (contents)
		domains(&r);
	huge_text(out, advice->sample, r.model->huge, style, advice->ledger);
	reasons(&r);
	cost(&r);
	calibrated(&r);
	if (advice->applied)
		applied(&r, advice->applied);
}

/* ---- the plan ---- */

static void plan_change(struct text *out, const struct change *c)
{
	if (c->kind == CHANGE_KNOB)
		text_printf(out, "  %s: %" PRId64 " → %" PRId64 " (%s)\n", knobs[c->knob].name, c->before, c->after,
			    c->reason);
	else if (c->kind == CHANGE_MADVISE || c->kind == CHANGE_OPT_OUT)
		text_printf(out, "  process %d: madvise(%#" PRIx64 ", %s, %s) inside it (%s)\n", c->pid, c->start,
			    show_bytes(c->end - c->start).text, c->kind == CHANGE_MADVISE ? "MADV_MERGEABLE" :
			    "MADV_UNMERGEABLE", c->reason);
	else if (c->kind == CHANGE_BREAK || c->kind == CHANGE_REBUILD)
		text_printf(out, "  process %d: %s huge pages at %#" PRIx64 ", %s (%s)\n", c->pid,
			    change_kind_name(c->kind), c->start, show_bytes(c->end - c->start).text, c->reason);
	else
		text_printf(out, "  process %d: prctl(PR_SET_MEMORY_MERGE, 1) inside it (%s)\n", c->pid, c->reason);
}

void plan_text(struct text *out, const struct sample *s, const struct plan *plan)
{
	if (!plan->count && !plan->predicted_bytes) {
		text_puts(out, "Nothing to do: no mapping is worth opting in.\n");
		return;
	}
	text_printf(out, "Plan: %zu change%s, expected to save %s", plan->count, plan->count == 1 ? "" : "s",
		    show_bytes(plan->predicted_bytes).text);
	text_printf(out, ", with %s pages for ksmd to track\n", show_count(plan->tracked_pages).text);
	if (plan->regions_broken + plan->regions_kept)
		text_printf(out, "  huge pages: %zu broken, %zu left whole%s%s\n", plan->regions_broken, plan->regions_kept,
			    isnan(plan->slowdown) ? "" : "; predicted slow-down ",
			    isnan(plan->slowdown) ? "" : show_share(plan->slowdown, 1).text);
	for (size_t i = 0; i < plan->count; i++)
		plan_change(out, &plan->changes[i]);
	if (plan->crossing_frames)
		text_printf(out, "  crosses trust domains: %s would be shared between them, which is a side channel\n",
			    show_bytes(plan->crossing_frames * s->machine.page_bytes).text);
	if (plan->domains_left_out)
		text_printf(out, "  %zu other trust domain%s left out, so that nothing is shared across them (--cross-domains)\n",
			    plan->domains_left_out, plan->domains_left_out == 1 ? " is" : "s are");
	text_puts(out, "  Knobs are put back when it has converged; the opt-ins stay until --undo.\n");
}
