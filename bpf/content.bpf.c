// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is in these pages? Answers with a keyed hash each; contents stay in a
 * scratch that only the kernel sees and that is wiped after each batch.
 *
 * Two readers of whole pages, and a probe of a few cache lines. content_direct reads frames through the kernel's direct map: no
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

/*
 * Chunks that one read fetches where they lie side by side in memory: a call
 * costs as much as copying 600 bytes, the copying reader's call four times
 * that. A power of two. Not more, since all chunks compete for the same places
 * in the first-level cache: with four of them hashing is half as fast.
 */
#define AHEAD 2

const volatile __u32 page_bytes;
const volatile __u32 chunk_shift;	/* a page is 1 << chunk_shift chunks */
__u32 copy_count;			/* pages that content_copy is to hash; it sets it to 0 */
__u32 copy_tgid;			/* whose pages; 0: the iterator visits only them */
struct content_batch batch SEC(".data.batch");

/*
 * Key and contents in one value, so that no two of their lines that are used
 * together fight for a place in the cache. Not mapped into user space. One
 * batch runs at a time, so one scratch is enough.
 */
struct scratch {
	__u64 key[CONTENT_KEY_WORDS];
	__u64 words[AHEAD][CONTENT_KEY_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct reading {
	struct scratch *scratch;
	struct task_struct *task;	/* of the copying reader */
	__u64 direct_map;		/* of the other one */
	__u32 chunks;			/* of all pages together */
	__u32 first, ahead;		/* the scratch holds chunks [first, first + ahead) */
	__u32 unread;			/* a chunk of the present page was not read */
	__u64 hash;			/* of the present page */
};

#define LINE_WORDS (CONTENT_LINE_BYTES / 8)

struct probing {
	__u64 *words, *key;		/* in the scratch */
	__u64 direct_map;
	__u32 offset[CONTENT_PROBE_LINES];
};

/* `copy` is a constant in each caller: neither program holds the read that it does not need. */
static __always_inline __u64 chunk_address(const struct reading *r, __u32 i, bool copy)
{
	__u32 page = i >> chunk_shift;
	__u64 offset = (i & ((1u << chunk_shift) - 1)) * (__u64)CONTENT_CHUNK_BYTES;

	if (page >= CONTENT_BATCH)
		return 0;
	return (copy ? batch.where[page] : r->direct_map + batch.where[page] * page_bytes) + offset;
}

static __always_inline long read_chunks(struct reading *r, __u64 address, __u32 count, bool copy)
{
	__u32 bytes = count * CONTENT_CHUNK_BYTES;

	if (bytes > sizeof(r->scratch->words))
		return 1;
	if (copy)
		return bpf_copy_from_user_task(r->scratch->words, bytes, (void *)address, r->task, 0);
	return bpf_probe_read_kernel(r->scratch->words, bytes, (void *)address);
}

/* Fetch chunk `i`, and those after it that lie behind it. */
static __always_inline bool fetch(struct reading *r, __u32 i, bool copy)
{
	__u64 address = chunk_address(r, i, copy);
	__u32 count = 1, page = i >> chunk_shift;

	r->ahead = 0;
	if (page >= CONTENT_BATCH || !batch.where[page])	/* frame 0 and address 0 are nobody's */
		return false;
	while (count < AHEAD && i + count < r->chunks &&
	       chunk_address(r, i + count, copy) == address + count * CONTENT_CHUNK_BYTES)
		count++;
	r->first = i;
	r->ahead = count;
	if (!read_chunks(r, address, count, copy))
		return true;
	/* one of them may be bad, not this one */
	r->ahead = count > 1 && !read_chunks(r, address, 1, copy);
	return r->ahead;
}

static __always_inline long hash_chunk(__u32 i, struct reading *r, bool copy)
{
	__u32 page = i >> chunk_shift, chunk = i & ((1u << chunk_shift) - 1), slot;

	if (page >= CONTENT_BATCH)
		return 1;
	if (chunk == 0) {
		r->hash = 0;
		r->unread = 0;
	}
	if (i - r->first >= r->ahead && !fetch(r, i, copy))
		r->unread = 1;
	slot = (i - r->first) % AHEAD;
	r->hash = pagehash_chunk(r->hash, r->scratch->words[slot], r->scratch->key);
	if (chunk + 1 < 1u << chunk_shift)
		return 0;
	batch.hash[page] = r->unread ? 0 : r->hash;
	batch.status[page] = r->unread ? CONTENT_UNREAD : CONTENT_READ;
	return 0;
}

static long hash_frame(__u32 i, struct reading *r)
{
	return hash_chunk(i, r, false);
}

static long hash_address(__u32 i, struct reading *r)
{
	return hash_chunk(i, r, true);
}

static __always_inline void hash_batch(struct reading *r, __u32 count, void *hash)
{
	__u32 zero = 0;

	if (count > CONTENT_BATCH)
		return;
	r->scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!r->scratch)
		return;
	r->chunks = count << chunk_shift;
	bpf_loop(r->chunks, hash, r, 0);
	for (int i = 0; i < AHEAD * CONTENT_KEY_WORDS; i++)
		*((volatile __u64 *)r->scratch->words + i) = 0;	/* no memset in BPF */
}

SEC("syscall")
int content_direct(struct content_request *request)
{
	struct reading r = { .direct_map = request->direct_map };
	hash_batch(&r, request->count, hash_frame);
	return 0;
}

/* A pointer that may be read like any other; where it can't be, it reads as zeros. To nothing (type 0) since 6.17. */
extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak;

static __always_inline long probe_frame(__u32 i, struct probing *p, bool in_place)
{
	__u64 low = 0, high = 0, page;

	if (i >= CONTENT_BATCH)
		return 1;
	batch.status[i] = CONTENT_UNREAD;
	if (!batch.where[i])
		return 0;
	page = p->direct_map + batch.where[i] * page_bytes;
#pragma unroll
	for (int line = 0; line < CONTENT_PROBE_LINES; line++) {
		const void *words = (const void *)(page + p->offset[line]);
		if (in_place)
			words = bpf_rdonly_cast(words, 0);
		else if (bpf_probe_read_kernel(p->words, CONTENT_LINE_BYTES, words))
			return 0;
		else
			words = p->words;
		pagehash_line(words, p->key + line * LINE_WORDS, &low, &high);
	}
	batch.hash[i] = pagehash_fold(0, low, high);
	batch.status[i] = CONTENT_READ;
	return 0;
}

static long probe_in_place(__u32 i, struct probing *p)
{
	return probe_frame(i, p, true);
}

static long probe_by_copy(__u32 i, struct probing *p)
{
	return probe_frame(i, p, false);
}

static __always_inline void probe_batch(const struct content_probe_request *request, void *probe)
{
	struct probing p = { .direct_map = request->direct_map };
	__u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);

	if (!scratch || request->count > CONTENT_BATCH)
		return;
	p.words = scratch->words[0];
	p.key = scratch->key;
	for (int line = 0; line < CONTENT_PROBE_LINES; line++)
		p.offset[line] = request->offset[line];
	bpf_loop(request->count, probe, &p, 0);
	for (int i = 0; i < LINE_WORDS; i++)
		*((volatile __u64 *)p.words + i) = 0;
}

/*
 * A few cache lines of each page: enough to tell most pages apart, for a
 * fraction of the cost. By the direct map alone: the copying reader's call
 * costs as much as the whole page. A call for each line would take longer than
 * the line, so where the kernel allows it lines are read where they are.
 */
SEC("syscall")
int content_probe(struct content_probe_request *request)
{
	probe_batch(request, probe_in_place);
	return 0;
}

SEC("syscall")
int content_probe_old(struct content_probe_request *request)
{
	probe_batch(request, probe_by_copy);
	return 0;
}

/* The iterator visits the threads of one process; the first that still has its memory serves. */
SEC("iter.s/task")
int content_copy(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct reading r = { .task = task };

	if (!task || !copy_count || !task->mm || (copy_tgid && task->tgid != copy_tgid))
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
