/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Take the opt-ins of a process back, by its journal: MADV_UNMERGEABLE on what
 * is still mergeable of our ranges, PR_SET_MEMORY_MERGE off. Both give each
 * merged page a frame of its own again, at once; refused while the memory for
 * it is not there. Idempotent, and any process may do it.
 *
 * Switching the process-wide opt-in off also takes away what the process had
 * made mergeable itself, so those ranges (RECORD_FOUND) are made mergeable
 * again; they are merged anew by ksmd.
 *
 * Children that were forked since, inherited the opt-in and still have their
 * parent are taken back with it. Not found: those whose parent ended, and
 * mappings that the process moved elsewhere (mremap keeps the flag).
 *
 * The engine's counters follow at ksmd's next visit; while it is stopped
 * pages_sharing stays as it was, though the memory has been given back.
 */
#ifndef KSMSCOPE_ACT_TAKE_BACK_H
#define KSMSCOPE_ACT_TAKE_BACK_H

#include "act/journal.h"
#include "act/result.h"
#include "act/process.h"
#include "sys/sysroot.h"

/*
 * `records`: indices of the open opt-ins of one process. One result for all of
 * them: they stand and fall together. Their states are noted in the journal.
 */
void take_back(const struct sysroot *root, const struct family *family, struct journal *journal,
	       const size_t *records, size_t count, struct change_result *ret);

/*
 * MADV_UNMERGEABLE inside the process, a bounded number of pages within one
 * stop; between two stops it runs. Whether the memory is there is the caller's
 * business (process_can_unmerge()).
 */
int unmerge_ranges(const struct task *task, const struct ranges *ranges, uint64_t page_bytes, struct error *err);

#endif
