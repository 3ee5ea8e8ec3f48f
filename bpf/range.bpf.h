/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which range was just collapsed into a huge page? No event tells. But the
 * last page that was isolated for it knows its address, or where KSM has merged
 * it, KSM's items of it know theirs; and afterwards the range is mapped by one
 * huge page, which proves it.
 *
 * An address follows from a page's index where the mapping was not moved by
 * mremap(); a merged page is followed for its first few mappings only.
 *
 * Needs vmlinux.h, bpf_helpers.h, bpf_core_read.h, abi.h and pagewalk.bpf.h before it.
 */
#ifndef KSMSCOPE_RANGE_BPF_H
#define KSMSCOPE_RANGE_BPF_H

#define CANDIDATES 8

const volatile struct walk_layout layout;
const volatile __u32 range_shift;		/* log2 of a huge page's bytes */

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

static __always_inline void find_candidates(struct candidates *at, struct folio *last)
{
	u64 mapping = (u64)BPF_CORE_READ(last, mapping);

	if ((mapping & MAPPING_FLAGS) == MAPPING_ANON)
		at->address[0] = BPF_CORE_READ(last, index) << (layout.page_shift & 63);
	else if ((mapping & MAPPING_FLAGS) == MAPPING_KSM)
		merged_candidates(at, mapping);
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

#endif
