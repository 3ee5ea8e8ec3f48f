// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy/look.h"

#include <errno.h>
#include <stdlib.h>

#include "core/huge/frontier.h"

struct drawing {
	struct policy_look *look;
	const struct sample *sample;
	const struct model *model;
	double worth;
};

void policy_look_free(struct policy_look *look)
{
	free(look->ranges);
	*look = (struct policy_look){ 0 };
}

static struct policy_range range_of(const struct drawing *d, const struct area *a, uint64_t start, uint64_t end)
{
	const struct task *t = &d->sample->tasks[a->task];
	return (struct policy_range){ .pid = t->pid, .start_ticks = t->start_ticks, .start = start, .end = end,
				      .mergeable = a->flags & AREA_MERGEABLE, .secret = a->flags & AREA_SECRET };
}

static void add(struct drawing *d, const struct policy_range *range)
{
	if (range->pages)
		d->look->ranges[d->look->count++] = *range;
}

/* ---- a huge page ---- */

/* Accesses per second that breaking it may slow down, for what it gives. */
static double tolerated(const struct drawing *d, const struct region *r)
{
	return d->worth * (double)r->benefit_bytes / (double)(1 << 30) / (POLICY_MISS_NS / 1e9);
}

static void add_region(struct drawing *d, const struct area *a, const struct region *r, uint64_t bytes)
{
	struct policy_range range = range_of(d, a, r->address, r->address + bytes);
	double most = tolerated(d, r);

	range.pages = range.huge = r->pages;
	range.duplicates = (uint64_t)r->attributed_frames;
	range.is_volatile = r->is_volatile;
	if (r->heat.known == KNOWN && !r->heat.saturated && r->heat.per_second <= most)
		range.huge_cold = r->pages;
	else if (r->heat.known == KNOWN && r->heat.low > most)
		range.huge_hot = r->pages;
	add(d, &range);
}

/* ---- what lies between huge pages ---- */

/* Of the whole mapping, less its huge pages. */
struct rest {
	double pages, duplicates, is_volatile;
	uint64_t bytes;
};

static void add_gap(struct drawing *d, const struct area *a, const struct rest *rest, uint64_t start, uint64_t end)
{
	struct policy_range range = range_of(d, a, start, end);
	double share = rest->bytes ? (double)(end - start) / (double)rest->bytes : 0;

	if (start >= end)
		return;
	range.pages = (uint64_t)(rest->pages * share);
	range.duplicates = (uint64_t)(rest->duplicates * share);
	range.is_volatile = (uint64_t)(rest->is_volatile * share);
	add(d, &range);
}

static double positive(double number)
{
	return number > 0 ? number : 0;
}

/* Merged pages are frames of somebody else's mapping as often as not: they are found in the area. */
static struct rest rest_of(const struct drawing *d, size_t area, const struct region *regions, size_t count, uint64_t bytes)
{
	const struct area *a = &d->sample->areas[area];
	const struct mapping_counts *c = &d->model->mappings[area];
	double merged = (double)a->merged_pages, pages = (double)c->candidate, duplicates = c->duplicates;
	struct rest rest = { .is_volatile = (double)c->is_volatile, .bytes = a->end - a->start };

	for (size_t i = 0; i < count; i++) {
		pages -= regions[i].pages;
		duplicates -= regions[i].attributed_frames;
		rest.is_volatile -= regions[i].is_volatile;
		rest.bytes -= bytes;
	}
	rest.pages = pages > merged ? pages : merged;
	rest.duplicates = positive(duplicates) > merged ? duplicates : merged;
	rest.is_volatile = positive(rest.is_volatile);
	return rest;
}

static void draw_area(struct drawing *d, size_t area, const struct region *regions, size_t count)
{
	const struct area *a = &d->sample->areas[area];
	uint64_t bytes = d->model->huge ? d->model->huge->region_bytes : 0, at = a->start;
	struct rest rest = rest_of(d, area, regions, count, bytes);

	for (size_t i = 0; i < count; i++) {
		add_gap(d, a, &rest, at, regions[i].address);
		add_region(d, a, &regions[i], bytes);
		at = regions[i].address + bytes;
	}
	add_gap(d, a, &rest, at, a->end);
}

int policy_look_take(struct policy_look *ret, const struct sample *s, const struct model *m, double worth)
{
	size_t regions = m->huge ? m->huge->count : 0, at = 0;
	struct drawing d = { .look = ret, .sample = s, .model = m, .worth = worth };

	*ret = (struct policy_look){ .cpu_seconds = s->cpu_seconds };
	ret->ranges = calloc(s->areas_count + 2 * regions + 1, sizeof(*ret->ranges));
	if (!ret->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < s->areas_count; i++) {
		size_t first = at;
		/* both go by process and address */
		while (at < regions && m->huge->regions[at].area == i)
			at++;
		if (s->areas[i].class == AREA_CANDIDATE && s->tasks[s->areas[i].task].contents == KNOWN)
			draw_area(&d, i, m->huge ? m->huge->regions + first : NULL, at - first);
	}
	return 0;
}
