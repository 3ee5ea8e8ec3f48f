/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What do freshly written pages turn out to hold? Some are chosen; after
 * ARRIVAL_DELAY further faults of the same thread, when the page should have
 * its content, it is hashed in place, without any lock. Equal to a page hashed
 * before: memory that exists elsewhere came in again.
 *
 * Hashes stay here, in a bounded table that forgets what was not met for long.
 * So the count of duplicates is a lower bound: a content with few copies is
 * missed when its twin was not chosen, and a twin may have changed or gone
 * since. Threads that stop faulting, or move to another CPU in between, lose
 * their chosen page: it counts as abandoned.
 *
 * Needs vmlinux.h, bpf_helpers.h and abi.h before it.
 */
#ifndef KSMSCOPE_ARRIVALS_BPF_H
#define KSMSCOPE_ARRIVALS_BPF_H

#include "pagehash.h"

const volatile __u32 sample_least;	/* arrivals from one choice to the next, at least; 0: no sample is taken */
const volatile __u32 sample_spread;	/* … and up to so many less one more, evenly drawn */
const volatile __u64 page_mask;		/* of the part of an address that names its page */
const volatile __u32 chunks;		/* of CONTENT_CHUNK_BYTES in a page */
const volatile __u64 zero_hash;
const volatile __u64 key[CONTENT_KEY_WORDS];

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct fault_cpu);
} by_cpu SEC(".maps");

struct arrival_words {
	u64 words[CONTENT_KEY_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct arrival_words);
} arrival_scratch SEC(".maps");

struct arrival {
	u64 tgid;
	u64 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ARRIVALS_REMEMBERED);
	__type(key, u64);		/* hash */
	__type(value, struct arrival);	/* where it was met first */
} arrivals_seen SEC(".maps");

/*
 * 0 where the page can't be read any more. Global, so that the verifier goes
 * through its loop once and not for each path of its callers.
 */
__attribute__((noinline)) u64 arrival_hash(u64 address)
{
	u32 zero = 0;
	u64 hash = 0;
	struct arrival_words *scratch = bpf_map_lookup_elem(&arrival_scratch, &zero);

	if (!scratch)
		return 0;
	for (u32 chunk = 0; chunk < CONTENT_MAX_CHUNKS && chunk < chunks; chunk++) {
		if (bpf_probe_read_user(scratch, sizeof(*scratch), (void *)(address + chunk * CONTENT_CHUNK_BYTES)))
			return 0;
		hash = pagehash_chunk(hash, scratch->words, (const __u64 *)key);
	}
	for (int i = 0; i < CONTENT_KEY_WORDS; i++)
		*(volatile __u64 *)&scratch->words[i] = 0;
	return hash;
}

static __always_inline void arrival_count(struct fault_arrivals *counts, u64 hash, u64 tgid, u64 address)
{
	struct arrival here = { .tgid = tgid, .address = address }, *first;

	counts->hashed++;
	if (hash == zero_hash) {
		counts->zero++;
		return;
	}
	first = bpf_map_lookup_elem(&arrivals_seen, &hash);
	if (!first)
		bpf_map_update_elem(&arrivals_seen, &hash, &here, BPF_ANY);
	else if (first->tgid != tgid || first->address != address)
		counts->duplicate++;
}

/* A fault of a thread: is a page waiting for it, and is this one chosen? */
static __always_inline void arrivals_see(struct fault_arrivals *counts, struct fault_cpu *cpu, u64 id, u64 address,
					 bool arrival)
{
	struct arrival_slot *slot = &cpu->slots[id & (ARRIVAL_SLOTS - 1)];
	u32 thread = id;

	if (!sample_least)
		return;
	if (slot->delay && slot->thread == thread && !--slot->delay) {
		u64 hash = arrival_hash(slot->address);
		if (hash)
			arrival_count(counts, hash, id >> 32, slot->address);
		else
			cpu->totals.unread++;
	}
	if (!arrival || cpu->until_next-- > 1)
		return;
	/* so that no pattern of the program's can run along */
	cpu->until_next = sample_least + bpf_get_prandom_u32() % sample_spread;
	cpu->totals.armed++;
	if (slot->delay)
		cpu->totals.abandoned++;
	slot->thread = thread;
	slot->delay = ARRIVAL_DELAY;
	slot->address = address & page_mask;
}

#endif
