/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who shares with whom: for each pair of owners, how many contents both hold.
 * Not counted: zero pages, and contents that the two already hold in a common
 * frame that is not KSM's (a parent and its child after fork).
 *
 * It looks at the SHARING_OWNERS owners with the most candidates.
 */
#ifndef KSMSCOPE_CORE_SHARING_H
#define KSMSCOPE_CORE_SHARING_H

#include "core/count/tally.h"

#define SHARING_OWNERS 32	/* a bit each in the tally's 32-bit lane */

/*
 * `counts` holds the candidates of each owner of `set`. *ret is sorted by
 * frames, descending; a and b are the first tasks of the two owners. 0 or -ENOMEM.
 */
int sharing_count(const struct tally *tally, const struct owner_set *set, const struct owner_counts *counts,
		  struct sharing **ret, size_t *ret_count);

#define SHARING_CHOSEN (SHARING_OWNERS + 1)

/* Indices of the owners with the most candidates, most first, at most SHARING_OWNERS; returns how many. */
size_t sharing_largest(uint32_t ret[SHARING_CHOSEN], const struct owner_counts *counts, size_t count);

/* Most frames first. */
void sharing_sort(struct sharing *pairs, size_t count);

#endif
