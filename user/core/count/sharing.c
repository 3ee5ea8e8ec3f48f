// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/count/sharing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/sort.h"

/* Pairs by owner bits: pair[i][j] for i < j. */
struct pairs {
	int64_t count[SHARING_OWNERS][SHARING_OWNERS];
};

struct sharing_pass {
	const struct tally *tally;
	uint32_t bit;			/* of the owner that is being visited */
	uint64_t *multi;		/* content << 32 | frame of frames mapped more than once, not merged, not zero */
	size_t multi_count;
};

static void add_pairs(struct pairs *pairs, uint32_t mask, int64_t weight)
{
	for (uint32_t rest = mask; rest; rest &= rest - 1) {
		int i = __builtin_ctz(rest);
		for (uint32_t others = rest & (rest - 1); others; others &= others - 1)
			pairs->count[i][__builtin_ctz(others)] += weight;
	}
}

size_t sharing_largest(uint32_t ret[SHARING_CHOSEN], const struct owner_counts *counts, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		size_t at = n;
		while (at > 0 && counts[ret[at - 1]].candidate < counts[i].candidate)
			at--;
		if (at == SHARING_OWNERS)
			continue;
		if (n < SHARING_OWNERS)
			n++;
		memmove(ret + at + 1, ret + at, (n - 1 - at) * sizeof(*ret));
		ret[at] = i;
	}
	return n;
}

static void clear_lane(const struct sample *s)
{
	for (uint32_t i = 0; i < frame_count(&s->frames); i++)
		lane_set(s, i, 0);
}

static void hold_content(void *context, uint32_t frame, const struct area *area)
{
	struct sharing_pass *pass = context;
	const struct sample *s = pass->tally->sample;
	uint32_t content = content_of(s, frame);
	(void)area;
	lane_set(s, content, lane_get(s, content) | pass->bit);
}

static void hold_frame(void *context, uint32_t frame, const struct area *area)
{
	struct sharing_pass *pass = context;
	const struct sample *s = pass->tally->sample;
	(void)area;
	lane_set(s, frame, lane_get(s, frame) | pass->bit);
}

/* Let each chosen owner set its bit in the lane, by `visit`. */
static void mark_owners(struct sharing_pass *pass, const struct owner_set *set, const uint32_t *chosen, size_t n,
			void (*visit)(void *, uint32_t, const struct area *))
{
	clear_lane(pass->tally->sample);
	for (size_t i = 0; i < n; i++) {
		struct scope scope = { .set = set, .owner = &set->owners[chosen[i]] };
		pass->bit = 1u << i;
		tally_pages(pass->tally->sample, &scope, visit, pass);
	}
}

static void count_contents(const struct tally *t, struct pairs *pairs)
{
	uint32_t last = 0;
	int64_t run = 0;

	/* neighbours often have the same holders: count them in runs */
	for (uint32_t c = 0; c < t->contents; c++) {
		uint32_t mask = c == t->zero ? 0 : lane_get(t->sample, c);
		if (mask != last) {
			add_pairs(pairs, last, run);
			last = mask;
			run = 0;
		}
		run++;
	}
	add_pairs(pairs, last, run);
}

static bool common_by_fork(uint8_t flags)
{
	return (flags & FRAME_MULTI) && !(flags & (FRAME_MERGED | FRAME_ZERO));
}

static int list_multi(struct sharing_pass *pass)
{
	const struct frame_table *t = &pass->tally->sample->frames;
	size_t count = 0;

	for (uint32_t i = 0; i < frame_count(t); i++)
		count += common_by_fork(frame_flags_of(t)[i]);
	pass->multi = malloc((count + 1) * sizeof(*pass->multi));
	if (!pass->multi)
		return -ENOMEM;
	for (uint32_t i = 0; i < frame_count(t); i++)
		if (common_by_fork(frame_flags_of(t)[i]))
			pass->multi[pass->multi_count++] = (uint64_t)content_of(pass->tally->sample, i) << 32 | i;
	sort_u64(pass->multi, pass->multi_count);
	return 0;
}

/* Pairs that hold a content in a common frame, each pair once per content. */
static void uncount_common(struct sharing_pass *pass, struct pairs *pairs)
{
	const struct sample *s = pass->tally->sample;

	for (size_t i = 0, next; i < pass->multi_count; i = next) {
		uint32_t content = pass->multi[i] >> 32, linked[SHARING_OWNERS] = { 0 };
		for (next = i; next < pass->multi_count && pass->multi[next] >> 32 == content; next++)
			for (uint32_t mask = lane_get(s, (uint32_t)pass->multi[next]), rest = mask; rest; rest &= rest - 1)
				linked[__builtin_ctz(rest)] |= mask;
		for (int a = 0; a < SHARING_OWNERS - 1; a++)
			for (uint32_t rest = linked[a] >> (a + 1); rest; rest &= rest - 1)
				pairs->count[a][a + 1 + __builtin_ctz(rest)]--;
	}
}

static int by_frames(const void *a, const void *b)
{
	const struct sharing *x = a, *y = b;
	if (x->frames != y->frames)
		return x->frames > y->frames ? -1 : 1;
	return x->a != y->a ? (x->a < y->a ? -1 : 1) : x->b < y->b ? -1 : x->b > y->b;
}

void sharing_sort(struct sharing *pairs, size_t count)
{
	qsort(pairs, count, sizeof(*pairs), by_frames);
}

static int collect(const struct pairs *pairs, const struct sample *s, const struct owner_set *set,
		   const uint32_t *chosen, size_t n, struct sharing **ret, size_t *ret_count)
{
	*ret = calloc(n * n / 2 + 1, sizeof(**ret));
	*ret_count = 0;
	if (!*ret)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			int64_t both = pairs->count[i][j];
			if (both <= 0)
				continue;
			uint32_t a = set->tasks[set->owners[chosen[i]].first], b = set->tasks[set->owners[chosen[j]].first];
			(*ret)[(*ret_count)++] = (struct sharing){
				.a = a < b ? a : b, .b = a < b ? b : a, .frames = both, .low = both, .high = both,
				.crosses = owner_crosses(s, a, b),
			};
		}
	}
	sharing_sort(*ret, *ret_count);
	return 0;
}

int sharing_count(const struct tally *t, const struct owner_set *set, const struct owner_counts *counts,
		  struct sharing **ret, size_t *ret_count)
{
	uint32_t chosen[SHARING_CHOSEN];
	size_t n = sharing_largest(chosen, counts, set->count);
	struct sharing_pass pass = { .tally = t };
	struct pairs *pairs = calloc(1, sizeof(*pairs));
	int rc = pairs ? 0 : -ENOMEM;

	if (!rc && n > 1) {
		mark_owners(&pass, set, chosen, n, hold_content);
		count_contents(t, pairs);
		rc = list_multi(&pass);
		if (!rc && pass.multi_count) {
			mark_owners(&pass, set, chosen, n, hold_frame);
			uncount_common(&pass, pairs);
		}
	}
	if (!rc)
		rc = collect(pairs, t->sample, set, chosen, n, ret, ret_count);
	free(pass.multi);
	free(pairs);
	return rc;
}
