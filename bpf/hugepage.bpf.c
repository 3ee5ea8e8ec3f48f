// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who gets huge pages back, and does that undo merges? Attempts to collapse a
 * range into a huge page, by process and result; and how many merged pages a
 * successful one copied out of their merge. khugepaged does not spare them: it
 * takes up to max_ptes_shared of a range, MADV_COLLAPSE takes any number, and
 * both fail only on a range that maps the same merged page twice (6.18).
 *
 * No event tells the range of a collapse, nor what was in it. The last page
 * isolated for it tells the address; what was merged there is looked up in our
 * own record of merges, so merges made before we looked are not counted.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "compat.bpf.h"
#include "merges.bpf.h"
#include "pagewalk.bpf.h"
#include "range.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define COUNT(counter) __sync_fetch_and_add(&(counter), 1)

const volatile __u32 succeeded;		/* SCAN_SUCCEED */
const volatile __u32 scan_arguments;	/* of the events: compat.bpf.h */
const volatile __u32 isolate_arguments;

struct hugepage_totals totals;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, COLLAPSE_KEYS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct collapse_key);
	__type(value, u64);
} collapses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HUGEPAGE_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);		/* tgid */
	__type(value, struct hugepage_counts);
} by_process SEC(".maps");

static __always_inline struct hugepage_counts *counts_of(u32 tgid)
{
	struct hugepage_counts none = {}, *counts = bpf_map_lookup_elem(&by_process, &tgid);

	if (counts)
		return counts;
	bpf_map_update_elem(&by_process, &tgid, &none, BPF_NOEXIST);
	counts = bpf_map_lookup_elem(&by_process, &tgid);
	if (!counts)
		COUNT(totals.lost_processes);
	return counts;
}

static __always_inline u32 owner_of(struct mm_struct *mm)
{
	return BPF_CORE_READ(mm, owner, tgid);
}

static __always_inline void count_step(struct mm_struct *mm, enum collapse_step step, u32 result)
{
	struct collapse_key key = { .tgid = owner_of(mm), .step = step, .result = result };
	u64 zero = 0, *count = bpf_map_lookup_elem(&collapses, &key);

	COUNT(totals.produced);
	if (!count) {
		bpf_map_update_elem(&collapses, &key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&collapses, &key);
	}
	if (count)
		COUNT(*count);
	else
		COUNT(totals.lost);
}

/*
 * The range's pages, one by one: a merge that we knew has ended. All state is
 * in the map, since the verifier would follow every value of it on the stack.
 */
static long end_one(u32 page, struct candidates **at)
{
	struct candidates *c = *at;
	c->ended += merge_ended(&totals.undone, c->owner, c->start + ((u64)page << (layout.page_shift & 31)));
	return 0;
}

static __always_inline void account_collapse(struct mm_struct *mm)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct candidates *at = bpf_map_lookup_elem(&running, &thread);

	COUNT(totals.collapses);
	if (!at || !layout.levels || !locate(at, mm))
		return;
	COUNT(totals.located);
	at->ended = 0;
	bpf_loop(1u << ((range_shift - layout.page_shift) & 15), end_one, &at, 0);
	struct hugepage_counts *counts = at->ended ? counts_of(owner_of(mm)) : NULL;
	if (!counts)
		return;
	COUNT(counts->collapses_undoing);
	__sync_fetch_and_add(&counts->merges_undone, at->ended);
}

/* All pages of a range are isolated: `last` is the last of them. What was isolated is copied next. */
SEC("tp_btf/mm_collapse_huge_page_isolate")
int isolate(u64 *ctx)
{
	struct folio *last = (struct folio *)ctx[0];
	struct candidates at = {};
	u32 thread = bpf_get_current_pid_tgid();

	if (!last || compat_isolate_result(ctx, isolate_arguments) != succeeded)
		return 0;
	find_candidates(&at, last);
	bpf_map_update_elem(&running, &thread, &at, BPF_ANY);
	return 0;
}

SEC("tp_btf/mm_collapse_huge_page")
int BPF_PROG(collapse, struct mm_struct *mm, int isolated, int result)
{
	count_step(mm, COLLAPSE_COPY, result);
	if (result == succeeded)
		account_collapse(mm);
	return 0;
}

/* Also after the collapse of a range that was found worth it, with that one's result. */
SEC("tp_btf/mm_khugepaged_scan_pmd")
int scan(u64 *ctx)
{
	count_step((struct mm_struct *)ctx[0], COLLAPSE_SCAN, compat_scan_result(ctx, scan_arguments));
	return 0;
}
