// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plan that tells huge pages apart: those before a point of the frontier are
 * broken and opted in, those behind it stay whole, since ksmd is kept off
 * them. Base pages are opted in as ever, where their mapping is worth it.
 *
 * Ranges that are opted in and ranges that are not become mappings of their
 * own, and a process may have only so many (vm.max_map_count): the point is
 * drawn nearer until they fit.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/search.h"
#include "base/units.h"
#include "core/huge/frontier.h"
#include "core/judge/plan_private.h"

/* Half of the kernel's default (DEFAULT_MAX_MAP_COUNT, 65530): the process needs room, too. */
#define MOST_MAPPINGS 32768

struct chooser {
	struct planner *p;
	const struct huge *huge;
	bool *chosen;			/* one per region */
	bool frees_zero;
};

/* ---- which regions ---- */

static bool usable(const struct chooser *c, const struct region *r)
{
	const struct area *area = &c->p->sample->areas[r->area];
	return plan_takes(c->p, r->task) && area->class == AREA_CANDIDATE && !(area->flags & AREA_SECRET);
}

/* What base pages alone give, of the domain that is opted in: by its share of all that could be merged. */
static uint64_t base_bytes(const struct chooser *c)
{
	const struct model *m = c->p->model;
	double all = 0;
	for (size_t i = 0; i < m->domains_count; i++)
		all += m->domains[i].frames;
	return c->p->options->cross_domains || all <= 0 ? c->huge->base_saved_bytes
							: c->huge->base_saved_bytes * (c->p->domain->frames / all);
}

static void choose(struct chooser *c, size_t point)
{
	const struct huge *h = c->huge;
	struct plan *plan = c->p->plan;

	plan->regions_broken = 0;
	plan->slowdown = h->frontier[point].slowdown;
	plan->predicted_bytes = base_bytes(c);
	for (size_t i = 0; i < h->count; i++)
		c->chosen[i] = false;
	for (size_t i = 0; i < point; i++) {
		if (!usable(c, &h->regions[h->order[i]]))
			continue;
		c->chosen[h->order[i]] = true;
		plan->regions_broken++;
		plan->predicted_bytes += h->frontier[i + 1].saved_bytes - h->frontier[i].saved_bytes;
	}
	plan->regions_kept = h->count - plan->regions_broken;
}

/* Mappings that one process would have at most: each run of chosen or other regions may become one. */
static bool fits(const struct chooser *c)
{
	const struct huge *h = c->huge;
	size_t mappings = 0;
	for (size_t i = 0; i < h->count; i++) {
		bool new_task = !i || h->regions[i].task != h->regions[i - 1].task;
		if (new_task)
			mappings = c->p->sample->tasks[h->regions[i].task].areas;
		mappings += new_task || c->chosen[i] != c->chosen[i - 1] ||
			    h->regions[i].address != h->regions[i - 1].address + h->region_bytes;
		if (mappings > MOST_MAPPINGS)
			return false;
	}
	return true;
}

static size_t point_of(const struct planner *p, const struct huge *h)
{
	if (p->options->huge_pages == HUGE_PAGES_WITHIN)
		return frontier_within(h, p->options->max_slowdown);
	if (p->options->huge_pages == HUGE_PAGES_KNEE)
		return h->knee_kind == KNEE_NONE ? 0 : h->knee;
	return p->options->huge_pages == HUGE_PAGES_ALL ? h->worth : 0;
}

/* ---- what is done to them ---- */

/* A run of adjoining regions of one mapping that are all chosen, or all not. */
struct run {
	size_t first, end;		/* indices of regions */
	uint64_t start, stop;
	uint64_t duplicates, zero, pages;
	bool chosen, any_alone;		/* one of them is mapped by this process alone */
};

static struct run run_at(const struct chooser *c, size_t first)
{
	const struct region *r = c->huge->regions;
	struct run run = { .first = first, .end = first, .start = r[first].address, .chosen = c->chosen[first] };
	do {
		run.duplicates += r[run.end].duplicates;
		run.zero += r[run.end].zero;
		run.pages += r[run.end].pages;
		run.any_alone |= !r[run.end].shared;
		run.stop = r[run.end].address + c->huge->region_bytes;
		run.end++;
	} while (run.end < c->huge->count && r[run.end].area == r[first].area && c->chosen[run.end] == run.chosen &&
		 r[run.end].address == run.stop);
	return run;
}

static struct change change_of(const struct chooser *c, const struct area *area, enum change_kind kind, uint64_t start,
			       uint64_t stop)
{
	const struct task *t = &c->p->sample->tasks[area->task];
	return (struct change){ .kind = kind, .pid = t->pid, .start_ticks = t->start_ticks, .start = start, .end = stop };
}

static void break_runs(struct chooser *c)
{
	struct run run;
	for (size_t i = 0; i < c->huge->count; i = run.end) {
		const struct area *area = &c->p->sample->areas[c->huge->regions[i].area];
		run = run_at(c, i);
		if (run.chosen && run.any_alone)
			plan_add(c->p, change_of(c, area, CHANGE_BREAK, run.start, run.stop), "%zu hide %" PRIu64
				 " duplicates and %" PRIu64 " zero pages", run.end - run.first, run.duplicates, run.zero);
	}
}

static void opt_out_runs(struct chooser *c)
{
	struct run run;
	for (size_t i = 0; i < c->huge->count; i = run.end) {
		const struct region *r = &c->huge->regions[i];
		const struct area *area = &c->p->sample->areas[r->area];
		run = run_at(c, i);
		if (!run.chosen && (area->flags & AREA_MERGEABLE) && plan_takes(c->p, r->task))
			plan_add(c->p, change_of(c, area, CHANGE_OPT_OUT, run.start, run.stop), "keeps %zu huge page%s "
				 "whole", run.end - run.first, run.end - run.first == 1 ? "" : "s");
	}
}

/* What of a mapping ksmd is to look at: base pages if it is worth it, and chosen regions if they hide duplicates. */
struct opting {
	struct chooser *c;
	const struct area *area;
	uint64_t at;			/* opted in up to here */
	uint64_t pending;		/* start of the range that is being put together; 0: none */
	bool base;
};

static void close_range(struct opting *o, uint64_t stop)
{
	if (o->pending && stop > o->pending)
		plan_add(o->c->p, change_of(o->c, o->area, CHANGE_MADVISE, o->pending, stop), "%s",
			 o->base ? "base pages that are worth it, and broken huge pages" : "broken huge pages");
	o->pending = 0;
}

static void take_run(struct opting *o, const struct run *run)
{
	bool wanted = run->chosen && (run->duplicates || (run->zero && !o->c->frees_zero));
	if (o->base && run->start > o->at && !o->pending)
		o->pending = o->at;
	else if (!o->base && run->start > o->at)
		close_range(o, o->at);
	if (wanted && !o->pending)
		o->pending = run->start;
	else if (!wanted)
		close_range(o, run->start);
	o->at = run->stop;
	if (wanted)
		o->c->p->plan->tracked_pages += run->pages;
}

static size_t first_region(const struct huge *h, size_t area)
{
	return partition_point(h->count, i, h->regions[i].area < area);
}

static void opt_in_area(struct chooser *c, size_t a)
{
	struct planner *p = c->p;
	struct opting o = { .c = c, .area = &p->sample->areas[a], .base = p->model->worthwhile[a] };
	uint64_t in_regions = 0, candidate = p->model->mappings[a].candidate;
	struct run run;

	o.at = o.area->start;
	for (size_t i = first_region(c->huge, a); i < c->huge->count && c->huge->regions[i].area == a; i = run.end) {
		run = run_at(c, i);
		in_regions += run.pages;
		take_run(&o, &run);
	}
	if (o.base && o.at < o.area->end && !o.pending)
		o.pending = o.at;
	close_range(&o, o.base ? o.area->end : o.at);
	if (o.base)
		p->plan->tracked_pages += candidate > in_regions ? candidate - in_regions : 0;
}

static void opt_in_areas(struct chooser *c)
{
	const struct sample *s = c->p->sample;
	for (size_t a = 0; a < s->areas_count; a++)
		if (s->areas[a].class == AREA_CANDIDATE && !(s->areas[a].flags & (AREA_MERGEABLE | AREA_SECRET)) &&
		    plan_takes(c->p, s->areas[a].task))
			opt_in_area(c, a);
}

void plan_huge(struct planner *p)
{
	const struct huge *h = p->model->huge;
	struct chooser c = { .p = p, .huge = h, .frees_zero = p->options->split_frees_zero };
	size_t point = point_of(p, h);

	c.chosen = calloc(h->count + 1, sizeof(*c.chosen));
	if (!c.chosen) {
		p->failed = true;
		return;
	}
	choose(&c, point);
	while (point && !fits(&c))
		choose(&c, point /= 2);
	opt_out_runs(&c);
	break_runs(&c);
	opt_in_areas(&c);
	free(c.chosen);
}
