// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/huge/ledger.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* In the tally's lane, by content: copies in base pages and copies in regions. */
#define COPIES_MAX UINT16_MAX

struct copies {
	uint32_t base, huge;
};

struct ledger {
	const struct sample *sample;
	uint32_t cap;			/* max_page_sharing; 0: none */
	bool zero_freed;		/* use_zero_pages: frames full of zeros are freed, all of them */
	bool zero_split;		/* those of a region are freed when it is broken */
	double freed;			/* by merging base pages, of the contents gone through */
};

static struct copies copies_of(const struct sample *s, uint32_t content)
{
	uint32_t lane = lane_get(s, content);
	return (struct copies){ lane & COPIES_MAX, lane >> 16 };
}

static void set_copies(const struct sample *s, uint32_t content, struct copies c)
{
	lane_set(s, content, (c.huge < COPIES_MAX ? c.huge : COPIES_MAX) << 16 |
			     (c.base < COPIES_MAX ? c.base : COPIES_MAX));
}

/* Frames freed of n copies of a content. */
static uint32_t freed_of(const struct ledger *l, uint32_t n)
{
	return l->cap ? n - n / l->cap - (n % l->cap != 0) : n ? n - 1 : 0;
}

static bool stable_zero(uint8_t flags)
{
	return (flags & FRAME_ZERO) && !(flags & (FRAME_VOLATILE | FRAME_UNREAD));
}

static uint8_t flags_of(const struct ledger *l, uint32_t frame)
{
	return frame_flags_of(&l->sample->frames)[frame];
}

static void clear_copies(void *context, uint32_t frame, const struct area *area)
{
	const struct ledger *l = context;
	(void)area;
	lane_set(l->sample, content_of(l->sample, frame), 0);
}

static void count_copy(void *context, uint32_t frame, const struct area *area)
{
	const struct ledger *l = context;
	uint32_t content = content_of(l->sample, frame);
	struct copies c = copies_of(l->sample, content);
	(void)area;
	if (flags_of(l, frame) & FRAME_REGION)
		c.huge++;
	else
		c.base++;
	set_copies(l->sample, content, c);
}

static void count_base_copy(void *context, uint32_t frame, const struct area *area)
{
	const struct ledger *l = context;
	if (!(flags_of(l, frame) & FRAME_REGION))
		count_copy(context, frame, area);
}

/* Each base copy carries its share of what base pages alone give. */
static void free_base_copy(void *context, uint32_t frame, const struct area *area)
{
	struct ledger *l = context;
	struct copies c = copies_of(l->sample, content_of(l->sample, frame));
	(void)area;
	if (flags_of(l, frame) & FRAME_REGION)
		return;
	l->freed += l->zero_freed && stable_zero(flags_of(l, frame)) ? 1 : (double)freed_of(l, c.base) / c.base;
}

static void count_page(const struct ledger *l, struct region *r, uint32_t frame)
{
	uint8_t flags = flags_of(l, frame);
	struct copies c = copies_of(l->sample, content_of(l->sample, frame));
	uint32_t *row = flags & FRAME_UNREAD ? &r->unread : flags & FRAME_VOLATILE ? &r->is_volatile :
			flags & FRAME_ZERO ? &r->zero : c.base + c.huge > 1 ? &r->duplicates : &r->unique;

	(*row)++;
	r->shared |= !!(flags & FRAME_MULTI);
	if (stable_zero(flags) && (l->zero_freed || l->zero_split))
		r->attributed_frames += 1;
	else if (c.huge)
		r->attributed_frames += (double)(freed_of(l, c.base + c.huge) - freed_of(l, c.base)) / c.huge;
}

static void count_region(const struct ledger *l, struct region *r)
{
	for (uint32_t i = 0; i < r->pages; i++)
		count_page(l, r, r->first_frame + i);
	r->benefit_bytes = (uint64_t)llround(r->attributed_frames * l->sample->machine.page_bytes);
}

/* Break a region: its copies are base pages from now on. What that frees. */
static double break_region(const struct ledger *l, const struct region *r)
{
	const struct sample *s = l->sample;
	double freed = 0;

	for (uint32_t frame = r->first_frame; frame < r->first_frame + r->pages; frame++) {
		struct copies c = copies_of(s, content_of(s, frame));
		if (stable_zero(flags_of(l, frame)) && (l->zero_freed || l->zero_split)) {
			freed++;
			continue;
		}
		freed += freed_of(l, c.base + 1) - freed_of(l, c.base);
		c.base++;
		set_copies(s, content_of(s, frame), c);
	}
	return freed;
}

static struct ledger ledger_of(const struct sample *s)
{
	return (struct ledger){
		.sample = s,
		.cap = value_or(s->engine.knob[KNOB_MAX_PAGE_SHARING], 0),
		.zero_freed = value_or(s->engine.knob[KNOB_USE_ZERO_PAGES], 0) == 1,
		.zero_split = value_or(s->machine.split_frees_zero, 0) == 1,
	};
}

/* The domain of each task, as an index into the set. NULL when memory is out. */
static uint32_t *domain_of_tasks(const struct owner_set *set, size_t tasks)
{
	uint32_t *ret = calloc(tasks + 1, sizeof(*ret));
	for (size_t i = 0; ret && i < set->count; i++)
		for (uint32_t k = 0; k < set->owners[i].count; k++)
			ret[set->tasks[set->owners[i].first + k]] = i;
	return ret;
}

/* What is done with the regions of one domain, once its copies are in the lane. */
struct pass {
	void (*count)(void *context, uint32_t frame, const struct area *area);
	void (*region)(struct ledger *ledger, struct region *regions, uint32_t i, size_t place, double *ret_frames);
	const uint32_t *order;		/* NULL: as they stand */
	double *ret_frames;
};

static int each_domain(struct ledger *l, struct region *regions, size_t count, const struct pass *pass)
{
	const struct sample *s = l->sample;
	struct owner_set set;

	if (owner_set_make(&set, s, OWNER_DOMAIN))
		return -ENOMEM;
	uint32_t *domain = domain_of_tasks(&set, s->tasks_count);
	for (size_t d = 0; domain && d < set.count; d++) {
		struct scope scope = { .set = &set, .owner = &set.owners[d], .first_met = true };
		tally_pages(s, &scope, clear_copies, l);
		tally_pages(s, &scope, pass->count, l);
		if (!pass->order)
			tally_pages(s, &scope, free_base_copy, l);
		for (size_t i = 0; i < count; i++) {
			uint32_t r = pass->order ? pass->order[i] : i;
			if (domain[regions[r].task] == d)
				pass->region(l, regions, r, i, pass->ret_frames);
		}
	}
	owner_set_free(&set);
	free(domain);
	return domain ? 0 : -ENOMEM;
}

static void fill_region(struct ledger *l, struct region *regions, uint32_t i, size_t place, double *ret_frames)
{
	(void)place;
	(void)ret_frames;
	count_region(l, &regions[i]);
}

static void add_region(struct ledger *l, struct region *regions, uint32_t i, size_t place, double *ret_frames)
{
	ret_frames[place] = break_region(l, &regions[i]);
}

int ledger_count(const struct sample *s, struct region *regions, size_t count, uint64_t *ret_base_frames)
{
	struct ledger l = ledger_of(s);
	const struct pass pass = { .count = count_copy, .region = fill_region };
	int rc = each_domain(&l, regions, count, &pass);

	*ret_base_frames = (uint64_t)llround(l.freed);
	return rc;
}

int ledger_marginal(const struct sample *s, const struct region *regions, const uint32_t *order, size_t count,
		    double *ret_frames)
{
	struct ledger l = ledger_of(s);
	const struct pass pass = { .count = count_base_copy, .region = add_region, .order = order,
				   .ret_frames = ret_frames };

	return each_domain(&l, (struct region *)regions, count, &pass);
}
