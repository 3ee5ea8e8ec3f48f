// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/count/granularity.h"

#include <errno.h>

#include "core/sort.h"

/* The block being put together while an area's pages go by. */
struct block_walk {
	const struct sample *sample;
	uint64_t pages_per_block;
	uint64_t expected;	/* page number (address / page size) that continues the block */
	uint64_t filled;	/* pages of the block so far */
	uint64_t key;		/* mixed content numbers so far */
	bool fresh;		/* it has a frame that was not met before */
	struct column keys;	/* uint64_t per complete block */
};

/* Content numbers are exact; 64 bits of them mixed collide once in 10^7 runs at 16 M blocks. */
static uint64_t mix(uint64_t key, uint64_t content)
{
	key = (key ^ content) * 0x9e3779b97f4a7c15ull;
	return key ^ key >> 29;
}

static int add_page(struct block_walk *w, uint64_t page, uint32_t frame, bool own)
{
	if (page % w->pages_per_block == 0) {
		w->filled = 0;
		w->key = 0x2545f4914f6cdd1dull;
		w->fresh = false;
	} else if (page != w->expected || w->filled == 0) {
		w->filled = 0;
		return 0;
	}
	w->expected = page + 1;
	w->filled++;
	w->fresh |= own;
	w->key = mix(w->key, content_of(w->sample, frame));
	if (w->filled < w->pages_per_block || !w->fresh)
		return 0;
	uint64_t *key = column_add(&w->keys);
	if (!key)
		return -ENOMEM;
	*key = w->key;
	return 0;
}

static int walk_area(struct block_walk *w, const struct area *area)
{
	uint64_t first = area->start / w->sample->machine.page_bytes;
	const struct extent *e = frame_extents(&w->sample->frames) + area->first_extent;

	for (size_t k = 0; k < area->extents; k++, e++)
		for (uint32_t i = 0; i < e->pages; i++)
			if (add_page(w, first + e->first_page + i, extent_frame(e, i), e->kind == EXTENT_OWN))
				return -ENOMEM;
	return 0;
}

static int count_level(const struct sample *s, struct granularity *ret)
{
	struct block_walk w = {
		.sample = s,
		.pages_per_block = ret->block_bytes / s->machine.page_bytes,
		.keys.item_bytes = sizeof(uint64_t),
	};
	int rc = 0;

	for (size_t a = 0; a < s->areas_count && !rc; a++) {
		w.filled = 0;
		rc = walk_area(&w, &s->areas[a]);
	}
	uint64_t *keys = w.keys.items;
	sort_u64(keys, w.keys.count);
	ret->blocks = w.keys.count;
	for (size_t i = 0; i < w.keys.count; i++)
		ret->distinct += i == 0 || keys[i] != keys[i - 1];
	ret->low = ret->high = ret->distinct;
	column_free(&w.keys);
	return rc;
}

int granularity_count(const struct tally *t, struct granularity ret[GRANULARITY_LEVELS], size_t *ret_levels)
{
	const struct machine *m = &t->sample->machine;
	uint64_t sizes[GRANULARITY_LEVELS] = { m->page_bytes, 4 * m->page_bytes, 16 * m->page_bytes, m->pmd_bytes,
					       m->pud_bytes };

	ret[0] = (struct granularity){ sizes[0], frame_count(&t->sample->frames), t->contents, t->contents, t->contents };
	*ret_levels = 1;
	for (size_t i = 1; i < GRANULARITY_LEVELS; i++) {
		if (sizes[i] <= ret[*ret_levels - 1].block_bytes)
			continue;	/* no huge pages of that size here */
		struct granularity *level = &ret[(*ret_levels)++];
		*level = (struct granularity){ .block_bytes = sizes[i] };
		int rc = count_level(t->sample, level);
		if (rc)
			return rc;
	}
	return 0;
}
