// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chunk by chunk: read the page map, sort out what is there.
 *
 * A process that changes while it is looked at is seen at some moment of the
 * look, page by page; nothing is frozen.
 */
#include "gather/walk.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/proc.h"

int (walk_out_of_memory)(struct error *err)
{
	return fail(err, EXIT_FAILED, "out of memory: look at fewer processes at a time");
}

void walk_note_task(struct walk *w, struct task *task, enum known state)
{
	char what[64];
	snprintf(what, sizeof(what), "contents of process %d", task->pid);
	task->contents = state;
	sample_missing(w->sample, what, state, "%s", state == GONE ? "it ended, or changed its memory, while we looked"
		       : state == DENIED ? "its page map may not be read: run as root, or with CAP_SYS_PTRACE"
		       : "its page map could not be read");
}

int walk_step(struct walk *w, uint64_t pages, struct error *err)
{
	w->done += pages;
	if (w->options->stop && *w->options->stop)
		return fail(err, EXIT_FAILED, "interrupted; nothing was changed");
	if (w->options->progress && w->done - w->reported >= CHUNK_PAGES) {
		w->reported = w->done;
		w->options->progress(w->options->context, w->done, w->expected);
	}
	pace_wait(&w->pace, w->options->paced_bytes + w->read_bytes, w->options->stop);
	return 0;
}

/* Put the present pages of the chunk side by side, with their flags. */
static int list_present(struct walk *w, size_t count, bool with_flags, struct error *err)
{
	w->chunk.present = 0;
	w->chunk.probed = false;
	for (size_t i = 0; i < count; i++) {
		if (!(w->chunk.entries[i] & PAGEMAP_PRESENT))
			continue;
		w->chunk.entries[w->chunk.present] = w->chunk.entries[i];
		w->chunk.pfns[w->chunk.present] = w->chunk.entries[i] & PAGEMAP_PFN_MASK;
		w->chunk.page[w->chunk.present++] = i;
	}
	memset(w->chunk.kflags, 0, w->chunk.present * sizeof(w->chunk.kflags[0]));
	if (with_flags && w->flags.fd >= 0 &&
	    page_flags_read(&w->flags, w->chunk.pfns, w->chunk.kflags, w->chunk.present))
		return walk_out_of_memory(err);
	return 0;
}

/* Does the sink want to know of it: a page in a huge page that KSM refuses for being shared, or hugetlb? */
static bool is_hidden(const struct walk *w, const struct area *area, size_t i)
{
	if (!w->sink->hidden || chunk_unreadable(&w->chunk, i))
		return false;
	return area->class == AREA_HUGETLB || (area->class == AREA_SHARED && chunk_huge(&w->chunk, i));
}

static int count_refused(struct walk *w, struct area *area, struct error *err)
{
	for (size_t i = 0; i < w->chunk.present; i++) {
		uint32_t *entry = pfn_index_entry(&w->refused, w->chunk.pfns[i]);
		if (!entry)
			return walk_out_of_memory(err);
		bool new = *entry == FRAME_NONE;
		area->present_pages += new;
		*entry = 0;
		if (new && is_hidden(w, area, i))
			w->sink->hidden(w->context, i);
	}
	return 0;
}

/* Do the pages from i on map one huge page from its begin to its end? */
static bool huge_whole(const struct walk *w, size_t i)
{
	uint64_t n = w->huge_pages;
	if (!n || !chunk_huge(&w->chunk, i) || w->chunk.pfns[i] % n || i + n > w->chunk.present)
		return false;
	return chunk_huge(&w->chunk, i + n - 1) && w->chunk.pfns[i + n - 1] == w->chunk.pfns[i] + n - 1 &&
	       w->chunk.page[i + n - 1] == w->chunk.page[i] + n - 1;
}

static int sort_out(struct walk *w, struct area *area, struct error *err)
{
	int rc = 0;
	for (size_t i = 0, count; !rc && i < w->chunk.present; i += count) {
		count = 1;
		if (w->chunk.kflags[i] & KPAGE_ZERO_PAGE) {
			area->zero_page_pages++;
		} else if (w->chunk.entries[i] & PAGEMAP_FILE) {
			area->file_pages++;
		} else {
			count = huge_whole(w, i) ? w->huge_pages : 1;
			for (size_t k = i; k < i + count; k++)
				area->merged_pages += !!(w->chunk.kflags[k] & KPAGE_KSM);
			rc = w->sink->pages(w->context, area, i, count, err);
		}
		area->present_pages += count;
	}
	return rc;
}

/* How many pages the chunk at `address` takes: up to a huge page's border, so that each is seen in one piece. */
static size_t chunk_pages(const struct walk *w, const struct pagemap *map, uint64_t address, uint64_t end)
{
	uint64_t left = (end - address) / map->page_bytes, most = CHUNK_PAGES;
	if (w->huge_pages && w->huge_pages <= CHUNK_PAGES / 2)
		most -= address / map->page_bytes % w->huge_pages;
	return left < most ? left : most;
}

/* One chunk of an area. The number of pages read, 0 when the process is gone. */
static int walk_chunk(struct walk *w, const struct pagemap *map, const struct task *task, struct area *area,
		      uint64_t address, uint64_t end, size_t *ret_count, struct error *err)
{
	bool candidate = area->class == AREA_CANDIDATE;
	w->chunk.address = address;
	*ret_count = pagemap_read(map, address, w->chunk.entries, chunk_pages(w, map, address, end));
	int rc = list_present(w, *ret_count, candidate || w->sink->hidden, err);
	if (!rc)
		rc = candidate ? sort_out(w, area, err) : count_refused(w, area, err);
	if (!rc && (candidate || w->sink->hidden))
		rc = w->sink->chunk_end(w->context, task, err);
	return rc ? rc : walk_step(w, 0, err);
}

/* What a scan found, as if by pagemap and kpageflags. */
static void list_scanned(struct walk *w, const struct scan_batch *batch)
{
	struct chunk *c = &w->chunk;
	_Static_assert(SCAN_BATCH <= CHUNK_PAGES, "a scan is a chunk");

	c->probed = true;
	c->present = batch->found;
	for (uint32_t i = 0; i < batch->found; i++) {
		c->entries[i] = scan_pagemap_entry(batch, i);
		c->kflags[i] = scan_kpageflags(batch, i);
		c->pfns[i] = batch->pfn[i];
		c->probes[i] = batch->probe[i];
		c->page[i] = (batch->page[i] - c->address) / w->sample->machine.page_bytes;
	}
}

/* The area in one walk over its page tables; *ret_address is how far that went. */
static int scan_area(struct walk *w, const struct task *task, struct area *area, uint64_t *ret_address,
		     struct error *err)
{
	const struct scan_batch *batch;
	int rc = 0;

	while (!rc && *ret_address < area->end) {
		w->chunk.address = *ret_address;
		if (!content_scan(w->content, task->pid, ret_address, area->end, &batch))
			break;
		list_scanned(w, batch);
		rc = sort_out(w, area, err);
		if (!rc)
			rc = w->sink->chunk_end(w->context, task, err);
		if (!rc)
			rc = walk_step(w, 0, err);
	}
	return rc;
}

static int walk_area(struct walk *w, struct pagemap *map, struct task *task, struct area *area, struct error *err)
{
	uint64_t address = area->start, end;
	int rc = 0;

	area->present_pages = 0;
	map->dense = true;
	if (w->sink->area_begin)
		w->sink->area_begin(w->context, area);
	/* what it leaves, as of a process that ended, is pagemap's to tell */
	if (w->scans && area->class == AREA_CANDIDATE)
		rc = scan_area(w, task, area, &address, err);
	while (!rc && pagemap_next_run(map, &address, area->end, &end)) {
		for (size_t count; !rc && address < end; address += count * map->page_bytes) {
			rc = walk_chunk(w, map, task, area, address, end, &count, err);
			map->dense = w->chunk.present >= count / 2;
			if (!rc && !count) {
				if (task->contents == NOT_READ && area->class == AREA_CANDIDATE)
					walk_note_task(w, task, GONE);
				end = area->end;
				break;
			}
		}
		if (address < end)
			break;
	}
	if (w->sink->area_end)
		w->sink->area_end(w->context, area);
	return rc;
}

/* Only mappings below the end of user space have a page map; the vsyscall page has none. */
static bool has_page_map(const struct area *area)
{
	return area->end <= 1ull << 63;
}

static bool is_wanted(const struct walk *w, const struct area *area)
{
	return has_page_map(area) && (area->class == AREA_CANDIDATE || !w->only_candidates);
}

enum known walk_areas(struct walk *w, struct task *task, uint32_t index)
{
	task->first_area = w->sample->areas_count;
	enum known known = proc_areas(w->root, task->pid, index, w->sample);
	task->areas = w->sample->areas_count - task->first_area;
	return known;
}

void walk_forget_areas(struct walk *w, struct task *task, size_t names_length)
{
	w->sample->areas_count = task->first_area;
	w->sample->names_length = names_length;
	task->areas = 0;
}

static int walk_task(struct walk *w, struct task *task, uint32_t index, struct error *err)
{
	struct pagemap map;
	enum known known = w->areas_read && task->areas ? KNOWN : walk_areas(w, task, index);
	if (known == KNOWN)
		known = pagemap_open(&map, w->root, task->pid, w->sample->machine.page_bytes);
	if (known != KNOWN) {
		walk_note_task(w, task, known);
		return 0;
	}
	int rc = 0;
	for (size_t a = task->first_area; !rc && a < task->first_area + task->areas; a++)
		if (is_wanted(w, &w->sample->areas[a]))
			rc = walk_area(w, &map, task, &w->sample->areas[a], err);
	pagemap_close(&map);
	if (task->contents == NOT_READ)
		task->contents = KNOWN;
	return rc;
}

int walk_tasks(struct walk *w, size_t first_task, const struct walk_sink *sink, void *context, struct error *err)
{
	int rc = 0;
	w->sink = sink;
	w->context = context;
	for (size_t i = first_task; !rc && i < w->sample->tasks_count; i++) {
		size_t names_length = w->sample->names_length;
		rc = walk_task(w, &w->sample->tasks[i], i, err);
		if (w->only_candidates)
			walk_forget_areas(w, &w->sample->tasks[i], names_length);
	}
	pfn_index_free(&w->refused);
	return rc;
}

void walk_begin(struct walk *w, struct sample *s, const struct sysroot *root, struct content *content,
		const struct gather_options *options)
{
	memset(w, 0, sizeof(*w));
	w->sample = s;
	w->root = root;
	w->content = content;
	w->options = options;
	w->pace = options->paced_by ? *options->paced_by : pace_begin(options->budget);
	w->huge_pages = s->machine.pmd_bytes / s->machine.page_bytes;
	page_flags_open(&w->flags, root);
	if (w->flags.fd < 0)
		sample_missing(s, "kpageflags", w->flags.merged,
			       "merged frames, huge pages and the zero page can't be told from others");
	else if (w->flags.merged != KNOWN)
		sample_missing(s, "merged frames", w->flags.merged, "%s", w->flags.why);
	for (size_t i = 0; i < s->tasks_count; i++)
		w->expected += proc_anon_pages(root, s->tasks[i].pid, s->machine.page_bytes);
}

void walk_end(struct walk *w)
{
	page_flags_close(&w->flags);
	pfn_index_free(&w->refused);
}
