// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One process in detail. Merged frames are found by pagemap and kpageflags;
 * whom they are shared with, by looking for the same frames in the page maps
 * of other processes that have merged pages.
 */
#include "gather/detail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/count/owner.h"
#include "core/frames.h"
#include "core/trust/assign.h"
#include "core/judge/build.h"
#include "core/pfn_index.h"
#include "probe/page_flags.h"
#include "sys/ksm_read.h"
#include "sys/pagemap.h"
#include "sys/proc.h"

#define CHUNK_PAGES 4096
/* For all of it together; a display stands still meanwhile. */
#define SECONDS_MOST 0.25

struct taking {
	struct detail *detail;
	const struct sysroot *root;
	const struct top_sample *others;
	const struct domain_rules *domains;
	struct sample sample;			/* the process and its mappings, for the doctor */
	struct pfn_index merged;		/* its merged frames: pfn → number */
	uint32_t merged_count;
	uint32_t *met;				/* by frame: the partner, from 1, that mapped it last */
	struct page_flags kflags;
	double until;				/* monotonic seconds */
	bool cut;				/* there was no time for all */
	uint64_t entries[CHUNK_PAGES], pfns[CHUNK_PAGES], flags[CHUNK_PAGES];
};

static double monotonic(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + now.tv_nsec / 1e9;
}

/* ---- pages ---- */

/* What is done with a chunk of entries of t->entries; false ends the walk. */
typedef bool (*chunk_visitor)(struct taking *t, struct area *area, size_t count);

static void walk_area(struct taking *t, struct pagemap *map, struct area *area, chunk_visitor visit)
{
	uint64_t address = area->start, end;

	while (!t->cut && pagemap_next_run(map, &address, area->end, &end)) {
		while (address < end) {
			uint64_t pages = (end - address) / map->page_bytes;
			size_t count = pages < CHUNK_PAGES ? pages : CHUNK_PAGES;
			count = pagemap_read(map, address, t->entries, count);
			if (!count || !visit(t, area, count))
				return;
			address += count * map->page_bytes;
			if (monotonic() > t->until) {
				t->cut = true;
				break;
			}
		}
	}
}

/* Of the entries: frames of private memory. */
static size_t private_frames(struct taking *t, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		if ((t->entries[i] & PAGEMAP_PRESENT) && !(t->entries[i] & PAGEMAP_FILE) &&
		    (t->entries[i] & PAGEMAP_PFN_MASK))
			t->pfns[n++] = t->entries[i] & PAGEMAP_PFN_MASK;
	return n;
}

static bool note_merged(struct taking *t, struct area *area, size_t count)
{
	size_t n = private_frames(t, count);

	if (n && page_flags_read(&t->kflags, t->pfns, t->flags, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!(t->flags[i] & KPAGE_KSM))
			continue;
		area->merged_pages++;
		uint32_t *entry = pfn_index_entry(&t->merged, t->pfns[i]);
		if (!entry)
			return false;
		if (*entry == FRAME_NONE)
			*entry = t->merged_count++;
	}
	return true;
}

static bool can_have_merged(const struct area *area)
{
	return area->class == AREA_CANDIDATE && area->flags & AREA_MERGEABLE;
}

/* ---- its mappings ---- */

/* KNOWN where the merged pages of each mapping were counted. */
static enum known find_merged(struct taking *t)
{
	struct pagemap map;

	page_flags_open(&t->kflags, t->root);
	if (t->kflags.merged != KNOWN)
		return t->kflags.merged;
	enum known known = pagemap_open(&map, t->root, t->detail->pid, t->sample.machine.page_bytes);
	if (known != KNOWN)
		return known;
	for (size_t i = 0; i < t->sample.areas_count; i++)
		if (can_have_merged(&t->sample.areas[i]))
			walk_area(t, &map, &t->sample.areas[i], note_merged);
	pagemap_close(&map);
	return t->cut ? NOT_READ : KNOWN;
}

static struct detail_mapping *mapping_for(struct detail *d, const struct area *area, const char *name)
{
	for (size_t i = 0; i < d->mappings_count; i++) {
		struct detail_mapping *m = &d->mappings[i];
		if (m->class == area->class && m->flags == area->flags && !strcmp(m->name, name))
			return m;
	}
	struct detail_mapping *m = &d->mappings[d->mappings_count++];
	*m = (struct detail_mapping){ .class = area->class, .flags = area->flags };
	snprintf(m->name, sizeof(m->name), "%s", name);
	return m;
}

static int by_resident(const void *a, const void *b)
{
	const struct detail_mapping *x = a, *y = b;
	if (x->resident_pages != y->resident_pages)
		return x->resident_pages < y->resident_pages ? 1 : -1;
	return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : strcmp(x->name, y->name);
}

static int put_mappings(struct taking *t, enum known merged)
{
	struct detail *d = t->detail;
	char name[sizeof(d->mappings->name)];

	d->mappings = calloc(t->sample.areas_count + 1, sizeof(*d->mappings));
	if (!d->mappings)
		return -ENOMEM;
	for (size_t i = 0; i < t->sample.areas_count; i++) {
		const struct area *area = &t->sample.areas[i];
		snprintf(name, sizeof(name), "%s", sample_string(&t->sample, area->name));
		struct detail_mapping *m = mapping_for(d, area, name);
		m->count++;
		m->bytes += area->end - area->start;
		m->resident_pages += area->present_pages;
		m->swapped_pages += area->swapped_pages;
		m->merged_pages.number += (int64_t)area->merged_pages;
		m->merged_pages.known = can_have_merged(area) ? merged : KNOWN;
	}
	qsort(d->mappings, d->mappings_count, sizeof(*d->mappings), by_resident);
	return 0;
}

/* ---- the doctor ---- */

static int put_reasons(struct taking *t)
{
	struct model model;
	int rc = model_build(&model, &t->sample);
	if (rc)
		return rc;
	t->detail->reasons = model.reasons;
	t->detail->reasons_count = model.reasons_count;
	model.reasons = NULL;
	model_free(&model);
	return 0;
}

/* ---- partners ---- */

static bool note_shared(struct taking *t, struct area *area, size_t count)
{
	uint32_t partner = (uint32_t)t->detail->partners_count + 1;
	size_t n = private_frames(t, count);

	(void)area;
	for (size_t i = 0; i < n; i++) {
		const uint32_t *frame = pfn_index_find(&t->merged, t->pfns[i]);
		if (!frame || *frame == FRAME_NONE || t->met[*frame] == partner)
			continue;
		t->met[*frame] = partner;
		t->detail->partners[partner - 1].frames++;
	}
	return true;
}

/* Are they of different trust domains? Yes where one of them is gone: nobody can say then. */
static bool crosses(const struct taking *t, const struct top_task *other)
{
	struct sample two;
	bool crosses = true;

	sample_init(&two);
	struct task *self = sample_add_task(&two);
	if (self && proc_task(t->root, t->detail->pid, self, &two) == KNOWN) {
		struct task *task = sample_add_task(&two);
		if (task && proc_task(t->root, other->pid, task, &two) == KNOWN && !trust_assign(&two, t->domains))
			crosses = owner_crosses(&two, 0, 1);
	}
	sample_free(&two);
	return crosses;
}

static void look_for_partner(struct taking *t, const struct top_task *other)
{
	struct detail_partner *p = &t->detail->partners[t->detail->partners_count];
	struct sample mappings;
	struct pagemap map;

	*p = (struct detail_partner){ .pid = other->pid, .uid = other->uid };
	snprintf(p->comm, sizeof(p->comm), "%s", other->comm);
	sample_init(&mappings);
	mappings.machine = t->sample.machine;
	if (proc_areas(t->root, other->pid, 0, &mappings) == KNOWN &&
	    pagemap_open(&map, t->root, other->pid, t->sample.machine.page_bytes) == KNOWN) {
		for (size_t i = 0; i < mappings.areas_count; i++)
			if (can_have_merged(&mappings.areas[i]))
				walk_area(t, &map, &mappings.areas[i], note_shared);
		pagemap_close(&map);
	}
	sample_free(&mappings);
	if (!p->frames)
		return;
	p->crosses = crosses(t, other);
	t->detail->partners_count++;
}

static int by_frames(const void *a, const void *b)
{
	const struct detail_partner *x = a, *y = b;
	return x->frames < y->frames ? 1 : x->frames > y->frames ? -1 : x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int find_partners(struct taking *t)
{
	struct detail *d = t->detail;
	const struct top_task *self = top_sample_task(t->others, d->pid);

	d->partners = calloc(t->others->tasks_count + 1, sizeof(*d->partners));
	t->met = calloc(t->merged_count + 1, sizeof(*t->met));
	if (!d->partners || !t->met)
		return -ENOMEM;
	for (size_t i = 0; self && t->merged_count && i < t->others->tasks_count; i++) {
		const struct top_task *other = &t->others->tasks[i];
		if (other == self || !value_or(task_value(other, TASK_MERGED_PAGES), 0))
			continue;
		if (t->cut)
			break;
		look_for_partner(t, other);
	}
	qsort(d->partners, d->partners_count, sizeof(*d->partners), by_frames);
	d->partners_known = t->cut ? NOT_READ : KNOWN;
	return 0;
}

static void say_why(struct detail *d, enum known merged, bool cut)
{
	if (merged == DENIED)
		snprintf(d->partners_why, sizeof(d->partners_why), "frames may not be looked at: that takes root");
	else if (cut)
		snprintf(d->partners_why, sizeof(d->partners_why), "there was no time to look at everything");
	else if (merged != KNOWN)
		snprintf(d->partners_why, sizeof(d->partners_why), "frames can't be looked at here");
}

/* ---- */

static int take_process(struct taking *t)
{
	enum known merged = find_merged(t);
	int rc = put_mappings(t, merged);

	if (!rc)
		rc = put_reasons(t);
	if (!rc && (merged == KNOWN || t->cut))
		rc = find_partners(t);
	else
		t->detail->partners_known = merged;
	say_why(t->detail, merged, t->cut);
	return rc;
}

static enum known find_process(struct taking *t)
{
	struct sample *s = &t->sample;
	struct task *task = sample_add_task(s);

	if (!task)
		return GONE;
	proc_machine(t->root, &s->machine);
	t->detail->page_bytes = s->machine.page_bytes;
	ksm_read(t->root, &s->engine);
	enum known known = proc_task(t->root, t->detail->pid, task, s);
	if (known != KNOWN || task->start_ticks != t->detail->start_ticks)
		return known == DENIED ? DENIED : GONE;
	known = proc_areas(t->root, t->detail->pid, 0, s);
	task->areas = s->areas_count;
	task->contents = ABSENT;
	sample_missing(s, "contents", ABSENT, "they are not looked at here");
	return known;
}

int detail_take(struct detail *ret, const struct sysroot *root, const struct top_sample *others,
		const struct domain_rules *domains, pid_t pid, uint64_t start_ticks)
{
	struct taking *t = calloc(1, sizeof(*t));
	int rc = 0;

	*ret = (struct detail){ .pid = pid, .start_ticks = start_ticks };
	if (!t)
		return -ENOMEM;
	t->detail = ret;
	t->root = root;
	t->others = others;
	t->domains = domains;
	t->until = monotonic() + SECONDS_MOST;
	sample_init(&t->sample);
	ret->mappings_known = find_process(t);
	if (ret->mappings_known == KNOWN)
		rc = take_process(t);
	page_flags_close(&t->kflags);
	pfn_index_free(&t->merged);
	sample_free(&t->sample);
	free(t->met);
	free(t);
	if (rc)
		detail_free(ret);
	return rc;
}
