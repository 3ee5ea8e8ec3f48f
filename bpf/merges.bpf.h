/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When each page was merged, so that its lifetime is known when the merge
 * ends. One map, shared by the objects that see merges begin (engine) and end
 * (fault, hugepage, engine): user space hands the first one's to the others.
 *
 * The table is bounded and forgets what was not met for long. Where more is
 * merged than it holds, one page in 2^merges_shift is followed, chosen by its
 * address: lifetimes are then a sample of pages, counts are not scaled here.
 * An entry whose end nobody saw (the writer ran unobserved, the process ended)
 * stays until it is overwritten or forgotten; a process whose mm_struct is at
 * the same place as a dead one's can meet such an entry.
 *
 * Needs vmlinux.h, bpf_helpers.h and abi.h before it.
 */
#ifndef KSMSCOPE_MERGES_BPF_H
#define KSMSCOPE_MERGES_BPF_H

const volatile __u32 merges_shift;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MERGES_TRACKED);
	__type(key, struct merge_key);
	__type(value, u64);		/* CLOCK_MONOTONIC, ns */
} merged_at SEC(".maps");

static __always_inline bool merge_followed(const struct merge_key *key)
{
	/* the golden ratio's multiplicative hash: high bits depend on all bits of the address */
	u64 mixed = (key->address ^ key->mm << 8) * 0x9e3779b97f4a7c15ull;
	return !(mixed >> 32 & ((1u << (merges_shift & 31)) - 1));
}

/* Global, so that the verifier goes through its branches once and not for each path of its callers. */
__attribute__((noinline)) u32 log2_bucket(u64 nanoseconds)
{
	u64 rest = nanoseconds / 1000000;
	u32 bucket = 0;
#pragma unroll
	for (int step = 32; step; step /= 2) {
		if (rest >> step) {
			bucket += step;
			rest >>= step;
		}
	}
	bucket += rest != 0;
	return bucket < LIFETIME_BUCKETS ? bucket : LIFETIME_BUCKETS - 1;
}

static __always_inline void merge_began(u64 mm, u64 address)
{
	struct merge_key key = { .mm = mm, .address = address };
	u64 now = bpf_ktime_get_ns();
	if (merge_followed(&key))
		bpf_map_update_elem(&merged_at, &key, &now, BPF_ANY);
}

/* True when the merge had been seen; its lifetime is counted then. */
static __always_inline bool merge_ended(struct merge_lifetimes *lifetimes, u64 mm, u64 address)
{
	struct merge_key key = { .mm = mm, .address = address };
	u64 *began = bpf_map_lookup_elem(&merged_at, &key);

	if (!began)
		return false;
	u32 bucket = log2_bucket(bpf_ktime_get_ns() - *began) & (LIFETIME_BUCKETS - 1);
	__sync_fetch_and_add(&lifetimes->bucket[bucket], 1);
	bpf_map_delete_elem(&merged_at, &key);
	return true;
}

#endif
