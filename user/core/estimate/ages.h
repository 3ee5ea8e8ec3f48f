/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Since when has a page held what it holds? Remembers pages of the contents
 * that a sample keeps (sketch.h), from pass to pass, in bounded memory.
 *
 * A page is a virtual page of an owner, as for ksmd: a frame that the kernel
 * moves keeps its age. Of the light contents all pages are followed, so that
 * the settled copies of one are counted and not estimated; of the frequent
 * ones a share of the pages, taken by their address. Where the table is full
 * the share of the stratum that holds more is halved in place.
 *
 * It does not see a page that changed and changed back between two visits,
 * nor tell a page that was freed from one that was written to.
 */
#ifndef KSMSCOPE_CORE_AGES_H
#define KSMSCOPE_CORE_AGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/estimate/sketch.h"
#include "core/estimate/survival.h"

#define AGES_MIN_BYTES ((size_t)4096)

struct __attribute__((packed, aligned(4))) age {
	uint64_t page;			/* virtual page number and flags; 0: the slot is free */
	uint64_t hash;
	uint32_t owner;
	uint32_t place;			/* upper half of what it is thinned by */
	uint32_t since;			/* when it was first met like this */
};

struct ages {
	struct age *slots;
	uint32_t slots_count;		/* an eighth of slots_max, or all of them */
	uint32_t slots_max, used_max;
	uint32_t used[SKETCH_STRATA];
	uint32_t last[SKETCH_STRATA];	/* the last place that is followed */
	uint32_t now;			/* of the present pass, in the caller's unit of time */
	uint64_t salt;			/* which addresses of frequent contents are followed */
};

/* Takes at most `bytes`; fewer than AGES_MIN_BYTES count as these. 0 or -ENOMEM. */
int ages_init(struct ages *ret, size_t bytes, uint64_t salt);
void ages_free(struct ages *ages);
void ages_clear(struct ages *ages);

/* A pass begins, so long after any fixed moment; later than the last one. */
void ages_begin(struct ages *ages, uint32_t now);

#define AGE_NOT_FOLLOWED UINT32_MAX

/*
 * A page was met with this content: for how long has it been met like this, 0
 * when it is the first time. `place` is the upper half of the content's
 * place in the sketch; read in the light stratum only. AGE_NOT_FOLLOWED where
 * this page is none of those that are followed.
 */
uint32_t ages_meet(struct ages *ages, uint64_t page, uint32_t owner, uint64_t hash, enum sketch_stratum stratum,
		   uint32_t place);

/* The share of a stratum that is followed, 0 < share <= 1: of the light contents, of the frequent ones' pages. */
double ages_share(const struct ages *ages, enum sketch_stratum stratum);

/* The virtual page of an age. */
uint64_t age_page(const struct age *age);
enum sketch_stratum age_stratum(const struct age *age);

/* Has it been met in the present pass? */
bool age_met(const struct age *age);

/* Indices of all slots in use, by owner and page; the caller frees them. NULL when memory is out. */
uint32_t *ages_list(const struct ages *ages, uint32_t *ret_count);

/*
 * The pass ended: what was followed before it and was not met again has ended.
 * Adds to sums[owner] what stayed and what did not; pages of owners of which
 * `gone` says that they ended are forgotten and count nowhere. 0, or -ENOMEM
 * and only the forgetting is done.
 */
int ages_end(struct ages *ages, const bool *gone, struct survival *sums, uint32_t owners);

#endif
