// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What does ksmd do? Its passes, the merges and their failures, what is given
 * up again, and what the advisor decides; by process where the event tells.
 *
 * The events exist since 739100c88f49 "mm: add tracepoints to ksm" (6.4), the
 * advisor's since 5088b49730af (6.8). They don't tell when a write ends a
 * merge (see fault.bpf.c), nor when ksmd finds a page changed and stops
 * tracking it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "merges.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u64 page_mask;	/* of the part of an address that names its page */

struct engine_totals totals;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ENGINE_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);		/* tgid; 0: its owner is gone */
	__type(value, struct engine_counts);
} by_process SEC(".maps");

#define COUNT(counter) __sync_fetch_and_add(&(counter), 1)

static __always_inline struct engine_counts *counts_of(struct mm_struct *mm)
{
	u32 tgid = BPF_CORE_READ(mm, owner, tgid);
	struct engine_counts none = {}, *counts = bpf_map_lookup_elem(&by_process, &tgid);

	if (counts)
		return counts;
	bpf_map_update_elem(&by_process, &tgid, &none, BPF_NOEXIST);
	counts = bpf_map_lookup_elem(&by_process, &tgid);
	if (!counts)
		COUNT(totals.lost);
	return counts;
}

static __always_inline void count_failure(struct mm_struct *mm, int err)
{
	struct engine_counts *counts = counts_of(mm);
	u64 error = -(s64)err;		/* in 64 bits: up to 6.12 the verifier knows nothing of a negated half */

	if (error >= ENGINE_ERRORS)
		error = ENGINE_ERRORS - 1;
	COUNT(totals.failures[error]);
	if (counts)
		COUNT(counts->failures);
}

SEC("tp_btf/ksm_start_scan")
int BPF_PROG(pass_begins, int sequence, u32 rmap_items)
{
	totals.pass_begun_cpu_ns = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), se.sum_exec_runtime);
	totals.pass_begun_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/ksm_stop_scan")
int BPF_PROG(pass_ends, int sequence, u32 rmap_items)
{
	u64 cpu = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), se.sum_exec_runtime);

	if (!totals.pass_begun_ns)
		return 0;
	totals.pass_last_ns = bpf_ktime_get_ns() - totals.pass_begun_ns;
	totals.pass_last_cpu_ns = cpu - totals.pass_begun_cpu_ns;
	totals.pass_rmap_items = rmap_items;
	COUNT(totals.pass_histogram[log2_bucket(totals.pass_last_ns) & (LIFETIME_BUCKETS - 1)]);
	COUNT(totals.passes);
	totals.pass_begun_ns = 0;
	return 0;
}

/*
 * Fires for every attempt. The first page of a pair comes without a KSM page:
 * it becomes that page. When the second one then fails, the kernel breaks the
 * first up again, without an event.
 */
SEC("tp_btf/ksm_merge_with_ksm_page")
int BPF_PROG(merge, void *ksm_page, unsigned long pfn, struct ksm_rmap_item *item, struct mm_struct *mm, int err)
{
	u64 pair = totals.pending_pfn;
	struct engine_counts *counts;

	totals.pending_pfn = !ksm_page && !err ? pfn : 0;
	if (err) {
		count_failure(mm, err);
		if (ksm_page && pair == pfn)
			COUNT(totals.undone);
		return 0;
	}
	COUNT(totals.merges);
	merge_began((u64)mm, BPF_CORE_READ(item, address) & page_mask);
	counts = counts_of(mm);
	if (counts)
		COUNT(counts->merges);
	return 0;
}

/* In spite of its name: only merges with the zero page. */
SEC("tp_btf/ksm_merge_one_page")
int BPF_PROG(merge_zero, unsigned long pfn, struct ksm_rmap_item *item, struct mm_struct *mm, int err)
{
	struct engine_counts *counts;

	if (err) {
		count_failure(mm, err);
		return 0;
	}
	COUNT(totals.zero_merges);
	counts = counts_of(mm);
	if (counts)
		COUNT(counts->zero_merges);
	return 0;
}

SEC("tp_btf/ksm_remove_ksm_page")
int BPF_PROG(removed_page, unsigned long pfn)
{
	COUNT(totals.removed_pages);
	return 0;
}

SEC("tp_btf/ksm_remove_rmap_item")
int BPF_PROG(removed_item, unsigned long pfn, struct ksm_rmap_item *item, struct mm_struct *mm)
{
	struct engine_counts *counts = counts_of(mm);

	COUNT(totals.removed_items);
	if (counts)
		COUNT(counts->removed_items);
	if (!merge_ended(&totals.removed, (u64)mm, BPF_CORE_READ(item, address) & page_mask))
		COUNT(totals.removed.unseen);
	return 0;
}

SEC("tp_btf/ksm_enter")
int BPF_PROG(entered, void *mm)
{
	COUNT(totals.entered);
	return 0;
}

SEC("tp_btf/ksm_exit")
int BPF_PROG(exited, void *mm)
{
	COUNT(totals.exited);
	return 0;
}

SEC("tp_btf/ksm_advisor")
int BPF_PROG(advisor, s64 scan_seconds, unsigned long pages_to_scan, unsigned int cpu_percent)
{
	COUNT(totals.advisor_decisions);
	totals.advisor_scan_seconds = scan_seconds;
	totals.advisor_pages_to_scan = pages_to_scan;
	totals.advisor_cpu_percent = cpu_percent;
	return 0;
}
