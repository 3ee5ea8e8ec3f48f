// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/pfn_index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/frames.h"

struct pfn_slot {
	uint64_t tag;		/* pfn / PFN_SLOT_FRAMES + 1; 0: free */
	uint32_t entry[PFN_SLOT_FRAMES];
};

static struct pfn_slot *find(struct pfn_slot *slots, size_t capacity, uint64_t tag)
{
	uint64_t at = tag * 0x9e3779b97f4a7c15ull;
	for (at ^= at >> 32;; at++) {
		struct pfn_slot *slot = &slots[at & (capacity - 1)];
		if (slot->tag == tag || !slot->tag)
			return slot;
	}
}

static bool grow(struct pfn_index *index)
{
	size_t capacity = index->capacity ? index->capacity * 2 : 1024;
	struct pfn_slot *slots = calloc(capacity, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < index->capacity; i++)
		if (index->slots[i].tag)
			*find(slots, capacity, index->slots[i].tag) = index->slots[i];
	free(index->slots);
	index->slots = slots;
	index->capacity = capacity;
	return true;
}

uint32_t *pfn_index_entry(struct pfn_index *index, uint64_t pfn)
{
	if (index->used * 4 >= index->capacity * 3 && !grow(index))
		return NULL;
	uint64_t tag = pfn / PFN_SLOT_FRAMES + 1;
	struct pfn_slot *slot = find(index->slots, index->capacity, tag);
	if (!slot->tag) {
		slot->tag = tag;
		memset(slot->entry, 0xff, sizeof(slot->entry));
		index->used++;
	}
	return &slot->entry[pfn % PFN_SLOT_FRAMES];
}

const uint32_t *pfn_index_find(const struct pfn_index *index, uint64_t pfn)
{
	if (!index->used)
		return NULL;
	const struct pfn_slot *slot = find(index->slots, index->capacity, pfn / PFN_SLOT_FRAMES + 1);
	return slot->tag ? &slot->entry[pfn % PFN_SLOT_FRAMES] : NULL;
}

void pfn_index_free(struct pfn_index *index)
{
	free(index->slots);
	*index = (struct pfn_index){ 0 };
}
