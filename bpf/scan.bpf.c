// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which pages of this range are there, of what kind are their frames, and what
 * does the probe say of them? One walk over the page tables answers what
 * pagemap, kpageflags and the probe would each look up anew for each page.
 *
 * Takes no lock of the target. Tables are read where they are, and may change
 * or go while we read; a read of what is no memory gives zeros. So an answer is
 * true of some moment of the walk for each page, as pagemap's is, and of a
 * process that ends meanwhile it may be wrong. User space tries the whole on
 * pages of its own before it believes any of it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "abi.h"
#include "pagehash.h"
#include "pagewalk.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct walk_layout layout;
const volatile struct scan_probe probe;
struct scan_batch batch SEC(".data.batch");

/* A pointer that may be read like any other; where it can't be, it reads as zeros. To nothing (type 0) since 6.17. */
extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak;

/* What maps a range of addresses: a table of the lowest level, or the entry of a huge page; neither: a hole. */
struct mapped {
	u64 end;			/* of the range */
	u64 table;
	u64 huge;
	u64 huge_pages_mask;		/* of a page within it, by number */
	u64 huge_flags;			/* of its pages */
};

struct scanning {
	u64 top;			/* the top page table */
	u64 address, end;
	u32 found;
	struct mapped here;
};

static __always_inline u64 read_word(u64 address)
{
	return *(volatile u64 *)bpf_rdonly_cast((void *)address, 0);
}

/* Entries without access have their address inverted on x86-64 (L1TF: arch/x86/include/asm/pgtable-invert.h). */
static __always_inline u64 entry_pfn(u64 entry)
{
	u64 physical = entry & ENTRY_PRESENT ? entry : ~entry;
	return (physical & layout.physical_mask) >> (layout.page_shift & 63);
}

/*
 * Down to what maps s->address. This one and frame_flags() are global, so that
 * the verifier goes through each only once.
 */
__attribute__((noinline)) int descend(struct scanning *s)
{
	u32 levels = layout.levels, page_shift = layout.page_shift;
	u32 bits = page_shift - ENTRY_BYTES_SHIFT, shift = page_shift + bits * (levels - 1);
	u64 table, address;

	if (!s)
		return 0;
	table = s->top;
	address = s->address;
	s->here = (struct mapped){};
	for (int level = 0; level < WALK_MAX_LEVELS; level++) {
		u64 entry;

		if (level >= levels)
			break;
		if (shift <= page_shift) {
			s->here.table = table;
			s->here.end = ((address >> ((page_shift + bits) & 63)) + 1) << ((page_shift + bits) & 63);
			return 0;
		}
		entry = read_word(table + (address >> (shift & 63) & ((1ull << (bits & 63)) - 1)) * sizeof(entry));
		s->here.end = ((address >> (shift & 63)) + 1) << (shift & 63);
		if (!(entry & ENTRY_HUGE_MAPPED))
			return 0;
		if (maps_huge_page(entry)) {
			s->here.huge = entry;
			s->here.huge_pages_mask = (1ull << ((shift - page_shift) & 63)) - 1;
			return 0;
		}
		table = layout.direct_map + (entry & layout.physical_mask);
		shift -= bits;
	}
	return 0;
}

static __always_inline bool is_poisoned(u64 page)
{
	return bpf_core_enum_value_exists(enum pageflags, PG_hwpoison) &&
	       read_word(page) >> (bpf_core_enum_value(enum pageflags, PG_hwpoison) & 63) & 1;
}

#define NOT_MAPPED (1u << 31)		/* nobody maps the frame any more */

/* What the frame's struct page says: enum scan_flags, or NOT_MAPPED; `huge`: a huge page's entry led to it. */
__attribute__((noinline)) u32 frame_flags(u64 entry, u64 pfn, u32 huge)
{
	u64 page = (u64)frame_page(&layout, pfn);
	u64 head = read_word(page + bpf_core_field_offset(struct page, compound_head));
	u64 folio = head & 1 ? head - 1 : page;
	u64 own = read_word(page);	/* its flags; since 6.18 a struct by type, but the first word as ever */
	u64 mapping = read_word(folio + bpf_core_field_offset(struct folio, mapping));
	bool large = head & 1 || own >> (bpf_core_enum_value(enum pageflags, PG_head) & 63) & 1;
	u64 count = page + bpf_core_field_offset(struct page, _mapcount);
	s32 mapped = *(volatile s32 *)bpf_rdonly_cast((void *)count, 0);
	u32 flags = large ? SCAN_LARGE : 0;

	if (is_poisoned(page))
		flags |= SCAN_POISONED;
	if (!(mapping & MAPPING_ANON))
		flags |= huge && !mapping ? SCAN_ZERO_PAGE : entry & ENTRY_SPECIAL ? 0 : SCAN_FILE;
	else if ((mapping & MAPPING_FLAGS) == MAPPING_KSM && !large)
		flags |= SCAN_MERGED;
	if (!large && mapped == 0)
		flags |= SCAN_EXCLUSIVE;
	return large || mapped >= 0 ? flags : NOT_MAPPED;
}

static __always_inline u64 frame_address(u64 pfn)
{
	return layout.direct_map + (pfn << (layout.page_shift & 63));
}

#define UNPROBED (SCAN_FILE | SCAN_ZERO_PAGE | SCAN_POISONED)

/*
 * Pages are probed so many at a time: first the lines of all are touched, then
 * they are hashed. A processor waits for many lines at once only where few
 * instructions lie between them.
 */
#define GROUP 32

/* Hash the lines of pages [first, end) of the batch. Global as descend() is. */
__attribute__((noinline)) int probe_pages(u32 first, u32 end)
{
	for (u32 i = 0; i < GROUP; i++) {
		u64 low = 0, high = 0, page;
		u32 at = first + i;

		barrier_var(at);	/* else what is bounded is not what is added to an address */
		if (at >= end || at >= SCAN_BATCH)
			break;
		batch.probe[at] = 0;
		if (batch.flags[at] & UNPROBED)
			continue;
		page = frame_address(batch.pfn[at]);
#pragma unroll
		for (int line = 0; line < CONTENT_PROBE_LINES; line++)
			pagehash_line(bpf_rdonly_cast((void *)(page + probe.offset[line]), 0),
				      (const __u64 *)probe.key + line * CONTENT_LINE_BYTES / 8, &low, &high);
		batch.probe[at] = pagehash_fold(0, low, high);
	}
	return 0;
}

static __always_inline void touch(u64 pfn)
{
#pragma unroll
	for (int line = 0; line < CONTENT_PROBE_LINES; line++)
		read_word(frame_address(pfn) + probe.offset[line]);
}

static __always_inline void take(struct scanning *s, u64 entry, bool huge)
{
	u64 pfn = entry_pfn(entry);
	u32 flags = SCAN_ZERO_PAGE, at = s->found;

	if (huge)
		pfn = (pfn & ~s->here.huge_pages_mask) |
		      (s->address >> (layout.page_shift & 63) & s->here.huge_pages_mask);
	if (huge)
		flags = s->here.huge_flags | (is_poisoned((u64)frame_page(&layout, pfn)) ? SCAN_POISONED : 0);
	else if (pfn != layout.zero_frame)
		flags = frame_flags(entry, pfn, 0);
	if (at >= SCAN_BATCH || flags == NOT_MAPPED)
		return;
	if (!(flags & UNPROBED))
		touch(pfn);
	batch.page[at] = s->address;
	batch.pfn[at] = pfn;
	batch.flags[at] = flags;
	s->found = at + 1;
	if (s->found % GROUP == 0)
		probe_pages(s->found - GROUP, s->found);
}

/* One page, or one hole. */
static long step(u32 i, struct scanning *s)
{
	u32 page_shift = layout.page_shift;
	u64 index, entry;

	if (s->address >= s->end || s->found >= SCAN_BATCH)
		return 1;
	if (s->address >= s->here.end) {
		descend(s);
		if (s->here.huge)
			s->here.huge_flags = frame_flags(s->here.huge,
							 entry_pfn(s->here.huge) & ~s->here.huge_pages_mask, 1);
	}
	if (!s->here.table && !s->here.huge) {
		s->address = s->here.end;
		return 0;
	}
	entry = s->here.huge;
	if (s->here.table) {
		index = s->address >> (page_shift & 63) & ((1ull << ((page_shift - ENTRY_BYTES_SHIFT) & 63)) - 1);
		entry = read_word(s->here.table + index * sizeof(entry));
	}
	if (s->here.huge || entry & (ENTRY_PRESENT | ENTRY_NO_ACCESS))
		take(s, entry, s->here.huge);
	s->address += 1ull << (page_shift & 63);
	return 0;
}

/* Empty entries are steps, too: so many, and a range of nothing but empty tables ends a run. */
#define STEPS (16 * SCAN_BATCH)

/* The iterator visits the threads of one process; the first that still has its memory serves. */
SEC("iter/task")
int scan_pages(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct scanning s = { .address = batch.address, .end = batch.end };

	if (!task || !batch.wanted || task->tgid != batch.tgid || !task->mm || !layout.page_structs)
		return 0;
	s.top = (u64)BPF_CORE_READ(task, mm, pgd);
	bpf_loop(STEPS, step, &s, 0);
	probe_pages(s.found / GROUP * GROUP, s.found);
	batch.address = s.address;
	batch.found = s.found;
	batch.wanted = 0;
	return 0;
}
