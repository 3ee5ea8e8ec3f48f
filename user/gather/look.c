// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every candidate frame, remembered with its hash; and all of them again.
 *
 * A frame is found by its number only where it may be mapped more than once;
 * frames that pagemap calls exclusive need no index. Of huge pages its word is
 * not taken: one process may map a huge page whole and be called its exclusive
 * owner while others, forked from it, map single pages of it (seen on 6.18).
 * Those have an index of their own, an entry per huge page.
 */
#include "gather/look.h"

#include <stdlib.h>
#include <string.h>

#include "core/huge/hidden.h"
#include "core/pfn_index.h"
#include "gather/walk.h"

struct look {
	struct walk walk;
	struct sample *sample;
	struct pfn_index shared;	/* frames that may be mapped more than once → frame */
	struct pfn_index huge;		/* huge pages that were met whole, by pfn / huge_pages → first frame */

	/* what is to be hashed */
	struct page_ref refs[CHUNK_PAGES];
	uint32_t frames[CHUNK_PAGES];
	uint64_t hashes[CHUNK_PAGES];
	bool read[CHUNK_PAGES];
	size_t pending;
};

/* Hash what is pending, and hand each result to `take`. */
static int hash_pending(struct look *l, const struct task *task,
			void (*take)(struct look *, uint32_t frame, uint64_t hash, bool read), struct error *err)
{
	size_t n = l->pending;
	l->pending = 0;
	int rc = n ? content_hash(l->walk.content, task->pid, l->refs, n, l->hashes, l->read, err) : 0;
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		take(l, l->frames[i], l->hashes[i], l->read[i]);
	l->sample->frames_read += n;
	l->walk.read_bytes += n * l->sample->machine.page_bytes;
	return walk_step(&l->walk, n, err);
}

static void want_hash(struct look *l, uint64_t address, uint64_t pfn, uint32_t frame)
{
	l->refs[l->pending] = (struct page_ref){ .address = address, .pfn = pfn };
	l->frames[l->pending++] = frame;
}

/* ---- the first look ---- */

static void take_first(struct look *l, uint32_t frame, uint64_t hash, bool read)
{
	if (frame == FRAME_NONE) {
		hidden_add(l->sample, hash, read, hash == content_zero_hash(l->walk.content));
		return;
	}
	frame_hashes(&l->sample->frames)[frame] = hash;
	if (!read)
		frame_flags_of(&l->sample->frames)[frame] |= FRAME_UNREAD;
	else if (hash == content_zero_hash(l->walk.content))
		frame_flags_of(&l->sample->frames)[frame] |= FRAME_ZERO;
}

static uint32_t known_frame(const uint32_t *entry)
{
	return entry ? *entry : FRAME_NONE;
}

/* The frame of page i of the chunk where it was met before; FRAME_NONE where not. */
static uint32_t met_before(const struct look *l, size_t i)
{
	if (chunk_huge(&l->walk.chunk, i)) {
		uint32_t first = known_frame(pfn_index_find(&l->huge, l->walk.chunk.pfns[i] / l->walk.huge_pages));
		if (first != FRAME_NONE)
			return first + l->walk.chunk.pfns[i] % l->walk.huge_pages;
	} else if (chunk_exclusive(&l->walk.chunk, i)) {
		return FRAME_NONE;
	}
	return known_frame(pfn_index_find(&l->shared, l->walk.chunk.pfns[i]));
}

static int remember(struct pfn_index *index, uint64_t number, uint32_t frame, struct error *err)
{
	uint32_t *entry = pfn_index_entry(index, number);
	if (!entry)
		return walk_out_of_memory(err);
	*entry = frame;
	return 0;
}

/* Count page i of the chunk; *ret_new is its frame where that is a new one, else FRAME_NONE. */
static int add_candidate(struct look *l, struct area *area, size_t i, uint32_t *ret_new,
			 struct error *err)
{
	uint64_t kflags = l->walk.chunk.kflags[i], at = chunk_address(&l->walk, i);
	uint32_t page = (at - area->start) / l->sample->machine.page_bytes, known = met_before(l, i);
	uint32_t frame = frame_map(&l->sample->frames, area->first_extent, page, known);

	if (frame == FRAME_NONE)
		return walk_out_of_memory(err);
	*ret_new = known == FRAME_NONE ? frame : FRAME_NONE;
	if (known != FRAME_NONE)
		return 0;
	uint8_t *flags = &frame_flags_of(&l->sample->frames)[frame];
	*flags = (kflags & KPAGE_KSM ? FRAME_MERGED : 0) | (chunk_huge(&l->walk.chunk, i) ? FRAME_HUGE : 0);
	if (chunk_unreadable(&l->walk.chunk, i))
		*flags |= FRAME_UNREAD;		/* reading a poisoned frame can stop the machine */
	else
		want_hash(l, at, l->walk.chunk.pfns[i], frame);
	return 0;
}

/* Elsewhere than at a multiple of its size it is mapped page by page. */
static void mark_region(struct look *l, size_t i, uint32_t first)
{
	if (chunk_address(&l->walk, i) % l->sample->machine.pmd_bytes)
		return;
	for (uint32_t frame = first; frame < first + l->walk.huge_pages; frame++)
		frame_flags_of(&l->sample->frames)[frame] |= FRAME_REGION;
}

/* A huge page that is mapped whole. Its frames follow each other when all of them are new. */
static int add_huge(struct look *l, struct area *area, size_t i, struct error *err)
{
	uint32_t first = frame_count(&l->sample->frames), added;
	int rc = 0;

	for (size_t k = i; !rc && k < i + l->walk.huge_pages; k++)
		rc = add_candidate(l, area, k, &added, err);
	uint32_t new_frames = frame_count(&l->sample->frames) - first;
	if (!rc && new_frames && new_frames == l->walk.huge_pages) {
		mark_region(l, i, first);
		return remember(&l->huge, l->walk.chunk.pfns[i] / l->walk.huge_pages, first, err);
	}
	/* some were met through other mappings: the new ones are the rest, in order */
	for (size_t k = i; !rc && new_frames && k < i + l->walk.huge_pages; k++)
		if (met_before(l, k) == FRAME_NONE) {
			rc = remember(&l->shared, l->walk.chunk.pfns[k], first++, err);
			new_frames--;
		}
	return rc;
}

static int add_single(struct look *l, struct area *area, size_t i, struct error *err)
{
	uint32_t added;
	int rc = add_candidate(l, area, i, &added, err);
	if (rc || added == FRAME_NONE || chunk_exclusive(&l->walk.chunk, i))
		return rc;
	return remember(&l->shared, l->walk.chunk.pfns[i], added, err);
}

static int take_pages(void *context, struct area *area, size_t i, size_t count, struct error *err)
{
	return count > 1 ? add_huge(context, area, i, err) : add_single(context, area, i, err);
}

/* KSM can't take it: its frame is none of the table's, only its content counts. */
static void take_hidden(void *context, size_t i)
{
	struct look *l = context;
	want_hash(l, chunk_address(&l->walk, i), l->walk.chunk.pfns[i], FRAME_NONE);
}

static int hash_chunk(void *context, const struct task *task, struct error *err)
{
	return hash_pending(context, task, take_first, err);
}

static void begin_area(void *context, struct area *area)
{
	const struct look *l = context;
	area->first_extent = l->sample->frames.extents.count;
}

static void end_area(void *context, struct area *area)
{
	const struct look *l = context;
	area->extents = l->sample->frames.extents.count - area->first_extent;
}

int look_first(struct look *l, struct error *err)
{
	const struct walk_sink sink = { .pages = take_pages, .chunk_end = hash_chunk,
					.hidden = l->sample->hidden ? take_hidden : NULL,
					.area_begin = begin_area, .area_end = end_area };
	int rc = walk_tasks(&l->walk, 0, &sink, l, err);
	pfn_index_free(&l->shared);
	pfn_index_free(&l->huge);
	return rc;
}

/* ---- the second look ---- */

static void take_again(struct look *l, uint32_t frame, uint64_t hash, bool read)
{
	if (!read || frame_hashes(&l->sample->frames)[frame] != hash)
		frame_flags_of(&l->sample->frames)[frame] |= FRAME_VOLATILE;
}

/*
 * Of what was never known nobody can say that it changed. A merged frame can't
 * be written to, but a page that mapped it can: it maps another one then.
 */
static bool worth_another_look(uint8_t flags)
{
	return !(flags & FRAME_UNREAD);
}

static int again_pages(struct look *l, const struct task *task, uint64_t address, size_t count, uint32_t frame,
		       struct error *err)
{
	uint8_t *flags = frame_flags_of(&l->sample->frames);
	for (size_t i = 0; i < count; i++) {
		uint64_t entry = l->walk.chunk.entries[i];
		if (!worth_another_look(flags[frame + i]))
			continue;
		if ((entry & PAGEMAP_PRESENT) && !(entry & PAGEMAP_FILE))
			want_hash(l, address + i * l->sample->machine.page_bytes, entry & PAGEMAP_PFN_MASK, frame + i);
		else
			flags[frame + i] |= FRAME_VOLATILE;
	}
	return hash_pending(l, task, take_again, err);
}

static int again_extent(struct look *l, const struct pagemap *map, const struct task *task, const struct area *area,
			struct extent extent, struct error *err)
{
	uint64_t page_bytes = map->page_bytes, address = area->start + extent.first_page * page_bytes;
	for (uint32_t done = 0, count; done < extent.pages; done += count) {
		count = extent.pages - done < CHUNK_PAGES ? extent.pages - done : CHUNK_PAGES;
		size_t got = pagemap_read(map, address + done * page_bytes, l->walk.chunk.entries, count);
		memset(l->walk.chunk.entries + got, 0, (count - got) * sizeof(l->walk.chunk.entries[0]));
		int rc = again_pages(l, task, address + done * page_bytes, count, extent.first_frame + done, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int again_area(struct look *l, const struct pagemap *map, const struct task *task, const struct area *area,
		      struct error *err)
{
	int rc = 0;
	for (size_t k = area->first_extent; !rc && k < area->first_extent + area->extents; k++) {
		struct extent extent = frame_extents(&l->sample->frames)[k];
		if (extent.kind == EXTENT_OWN)
			rc = again_extent(l, map, task, area, extent, err);
	}
	return rc;
}

int look_again(struct look *l, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < l->sample->tasks_count; i++) {
		struct task *task = &l->sample->tasks[i];
		struct pagemap map;
		enum known known = pagemap_open(&map, l->walk.root, task->pid, l->sample->machine.page_bytes);
		if (known != KNOWN) {
			walk_note_task(&l->walk, task, known);
			map.pagemap = -1;	/* reads nothing: all its frames count as changed */
		}
		for (size_t a = task->first_area; !rc && a < task->first_area + task->areas; a++)
			rc = again_area(l, &map, task, &l->sample->areas[a], err);
		pagemap_close(&map);
	}
	return rc;
}

/* ---- */

int look_begin(struct look **ret, struct sample *s, const struct sysroot *root, struct content *content,
	       const struct gather_options *options, struct error *err)
{
	struct look *l = calloc(1, sizeof(*l));
	if (!l)
		return walk_out_of_memory(err);
	l->sample = s;
	walk_begin(&l->walk, s, root, content, options);
	if (options->settle_seconds > 0)
		l->walk.expected *= 2;
	if (options->ledger && hidden_begin(s)) {
		look_end(l);
		return walk_out_of_memory(err);
	}
	*ret = l;
	return 0;
}

void look_end(struct look *l)
{
	if (!l)
		return;
	walk_end(&l->walk);
	pfn_index_free(&l->shared);
	pfn_index_free(&l->huge);
	free(l);
}
