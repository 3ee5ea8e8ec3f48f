/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What crosses between the BPF programs and user space, and nothing else: the
 * only header that both worlds include. Fixed-width, self-contained, with its
 * sizes asserted, so that a layout can't drift on one side alone.
 */
#ifndef KSMSCOPE_ABI_H
#define KSMSCOPE_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define ABI_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its layout")

/* ---- content.bpf.c ---- */

/* Frames hashed by one run of a reader. */
#define CONTENT_BATCH 4096
/* A page is hashed in chunks of the smallest base page. Largest base page of a Linux kernel: 64 KiB (arm64). */
#define CONTENT_CHUNK_BYTES 4096
/* Words of the hash key; one per 8 bytes of a chunk. */
#define CONTENT_KEY_WORDS (CONTENT_CHUNK_BYTES / 8)
#define CONTENT_MAX_CHUNKS 16

enum content_status {
	CONTENT_UNREAD,		/* not looked at, or the read failed */
	CONTENT_READ,
};

/* Shared with user space by mmap. No contents, ever: only hashes. */
struct content_batch {
	__u64 where[CONTENT_BATCH];	/* in: pfn (direct map) or virtual address (copy) */
	__u64 hash[CONTENT_BATCH];	/* out: keyed hash */
	__u8 status[CONTENT_BATCH];	/* out: enum content_status */
};
ABI_ASSERT_SIZE(struct content_batch, CONTENT_BATCH * 17);

/* What the probe reads of a page: so many cache lines, at places drawn anew in each run. */
#define CONTENT_PROBE_LINES 4
#define CONTENT_LINE_BYTES 64
#define CONTENT_PROBE_WORDS (CONTENT_PROBE_LINES * CONTENT_LINE_BYTES / 8)

/* To content_probe. */
struct content_probe_request {
	__u64 direct_map;	/* virtual address of physical address 0 */
	__u32 count;		/* of batch.where */
	__u32 offset[CONTENT_PROBE_LINES];	/* within a page, in bytes, ascending */
	__u32 reserved;
};
ABI_ASSERT_SIZE(struct content_probe_request, 32);

#define CONTENT_WITNESS_WORDS 4

/* To content_direct. */
struct content_request {
	__u64 direct_map;	/* virtual address of physical address 0 */
	__u32 count;		/* of batch.where */
	__u32 reserved;
};
ABI_ASSERT_SIZE(struct content_request, 16);

/* To content_find_map: where does a page of ours show up? */
struct content_search {
	__u64 pfn;			/* in */
	__u64 witness[CONTENT_WITNESS_WORDS];	/* in: its first words, random */
	__u64 step;			/* in: alignment of the direct map, a power of two */
	__u64 highest;			/* scratch */
	__u64 found;			/* out: virtual address of physical address 0; 0: not found */
	__u32 steps;			/* in: how many to try */
	__u32 reserved;
};
ABI_ASSERT_SIZE(struct content_search, 72);

/* ---- walk.bpf.c, pagewalk.bpf.h: finding the frame behind an address ---- */

/* What user space learned of this kernel's page tables; all zero: they can't be walked. */
struct walk_layout {
	__u64 direct_map;	/* virtual address of physical address 0 */
	__u64 page_structs;	/* virtual address of frame 0's struct page */
	__u64 physical_mask;	/* bits of an entry that are a physical address */
	__u64 zero_frame;	/* the shared zero page */
	__u32 levels;		/* 2 to 5; 0: don't walk */
	__u32 page_shift;
};
ABI_ASSERT_SIZE(struct walk_layout, 40);

/* One question to walk.bpf.c, about an address of the asking process. */
struct walk_question {
	struct walk_layout layout;	/* in: to be tried */
	__u64 address;			/* in */
	__u64 pfn;			/* out: 0 where the walk failed */
	__u64 mapping;			/* out: of the frame's folio */
	__u64 index;			/* out: likewise */
	__u64 table;			/* out: the top page table's virtual address */
	__u64 stack;			/* out: a kernel address that is mapped page by page */
	__u64 stack_page;		/* out: struct page of its frame */
	__u64 stack_pfn;		/* out: that frame, by walking */
	__u32 page_struct_bytes;	/* out */
	__u32 reserved;
};
ABI_ASSERT_SIZE(struct walk_question, 112);

/* ---- frames.bpf.c: has KSM merged these frames? ---- */

#define FRAMES_BATCH 4096

struct frames_question {
	struct walk_layout layout;
	__u32 count;
	__u32 reserved;
};
ABI_ASSERT_SIZE(struct frames_question, 48);

/* Shared with user space by mmap. */
struct frames_batch {
	__u64 pfns[FRAMES_BATCH];	/* in */
	__u8 merged[FRAMES_BATCH];	/* out: 0 or 1 */
};

/* ---- scan.bpf.c: which pages are there, and what are they? ---- */

#define SCAN_BATCH 4096

enum scan_flags {
	SCAN_FILE = 1 << 0,		/* a page of a file, or of shared memory */
	SCAN_ZERO_PAGE = 1 << 1,	/* the kernel's shared zero page, small or huge: no frame of the process */
	SCAN_MERGED = 1 << 2,		/* a KSM page */
	SCAN_LARGE = 1 << 3,		/* of a large folio */
	SCAN_EXCLUSIVE = 1 << 4,	/* mapped here and nowhere else; not said of large folios */
	SCAN_POISONED = 1 << 5,		/* a hardware error: must not be read */
};

/* Shared with user space by mmap. No contents, ever: only hashes. */
struct scan_batch {
	__u64 address;			/* in: where to begin, of one process; out: where to go on */
	__u64 end;			/* in */
	__u32 tgid;			/* in: whose; the iterator may visit others as well */
	__u32 wanted;			/* in: 1; out: 0 when a look was had */
	__u32 found;			/* out: pages that are there, ascending by address */
	__u32 reserved;
	__u64 page[SCAN_BATCH];		/* out: virtual address */
	__u64 pfn[SCAN_BATCH];		/* out */
	__u64 probe[SCAN_BATCH];	/* out: as content_probe's; of pages of files, the zero page and poisoned ones: 0 */
	__u8 flags[SCAN_BATCH];		/* out: enum scan_flags */
};
ABI_ASSERT_SIZE(struct scan_batch, 32 + SCAN_BATCH * 25);

/* The key of the probe, and where it looks: as content.bpf.c's. */
struct scan_probe {
	__u64 key[CONTENT_PROBE_WORDS];
	__u32 offset[CONTENT_PROBE_LINES];
};
ABI_ASSERT_SIZE(struct scan_probe, CONTENT_PROBE_WORDS * 8 + CONTENT_PROBE_LINES * 4);

/* ---- heat.bpf.c: was this huge page accessed? ---- */

#define HEAT_BATCH 4096

enum heat_state {
	HEAT_UNSEEN,		/* nothing is mapped there, or the walk failed */
	HEAT_IDLE,		/* a huge page, not accessed since its bit was cleared */
	HEAT_ACCESSED,		/* a huge page, accessed */
	HEAT_BROKEN,		/* mapped page by page */
};

/* Shared with user space by mmap. */
struct heat_batch {
	__u64 address[HEAT_BATCH];	/* in: of one process */
	__u8 state[HEAT_BATCH];		/* out: enum heat_state */
};
ABI_ASSERT_SIZE(struct heat_batch, HEAT_BATCH * 9);

/* ---- damon.bpf.c: what a DAMON that runs already says ---- */

#define DAMON_EVENTS 16384

/* A run of physical memory, or of addresses of its target, at the end of an aggregation interval. */
struct damon_event {
	__u64 start, end;
	__u32 accesses;		/* of its samples: how many found the run accessed */
	__u32 target;		/* place in its list of targets */
};
ABI_ASSERT_SIZE(struct damon_event, 24);

/* Shared with user space by mmap. The first DAMON_EVENTS are kept; produced = kept + lost. */
struct damon_events {
	__u64 produced;
	struct damon_event events[DAMON_EVENTS];
};

/* ---- fault.bpf.c ---- */

#define FAULT_PROCESSES 16384

enum fault_kind {
	FAULT_FIRST_WRITE,	/* a write where nothing was mapped */
	FAULT_FIRST_READ,	/* a read or execution where nothing was mapped */
	FAULT_COW_MERGED,	/* a write to a page that KSM has merged */
	FAULT_COW_ZERO,		/* a write to a page that KSM has merged with the zero page */
	FAULT_COW_OTHER,	/* any other write to a page mapped for reading */
	FAULT_COW_UNKNOWN,	/* such a write, of a page that could not be looked at */
	FAULT_OTHER,		/* spurious, protection keys, … */
	FAULT_KINDS
};

/* The arrivals: pages that a process got to write into, one in `sample_every` of them looked at. */
struct fault_arrivals {
	__u64 hashed;
	__u64 zero;		/* of those: full of zeros */
	__u64 duplicate;	/* of those: equal to a page seen before that is not zero and not itself */
};

/* By process, ever growing. */
struct fault_counts {
	__u64 kind[FAULT_KINDS];
	__u64 in_kernel;	/* of all these: taken in a system call, on behalf of the process */
	struct fault_arrivals arrivals;
};
ABI_ASSERT_SIZE(struct fault_counts, 8 * (FAULT_KINDS + 4));

/* produced = the sum over all processes + lost; armed = hashed + unread + abandoned + waiting in slots. */
struct fault_totals {
	__u64 produced;
	__u64 lost;		/* no room for another process */
	__u64 armed;		/* arrivals chosen to be looked at */
	__u64 unread;		/* the page could not be read any more */
	__u64 abandoned;	/* the thread did not come back in time */
};

/* Faults of the same thread between the choice of a page and the look at it. */
#define ARRIVAL_DELAY 8
#define ARRIVAL_SLOTS 8
#define ARRIVALS_REMEMBERED 65536

struct arrival_slot {
	__u32 thread;
	__u32 delay;		/* 0: the slot is free */
	__u64 address;
};

struct fault_cpu {
	struct fault_totals totals;
	__u64 until_next;	/* arrivals until the next one is chosen */
	struct arrival_slot slots[ARRIVAL_SLOTS];
};
ABI_ASSERT_SIZE(struct fault_cpu, 48 + 16 * ARRIVAL_SLOTS);

/* ---- merges.bpf.h: when was this page merged? ---- */

#define MERGES_TRACKED 65536
#define LIFETIME_BUCKETS 32

struct merge_key {
	__u64 mm;		/* never shown */
	__u64 address;
};

/*
 * How long merges lasted, by binary logarithm of milliseconds: bucket 0 is
 * below 1 ms, bucket i from 2^(i-1) to 2^i ms. Only merges that were seen.
 */
struct merge_lifetimes {
	__u64 bucket[LIFETIME_BUCKETS];
	__u64 unseen;		/* merged before we looked, or forgotten since */
};
ABI_ASSERT_SIZE(struct merge_lifetimes, 8 * (LIFETIME_BUCKETS + 1));

/* ---- engine.bpf.c ---- */

#define ENGINE_PROCESSES 16384
#define ENGINE_ERRORS 64	/* by errno; the last one takes all above */

struct engine_totals {
	__u64 merges;		/* pages merged with a KSM page, the first page of each pair included */
	__u64 undone;		/* of those: taken back at once, the second page of the pair did not merge */
	__u64 zero_merges;	/* merged with the zero page */
	__u64 failures[ENGINE_ERRORS];
	__u64 removed_pages;	/* KSM pages given up */
	__u64 removed_items;	/* mappings of such pages, given up with them */
	__u64 entered, exited;	/* processes that KSM looks at from now on, and no more */
	__u64 lost;		/* no room for another process */

	__u64 passes;		/* seen from begin to end */
	__u64 pass_begun_ns;	/* CLOCK_MONOTONIC; 0: none is seen running */
	__u64 pass_begun_cpu_ns;
	__u64 pass_last_ns;	/* duration of the last whole pass */
	__u64 pass_last_cpu_ns;	/* ksmd's CPU time in it, exact to a timer tick */
	__u64 pass_rmap_items;	/* tracked pages, at its end */
	__u64 pass_histogram[LIFETIME_BUCKETS];	/* durations, buckets as in merge_lifetimes */

	__u64 advisor_decisions;
	__s64 advisor_scan_seconds;
	__u64 advisor_pages_to_scan;
	__u64 advisor_cpu_percent;

	__u64 pending_pfn;	/* first page of a pair, waiting for the second */
	struct merge_lifetimes removed;	/* lifetimes ended by removal, not by a write */
};

struct engine_counts {
	__u64 merges, zero_merges, failures, removed_items;
};

/* ---- hugepage.bpf.c ---- */

#define COLLAPSE_KEYS 16384
#define HUGEPAGE_PROCESSES 16384

enum collapse_step {
	COLLAPSE_SCAN,		/* a range was considered; where that led to a collapse, with its result */
	COLLAPSE_COPY,		/* the collapse of a range was tried */
	COLLAPSE_STEPS
};

struct collapse_key {
	__u32 tgid;		/* whose memory; 0: its owner is gone */
	__u16 step;
	__u16 result;		/* the kernel's enum scan_result */
};
ABI_ASSERT_SIZE(struct collapse_key, 8);

struct hugepage_totals {
	__u64 produced;		/* steps = the sum over all collapse_keys + lost */
	__u64 lost;
	__u64 collapses;	/* that succeeded */
	__u64 located;		/* of those: the range is known */
	struct merge_lifetimes undone;	/* of merges that ended by being copied into a huge page */
	__u64 lost_processes;	/* no room for another process */
};

struct hugepage_counts {
	__u64 collapses_undoing;	/* had merged pages in them, by our own record of merges */
	__u64 merges_undone;
};

/* ---- split.bpf.c ---- */

/* produced = the sum over all processes + waiting + lost */
struct split_totals {
	__u64 produced;
	__u64 waiting;		/* for the event that tells the process */
	__u64 lost;
	__u64 range;		/* that ksmd is mapping anew */
};

/* ---- tasks.bpf.c ---- */

#define TASK_CPUS 1024

/* The kernel's MM_* counters, in its order. */
enum task_pages {
	TASK_PAGES_FILE,
	TASK_PAGES_ANON,
	TASK_PAGES_SWAP,
	TASK_PAGES_SHMEM,
	TASK_PAGES
};

enum task_flags {
	TASK_KERNEL_THREAD = 1 << 0,
	TASK_HAS_MEMORY = 1 << 1,
};

struct task_facts {
	__s64 pages[TASK_PAGES];
	__s64 ksm_merging_pages;	/* these four: -1 where the kernel does not count it */
	__s64 ksm_rmap_items;
	__s64 ksm_zero_pages;
	__u64 min_flt, maj_flt;		/* all threads, the ended ones included */
	__u64 start_ns;			/* CLOCK_BOOTTIME */
	__u64 cgroup_id;		/* in the unified hierarchy: the inode number of its directory */
	__u64 memory_cgroup_id;		/* the memory controller's; the same where there is one hierarchy */
	__s32 merge_any;		/* PR_SET_MEMORY_MERGE */
	__u32 pid, parent, uid, threads, flags;
	char comm[16];
};
ABI_ASSERT_SIZE(struct task_facts, 136);

#endif
