// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/frames.h"

#include <string.h>
#include <sys/mman.h>

#define EXTENT_MAX_PAGES ((1u << 30) - 1)

static bool column_grow(struct column *c)
{
	size_t capacity = c->capacity ? c->capacity + c->capacity / 2 : 65536 / c->item_bytes;
	void *items = c->items
		? mremap(c->items, c->capacity * c->item_bytes, capacity * c->item_bytes, MREMAP_MAYMOVE)
		: mmap(NULL, capacity * c->item_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (items == MAP_FAILED)
		return false;
	c->items = items;
	c->capacity = capacity;
	return true;
}

void *column_add(struct column *c)
{
	if (c->count == c->capacity && !column_grow(c))
		return NULL;
	return (char *)c->items + c->item_bytes * c->count++;
}

void column_free(struct column *c)
{
	if (c->items)
		munmap(c->items, c->capacity * c->item_bytes);
	*c = (struct column){ .item_bytes = c->item_bytes };
}

void frame_table_init(struct frame_table *t)
{
	*t = (struct frame_table){
		.hash.item_bytes = sizeof(uint64_t),
		.flags.item_bytes = sizeof(uint8_t),
		.extents.item_bytes = sizeof(struct extent),
	};
}

void frame_table_free(struct frame_table *t)
{
	column_free(&t->hash);
	column_free(&t->flags);
	column_free(&t->extents);
}

/* Can the last extent of the area take `page` → `frame` at its end? */
static bool extent_continues(struct extent *e, uint32_t page, uint32_t frame, bool own)
{
	if (e->first_page + e->pages != page || e->pages == EXTENT_MAX_PAGES)
		return false;
	if (own || e->kind == EXTENT_OWN)
		return own && e->kind == EXTENT_OWN;
	if (e->pages == 1 && frame == e->first_frame) {
		e->kind = EXTENT_SAME;
		return true;
	}
	return extent_frame(e, e->pages) == frame;
}

uint32_t frame_map(struct frame_table *t, size_t area_first_extent, uint32_t page, uint32_t frame)
{
	bool own = frame == FRAME_NONE;

	if (own) {
		if (t->flags.count >= FRAME_NONE - 1 || !column_add(&t->hash))
			return FRAME_NONE;
		if (!column_add(&t->flags)) {
			t->hash.count--;
			return FRAME_NONE;
		}
		frame = frame_count(t) - 1;
	} else {
		frame_flags_of(t)[frame] |= FRAME_MULTI;
	}
	if (t->extents.count > area_first_extent) {
		struct extent *last = frame_extents(t) + t->extents.count - 1;
		if (extent_continues(last, page, frame, own)) {
			last->pages++;
			return frame;
		}
	}
	struct extent *e = column_add(&t->extents);
	if (!e)
		return FRAME_NONE;
	*e = (struct extent){ .first_page = page, .pages = 1,
			      .kind = own ? EXTENT_OWN : EXTENT_ALIAS, .first_frame = frame };
	return frame;
}
