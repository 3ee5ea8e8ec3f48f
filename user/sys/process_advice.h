/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advice about another process's memory, given from outside (process_madvise):
 * without stopping it, and without a word in it. Only act/ may include this.
 * Needs CAP_SYS_NICE and the right to read the process (PTRACE_MODE_READ).
 */
#ifndef KSMSCOPE_SYS_PROCESS_ADVICE_H
#define KSMSCOPE_SYS_PROCESS_ADVICE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/sysroot.h"

/* A handle that stays with the process, whoever gets its PID later. A descriptor, or -errno. */
int process_handle(pid_t pid);

/*
 * MADV_COLD on the first page of each huge page that lies in [start, end),
 * both aligned to `pmd_bytes`: the kernel splits a huge page that is mapped by
 * this process alone before it ages a part of it (madvise_cold_or_pageout_pte_range(),
 * mm/madvise.c, 5.4; from outside since 5.10). That it has is to be looked at:
 * a huge page that others map, or that is pinned, stays whole without a word.
 * 0 or -errno; -EINVAL for mlocked memory.
 */
int process_break_huge(int handle, uint64_t start, uint64_t end, uint64_t page_bytes, uint64_t pmd_bytes);

/*
 * MADV_COLLAPSE (6.1) on the one region at `address`: 0, or -errno: -EAGAIN
 * while pages of it are merged or in use, -EINVAL where the mapping forbids
 * huge pages, -ENOMEM where none can be had.
 */
int process_rebuild_huge(int handle, uint64_t address, uint64_t pmd_bytes);

/*
 * The same as process_break_huge() by debugfs (split_huge_pages), also for
 * mlocked memory. -errno where debugfs is not mounted or is locked down.
 */
int debugfs_break_huge(const struct sysroot *root, pid_t pid, uint64_t start, uint64_t end);

#endif
