/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a physical frame number to something small: the frame's place in the
 * frame table. Frames come in physical runs, so a slot covers 16 of them.
 */
#ifndef KSMSCOPE_CORE_PFN_INDEX_H
#define KSMSCOPE_CORE_PFN_INDEX_H

#include <stddef.h>
#include <stdint.h>

#define PFN_SLOT_FRAMES 16

struct pfn_slot;

struct pfn_index {
	struct pfn_slot *slots;		/* open addressing, a power of two of them */
	size_t capacity, used;
};

/*
 * The entry of a frame, made as FRAME_NONE (frames.h) where there is none. It
 * is valid until the next call. NULL when memory is out.
 */
uint32_t *pfn_index_entry(struct pfn_index *index, uint64_t pfn);
/* The same without making one: NULL where the frame was never asked for. */
const uint32_t *pfn_index_find(const struct pfn_index *index, uint64_t pfn);
void pfn_index_free(struct pfn_index *index);

#endif
