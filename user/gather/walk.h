/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk over the targets' pages: which are there, and of what kind. What is
 * done with those that KSM could take is the sink's: look.c remembers each of
 * them, sampling.c a sample of their contents.
 */
#ifndef KSMSCOPE_GATHER_WALK_H
#define KSMSCOPE_GATHER_WALK_H

#include "base/error.h"
#include "core/pfn_index.h"
#include "gather/options.h"
#include "gather/pace.h"
#include "probe/content.h"
#include "probe/page_flags.h"
#include "sys/pagemap.h"
#include "sys/sysroot.h"

#define CHUNK_PAGES 4096

/* Pages in a row of one area; the present ones side by side. */
struct chunk {
	uint64_t address;
	uint64_t entries[CHUNK_PAGES];	/* of pagemap, one per present page */
	uint64_t pfns[CHUNK_PAGES], kflags[CHUNK_PAGES];
	uint64_t probes[CHUNK_PAGES];	/* where `probed` */
	bool probed;
	uint32_t page[CHUNK_PAGES];	/* of pfns[i], counted from `address` */
	size_t present;
};

struct walk_sink;

struct walk {
	struct sample *sample;
	const struct sysroot *root;
	struct content *content;
	const struct gather_options *options;
	struct pace pace;
	struct page_flags flags;
	uint64_t huge_pages;		/* base pages in a huge page */
	bool areas_read;		/* by the scouting, a moment ago */
	bool scans;			/* candidates are found and probed in one, by content_scan() */
	bool only_candidates;		/* leave out mappings that KSM refuses, and forget each task's areas */
	struct pfn_index refused;	/* frames of mappings that KSM refuses, to count each once */
	uint64_t done, expected;
	uint64_t read_bytes;		/* of contents, for the pace: the sink counts them */
	uint64_t reported;
	const struct walk_sink *sink;
	void *context;			/* the sink's */
	struct chunk chunk;
};

struct walk_sink {
	/*
	 * Pages [i, i + count) of the chunk's present ones, which KSM could take:
	 * a huge page mapped from its begin to its end, or a single page.
	 */
	int (*pages)(void *context, struct area *area, size_t i, size_t count, struct error *err);
	/*
	 * Page i of the chunk's present ones, which KSM can't take although it is
	 * in a huge page: of hugetlb, or shared. NULL: nobody wants to know.
	 */
	void (*hidden)(void *context, size_t i);
	/* After the pages of a chunk: time to read what is in them. */
	int (*chunk_end)(void *context, const struct task *task, struct error *err);
	/* Around the pages of an area. May be NULL. */
	void (*area_begin)(void *context, struct area *area);
	void (*area_end)(void *context, struct area *area);
};

void walk_begin(struct walk *ret, struct sample *sample, const struct sysroot *root, struct content *content,
		const struct gather_options *options);

/*
 * Every page of every task from the first_task'th on, once: fills the areas and
 * their counts, and tells the sink.
 */
int walk_tasks(struct walk *walk, size_t first_task, const struct walk_sink *sink, void *context, struct error *err);
void walk_end(struct walk *walk);

/* The areas of the task behind those that the sample has. KNOWN, GONE or DENIED. */
enum known walk_areas(struct walk *walk, struct task *task, uint32_t index);
/* Take them away again: a sweep has no use for the mappings of those who were looked at. */
void walk_forget_areas(struct walk *walk, struct task *task, size_t names_length);

/* `pages` more were read: progress, the pace, and whether the user wants to stop. */
int walk_step(struct walk *walk, uint64_t pages, struct error *err);

/* The contents of a task are not what was wanted: says so in the sample. */
void walk_note_task(struct walk *walk, struct task *task, enum known state);
int walk_out_of_memory(struct error *err);
#ifdef __clang_analyzer__
#define walk_out_of_memory(err) NEVER_ZERO(walk_out_of_memory(err))
#endif

static inline bool chunk_huge(const struct chunk *c, size_t i)
{
	return c->kflags[i] & KPAGE_THP;
}

/* Does nobody else map it? Of huge pages pagemap's word is not taken: see look.c. */
static inline bool chunk_exclusive(const struct chunk *c, size_t i)
{
	return !chunk_huge(c, i) && (c->entries[i] & PAGEMAP_EXCLUSIVE);
}

static inline uint64_t chunk_address(const struct walk *w, size_t i)
{
	return w->chunk.address + w->chunk.page[i] * w->sample->machine.page_bytes;
}

/* Reading it could stop the machine, or there is nothing to read. */
static inline bool chunk_unreadable(const struct chunk *c, size_t i)
{
	return c->kflags[i] & (KPAGE_HWPOISON | KPAGE_OFFLINE | KPAGE_NOPAGE);
}

#endif
