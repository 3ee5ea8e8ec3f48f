// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over the targets' pages. Both looks go chunk by chunk: read the
 * page map, sort out what is there, hash what is new.
 *
 * A frame is found by its number only where it may be mapped more than once;
 * frames that pagemap calls exclusive need no index. Of huge pages its word is
 * not taken: one process may map a huge page whole and be called its exclusive
 * owner while others, forked from it, map single pages of it (seen on 6.18).
 * Those have an index of their own, an entry per huge page.
 *
 * A process that changes while it is looked at is seen at some moment of the
 * look, page by page; nothing is frozen.
 */
#include "gather/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/pfn_index.h"
#include "sys/pagemap.h"
#include "sys/proc.h"

#define CHUNK_PAGES 4096

struct look {
	struct sample *sample;
	const struct sysroot *root;
	struct content *content;
	const struct gather_options *options;
	int kpageflags;			/* negative: -errno */
	uint64_t huge_pages;		/* base pages in a huge page */
	struct pfn_index shared;	/* frames that may be mapped more than once → frame */
	struct pfn_index huge;		/* huge pages that were met whole, by pfn / huge_pages → first frame */
	struct pfn_index refused;	/* frames of mappings that KSM refuses, to count each once */
	uint64_t done, expected;
	uint64_t reported;

	/* the chunk */
	uint64_t entries[CHUNK_PAGES];
	uint64_t pfns[CHUNK_PAGES], kflags[CHUNK_PAGES];
	uint32_t page[CHUNK_PAGES];	/* of pfns[i], within the chunk */
	size_t present;

	/* what is to be hashed */
	struct page_ref refs[CHUNK_PAGES];
	uint32_t frames[CHUNK_PAGES];
	uint64_t hashes[CHUNK_PAGES];
	bool read[CHUNK_PAGES];
	size_t pending;
};

static int out_of_memory(struct error *err)
{
	return fail(err, EXIT_FAILED, "out of memory: look at fewer processes at a time");
}

static void note_task(struct look *l, struct task *task, enum known state)
{
	char what[64];
	snprintf(what, sizeof(what), "contents of process %d", task->pid);
	task->contents = state;
	sample_missing(l->sample, what, state, "%s", state == GONE ? "it ended, or changed its memory, while we looked"
		       : state == DENIED ? "its page map may not be read: run as root, or with CAP_SYS_PTRACE"
		       : "its page map could not be read");
}

static int step(struct look *l, uint64_t pages, struct error *err)
{
	l->done += pages;
	if (l->options->stop && *l->options->stop)
		return fail(err, EXIT_FAILED, "interrupted; nothing was changed");
	if (l->options->progress && l->done - l->reported >= CHUNK_PAGES) {
		l->reported = l->done;
		l->options->progress(l->options->context, l->done, l->expected);
	}
	return 0;
}

/* Hash what is pending, and hand each result to `take`. */
static int hash_pending(struct look *l, const struct task *task,
			void (*take)(struct look *, uint32_t frame, uint64_t hash, bool read), struct error *err)
{
	size_t n = l->pending;
	l->pending = 0;
	int rc = n ? content_hash(l->content, task->pid, l->refs, n, l->hashes, l->read, err) : 0;
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		take(l, l->frames[i], l->hashes[i], l->read[i]);
	l->sample->frames_read += n;
	return step(l, n, err);
}

static void want_hash(struct look *l, uint64_t address, uint64_t pfn, uint32_t frame)
{
	l->refs[l->pending] = (struct page_ref){ .address = address, .pfn = pfn };
	l->frames[l->pending++] = frame;
}

/* ---- the first look ---- */

static void take_first(struct look *l, uint32_t frame, uint64_t hash, bool read)
{
	frame_hashes(&l->sample->frames)[frame] = hash;
	if (!read)
		frame_flags_of(&l->sample->frames)[frame] |= FRAME_UNREAD;
	else if (hash == content_zero_hash(l->content))
		frame_flags_of(&l->sample->frames)[frame] |= FRAME_ZERO;
}

/* Put the present pages of the chunk side by side, with their flags. */
static int list_present(struct look *l, size_t count, bool with_flags, struct error *err)
{
	l->present = 0;
	for (size_t i = 0; i < count; i++) {
		if (!(l->entries[i] & PAGEMAP_PRESENT))
			continue;
		l->pfns[l->present] = l->entries[i] & PAGEMAP_PFN_MASK;
		l->page[l->present++] = i;
	}
	memset(l->kflags, 0, l->present * sizeof(l->kflags[0]));
	if (with_flags && l->kpageflags >= 0 && kpageflags_read(l->kpageflags, l->pfns, l->kflags, l->present))
		return out_of_memory(err);
	return 0;
}

static int count_refused(struct look *l, struct area *area, struct error *err)
{
	for (size_t i = 0; i < l->present; i++) {
		uint32_t *entry = pfn_index_entry(&l->refused, l->pfns[i]);
		if (!entry)
			return out_of_memory(err);
		area->present_pages += *entry == FRAME_NONE;
		*entry = 0;
	}
	return 0;
}

static bool is_huge(const struct look *l, size_t i)
{
	return l->kflags[i] & KPAGE_THP;
}

static uint32_t known_frame(const uint32_t *entry)
{
	return entry ? *entry : FRAME_NONE;
}

/* The frame of page i of the chunk where it was met before; FRAME_NONE where not. */
static uint32_t met_before(const struct look *l, size_t i)
{
	if (is_huge(l, i)) {
		uint32_t first = known_frame(pfn_index_find(&l->huge, l->pfns[i] / l->huge_pages));
		if (first != FRAME_NONE)
			return first + l->pfns[i] % l->huge_pages;
	} else if (l->entries[l->page[i]] & PAGEMAP_EXCLUSIVE) {
		return FRAME_NONE;
	}
	return known_frame(pfn_index_find(&l->shared, l->pfns[i]));
}

static int remember(struct pfn_index *index, uint64_t number, uint32_t frame, struct error *err)
{
	uint32_t *entry = pfn_index_entry(index, number);
	if (!entry)
		return out_of_memory(err);
	*entry = frame;
	return 0;
}

/* Count page i of the chunk; *ret_new is its frame where that is a new one, else FRAME_NONE. */
static int add_candidate(struct look *l, struct area *area, uint64_t address, size_t i, uint32_t *ret_new,
			 struct error *err)
{
	uint64_t kflags = l->kflags[i], at = address + l->page[i] * l->sample->machine.page_bytes;
	uint32_t page = (at - area->start) / l->sample->machine.page_bytes, known = met_before(l, i);
	uint32_t frame = frame_map(&l->sample->frames, area->first_extent, page, known);

	if (frame == FRAME_NONE)
		return out_of_memory(err);
	area->merged_pages += !!(kflags & KPAGE_KSM);
	*ret_new = known == FRAME_NONE ? frame : FRAME_NONE;
	if (known != FRAME_NONE)
		return 0;
	uint8_t *flags = &frame_flags_of(&l->sample->frames)[frame];
	*flags = (kflags & KPAGE_KSM ? FRAME_MERGED : 0) | (is_huge(l, i) ? FRAME_HUGE : 0);
	if (kflags & (KPAGE_HWPOISON | KPAGE_OFFLINE | KPAGE_NOPAGE))
		*flags |= FRAME_UNREAD;		/* reading a poisoned frame can stop the machine */
	else
		want_hash(l, at, l->pfns[i], frame);
	return 0;
}

/* Do the pages from i on map one huge page from its begin to its end? */
static bool huge_whole(const struct look *l, size_t i)
{
	uint64_t n = l->huge_pages;
	if (!n || !is_huge(l, i) || l->pfns[i] % n || i + n > l->present)
		return false;
	return is_huge(l, i + n - 1) && l->pfns[i + n - 1] == l->pfns[i] + n - 1 &&
	       l->page[i + n - 1] == l->page[i] + n - 1;
}

/* A huge page that is mapped whole. Its frames follow each other when all of them are new. */
static int add_huge(struct look *l, struct area *area, uint64_t address, size_t i, struct error *err)
{
	uint32_t first = frame_count(&l->sample->frames), added;
	int rc = 0;

	for (size_t k = i; !rc && k < i + l->huge_pages; k++)
		rc = add_candidate(l, area, address, k, &added, err);
	uint32_t new_frames = frame_count(&l->sample->frames) - first;
	if (!rc && new_frames == l->huge_pages)
		return remember(&l->huge, l->pfns[i] / l->huge_pages, first, err);
	/* some were met through other mappings: the new ones are the rest, in order */
	for (size_t k = i; !rc && new_frames && k < i + l->huge_pages; k++)
		if (met_before(l, k) == FRAME_NONE) {
			rc = remember(&l->shared, l->pfns[k], first++, err);
			new_frames--;
		}
	return rc;
}

static int add_single(struct look *l, struct area *area, uint64_t address, size_t i, struct error *err)
{
	uint32_t added;
	int rc = add_candidate(l, area, address, i, &added, err);
	if (rc || added == FRAME_NONE || (!is_huge(l, i) && (l->entries[l->page[i]] & PAGEMAP_EXCLUSIVE)))
		return rc;
	return remember(&l->shared, l->pfns[i], added, err);
}

static int sort_out(struct look *l, struct area *area, uint64_t address, struct error *err)
{
	int rc = 0;
	for (size_t i = 0, step; !rc && i < l->present; i += step) {
		step = 1;
		if (l->kflags[i] & KPAGE_ZERO_PAGE) {
			area->zero_page_pages++;
		} else if (l->entries[l->page[i]] & PAGEMAP_FILE) {
			area->file_pages++;
		} else if (huge_whole(l, i)) {
			step = l->huge_pages;
			rc = add_huge(l, area, address, i, err);
		} else {
			rc = add_single(l, area, address, i, err);
		}
		area->present_pages += step;
	}
	return rc;
}

/* How many pages the chunk at `address` takes: up to a huge page's border, so that each is seen in one piece. */
static size_t chunk_pages(const struct look *l, const struct pagemap *map, uint64_t address, uint64_t end)
{
	uint64_t left = (end - address) / map->page_bytes, most = CHUNK_PAGES;
	if (l->huge_pages && l->huge_pages <= CHUNK_PAGES / 2)
		most -= address / map->page_bytes % l->huge_pages;
	return left < most ? left : most;
}

/* One chunk of an area. The number of pages read, 0 when the process is gone. */
static int look_chunk(struct look *l, const struct pagemap *map, const struct task *task, struct area *area,
		      uint64_t address, uint64_t end, size_t *ret_count, struct error *err)
{
	bool candidate = area->class == AREA_CANDIDATE;
	*ret_count = pagemap_read(map, address, l->entries, chunk_pages(l, map, address, end));
	int rc = list_present(l, *ret_count, candidate, err);
	if (!rc)
		rc = candidate ? sort_out(l, area, address, err) : count_refused(l, area, err);
	return rc ? rc : hash_pending(l, task, take_first, err);
}

static int look_area(struct look *l, struct pagemap *map, struct task *task, struct area *area, struct error *err)
{
	uint64_t address = area->start, end;
	int rc = 0;

	area->present_pages = 0;
	area->first_extent = l->sample->frames.extents.count;
	while (!rc && pagemap_next_run(map, &address, area->end, &end)) {
		for (size_t count; !rc && address < end; address += count * map->page_bytes) {
			rc = look_chunk(l, map, task, area, address, end, &count, err);
			if (!rc && !count) {
				if (task->contents == NOT_READ && area->class == AREA_CANDIDATE)
					note_task(l, task, GONE);
				end = area->end;
				break;
			}
		}
		if (address < end)
			break;
	}
	area->extents = l->sample->frames.extents.count - area->first_extent;
	return rc;
}

/* Only mappings below the end of user space have a page map; the vsyscall page has none. */
static bool has_page_map(const struct area *area)
{
	return area->end <= 1ull << 63;
}

static int look_task(struct look *l, struct task *task, uint32_t index, struct error *err)
{
	struct pagemap map;
	task->first_area = l->sample->areas_count;
	enum known known = proc_areas(l->root, task->pid, index, l->sample);
	task->areas = l->sample->areas_count - task->first_area;
	if (known == KNOWN)
		known = pagemap_open(&map, l->root, task->pid, l->sample->machine.page_bytes);
	if (known != KNOWN) {
		note_task(l, task, known);
		return 0;
	}
	int rc = 0;
	for (size_t a = task->first_area; !rc && a < task->first_area + task->areas; a++)
		if (has_page_map(&l->sample->areas[a]))
			rc = look_area(l, &map, task, &l->sample->areas[a], err);
	pagemap_close(&map);
	if (task->contents == NOT_READ)
		task->contents = KNOWN;
	return rc;
}

int look_first(struct look *l, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < l->sample->tasks_count; i++)
		rc = look_task(l, &l->sample->tasks[i], i, err);
	pfn_index_free(&l->shared);
	pfn_index_free(&l->huge);
	pfn_index_free(&l->refused);
	return rc;
}

/* ---- the second look ---- */

static void take_again(struct look *l, uint32_t frame, uint64_t hash, bool read)
{
	if (!read || frame_hashes(&l->sample->frames)[frame] != hash)
		frame_flags_of(&l->sample->frames)[frame] |= FRAME_VOLATILE;
}

/* Frames whose contents can't have changed, or were never known, are not read again. */
static bool worth_another_look(uint8_t flags)
{
	return !(flags & (FRAME_MERGED | FRAME_UNREAD));
}

static int again_pages(struct look *l, const struct task *task, uint64_t address, size_t count, uint32_t frame,
		       struct error *err)
{
	uint8_t *flags = frame_flags_of(&l->sample->frames);
	for (size_t i = 0; i < count; i++) {
		uint64_t entry = l->entries[i];
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
		size_t got = pagemap_read(map, address + done * page_bytes, l->entries, count);
		memset(l->entries + got, 0, (count - got) * sizeof(l->entries[0]));
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
		enum known known = pagemap_open(&map, l->root, task->pid, l->sample->machine.page_bytes);
		if (known != KNOWN) {
			note_task(l, task, known);
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
		return out_of_memory(err);
	l->sample = s;
	l->root = root;
	l->content = content;
	l->options = options;
	l->huge_pages = s->machine.pmd_bytes / s->machine.page_bytes;
	l->kpageflags = kpageflags_open(root);
	if (l->kpageflags < 0)
		sample_missing(s, "kpageflags", known_of_errno(-l->kpageflags),
			       "merged frames, huge pages and the zero page can't be told from others");
	for (size_t i = 0; i < s->tasks_count; i++)
		l->expected += proc_anon_pages(root, s->tasks[i].pid, s->machine.page_bytes);
	if (options->settle_seconds > 0)
		l->expected *= 2;
	*ret = l;
	return 0;
}

void look_end(struct look *l)
{
	if (!l)
		return;
	if (l->kpageflags >= 0)
		close(l->kpageflags);
	pfn_index_free(&l->shared);
	pfn_index_free(&l->huge);
	pfn_index_free(&l->refused);
	free(l);
}
