/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Break huge pages of a process, or make some, from outside: it is neither
 * stopped nor asked. What came of it is looked at region by region: the kernel
 * leaves a huge page whole, without a word, that other processes map too (after
 * fork) or that is pinned for a device.
 *
 * Taken back region by region, as far as the memory is still what it was: a
 * region is rebuilt only while all of it is mapped and filled, since rebuilding
 * gives it all of a huge page again. What the process has unmapped, given back
 * in part or forbidden huge pages for since is left alone. Not told apart: a
 * region that was unmapped and mapped anew in the same place, and filled.
 *
 * Breaking frees the zero pages of a huge page (since 6.12), and makes the
 * page by which it is broken the next to be reclaimed; rebuilding takes as much
 * memory as merging and freeing had given back, and is refused where it isn't there.
 */
#ifndef KSMSCOPE_ACT_RESHAPE_H
#define KSMSCOPE_ACT_RESHAPE_H

#include "act/journal.h"
#include "act/result.h"
#include "core/judge/plan.h"
#include "sys/sysroot.h"

/*
 * `plan->changes[first]` up to `end` (not included): CHANGE_BREAK and
 * CHANGE_REBUILD of one process. `results` is indexed as the plan. Error: the
 * journal can't be written; nothing was changed then.
 */
int reshape(const struct sysroot *root, struct journal *journal, const struct plan *plan, size_t first, size_t end,
	    struct change_result *results, struct error *err);

/* Take records of one process back. One result for all of them; their states are noted in the journal. */
void reshape_back(const struct sysroot *root, struct journal *journal, const size_t *records, size_t count,
		  struct change_result *ret);

#endif
