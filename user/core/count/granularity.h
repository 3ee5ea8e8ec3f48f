/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hit rate by block size: how many duplicates would be left to find if
 * blocks of 16 KiB, 64 KiB, a huge page … were compared instead of pages.
 * A block counts only when it is aligned, all its pages are present
 * candidates, and at least one of its frames was not met before (a forked
 * child's view of its parent's block is the same block).
 */
#ifndef KSMSCOPE_CORE_GRANULARITY_H
#define KSMSCOPE_CORE_GRANULARITY_H

#include "core/count/tally.h"

/* Fill ret[0 … *ret_levels). Level 0 is the base page: all candidates. 0 or -ENOMEM. */
int granularity_count(const struct tally *tally, struct granularity ret[GRANULARITY_LEVELS], size_t *ret_levels);

#endif
