/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exact count: which frames hold the same content, how often, and whose
 * they are. Everything is by physical frame.
 *
 * Memory beside the frame table: 4 bytes per frame, 2 more while shares are
 * attributed and only where frames are mapped more than once, and a bit each.
 */
#ifndef KSMSCOPE_CORE_TALLY_H
#define KSMSCOPE_CORE_TALLY_H

#include "core/count/owner.h"

struct tally {
	const struct sample *sample;
	uint32_t *copies;	/* by content: how many frames hold it */
	uint32_t contents;	/* distinct contents; unreadable and volatile frames have one each */
	uint32_t zero;		/* the content number of zero pages, FRAME_NONE where there are none */
	uint64_t *seen;		/* scratch: a bit per frame, clear between passes */
};

/* Group equal frames. It replaces each hash by a content number. 0 or -ENOMEM. */
int tally_group(struct tally *ret, struct sample *sample);
void tally_free(struct tally *tally);

/*
 * After grouping, a frame's slot holds its content number in the low half; the
 * high half is scratch: a value per content, or per frame, for one pass.
 */
static inline uint32_t slot_content(uint64_t slot)
{
	return (uint32_t)slot;
}

static inline uint32_t content_of(const struct sample *s, uint32_t frame)
{
	return slot_content(frame_hashes(&s->frames)[frame]);
}

static inline uint32_t lane_get(const struct sample *s, uint32_t index)
{
	return frame_hashes(&s->frames)[index] >> 32;
}

static inline void lane_set(const struct sample *s, uint32_t index, uint32_t value)
{
	uint64_t *slot = &frame_hashes(&s->frames)[index];
	*slot = (uint64_t)value << 32 | (uint32_t)*slot;
}

/* Which pages a pass visits. */
struct scope {
	const struct owner_set *set;	/* NULL: all tasks */
	const struct owner *owner;	/* the owner in it */
	const bool *areas;		/* only these areas; NULL: all */
	bool first_met;			/* only where a frame was met first: each frame belongs to one owner */
};

/* Call `visit` for each page of the scope, in ascending order of tasks and addresses. */
void tally_pages(const struct sample *sample, const struct scope *scope,
		 void (*visit)(void *context, uint32_t frame, const struct area *area), void *context);

/* Mark a frame; true when it was not marked before. tally_unmark() clears a scope's marks. */
bool tally_mark(const struct tally *tally, uint32_t frame);
void tally_unmark(const struct tally *tally, const struct scope *scope);

/* Candidates, distinct contents and self-duplicates of one owner. Sets FRAME_SELF where `kind` is OWNER_PROCESS. */
void tally_owner(const struct tally *tally, const struct scope *scope, bool flag_self, struct owner_counts *ret);

/* How often each frame is mapped by different processes, for attribution. NULL when memory is out. */
uint16_t *tally_mappers(const struct tally *tally);

/*
 * Frames freed when the scope's pages merge with each other, with at most
 * `cap` mappings to a merged frame (0: no cap). `zero` says what zero pages do.
 */
struct zero_rule {
	bool all;		/* use_zero_pages: every zero frame is freed, none is kept, no cap */
	bool in_huge;		/* those in huge pages are freed by the split, where the page splits */
};
uint64_t tally_saving(const struct tally *tally, const struct scope *scope, uint32_t cap,
		      const struct zero_rule *zero);

#endif
