/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opt a process in: all its madvise and prctl changes within one stop of the
 * process. What it refuses is noted in the change's result; the others go on.
 *
 * Looked at first: that it is the process that was meant, that each range is
 * mapped and of a kind that KSM takes, and which parts of it are mergeable
 * already: those are not ours, neither to set nor to take back. Looked at
 * afterwards: that the ranges are mergeable now, since madvise succeeds and
 * does nothing where KSM refuses a mapping.
 *
 * A child forked afterwards inherits both: the flag of each mapping (copied
 * with it; gone after an exec) and the process-wide opt-in (it stays over
 * exec). take_back.h says how far they are found again.
 */
#ifndef KSMSCOPE_ACT_OPT_IN_H
#define KSMSCOPE_ACT_OPT_IN_H

#include "act/journal.h"
#include "act/result.h"
#include "core/judge/plan.h"
#include "sys/sysroot.h"

/*
 * `plan->changes[first]` up to `end` (not included), all of one process.
 * `results` is indexed as the plan. Error: the journal can't be written;
 * nothing was changed then.
 */
int opt_in(const struct sysroot *root, struct journal *journal, const struct plan *plan, size_t first, size_t end,
	   struct change_result *results, struct error *err);

#endif
