// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/judge/plan_private.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "core/count/owner.h"
#include "core/huge/calibration.h"

#define NAP_MILLISECS 20

const char *change_kind_name(enum change_kind kind)
{
	static const char *const names[] = { "knob", "madvise", "prctl", "release", "break", "rebuild", "opt-out", "damon" };
	return names[kind];
}

void plan_add(struct planner *p, struct change change, const char *fmt, ...)
{
	struct plan *plan = p->plan;
	if (plan->count == p->room) {
		p->room = p->room ? p->room * 2 : 16;
		struct change *more = realloc(plan->changes, p->room * sizeof(*more));
		if (!more) {
			p->failed = true;
			p->room = plan->count;
			return;
		}
		plan->changes = more;
	}
	va_list args;
	va_start(args, fmt);
	vsnprintf(change.reason, sizeof(change.reason), fmt, args);
	va_end(args);
	plan->changes[plan->count++] = change;
}

/* ---- whom ---- */

static const struct saving *largest_domain(const struct model *m)
{
	const struct saving *best = NULL;
	for (size_t i = 0; i < m->domains_count; i++)
		if (m->domains[i].frames && (!best || m->domains[i].frames > best->frames))
			best = &m->domains[i];
	return best;
}

bool plan_takes(const struct planner *p, uint32_t task)
{
	return p->options->cross_domains || owner_key(p->sample, task, OWNER_DOMAIN) == p->domain->key;
}

static void opt_in_mappings(struct planner *p, const struct task *t)
{
	const struct sample *s = p->sample;
	for (size_t a = t->first_area; a < t->first_area + t->areas; a++) {
		const struct area *area = &s->areas[a];
		if (!p->model->worthwhile[a] || (area->flags & AREA_MERGEABLE))
			continue;
		struct change c = { .kind = CHANGE_MADVISE, .pid = t->pid, .start_ticks = t->start_ticks,
				    .start = area->start, .end = area->end };
		plan_add(p, c, "%.0f of its %" PRIu64 " frames are duplicates", p->model->mappings[a].duplicates,
		    p->model->mappings[a].candidate);
	}
}

static void opt_in_process(struct planner *p, const struct task *t, const struct owner_counts *counts)
{
	struct change c = { .kind = CHANGE_PRCTL, .pid = t->pid, .start_ticks = t->start_ticks };
	if (value_or(t->ksm.merge_any, 0) != 1)
		plan_add(p, c, "%.0f of its %" PRIu64 " frames are duplicates", counts->attributed_frames, counts->candidate);
}

static bool has_worthwhile(const struct planner *p, const struct task *t)
{
	for (size_t a = t->first_area; a < t->first_area + t->areas; a++)
		if (p->model->worthwhile[a])
			return true;
	return false;
}

static void opt_in(struct planner *p)
{
	const struct sample *s = p->sample;
	for (size_t i = 0; i < s->tasks_count; i++) {
		const struct task *t = &s->tasks[i];
		if (!plan_takes(p, i) || !has_worthwhile(p, t))
			continue;
		if (p->options->opt_in == OPT_IN_PROCESS)
			opt_in_process(p, t, &p->model->processes[i]);
		else
			opt_in_mappings(p, t);
		for (size_t a = t->first_area; a < t->first_area + t->areas; a++)
			if (p->options->opt_in == OPT_IN_PROCESS || p->model->worthwhile[a])
				p->plan->tracked_pages += p->model->mappings[a].candidate;
	}
}

/* ---- how fast ---- */

/*
 * ksmd's work on a page in the scan in which pages merge, fitted to
 * measurements from 16,384 to 262,144 pages in pairs (docs/anatomy.md); a
 * calibration of the machine itself takes its place.
 */
static double merge_seconds(const struct calibration *c, uint64_t tracked)
{
	struct measured measured = calibration_merge(c, tracked);
	if (measured.known == KNOWN && measured.median > 0)
		return measured.median * 1e-9;
	double walk = tracked ? 0.85e-6 * (log2(tracked) - 6.6) : 0;
	return walk > 3.6e-6 ? walk : 3.6e-6;
}

/* Pages per batch so that merging them takes the given share of a CPU, with naps of NAP_MILLISECS between. */
static int64_t batch_pages(const struct calibration *c, double cpu, uint64_t tracked)
{
	double work = NAP_MILLISECS / 1000.0 * cpu / (1 - cpu);
	int64_t pages = work / merge_seconds(c, tracked);
	return pages < 100 ? 100 : pages;
}

static void set_knob(struct planner *p, enum knob knob, int64_t number, const char *reason)
{
	struct value before = p->sample->engine.knob[knob];
	if (!is_known(before) || before.number == number)
		return;		/* a kernel without it has nothing to set */
	plan_add(p, (struct change){ .kind = CHANGE_KNOB, .knob = knob, .before = before.number, .after = number }, "%s",
	    reason);
}

static void run_engine(struct planner *p)
{
	char pace[96];
	snprintf(pace, sizeof(pace), "a pace that takes at most %.0f %% of a CPU while pages merge",
		 100 * p->options->ksmd_cpu);
	set_knob(p, KNOB_ADVISOR_MODE, ADVISOR_NONE, "with the advisor on, pages_to_scan can't be set");
	set_knob(p, KNOB_PAGES_TO_SCAN, batch_pages(p->sample->calibration, p->options->ksmd_cpu, p->plan->tracked_pages), pace);
	set_knob(p, KNOB_SLEEP_MILLISECS, NAP_MILLISECS, pace);
	set_knob(p, KNOB_SMART_SCAN, 0, "so that no page is skipped until it has converged");
	set_knob(p, KNOB_RUN, 1, "the engine has to run to merge");
}

/* Where every huge page is kept and there is nothing else, there may be nothing for ksmd to do. */
static bool has_work(const struct planner *p)
{
	for (size_t i = 0; i < p->plan->count; i++)
		if (change_lever(p->plan->changes[i].kind) == LEVER_OPT_IN)
			return true;
	for (size_t a = 0; a < p->sample->areas_count; a++)
		if (p->model->worthwhile[a] && (p->sample->areas[a].flags & AREA_MERGEABLE))
			return true;
	return p->options->huge_pages == HUGE_PAGES_ANY;
}

int plan_make(struct plan *ret, const struct sample *s, const struct model *m, const struct plan_options *o)
{
	const struct saving *domain = largest_domain(m);
	struct planner p = { .plan = ret, .sample = s, .model = m, .options = o, .domain = domain };

	memset(ret, 0, sizeof(*ret));
	ret->merges = o->huge_pages == HUGE_PAGES_ANY;
	if (!domain)
		return 0;
	const struct saving *what = o->cross_domains ? &m->together : domain;
	ret->predicted_bytes = (o->split_frees_zero ? what->frames_split : what->frames) * s->machine.page_bytes;
	if (o->cross_domains)
		ret->crossing_frames = m->together.frames - m->duplicates.mergeable;
	else
		for (size_t i = 0; i < m->domains_count; i++)
			ret->domains_left_out += &m->domains[i] != domain && m->domains[i].frames;
	ret->slowdown = NAN;
	if (o->huge_pages != HUGE_PAGES_ANY && m->huge)
		plan_huge(&p);
	else
		opt_in(&p);
	ret->merges = has_work(&p);
	if (ret->merges)
		run_engine(&p);
	if (p.failed) {
		plan_free(ret);
		return -ENOMEM;
	}
	return 0;
}

#define MEASURING_PAGES 2000
#define MEASURING_NAP 1

int plan_measuring(struct plan *ret, const struct engine *engine)
{
	static const char why[] = "so that ksmd's work can be measured";
	const struct sample s = { .engine = *engine };
	struct planner p = { .plan = ret, .sample = &s };

	memset(ret, 0, sizeof(*ret));
	set_knob(&p, KNOB_ADVISOR_MODE, ADVISOR_NONE, "with the advisor on, pages_to_scan can't be set");
	set_knob(&p, KNOB_PAGES_TO_SCAN, MEASURING_PAGES, why);
	set_knob(&p, KNOB_SLEEP_MILLISECS, MEASURING_NAP, why);
	set_knob(&p, KNOB_SMART_SCAN, 0, "so that no page is skipped");
	set_knob(&p, KNOB_RUN, 1, why);
	if (p.failed) {
		plan_free(ret);
		return -ENOMEM;
	}
	return 0;
}

size_t plan_step_end(const struct plan *plan, size_t first)
{
	const struct change *one = &plan->changes[first];
	size_t end = first + 1;

	if (one->kind == CHANGE_KNOB || one->kind == CHANGE_RELEASE)
		return end;
	while (end < plan->count && change_lever(plan->changes[end].kind) == change_lever(one->kind) &&
	       (one->kind == CHANGE_DAMON || (plan->changes[end].pid == one->pid &&
					      plan->changes[end].start_ticks == one->start_ticks)))
		end++;
	return end;
}

void plan_free(struct plan *plan)
{
	free(plan->changes);
	*plan = (struct plan){ 0 };
}
