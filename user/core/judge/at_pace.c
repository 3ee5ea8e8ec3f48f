// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/judge/at_pace.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/judge/standing.h"

/* Duplicates that were equal all the time between two looks stand for at most so many that come and go. */
#define GROWN_MAX 100

static double number(const struct sample *s, enum knob knob)
{
	return fmax((double)value_or(s->engine.knob[knob], 0), 0);
}

static uint64_t pages_of(const struct sample *s, const struct task *task, bool tracked)
{
	uint64_t pages = 0;

	for (size_t i = task->first_area; i < task->first_area + task->areas; i++)
		if (s->areas[i].class == AREA_CANDIDATE && tracked == !!(s->areas[i].flags & AREA_MERGEABLE))
			pages += s->areas[i].present_pages;
	return pages;
}

/* Of its mappings that are opted in; where ksm_stat can be read no more than ksmd has come to. */
static uint64_t tracked_of(const struct sample *s, const struct task *task)
{
	uint64_t pages = pages_of(s, task, true);
	struct value items = task->ksm.rmap_items;

	return is_known(items) && items.number >= 0 && (uint64_t)items.number < pages ? (uint64_t)items.number : pages;
}

uint64_t at_pace_untracked(const struct sample *s)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < s->tasks_count; i++)
		pages += pages_of(s, &s->tasks[i], false) + pages_of(s, &s->tasks[i], true) -
			 tracked_of(s, &s->tasks[i]);
	return pages;
}

static double rate_of(const struct lasting *l, double half_life)
{
	return !l->known || isinf(half_life) ? 0 : half_life > 0 ? M_LN2 / half_life : INFINITY;
}

static double merged_pages(const struct sample *s, const struct task *task)
{
	double pages = 0;

	for (size_t i = task->first_area; i < task->first_area + task->areas; i++)
		pages += (double)s->areas[i].merged_pages;
	return pages;
}

/* All that ksmd goes over, by process; the last one is what it tracks of others, which is taken to change as the targets do. */
static void list_pages(struct ksmd_pages *ret, const struct model *m, const struct sample *s)
{
	double others = number(s, KNOB_PAGES_SHARED) + number(s, KNOB_PAGES_SHARING) +
			number(s, KNOB_PAGES_UNSHARED) + number(s, KNOB_PAGES_VOLATILE);

	for (size_t i = 0; i < s->tasks_count; i++) {
		const struct owner_counts *p = &m->processes[i];
		ret[i] = (struct ksmd_pages){
			.pages = (double)(pages_of(s, &s->tasks[i], true) + pages_of(s, &s->tasks[i], false)),
			.duplicates = fmax(p->attributed_frames, 0) + merged_pages(s, &s->tasks[i]) / 2,
			.rate = rate_of(&p->lasts, p->lasts.half_life),
		};
		others -= (double)tracked_of(s, &s->tasks[i]);
	}
	ret[s->tasks_count] = (struct ksmd_pages){ .pages = fmax(others, 0),
						   .rate = rate_of(&m->lasts, m->lasts.half_life) };
}

/* Sums over processes: of their duplicates, and of what they have merged now, what stays merged. */
struct kept {
	double duplicates, left, low, high;
	double merged, merged_left, merged_low, merged_high;
};

static void add_process(struct kept *k, const struct ksmd_trees *t, const struct owner_counts *p, double merged,
			double settled)
{
	const struct lasting *l = &p->lasts;
	double rate = rate_of(l, l->half_life), share = fmax(p->attributed_frames, 0);
	double grown = share * fmin(exp(fmin(rate, 1e6) * settled), GROWN_MAX);
	double left = ksmd_merged(t, rate), low = ksmd_merged(t, rate_of(l, l->half_life_low));
	double high = ksmd_merged_most(t, rate_of(l, l->half_life_high));

	k->duplicates += share;
	k->left += grown * left;
	k->low += grown * low;
	k->high += grown * high;
	k->merged += merged;
	k->merged_left += merged * left;
	k->merged_low += merged * low;
	k->merged_high += merged * high;
}

static double part(double some, double all)
{
	return all > 0 ? some / all : 1;
}

static void tell(struct model *m, const struct kept *k)
{
	struct duplicate_counts *d = &m->duplicates;
	double saved = (double)m->frames.saved_now;

	d->at_pace = (uint64_t)llround((double)d->mergeable * part(k->left, k->duplicates) +
				       saved * part(k->merged_left, k->merged));
	d->at_pace_low = (uint64_t)floor((double)d->mergeable_low * part(k->low, k->duplicates) +
					 saved * part(k->merged_low, k->merged));
	d->at_pace_high = (uint64_t)ceil((double)d->mergeable_high * part(k->high, k->duplicates) +
					 saved * part(k->merged_high, k->merged));
}

int at_pace_count(struct model *m, const struct sample *s)
{
	struct ksmd_trees trees;
	struct kept kept = { 0 };
	const struct ksmd_pace pace = {
		.scan_seconds = m->eta_seconds / 2,
		.advised = number(s, KNOB_ADVISOR_MODE) == ADVISOR_SCAN_TIME,
		.smart_seconds = number(s, KNOB_SMART_SCAN) > 0 ? AT_PACE_SMART_SECONDS : KSMD_NO_SMART,
	};

	m->duplicates.paced = m->lasts.known && m->eta_seconds >= 0;
	if (!m->duplicates.paced)
		return 0;
	struct ksmd_pages *pages = calloc(s->tasks_count + 1, sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	list_pages(pages, m, s);
	ksmd_trees_make(&trees, pages, s->tasks_count + 1, pace);
	for (size_t i = 0; i < s->tasks_count; i++)
		add_process(&kept, &trees, &m->processes[i], merged_pages(s, &s->tasks[i]), s->settle_seconds);
	free(pages);
	tell(m, &kept);
	return 0;
}
