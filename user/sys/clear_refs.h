/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clearing the accessed bits of a process, by /proc/PID/clear_refs: the only
 * way that the kernel offers. It is a write into the target's ageing: pages
 * look unused to reclaim until they are accessed again. The processor's
 * translations stay, so an access right after may set no bit.
 */
#ifndef KSMSCOPE_SYS_CLEAR_REFS_H
#define KSMSCOPE_SYS_CLEAR_REFS_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/known.h"
#include "sys/sysroot.h"

/* Open for writing; a descriptor, or -errno. It stays with that process, and fails when it ends. */
int clear_refs_open(const struct sysroot *root, pid_t pid);

/*
 * Clear all accessed bits; with `flush` let the processor forget its
 * translations as well. KNOWN, GONE or DENIED.
 */
enum known clear_refs(int fd, bool flush);

/*
 * May translations be flushed? Writing 4 does so after clearing the soft-dirty
 * bits (flush_tlb_mm() in clear_refs_write(), fs/proc/task_mmu.c), which
 * somebody else may rely on and which costs a write fault per page. Where the
 * kernel has no such bits (CONFIG_MEM_SOFT_DIRTY) the flush is all it does.
 * Tried on a page of our own, whose bit 55 in pagemap would be set.
 */
bool clear_refs_can_flush(const struct sysroot *root, uint64_t page_bytes);

#endif
