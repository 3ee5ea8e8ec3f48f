// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is in these pages? Answers with a keyed hash each; contents stay in a
 * scratch that only the kernel sees and that is wiped after each batch.
 *
 * Two readers. content_direct reads frames through the kernel's direct map: no
 * lock of the target, nothing is ever faulted in, but a frame may have changed
 * hands since its number was learned. content_copy reads addresses of one
 * process as ptrace would: it takes the target's mmap_lock for a moment.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "abi.h"
#include "pagehash.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 page_bytes;
const volatile __u32 chunks;		/* of CONTENT_CHUNK_BYTES in a page */
const volatile __u64 key[CONTENT_KEY_WORDS];
__u32 copy_count;			/* pages that content_copy is to hash; it sets it to 0 */
struct content_batch batch SEC(".data.batch");

struct scratch {
	__u64 words[CONTENT_KEY_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct reading {
	struct scratch *scratch;
	struct task_struct *task;	/* of the copying reader */
	__u64 direct_map;		/* of the other one */
};

/* `copy` is a constant in each caller: neither program holds the read that it does not need. */
static __always_inline long read_chunk(struct reading *r, __u64 where, __u32 offset, bool copy)
{
	if (copy)
		return bpf_copy_from_user_task(r->scratch, sizeof(*r->scratch), (void *)(where + offset), r->task, 0);
	return bpf_probe_read_kernel(r->scratch, sizeof(*r->scratch),
				     (void *)(r->direct_map + where * page_bytes + offset));
}

static __always_inline long hash_page(__u32 i, struct reading *r, bool copy)
{
	__u64 hash = 0;

	if (i >= CONTENT_BATCH)
		return 1;
	for (__u32 chunk = 0; chunk < CONTENT_MAX_CHUNKS && chunk < chunks; chunk++) {
		if (read_chunk(r, batch.where[i], chunk * CONTENT_CHUNK_BYTES, copy)) {
			batch.status[i] = CONTENT_UNREAD;
			return 0;
		}
		hash = pagehash_chunk(hash, r->scratch->words, (const __u64 *)key);
	}
	batch.hash[i] = hash;
	batch.status[i] = CONTENT_READ;
	return 0;
}

static long hash_frame(__u32 i, struct reading *r)
{
	return hash_page(i, r, false);
}

static long hash_address(__u32 i, struct reading *r)
{
	return hash_page(i, r, true);
}

static __always_inline void hash_batch(struct reading *r, __u32 count, void *hash)
{
	__u32 zero = 0;
	r->scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!r->scratch)
		return;
	bpf_loop(count, hash, r, 0);
	for (int i = 0; i < CONTENT_KEY_WORDS; i++)
		*(volatile __u64 *)&r->scratch->words[i] = 0;	/* no memset in BPF */
}

SEC("syscall")
int content_direct(struct content_request *request)
{
	struct reading r = { .direct_map = request->direct_map };
	hash_batch(&r, request->count, hash_frame);
	return 0;
}

/* The iterator visits the threads of one process; the first that still has its memory serves. */
SEC("iter.s/task")
int content_copy(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct reading r = { .task = task };

	if (!task || !copy_count || !task->mm)
		return 0;
	hash_batch(&r, copy_count, hash_address);
	copy_count = 0;
	return 0;
}

/* Does physical address 0 lie `i` steps below the top page table? Our own page would then be there. */
static long try_base(__u32 i, struct content_search *search)
{
	__u64 there[CONTENT_WITNESS_WORDS], base = search->highest - (__u64)i * search->step;

	if (bpf_probe_read_kernel(there, sizeof(there), (void *)(base + search->pfn * page_bytes)))
		return 0;
	for (int w = 0; w < CONTENT_WITNESS_WORDS; w++)
		if (there[w] != search->witness[w])
			return 0;
	search->found = base;
	return 1;
}

/*
 * The top page table of a process lies in the direct map, so the map begins
 * below it, by no more than there is physical address space.
 */
SEC("syscall")
int content_find_map(struct content_search *request)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct content_search search = *request;

	search.highest = (__u64)BPF_CORE_READ(task, mm, pgd) & ~(search.step - 1);
	bpf_loop(search.steps, try_base, &search, 0);
	request->found = search.found;
	return 0;
}
