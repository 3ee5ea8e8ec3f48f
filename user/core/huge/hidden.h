/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What huge pages hide that KSM can't take: hugetlb of any size, and shared
 * memory in huge pages. Their frames are no candidates; only their contents
 * are counted, against each other and against the candidates: f(b + h) − f(b)
 * over all contents, b of their copies among the candidates, h hidden, and f
 * as in ledger.h. What merging them would free if KSM could take them, across
 * trust domains.
 */
#ifndef KSMSCOPE_CORE_HUGE_HIDDEN_H
#define KSMSCOPE_CORE_HUGE_HIDDEN_H

#include "core/sample.h"

struct hidden {
	struct column hashes;		/* uint64_t per frame that could be read */
	uint64_t zero;			/* of them, full of zeros */
	uint64_t zero_hash;
	bool incomplete;		/* memory ran out, or some could not be read */
	uint64_t frees, frees_zero;	/* hidden_count() */
};

/* Somebody is going to look: makes sample->hidden. 0 or -ENOMEM. */
int hidden_begin(struct sample *sample);

/* Add a frame. Does nothing where nobody looks. */
void hidden_add(struct sample *sample, uint64_t hash, bool read, bool is_zero);

/* Count, before the sample's frames are grouped (tally_group()). 0 or -ENOMEM; nothing to do where nobody looked. */
int hidden_count(struct sample *sample);

/* Frames that merging would free, and how many of these are full of zeros; NOT_READ where nobody looked. */
void hidden_result(const struct sample *sample, struct value *ret_frames, struct value *ret_zero);

void hidden_free(struct hidden *hidden);

#endif
