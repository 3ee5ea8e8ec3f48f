// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who loses huge pages to ksmd? No event tells of a split. But the pages of a
 * split huge page are mapped anew one by one, from migration entries, with an
 * event each (migrate:remove_migration_pte, 4cc79b3303f2, 5.18), and ksmd
 * migrates nothing else: so each new range it does that in is a split.
 *
 * Splits by others (reclaim, madvise, mprotect) can't be told from migration
 * and are only in vmstat's thp_split_page. A huge page mapped by several
 * processes may count once for each. A huge page of zeros alone is not seen.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 range_shift;		/* log2 of a huge page's bytes */
const volatile __u32 ksmd;		/* its PID */

struct split_totals totals;		/* ksmd is one thread: plain counters do */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HUGEPAGE_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);		/* tgid; 0: its owner is gone */
	__type(value, u64);
} by_process SEC(".maps");

SEC("tp_btf/remove_migration_pte")
int BPF_PROG(remapped, unsigned long address)
{
	u64 range = address >> (range_shift & 63);

	if ((u32)bpf_get_current_pid_tgid() != ksmd || range == totals.range)
		return 0;
	totals.range = range;
	totals.produced++;
	totals.waiting++;
	return 0;
}

/* The attempt for which it was split: the process of that page lost the huge page. */
SEC("tp_btf/ksm_merge_with_ksm_page")
int BPF_PROG(split_for, void *ksm_page, unsigned long pfn, void *item, struct mm_struct *mm)
{
	u32 tgid;
	u64 zero = 0, *count;

	totals.range = 0;
	if (!totals.waiting)
		return 0;
	tgid = BPF_CORE_READ(mm, owner, tgid);
	bpf_map_update_elem(&by_process, &tgid, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&by_process, &tgid);
	if (count)
		*count += totals.waiting;
	else
		totals.lost += totals.waiting;
	totals.waiting = 0;
	return 0;
}
