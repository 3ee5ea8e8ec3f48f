/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A knob of the engine: journal what is there, write, and put back what was
 * there. The value that is put back is the one found at the time of writing,
 * not the plan's, which is older.
 *
 * The kernel's advisor complicates two things. While it is on, pages_to_scan
 * is its own and refuses writes: a plan switches advisor_mode off first, and
 * since restoring goes backwards, pages_to_scan is put back before the advisor
 * is switched on again. And a write of advisor_mode sets pages_to_scan to a
 * default (set_advisor_defaults(), mm/ksm.c, 6.8): where a plan switches the
 * advisor on, pages_to_scan is journalled too, to be restored whatever it is
 * then. Where the advisor was found on, what it had chosen is not kept: it
 * starts again from advisor_min_pages_to_scan, by the kernel's own rule.
 */
#ifndef KSMSCOPE_ACT_KNOB_CHANGE_H
#define KSMSCOPE_ACT_KNOB_CHANGE_H

#include "act/journal.h"
#include "act/result.h"
#include "core/judge/plan.h"
#include "sys/sysroot.h"

/* Error: the journal or the knob can't be written; the result says why, too. `index` is the change's in its plan. */
int knob_change(const struct sysroot *root, struct journal *journal, const struct change *change, size_t index,
		struct change_result *ret, struct error *err);

/*
 * The same for somebody who writes a knob again and again: the way back stays
 * the value that was found before the first of these writes. Refused as
 * CHANGE_FOREIGN, and the earlier record closed, where the knob is not as the
 * plan has it (`before`): somebody else wrote it meanwhile. Of the error only
 * the result speaks: a knob that can't be written is no reason to end.
 */
void knob_rewrite(const struct sysroot *root, struct journal *journal, const struct change *change, size_t index,
		  struct change_result *ret);

/*
 * Put record `record` back where it is still as we wrote it. run=2 ("unmerge
 * all") is never written: a run that was found at 2 is put back to 0.
 */
void knob_restore(const struct sysroot *root, struct journal *journal, size_t record, struct change_result *ret);

#endif
