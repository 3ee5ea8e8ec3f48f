// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who faults, and why? Page faults by process and kind; a write to a page that
 * KSM has merged is told apart from other copies on write by looking at the
 * frame behind the address (pagewalk.bpf.h), since the kernel has no event for
 * it. And what do freshly written pages turn out to hold (arrivals.bpf.h)?
 *
 * Counts what an instruction causes, in user mode or in a system call. What
 * the kernel does on a process's behalf without an exception is not seen:
 * guest memory that KVM faults in, get_user_pages(), unmerging.
 *
 * Every fault of the machine pays for these programs while they are attached,
 * whatever they do; so user space attaches them a part of the time, and
 * `counting` makes begin and end of a window sharp.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "arrivals.bpf.h"
#include "merges.bpf.h"
#include "pagewalk.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Error code of a page fault: enum x86_pf_error_code. */
#define FAULT_PRESENT (1 << 0)
#define FAULT_WRITE (1 << 1)
#define FAULT_BROKEN (1 << 3 | 1 << 5)	/* reserved bit, protection key */

const volatile struct walk_layout layout;
volatile bool counting;		/* user space opens and closes the window */
struct merge_lifetimes broken;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, FAULT_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);		/* tgid */
	__type(value, struct fault_counts);
} by_process SEC(".maps");

static __always_inline struct fault_counts *counts_of(u32 tgid)
{
	struct fault_counts *counts = bpf_map_lookup_elem(&by_process, &tgid);

	if (counts)
		return counts;
	struct fault_counts none = {};
	bpf_map_update_elem(&by_process, &tgid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&by_process, &tgid);
}

/* A write to a page that was present: whose page was it? */
static __always_inline enum fault_kind cow_kind(struct mm_struct *mm, u64 address)
{
	struct walk_leaf leaf;

	if (!layout.levels)
		return FAULT_COW_UNKNOWN;
	leaf = walk(&layout, (u64)BPF_CORE_READ(mm, pgd), address);
	if (!leaf.entry)
		return FAULT_COW_UNKNOWN;
	if (leaf.entry & ENTRY_WRITE)
		return FAULT_OTHER;	/* another thread was quicker */
	if (leaf.shift != layout.page_shift)
		return FAULT_COW_OTHER;	/* a huge page: KSM has none */
	u64 pfn = leaf_pfn(&layout, leaf);
	if (leaf.entry & ENTRY_SPECIAL)
		return pfn == layout.zero_frame && leaf.entry & (ENTRY_DIRTY | ENTRY_SAVED_DIRTY) ?
			FAULT_COW_ZERO : FAULT_COW_OTHER;
	return page_is_merged(frame_page(&layout, pfn)) ? FAULT_COW_MERGED : FAULT_COW_OTHER;
}

static __always_inline enum fault_kind kind_of(struct mm_struct *mm, u64 address, u64 error)
{
	if (error & FAULT_BROKEN)
		return FAULT_OTHER;
	if (!(error & FAULT_PRESENT))
		return error & FAULT_WRITE ? FAULT_FIRST_WRITE : FAULT_FIRST_READ;
	return error & FAULT_WRITE ? cow_kind(mm, address) : FAULT_OTHER;
}

static __always_inline bool is_arrival(enum fault_kind kind)
{
	return kind == FAULT_FIRST_WRITE || (kind >= FAULT_COW_MERGED && kind <= FAULT_COW_UNKNOWN);
}

static __always_inline void end_merge(struct mm_struct *mm, u64 address)
{
	if (!merge_ended(&broken, (u64)mm, address & page_mask))
		__sync_fetch_and_add(&broken.unseen, 1);
}

static __always_inline int fault(u64 address, u64 error, bool in_kernel)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	u64 id = bpf_get_current_pid_tgid();
	struct fault_cpu *cpu;
	u32 zero = 0;

	if (!counting || !mm)
		return 0;
	cpu = bpf_map_lookup_elem(&by_cpu, &zero);
	if (!cpu)
		return 0;
	cpu->totals.produced++;
	struct fault_counts *counts = counts_of(id >> 32);
	if (!counts) {
		cpu->totals.lost++;
		return 0;
	}
	enum fault_kind kind = kind_of(mm, address, error);
	if (kind == FAULT_COW_MERGED)
		end_merge(mm, address);
	counts->in_kernel += in_kernel;
	arrivals_see(&counts->arrivals, cpu, id, address, is_arrival(kind));
	if (kind < FAULT_KINDS)
		counts->kind[kind]++;
	return 0;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_in_user, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	return fault(address, error, false);
}

/*
 * Also fires for the kernel's own addresses, which have the highest bit set,
 * and for accesses that are tried and not insisted on, which map nothing.
 */
SEC("tp_btf/page_fault_kernel")
int BPF_PROG(fault_in_kernel, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	if ((s64)address < 0 || bpf_get_current_task_btf()->pagefault_disabled)
		return 0;
	return fault(address, error, true);
}
