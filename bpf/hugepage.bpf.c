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

char LICENSE[] SEC("license") = "GPL";

#define COUNT(counter) __sync_fetch_and_add(&(counter), 1)
#define CANDIDATES 8

const volatile struct walk_layout layout;
const volatile __u32 range_shift;		/* log2 of a huge page's bytes */
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

/* A running collapse, by the thread that does it: where its range may be. */
struct candidates {
	u64 mm[CANDIDATES];		/* 0: any */
	u64 address[CANDIDATES];
	u64 owner;			/* mm, once it is known */
	u64 start;			/* of the range, once it is found */
	u64 ended;			/* merges that ended with the collapse */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, u32);		/* tid */
	__type(value, struct candidates);
} running SEC(".maps");

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

/*
 * Only a range that is mapped by one huge page now can be the one that was just
 * collapsed. Global, so that the verifier goes through the walk only once.
 */
__attribute__((noinline)) u32 is_collapsed(u64 table, u64 start)
{
	return walk(&layout, table, start).shift == range_shift;
}

static __always_inline bool locate(struct candidates *at, struct mm_struct *mm)
{
	u64 table = (u64)BPF_CORE_READ(mm, pgd);

	at->owner = (u64)mm;
	at->start = 0;
#pragma unroll
	for (int i = 0; i < CANDIDATES; i++) {
		u64 start = at->address[i] >> (range_shift & 63) << (range_shift & 63);
		if (!at->start && start && (!at->mm[i] || at->mm[i] == at->owner) && is_collapsed(table, start))
			at->start = start;
	}
	return at->start;
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

/* A merged page does not know its address, but KSM's items of it do. */
static __always_inline void merged_candidates(struct candidates *at, u64 mapping)
{
	struct ksm_stable_node *node = (struct ksm_stable_node *)(mapping & ~MAPPING_FLAGS);
	struct hlist_node *next = BPF_CORE_READ(node, hlist.first);

#pragma unroll
	for (int i = 0; i < CANDIDATES; i++) {
		struct ksm_rmap_item *item = (void *)next - bpf_core_field_offset(struct ksm_rmap_item, hlist);
		if (!next)
			continue;
		at->mm[i] = (u64)BPF_CORE_READ(item, mm);
		at->address[i] = BPF_CORE_READ(item, address);
		next = BPF_CORE_READ(next, next);
	}
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
	u64 mapping = (u64)BPF_CORE_READ(last, mapping);
	if ((mapping & MAPPING_FLAGS) == MAPPING_ANON)
		at.address[0] = BPF_CORE_READ(last, index) << (layout.page_shift & 63);
	else if ((mapping & MAPPING_FLAGS) == MAPPING_KSM)
		merged_candidates(&at, mapping);
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
