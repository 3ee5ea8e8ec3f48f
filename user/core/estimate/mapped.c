// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/mapped.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/estimate/estimate.h"
#include "core/estimate/sampled.h"
#include "core/sort.h"

static struct estimate_options options_of(const struct sample *s)
{
	return (struct estimate_options){
		.max_page_sharing = value_or(s->engine.knob[KNOB_MAX_PAGE_SHARING], 0),
		.settled = s->sampled->told, .classes_only = true,
	};
}

static uint64_t down(double frames)
{
	return frames > 0 ? (uint64_t)floor(frames) : 0;
}

static uint64_t up(double frames)
{
	return frames > 0 ? (uint64_t)ceil(frames) : 0;
}

/* ---- mapping by mapping ---- */

/* Candidates of the MAPPED_MAX'th largest mapping: smaller ones go with the rest. */
static int smallest_told(const struct sampled *s, uint64_t *ret)
{
	uint64_t *sizes = calloc(s->areas_count + 1, sizeof(*sizes));

	if (!sizes)
		return -ENOMEM;
	for (size_t i = 0; i < s->areas_count; i++)
		sizes[i] = s->areas[i].candidate;
	sort_u64(sizes, s->areas_count);
	*ret = s->areas_count > MAPPED_MAX ? sizes[s->areas_count - MAPPED_MAX] + 1 : 0;
	free(sizes);
	return 0;
}

/* Classes: each task's rest, and behind them the mappings told. class_of is per owner. */
static uint32_t classify(const struct sampled *s, uint64_t smallest, uint32_t *class_of)
{
	uint32_t classes = s->tasks_count;

	for (size_t i = 0; i < s->tasks_count; i++)
		class_of[i] = i;
	for (size_t i = 0; i < s->areas_count; i++)
		class_of[s->tasks_count + i] = s->areas[i].candidate >= smallest ? classes++ : s->areas[i].task;
	return classes;
}

static struct mapping_counts counts_of(const struct class_estimate *e)
{
	const struct estimate *share = &e->of[CLASS_ATTRIBUTED], *young = &e->of[CLASS_YOUNG];

	return (struct mapping_counts){
		.candidate = e->frames, .duplicates = share->value, .low = share->low, .high = share->high,
		.is_volatile = llround(fmax(young->value, 0)), .volatile_low = down(young->low),
		.volatile_high = up(young->high),
	};
}

static void add_counted(struct mapping_counts *c, uint64_t zero, uint64_t huge)
{
	c->zero += zero;
	c->huge += huge;
}

static void take_classes(struct model *m, const struct sample *s, const uint32_t *class_of, const struct estimates *e)
{
	const struct sampled *sampled = s->sampled;

	for (size_t a = 0; a < s->areas_count; a++)
		m->mappings[a].in_rest = s->areas[a].class == AREA_CANDIDATE;
	for (size_t i = 0; i < sampled->tasks_count; i++) {
		m->rests[i] = counts_of(&e->classes[i]);
		add_counted(&m->rests[i], sampled->tasks[i].zero, sampled->tasks[i].huge);
	}
	for (size_t i = 0; i < sampled->areas_count; i++) {
		const struct sampled_area *area = &sampled->areas[i];
		uint32_t class = class_of[sampled->tasks_count + i];
		if (class < sampled->tasks_count)
			continue;
		m->mappings[area->area] = counts_of(&e->classes[class]);
		add_counted(&m->mappings[area->area], area->zero, area->huge);
		m->rests[area->task].zero -= area->zero;
		m->rests[area->task].huge -= area->huge;
	}
}

int mapped_estimate(struct model *m, const struct sample *s, struct sketch_order *order)
{
	struct estimate_options options = options_of(s);
	uint32_t *class_of = calloc(sampled_owners(s->sampled) + 1, sizeof(*class_of));
	struct estimates e = { 0 };
	uint64_t smallest;
	int rc = class_of ? smallest_told(s->sampled, &smallest) : -ENOMEM;

	m->rests = calloc(s->tasks_count + 1, sizeof(*m->rests));
	if (!rc) {
		options.class_of = class_of;
		options.classes_count = classify(s->sampled, smallest, class_of);
		rc = m->rests && !estimate_ordered(&e, order, &options, NULL) ? 0 : -ENOMEM;
	}
	if (!rc)
		take_classes(m, s, class_of, &e);
	estimates_free(&e);
	free(class_of);
	return rc;
}

/* ---- some of them merged ---- */

/* An owner's class: its trust domain, in one half what is opted in and in the other what is not. */
struct choice {
	const struct sample *sample;
	size_t domains;
	uint32_t *domain_of_task;
	bool *rest_in;			/* per task */
	uint32_t *half_of;		/* per owner: its domain, + `domains` where it is left out */
	uint32_t *left_out;		/* per owner: 0 opted in, 1 not */
	uint64_t *zeros;		/* per domain, opted in */
};

static int choice_make(struct choice *c, const struct sample *s, const struct owner_set *set)
{
	size_t owners = sampled_owners(s->sampled);

	*c = (struct choice){
		.sample = s, .domains = set->count,
		.domain_of_task = calloc(s->tasks_count + 1, sizeof(*c->domain_of_task)),
		.rest_in = calloc(s->tasks_count + 1, sizeof(*c->rest_in)),
		.half_of = calloc(owners + 1, sizeof(*c->half_of)),
		.left_out = calloc(owners + 1, sizeof(*c->left_out)),
		.zeros = calloc(set->count + 1, sizeof(*c->zeros)),
	};
	return c->domain_of_task && c->rest_in && c->half_of && c->left_out && c->zeros ? 0 : -ENOMEM;
}

static void choice_free(struct choice *c)
{
	free(c->domain_of_task);
	free(c->rest_in);
	free(c->half_of);
	free(c->left_out);
	free(c->zeros);
}

static void put(struct choice *c, size_t owner, bool in, uint64_t zero)
{
	uint32_t domain = c->domain_of_task[sampled_task_of(c->sample->sampled, owner)];

	c->left_out[owner] = !in;
	c->half_of[owner] = in ? domain : domain + (uint32_t)c->domains;
	c->zeros[domain] += in ? zero : 0;
}

static void choose(struct choice *c, const struct model *m, const struct owner_set *set)
{
	const struct sampled *sampled = c->sample->sampled;

	for (size_t d = 0; d < set->count; d++)
		for (uint32_t k = 0; k < set->owners[d].count; k++)
			c->domain_of_task[set->tasks[set->owners[d].first + k]] = d;
	for (size_t a = 0; a < c->sample->areas_count; a++)
		if (m->mappings[a].in_rest && m->worthwhile[a])
			c->rest_in[c->sample->areas[a].task] = true;
	for (size_t i = 0; i < sampled->tasks_count; i++)
		put(c, i, c->rest_in[i], m->rests[i].zero);
	for (size_t i = 0; i < sampled->areas_count; i++) {
		const struct sampled_area *area = &sampled->areas[i];
		bool with_rest = m->mappings[area->area].in_rest;
		put(c, sampled->tasks_count + i, with_rest ? c->rest_in[area->task] : m->worthwhile[area->area],
		    with_rest ? 0 : area->zero);	/* those of the rest are in the rest's */
	}
}

/* With use_zero_pages no frame stays of those full of zeros: beyond what merging them with each other frees. */
static uint64_t zeros_beyond(const struct sample *s, uint64_t zeros)
{
	uint64_t most = value_or(s->engine.knob[KNOB_MAX_PAGE_SHARING], 0);

	if (!zeros || value_or(s->engine.knob[KNOB_USE_ZERO_PAGES], 0) != 1)
		return 0;
	return most > 1 ? (zeros + most - 1) / most : 1;
}

static void take_domain(struct domain_counts *d, const struct estimate *e, uint64_t beyond)
{
	d->mergeable = (uint64_t)llround(fmax(e->value, 0)) + beyond;
	d->mergeable_low = down(e->low) + beyond;
	d->mergeable_high = up(e->high) + beyond;
}

static int estimate_choice(struct model *m, const struct choice *c, struct sketch_order *order)
{
	struct estimate_options options = options_of(c->sample);
	struct domain_counts all = { 0 };
	struct estimates e;
	uint64_t beyond = 0;

	options.domain_of = options.class_of = c->half_of;
	options.classes_count = 2 * c->domains;
	if (estimate_ordered(&e, order, &options, NULL))
		return -ENOMEM;
	for (size_t d = 0; d < c->domains && d < m->by_domain_count; d++) {
		uint64_t zeros = zeros_beyond(c->sample, c->zeros[d]);
		take_domain(&m->by_domain[d], &e.classes[d].of[CLASS_CAPPED], zeros);
		beyond += zeros;
	}
	estimates_free(&e);
	options.class_of = c->left_out;
	options.classes_count = 2;
	if (estimate_ordered(&e, order, &options, NULL))
		return -ENOMEM;
	take_domain(&all, &e.classes[0].of[CLASS_CAPPED], beyond);
	m->duplicates.mergeable = all.mergeable;
	m->duplicates.mergeable_low = all.mergeable_low;
	m->duplicates.mergeable_high = all.mergeable_high;
	estimates_free(&e);
	return 0;
}

int mapped_mergeable(struct model *m, const struct sample *s)
{
	struct owner_set set;
	struct choice choice;
	struct sketch_order order;
	int rc = owner_set_make(&set, s, OWNER_DOMAIN);

	if (rc)
		return rc;
	rc = choice_make(&choice, s, &set);
	if (!sketch_order_init(&order, &s->sampled->sketch))
		rc = -ENOMEM;
	if (!rc) {
		choose(&choice, m, &set);
		rc = estimate_choice(m, &choice, &order);
	}
	sketch_order_free(&order);
	choice_free(&choice);
	owner_set_free(&set);
	return rc;
}
