// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/sketch_order.h"

#include <stdlib.h>

#include "base/search.h"
#include "core/sort.h"

uint32_t sketch_order_class_of(const struct sketch_order *o, uint32_t owner)
{
	uint32_t class = o->class_of ? o->class_of[owner] : owner;
	return class < o->classes_count ? class : o->classes_count;
}

uint32_t sketch_order_domain_of(const struct sketch_order *o, uint32_t owner)
{
	return o->domain_of ? o->domain_of[owner] : 0;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static const struct sketch_slot *slot_at(const struct sketch_order *o, const void *index)
{
	return &o->sketch->slots[(uint32_t)*(const uint64_t *)index];
}

static int by_content(const void *a, const void *b, void *context)
{
	const struct sketch_slot *x = slot_at(context, a), *y = slot_at(context, b);
	int order = compare(x->place, y->place);

	return order ? order : compare(x->hash, y->hash);
}

static int by_class(const void *a, const void *b, void *context)
{
	uint32_t x = slot_at(context, a)->owner, y = slot_at(context, b)->owner;
	int order = compare(sketch_order_domain_of(context, x), sketch_order_domain_of(context, y));

	return order ? order : compare(sketch_order_class_of(context, x), sketch_order_class_of(context, y));
}

/* Stratum and the upper bits of the place, of which none are wasted on those that the threshold leaves at 0. */
static uint64_t key_of(const struct sketch *s, uint32_t slot)
{
	const struct sketch_slot *of = &s->slots[slot];
	uint64_t last = s->last[of->stratum], place = of->place < last ? of->place : last;

	place <<= last ? __builtin_clzll(last) : 0;
	return (uint64_t)of->stratum << 63 | place >> 33 << 32 | slot;
}

bool sketch_order_init(struct sketch_order *ret, const struct sketch *s)
{
	size_t used = (size_t)s->used[SKETCH_LIGHT] + s->used[SKETCH_HEAVY];

	*ret = (struct sketch_order){ .sketch = s, .classes_count = s->owners,
				      .index = calloc(used + 1, sizeof(*ret->index)) };
	if (!ret->index)
		return false;
	for (uint32_t i = 0; i < s->slots_count; i++)
		if (s->slots[i].frames)
			ret->index[ret->count++] = key_of(s, i);
	sort_by_upper_half(ret->index, ret->count, by_content, ret);
	sketch_order_group(ret, NULL, s->owners, NULL);
	return true;
}

void sketch_order_group(struct sketch_order *o, const uint32_t *class_of, uint32_t classes_count,
			const uint32_t *domain_of)
{
	struct content_run run = { 0 };

	o->class_of = class_of;
	o->classes_count = class_of ? classes_count : o->sketch->owners;
	o->domain_of = domain_of;
	while (sketch_order_next(o, &run))
		if (run.end > run.begin + 1)
			qsort_r(o->index + run.begin, run.end - run.begin, sizeof(*o->index), by_class, o);
}

void sketch_order_free(struct sketch_order *o)
{
	free(o->index);
	*o = (struct sketch_order){ 0 };
}

static bool same_group(const struct sketch_slot *a, const struct sketch_slot *b)
{
	return a->place == b->place && a->stratum == b->stratum;
}

/* Groups are numbered on, and no group of one stratum has the number of one in another. */
struct content_run sketch_order_before(const struct sketch_order *o, enum sketch_stratum stratum)
{
	uint32_t at = (uint32_t)partition_point(o->count, i, sketch_order_slot(o, (uint32_t)i)->stratum < stratum);

	return (struct content_run){ .end = at, .group = at };
}

/* In this order slots lie anywhere in the table: they are called up so many before their turn. */
#define AHEAD 16

bool sketch_order_next(const struct sketch_order *o, struct content_run *run)
{
	uint32_t begin = run->end;

	if (begin == o->count)
		return false;
	if (begin + AHEAD < o->count)
		__builtin_prefetch(sketch_order_slot(o, begin + AHEAD));
	const struct sketch_slot *first = sketch_order_slot(o, begin);
	if (begin == 0 || !same_group(first, sketch_order_slot(o, begin - 1)))
		run->group++;
	run->begin = begin;
	for (run->end = begin + 1; run->end < o->count; run->end++) {
		const struct sketch_slot *slot = sketch_order_slot(o, run->end);
		if (slot->hash != first->hash || !same_group(slot, first))
			break;
	}
	return true;
}
