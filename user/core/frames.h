/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frames of a sample: which physical frames the targets hold, what is in
 * them (as keyed hashes), and where they are mapped.
 *
 * One entry per physical frame, however many mappings it has. An extent says
 * which frames a run of virtual pages maps; the first extent that meets a
 * frame owns it, later ones are aliases. 9 bytes per frame and 12 per extent,
 * so that with the tally's own a look stays within 16 bytes per frame
 * (docs/model.md, "Memory").
 *
 * Assumes at most 2^32 - 2 frames (16 TiB of 4 KiB pages) in one look.
 */
#ifndef KSMSCOPE_CORE_FRAMES_H
#define KSMSCOPE_CORE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_NONE UINT32_MAX

enum frame_flags {
	FRAME_ZERO = 1 << 0,		/* all bytes are zero */
	FRAME_HUGE = 1 << 1,		/* part of a transparent huge page that is mapped whole */
	FRAME_MERGED = 1 << 2,		/* a KSM frame */
	FRAME_VOLATILE = 1 << 3,	/* changed, or went, between the two looks */
	FRAME_UNREAD = 1 << 4,		/* contents could not be read: counts as unique */
	FRAME_MULTI = 1 << 5,		/* met again through a second mapping */
	FRAME_SELF = 1 << 6,		/* a process that maps it maps an equal, earlier frame too (tally) */
	FRAME_REGION = 1 << 7,		/* of a huge page all of whose frames follow each other, met through one mapping */
};

enum extent_kind {
	EXTENT_OWN,		/* pages first_page+i map frame first_frame+i, met here first */
	EXTENT_ALIAS,		/* the same, but the frames were met before */
	EXTENT_SAME,		/* all pages map the one frame first_frame, met before */
};

struct extent {
	uint32_t first_page;	/* within its area, in base pages */
	uint32_t pages : 30;
	uint32_t kind : 2;
	uint32_t first_frame;
};

/*
 * A growable array in an anonymous mapping of its own. Growing moves page
 * tables, not bytes, so there is never a second copy in memory, and untouched
 * capacity costs nothing.
 */
struct column {
	void *items;
	size_t count;
	size_t capacity;
	size_t item_bytes;
};

struct frame_table {
	struct column hash;	/* uint64_t per frame; the tally overwrites it (see tally.h) */
	struct column flags;	/* uint8_t per frame, enum frame_flags */
	struct column extents;	/* struct extent, in the order of areas, ascending pages within one */
};

/* Room for one more item; NULL when memory is out. The item is zeroed. */
void *column_add(struct column *column);
void column_free(struct column *column);

void frame_table_init(struct frame_table *table);
void frame_table_free(struct frame_table *table);

static inline uint32_t frame_count(const struct frame_table *t)
{
	return (uint32_t)t->flags.count;
}

static inline uint64_t *frame_hashes(const struct frame_table *t)
{
	return t->hash.items;
}

static inline uint8_t *frame_flags_of(const struct frame_table *t)
{
	return t->flags.items;
}

static inline struct extent *frame_extents(const struct frame_table *t)
{
	return t->extents.items;
}

/* The frame behind page `i` of an extent. */
static inline uint32_t extent_frame(const struct extent *e, uint32_t i)
{
	return e->kind == EXTENT_SAME ? e->first_frame : e->first_frame + i;
}

/*
 * Add a mapping of `page` (within the area whose extents start at index
 * `area_first_extent`) to a frame: a new one (frame == FRAME_NONE: an entry is
 * made), or one met before. Pages must come in ascending order within an area.
 * Returns the frame's index, FRAME_NONE when memory is out.
 */
uint32_t frame_map(struct frame_table *table, size_t area_first_extent, uint32_t page, uint32_t frame);

#endif
