// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One pass over all processes: who they are, what memory they have, what KSM
 * counts for them. A process without memory of its own (kernel thread, zombie)
 * has zeros and says so.
 *
 * PIDs are those of the initial PID namespace; the kernel iterates over the
 * processes of the caller's.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "abi.h"
#include "compat.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PF_KTHREAD 0x00200000	/* include/linux/sched.h */

extern __u32 LINUX_KERNEL_VERSION __kconfig;

const volatile __u32 cpus;		/* possible ones; 0: resident pages stay approximate */
__u64 cpu_offset[TASK_CPUS];		/* of each CPU's copy of per-CPU data; by learn_cpus */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} anything_percpu SEC(".maps");

/* A pointer as a number to compute with: the verifier lets it pass through memory only. */
static __always_inline u64 number_of(const void *pointer)
{
	static volatile __u64 through;
	through = (u64)pointer;
	return through;
}

/*
 * Where a map's per-CPU value lies on each CPU, against where the map says it
 * lies, tells the CPU's offset.
 */
SEC("syscall")
int learn_cpus(void *unused)
{
	struct bpf_array *array = (struct bpf_array *)number_of(&anything_percpu);
	u64 base = 0;
	u32 zero = 0;

	bpf_core_read(&base, sizeof(base), &array->pptrs[0]);
	for (u32 cpu = 0; cpu < TASK_CPUS && cpu < cpus; cpu++) {
		void *here = bpf_map_lookup_percpu_elem(&anything_percpu, &zero, cpu);
		if (!here)
			return 0;
		cpu_offset[cpu] = number_of(here) - base;
	}
	return 0;
}

struct cpu_sums {
	u64 parts[TASK_PAGES];
	s64 pages[TASK_PAGES];
};

static long add_cpu(u32 cpu, struct cpu_sums *sums)
{
	if (cpu >= TASK_CPUS)
		return 1;
#pragma unroll
	for (int kind = 0; kind < TASK_PAGES; kind++) {
		s32 part = 0;
		bpf_probe_read_kernel(&part, sizeof(part), (void *)(sums->parts[kind] + cpu_offset[cpu]));
		sums->pages[kind] += part;
	}
	return 0;
}

static __always_inline void read_pages(struct task_facts *facts, struct mm_struct *mm)
{
	struct cpu_sums sums;

#pragma unroll
	for (int kind = 0; kind < TASK_PAGES; kind++) {
		sums.pages[kind] = compat_rss(mm, kind);
		sums.parts[kind] = (u64)compat_rss_parts(mm, kind);
	}
	if (compat_rss_percpu() && cpus)
		bpf_loop(cpus, add_cpu, &sums, 0);
#pragma unroll
	for (int kind = 0; kind < TASK_PAGES; kind++)
		facts->pages[kind] = sums.pages[kind];
}

static __always_inline void read_ksm(struct task_facts *facts, struct mm_struct *mm)
{
	if (bpf_core_field_exists(mm->ksm_merging_pages))
		facts->ksm_merging_pages = mm->ksm_merging_pages;
	if (bpf_core_field_exists(mm->ksm_rmap_items))
		facts->ksm_rmap_items = mm->ksm_rmap_items;
	facts->ksm_zero_pages = compat_zero_pages(mm);
	facts->merge_any = compat_merge_any(mm, LINUX_KERNEL_VERSION);
}

struct thread_sum {
	struct list_head *node;
	u64 end;			/* the list's head: it may have become shorter */
	u64 min_flt, maj_flt;
};

static long add_thread(u32 unused, struct thread_sum *sum)
{
	struct list_head *node = sum->node;
	struct task_struct *thread = (void *)node - bpf_core_field_offset(struct task_struct, thread_node);

	if ((u64)node == sum->end)
		return 1;
	sum->min_flt += BPF_CORE_READ(thread, min_flt);
	sum->maj_flt += BPF_CORE_READ(thread, maj_flt);
	sum->node = BPF_CORE_READ(node, next);
	return 0;
}

/* Of all threads, the ended ones included: what getrusage() and /proc/PID/stat say. */
static __always_inline void read_faults(struct task_facts *facts, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	struct thread_sum sum = { .min_flt = task->min_flt, .maj_flt = task->maj_flt };

	facts->threads = signal->nr_threads;
	if (facts->threads > 1) {
		/* the list begins with the leader, who is in it already */
		sum.node = task->thread_node.next;
		sum.end = (u64)&signal->thread_head;
		bpf_loop(facts->threads - 1, add_thread, &sum, 0);
	}
	facts->min_flt = signal->min_flt + sum.min_flt;
	facts->maj_flt = signal->maj_flt + sum.maj_flt;
}

static __always_inline u64 memory_cgroup(struct task_struct *task)
{
	struct css_set *set = task->cgroups;
	struct cgroup_subsys_state *state = NULL;
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return 0;
	bpf_core_read(&state, sizeof(state),
		      &set->subsys[0] + bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
	return state ? BPF_CORE_READ(state, cgroup, kn, id) : 0;
}

static __always_inline void read_identity(struct task_facts *facts, struct task_struct *task)
{
	facts->pid = task->tgid;
	facts->parent = task->real_parent->tgid;
	facts->uid = task->real_cred->euid.val;
	facts->start_ns = task->start_boottime;
	facts->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	facts->memory_cgroup_id = memory_cgroup(task);
	facts->flags = task->flags & PF_KTHREAD ? TASK_KERNEL_THREAD : 0;
	bpf_core_read(facts->comm, sizeof(facts->comm), &task->comm);
}

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_facts facts = {
		.ksm_merging_pages = -1,
		.ksm_rmap_items = -1,
		.ksm_zero_pages = -1,
		.merge_any = -1,
	};
	struct mm_struct *mm;

	if (!task || task->pid != task->tgid)
		return 0;
	read_identity(&facts, task);
	read_faults(&facts, task);
	mm = task->mm;
	if (mm && !(facts.flags & TASK_KERNEL_THREAD)) {
		facts.flags |= TASK_HAS_MEMORY;
		read_pages(&facts, mm);
		read_ksm(&facts, mm);
	}
	bpf_seq_write(ctx->meta->seq, &facts, sizeof(facts));
	return 0;
}
