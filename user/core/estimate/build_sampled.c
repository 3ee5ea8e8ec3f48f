// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/build_sampled.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/count/owner.h"
#include "core/estimate/crossing.h"
#include "core/estimate/estimate.h"
#include "core/estimate/mapped.h"
#include "core/estimate/sampled.h"

void build_count_areas(struct frame_counts *c, const struct sample *s)
{
	uint64_t merged_mappings = 0;

	for (size_t a = 0; a < s->areas_count; a++) {
		const struct area *area = &s->areas[a];
		if (area->class != AREA_CANDIDATE)
			c->not_mergeable[area->class] += area->present_pages;
		c->file_pages += area->file_pages;
		c->zero_page_mappings += area->zero_page_pages;
		merged_mappings += area->merged_pages;
	}
	c->saved_now = merged_mappings > c->merged ? merged_mappings - c->merged : 0;
}

static uint64_t frames_of(double frames)
{
	return frames > 0 ? (uint64_t)llround(frames) : 0;
}

static uint64_t at_most(uint64_t frames, uint64_t most)
{
	return frames < most ? frames : most;
}

/* Outwards, so that rounding never makes an interval narrower. */
static void interval_of(const struct estimate *e, uint64_t *ret_low, uint64_t *ret_high)
{
	*ret_low = e->low > 0 ? (uint64_t)floor(e->low) : 0;
	*ret_high = e->high > 0 ? (uint64_t)ceil(e->high) : 0;
}

struct lasting build_lasting(const struct survival *sums, double seconds)
{
	struct survival_estimate e = survival_estimate(sums, seconds);

	return (struct lasting){ e.known, e.share, e.low, e.high, e.half_life, e.half_life_low, e.half_life_high };
}

/* How long the pages of each process stay, and those of all. */
static void take_lasting(struct model *m, const struct sample *s)
{
	struct survival all = { 0 };

	for (size_t i = 0; i < s->tasks_count; i++) {
		m->processes[i].lasts = build_lasting(&s->sampled->tasks[i].stays, s->settle_seconds);
		survival_join(&all, &s->sampled->tasks[i].stays);
	}
	m->lasts = build_lasting(&all, s->settle_seconds);
}

static void take_processes(struct model *m, const struct sample *s, const struct estimates *e)
{
	for (size_t i = 0; i < s->tasks_count; i++) {
		struct owner_counts *p = &m->processes[i];
		p->candidate = s->sampled->tasks[i].candidate;
		if (i >= e->classes_count)
			continue;
		const struct class_estimate *class = &e->classes[i];
		p->self_duplicates = frames_of(class->of[CLASS_SELF].value);
		interval_of(&class->of[CLASS_SELF], &p->self_low, &p->self_high);
		p->distinct = p->candidate - p->self_duplicates;
		p->attributed_frames = class->of[CLASS_ATTRIBUTED].value;
		p->attributed_low = class->of[CLASS_ATTRIBUTED].low;
		p->attributed_high = class->of[CLASS_ATTRIBUTED].high;
	}
}

/*
 * Parts are estimated each on its own; the smaller part is taken as estimated
 * and the rest as the rest, so that they add up as they do in an exact count.
 */

/* As if there were one trust domain: so the shares of the processes add up to all duplicates. */
static void take_union(struct model *m, const struct sample *s, const struct estimates *e)
{
	struct duplicate_counts *d = &m->duplicates;

	d->exact = e->of[TOTAL_UNION].exact;
	d->frames = frames_of(e->of[TOTAL_UNION].value);
	interval_of(&e->of[TOTAL_UNION], &d->low, &d->high);
	d->distinct = m->frames.candidate - d->frames;
	d->between_processes = at_most(frames_of(e->of[TOTAL_BETWEEN].value), d->frames);
	d->within_processes = d->frames - d->between_processes;
	d->capped = frames_of(e->of[TOTAL_CAPPED].value);
	d->zero = m->frames.zero ? m->frames.zero - 1 : 0;
	m->frames.volatile_known = s->sampled->told;
	m->frames.is_volatile = frames_of(e->of[TOTAL_YOUNG].value);
	interval_of(&e->of[TOTAL_YOUNG], &m->frames.volatile_low, &m->frames.volatile_high);
	take_processes(m, s, e);
}

static int take_each_domain(struct model *m, const struct sample *s, const struct owner_set *set,
			    const struct estimates *e)
{
	m->by_domain = calloc(set->count + 1, sizeof(*m->by_domain));
	m->by_domain_count = m->by_domain ? set->count : 0;
	for (size_t i = 0; i < m->by_domain_count; i++) {
		const struct owner *owner = &set->owners[i];
		const struct estimate *inside = &e->classes[i].of[CLASS_SELF];
		struct domain_counts *domain = &m->by_domain[i];
		domain->first_task = set->tasks[owner->first];
		domain->processes = owner->count;
		for (uint32_t k = 0; k < owner->count; k++)
			domain->candidate += s->sampled->tasks[set->tasks[owner->first + k]].candidate;
		domain->duplicates = frames_of(inside->value);
		interval_of(inside, &domain->low, &domain->high);
	}
	return m->by_domain ? 0 : -ENOMEM;
}

static void take_domains(struct model *m, const struct estimates *e)
{
	struct duplicate_counts *d = &m->duplicates;

	interval_of(&e->of[TOTAL_POLICY], &d->inside_low, &d->inside_high);
	m->crossing_frames = at_most(frames_of(e->of[TOTAL_CROSSING].value), d->frames);
	d->inside_domains = d->frames - m->crossing_frames;
	d->inside_low = at_most(d->inside_low, d->inside_domains);
	d->inside_high = d->inside_high > d->inside_domains ? d->inside_high : d->inside_domains;
}

/* task_of and domain_of: of each owner in the sketch. */
static int estimate_all(struct model *m, const struct sample *s, const struct owner_set *set,
			const uint32_t *task_of, const uint32_t *domain_of, struct sketch_order *order)
{
	struct estimate_options options = { .max_page_sharing = value_or(s->engine.knob[KNOB_MAX_PAGE_SHARING], 0),
					    .settled = s->sampled->told, .class_of = task_of,
					    .classes_count = s->tasks_count };
	struct estimates e;

	if (estimate_ordered(&e, order, &options, NULL))
		return -ENOMEM;
	take_union(m, s, &e);
	m->theta = e.theta;
	estimates_free(&e);
	options.domain_of = options.class_of = domain_of;
	options.classes_count = set->count;
	if (estimate_ordered(&e, order, &options, NULL))
		return -ENOMEM;
	take_domains(m, &e);
	int rc = take_each_domain(m, s, set, &e);
	estimates_free(&e);
	return rc ? rc : crossing_estimate(s, set, order, task_of, &m->domain_sharing, &m->domain_sharing_count);
}

/* Who shares with whom, by process, user and cgroup. */
static int take_pairs(struct model *m, const struct sample *s, struct sketch_order *order, const uint32_t *task_of)
{
	const struct {
		enum owner_kind kind;
		struct sharing **pairs;
		size_t *count;
	} kinds[] = {
		{ OWNER_PROCESS, &m->sharing, &m->sharing_count },
		{ OWNER_UID, &m->uid_sharing, &m->uid_sharing_count },
		{ OWNER_CGROUP, &m->cgroup_sharing, &m->cgroup_sharing_count },
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct owner_set set;
		rc = owner_set_make(&set, s, kinds[i].kind);
		if (rc)
			break;
		rc = crossing_estimate(s, &set, order, task_of, kinds[i].pairs, kinds[i].count);
		owner_set_free(&set);
	}
	return rc;
}

static void count_frames(struct frame_counts *c, const struct sample *s)
{
	const struct sampled *sampled = s->sampled;

	c->candidate = sampled->candidate;
	c->zero = sampled->zero;
	c->zero_in_huge = sampled->zero_in_huge;
	c->merged = sampled->merged;
	c->huge = sampled->huge;
	c->unread = sampled->unread;
	c->multi = sampled->multi;
	build_count_areas(c, s);
}

/* Of block sizes the smallest: larger blocks are compared whole, and a sample has pages here and there. */
static void take_pages(struct model *m, const struct sample *s)
{
	const struct duplicate_counts *d = &m->duplicates;

	m->granularity_levels = 1;
	m->granularity[0] = (struct granularity){ .block_bytes = s->machine.page_bytes, .blocks = m->frames.candidate,
						  .distinct = d->distinct, .low = m->frames.candidate - d->high,
						  .high = m->frames.candidate - d->low };
}

/* Of each owner in the sketch: its task, and its task's trust domain. */
static void name_owners(const struct sample *s, const struct owner_set *domains, uint32_t *task_of, uint32_t *domain_of)
{
	for (size_t i = 0; i < domains->count; i++)
		for (uint32_t k = 0; k < domains->owners[i].count; k++)
			domain_of[domains->tasks[domains->owners[i].first + k]] = i;
	for (size_t i = 0; i < sampled_owners(s->sampled); i++) {
		task_of[i] = sampled_task_of(s->sampled, i);
		domain_of[i] = domain_of[task_of[i]];
	}
}

int build_sampled(struct model *m, const struct sample *s)
{
	size_t owners = sampled_owners(s->sampled);
	uint32_t *task_of = calloc(2 * owners + 1, sizeof(*task_of)), *domain_of = task_of + owners;
	struct owner_set set = { 0 };
	struct sketch_order order;
	int rc = sketch_order_init(&order, &s->sampled->sketch) && task_of ? owner_set_make(&set, s, OWNER_DOMAIN) : -ENOMEM;

	m->sampled = true;
	count_frames(&m->frames, s);
	if (!rc) {
		name_owners(s, &set, task_of, domain_of);
		rc = estimate_all(m, s, &set, task_of, domain_of, &order);
	}
	if (!rc)
		rc = mapped_estimate(m, s, &order);
	if (!rc)
		rc = take_pairs(m, s, &order, task_of);
	if (!rc) {
		take_pages(m, s);
		take_lasting(m, s);
	}
	owner_set_free(&set);
	sketch_order_free(&order);
	free(task_of);
	return rc;
}
