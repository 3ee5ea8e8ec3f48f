// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One page in `stride` on average, in each run of pages that the page map says
 * are there. A frame that several processes map may be taken several times:
 * whom to follow is only a question of effort, never of truth.
 */
#include "gather/scouting.h"

#include <stdlib.h>

#include "core/estimate/scout.h"
#include "core/mix.h"
#include "sys/proc.h"

/* Aimed at: scout.h calls a content frequent that is met SCOUT_HITS times among so many. */
#define SCOUTED_PAGES 8192

struct scouting {
	struct walk *walk;
	struct places *places;
	struct scout scout;
	uint64_t stride, skip, random;
	struct page_ref refs[CHUNK_PAGES];
	size_t pending;
};

static uint64_t next_skip(struct scouting *s)
{
	return random64(&s->random) % (2 * s->stride - 1);	/* 0 … 2 (stride - 1): stride - 1 on average */
}

/* Frames that must not be read go; the flags' buffer of the walk is free before it begins. */
static int leave_unreadable(struct scouting *s, struct error *err)
{
	struct chunk *c = &s->walk->chunk;
	size_t kept = 0;

	for (size_t i = 0; i < s->pending; i++) {
		c->pfns[i] = s->refs[i].pfn;
		c->kflags[i] = 0;
	}
	if (s->walk->flags.fd >= 0 && page_flags_read(&s->walk->flags, c->pfns, c->kflags, s->pending))
		return walk_out_of_memory(err);
	for (size_t i = 0; i < s->pending; i++)
		if (!chunk_unreadable(c, i))
			s->refs[kept++] = s->refs[i];
	s->pending = kept;
	return 0;
}

static int scout_pending(struct scouting *s, const struct task *task, struct error *err)
{
	int rc = leave_unreadable(s, err);
	size_t n = s->pending;
	s->pending = 0;
	if (!rc && n)
		rc = places_read(s->places, task->pid, s->refs, NULL, n, err);
	for (size_t i = 0; !rc && i < n; i++)
		if (s->places->of[i].read)
			scout_see(&s->scout, s->places->of[i].place);
	s->walk->read_bytes = s->places->read_bytes;
	return rc ? rc : walk_step(s->walk, 0, err);
}

static int scout_run(struct scouting *s, const struct pagemap *map, const struct task *task, uint64_t address,
		     uint64_t end, struct error *err)
{
	uint64_t pages = (end - address) / map->page_bytes, at = s->skip, entry;
	int rc = 0;

	for (; !rc && at < pages; at += 1 + next_skip(s)) {
		uint64_t here = address + at * map->page_bytes;
		if (!pagemap_read(map, here, &entry, 1))
			break;
		if (!(entry & PAGEMAP_PRESENT) || (entry & PAGEMAP_FILE))
			continue;
		s->refs[s->pending++] = (struct page_ref){ .address = here, .pfn = entry & PAGEMAP_PFN_MASK };
		if (s->pending == CHUNK_PAGES)
			rc = scout_pending(s, task, err);
	}
	s->skip = at > pages ? at - pages : 0;
	return rc;
}

static int scout_areas(struct scouting *s, const struct task *task, struct pagemap *map, struct error *err)
{
	const struct sample *sample = s->walk->sample;
	int rc = 0;

	for (size_t a = task->first_area; !rc && a < task->first_area + task->areas; a++) {
		const struct area *area = &sample->areas[a];
		uint64_t address = area->start, end;
		while (!rc && area->class == AREA_CANDIDATE && pagemap_next_run(map, &address, area->end, &end)) {
			rc = scout_run(s, map, task, address, end, err);
			address = end;
		}
	}
	return rc;
}

/* The areas stay for the walk where it follows at once; a paced one reads them anew when it comes to the task. */
static int scout_task(struct scouting *s, uint32_t index, struct error *err)
{
	struct walk *w = s->walk;
	struct task *task = &w->sample->tasks[index];
	size_t names_length = w->sample->names_length;
	struct pagemap map;
	int rc = 0;

	if (walk_areas(w, task, index) == KNOWN &&
	    pagemap_open(&map, w->root, task->pid, w->sample->machine.page_bytes) == KNOWN) {
		rc = scout_areas(s, task, &map, err);
		pagemap_close(&map);
	}
	if (!w->areas_read)
		walk_forget_areas(w, task, names_length);
	return rc ? rc : scout_pending(s, task, err);
}

int scouting_frequent(struct walk *w, struct places *places, double max_share, uint64_t *ret, uint32_t max,
		      uint32_t *ret_count, struct error *err)
{
	struct scouting *s = calloc(1, sizeof(*s));
	int rc = s ? content_random(&s->random, err) : walk_out_of_memory(err);

	*ret_count = 0;
	if (!rc) {
		s->walk = w;
		w->areas_read = !w->only_candidates && !(w->pace.budget.cpu > 0) &&
				!(w->pace.budget.bytes_per_second > 0);
		s->places = places;
		s->stride = w->expected / SCOUTED_PAGES + 1;
		scout_init(&s->scout, mix64(~s->random));
		s->skip = next_skip(s);
	}
	for (size_t i = 0; !rc && i < w->sample->tasks_count; i++)
		rc = scout_task(s, i, err);
	if (!rc)
		*ret_count = scout_frequent(&s->scout, ret, max, max_share);
	free(s);
	return rc;
}
