// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/count/tally.h"

#include <errno.h>
#include <stdlib.h>

#include "core/sort.h"

/* ---- grouping equal hashes ---- */

/* Contents of their own: what changed or could not be read equals nothing. */
static bool stands_alone(uint8_t flags)
{
	return flags & (FRAME_VOLATILE | FRAME_UNREAD);
}

static bool is_grouped(uint8_t flags)
{
	return !stands_alone(flags) && !(flags & FRAME_ZERO);
}

/* Enough top bits that a bucket has some thousand frames and stays in the cache. */
static unsigned int bucket_bits(size_t n)
{
	unsigned int bits = 0;
	while (bits < 16 && n >> bits > 4096)
		bits++;
	return bits;
}

/* Fill `order` with the frames that take part, equal hashes side by side. Returns how many, or -ENOMEM. */
static int64_t order_frames(uint32_t *order, const struct frame_table *t)
{
	const uint64_t *hash = frame_hashes(t);
	const uint8_t *flags = frame_flags_of(t);
	uint32_t n = frame_count(t);
	unsigned int bits = bucket_bits(n), shift = 64 - bits;
	size_t buckets = (size_t)1 << bits;
	uint32_t *start = calloc(buckets + 2, sizeof(*start));

	if (!start)
		return -ENOMEM;
	#define BUCKET(i) (bits ? hash[i] >> shift : 0)
	for (uint32_t i = 0; i < n; i++)
		if (is_grouped(flags[i]))
			start[BUCKET(i) + 2]++;
	for (size_t b = 2; b < buckets + 2; b++)
		start[b] += start[b - 1];
	for (uint32_t i = 0; i < n; i++)
		if (is_grouped(flags[i]))
			order[start[BUCKET(i) + 1]++] = i;
	#undef BUCKET
	for (size_t b = 0; b < buckets; b++)
		sort_by_key(order + start[b], start[b + 1] - start[b], hash);
	int64_t count = start[buckets];
	free(start);
	return count;
}

/*
 * Number the groups in `order`. Group g's copies overwrite order[g]: g never
 * overtakes the reading position, since every group has at least one frame.
 */
static uint32_t number_groups(uint32_t *order, uint32_t count, uint64_t *slot)
{
	uint32_t contents = 0;
	for (uint32_t i = 0; i < count;) {
		uint64_t hash = slot[order[i]];
		uint32_t copies = 0;
		while (i < count && slot[order[i]] == hash) {
			slot[order[i++]] = contents;
			copies++;
		}
		order[contents++] = copies;
	}
	return contents;
}

int tally_group(struct tally *ret, struct sample *s)
{
	uint32_t n = frame_count(&s->frames);
	uint64_t *slot = frame_hashes(&s->frames);
	const uint8_t *flags = frame_flags_of(&s->frames);

	*ret = (struct tally){ .sample = s, .zero = FRAME_NONE };
	ret->copies = malloc(((size_t)n + 1) * sizeof(uint32_t));
	ret->seen = calloc((size_t)n / 64 + 1, sizeof(uint64_t));
	int64_t grouped = ret->copies && ret->seen ? order_frames(ret->copies, &s->frames) : -ENOMEM;
	if (grouped < 0) {
		tally_free(ret);
		return -ENOMEM;
	}
	ret->contents = number_groups(ret->copies, grouped, slot);
	for (uint32_t i = 0; i < n; i++) {
		if (is_grouped(flags[i]))
			continue;
		if (!stands_alone(flags[i])) {
			if (ret->zero == FRAME_NONE) {
				ret->zero = ret->contents++;
				ret->copies[ret->zero] = 0;
			}
			ret->copies[ret->zero]++;
			slot[i] = ret->zero;
			continue;
		}
		slot[i] = ret->contents;
		ret->copies[ret->contents++] = 1;
	}
	return 0;
}

void tally_free(struct tally *t)
{
	free(t->copies);
	free(t->seen);
	*t = (struct tally){ 0 };
}

/* ---- passes over pages ---- */

static void area_pages(const struct sample *s, const struct area *area, bool first_met,
		       void (*visit)(void *, uint32_t, const struct area *), void *context)
{
	const struct extent *e = frame_extents(&s->frames) + area->first_extent;
	for (size_t k = 0; k < area->extents; k++, e++) {
		if (first_met && e->kind != EXTENT_OWN)
			continue;
		uint32_t pages = e->kind == EXTENT_SAME ? 1 : e->pages;
		for (uint32_t i = 0; i < pages; i++)
			visit(context, e->first_frame + i, area);
	}
}

void tally_pages(const struct sample *s, const struct scope *scope,
		 void (*visit)(void *, uint32_t, const struct area *), void *context)
{
	uint32_t count = scope->set ? scope->owner->count : s->tasks_count;
	for (uint32_t i = 0; i < count; i++) {
		const struct task *t = &s->tasks[scope->set ? scope->set->tasks[scope->owner->first + i] : i];
		for (size_t a = t->first_area; a < t->first_area + t->areas; a++)
			if (!scope->areas || scope->areas[a])
				area_pages(s, &s->areas[a], scope->first_met, visit, context);
	}
}

bool tally_mark(const struct tally *t, uint32_t frame)
{
	uint64_t bit = 1ull << (frame % 64), *word = &t->seen[frame / 64];
	if (*word & bit)
		return false;
	*word |= bit;
	return true;
}

static void unmark(void *context, uint32_t frame, const struct area *area)
{
	const struct tally *t = context;
	(void)area;
	t->seen[frame / 64] &= ~(1ull << (frame % 64));
}

void tally_unmark(const struct tally *t, const struct scope *scope)
{
	tally_pages(t->sample, scope, unmark, (void *)t);
}

static void forget_content(void *context, uint32_t frame, const struct area *area)
{
	const struct sample *s = context;
	(void)area;
	lane_set(s, content_of(s, frame), FRAME_NONE);
}

/* The earliest frame of each content stands for it. */
static void earliest_frame(void *context, uint32_t frame, const struct area *area)
{
	const struct sample *s = context;
	uint32_t content = content_of(s, frame);
	(void)area;
	if (frame < lane_get(s, content))
		lane_set(s, content, frame);
}

struct owner_pass {
	const struct tally *tally;
	struct owner_counts *counts;
	bool flag_self;
};

static void count_frame(void *context, uint32_t frame, const struct area *area)
{
	struct owner_pass *pass = context;
	const struct sample *s = pass->tally->sample;
	(void)area;
	if (!tally_mark(pass->tally, frame))
		return;
	pass->counts->candidate++;
	if (lane_get(s, content_of(s, frame)) == frame)
		pass->counts->distinct++;
	else if (pass->flag_self)
		frame_flags_of(&s->frames)[frame] |= FRAME_SELF;
}

void tally_owner(const struct tally *t, const struct scope *scope, bool flag_self, struct owner_counts *ret)
{
	struct sample *s = (struct sample *)t->sample;
	struct owner_pass pass = { t, ret, flag_self };

	ret->candidate = ret->distinct = 0;
	tally_pages(s, scope, forget_content, s);
	tally_pages(s, scope, earliest_frame, s);
	tally_pages(s, scope, count_frame, &pass);
	tally_unmark(t, scope);
	ret->self_duplicates = ret->candidate - ret->distinct;
}

/* ---- who maps a frame ---- */

struct mappers_pass {
	const struct tally *tally;
	uint16_t *mappers;
};

static void count_mapper(void *context, uint32_t frame, const struct area *area)
{
	struct mappers_pass *pass = context;
	(void)area;
	if (tally_mark(pass->tally, frame) && pass->mappers[frame] < UINT16_MAX)
		pass->mappers[frame]++;
}

uint16_t *tally_mappers(const struct tally *t)
{
	struct mappers_pass pass = { t, calloc((size_t)frame_count(&t->sample->frames) + 1, sizeof(uint16_t)) };
	struct owner_set set;

	if (!pass.mappers || owner_set_make(&set, t->sample, OWNER_PROCESS)) {
		free(pass.mappers);
		return NULL;
	}
	for (size_t i = 0; i < set.count; i++) {
		struct scope scope = { .set = &set, .owner = &set.owners[i] };
		tally_pages(t->sample, &scope, count_mapper, &pass);
		tally_unmark(t, &scope);
	}
	owner_set_free(&set);
	return pass.mappers;
}

/* ---- what merging a scope frees ---- */

struct saving_pass {
	const struct tally *tally;
	const struct zero_rule *zero;
	uint32_t cap;
	uint64_t freed;
};

static bool freed_as_zero(const struct saving_pass *pass, uint32_t frame)
{
	uint8_t flags = frame_flags_of(&pass->tally->sample->frames)[frame];
	if (!(flags & FRAME_ZERO) || (flags & (FRAME_VOLATILE | FRAME_MERGED)))
		return false;
	return pass->zero->all || (pass->zero->in_huge && (flags & FRAME_HUGE));
}

static void clear_copies(void *context, uint32_t frame, const struct area *area)
{
	struct saving_pass *pass = context;
	(void)area;
	lane_set(pass->tally->sample, content_of(pass->tally->sample, frame), 0);
}

static void count_copy(void *context, uint32_t frame, const struct area *area)
{
	struct saving_pass *pass = context;
	const struct sample *s = pass->tally->sample;
	(void)area;
	if (!tally_mark(pass->tally, frame))
		return;
	if (freed_as_zero(pass, frame)) {
		pass->freed++;
		return;
	}
	uint32_t content = content_of(s, frame);
	lane_set(s, content, lane_get(s, content) + 1);
}

static void free_copies(void *context, uint32_t frame, const struct area *area)
{
	struct saving_pass *pass = context;
	const struct sample *s = pass->tally->sample;
	uint32_t content = content_of(s, frame), copies = lane_get(s, content);
	(void)area;
	if (!copies)
		return;
	uint32_t kept = pass->cap ? copies / pass->cap + (copies % pass->cap != 0) : 1;
	pass->freed += copies - kept;
	lane_set(s, content, 0);
}

uint64_t tally_saving(const struct tally *t, const struct scope *scope, uint32_t cap, const struct zero_rule *zero)
{
	struct saving_pass pass = { t, zero, cap, 0 };
	tally_pages(t->sample, scope, clear_copies, &pass);
	tally_pages(t->sample, scope, count_copy, &pass);
	tally_unmark(t, scope);
	tally_pages(t->sample, scope, free_copies, &pass);
	return pass.freed;
}
