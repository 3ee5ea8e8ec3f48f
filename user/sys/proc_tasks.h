/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All processes with their KSM and memory counters, from /proc: the slow
 * reader, which works everywhere. probe/tasks.h has the quick one; both fill
 * the same struct, and a test compares them.
 */
#ifndef KSMSCOPE_SYS_PROC_TASKS_H
#define KSMSCOPE_SYS_PROC_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "core/known.h"
#include "sys/cgroups.h"
#include "sys/sysroot.h"

struct process_facts {
	pid_t pid, parent;
	uid_t uid;			/* effective */
	char comm[64];			/* raw; the quick reader has a worker thread's bare name */
	uint64_t start_ticks;		/* since boot, in sysconf(_SC_CLK_TCK): tells a reused PID */
	uint32_t threads;
	bool kernel_thread;
	bool has_memory;		/* false: kernel thread or zombie; its counters are known to be 0 */
	struct cgroup_id cgroup;
	struct value file_pages, anon_pages, swap_pages, shmem_pages;	/* base pages */
	struct value minor_faults, major_faults;	/* of all threads, the ended ones included */
	struct value ksm_merging_pages, ksm_rmap_items, ksm_zero_pages;
	struct value merge_any;		/* PR_SET_MEMORY_MERGE is on */
};

/*
 * All processes, ascending by PID; the caller frees *ret. One that ends while
 * it is read is left out. `cgroups` may be NULL: no groups then.
 */
int proc_tasks_read(const struct sysroot *root, const struct cgroups *cgroups, struct process_facts **ret,
		    size_t *ret_count, struct error *err);

#endif
