/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frame is behind an address, and has KSM merged it? A walk of the page
 * table through the direct map, without any lock: each level is one read of
 * kernel memory that fails softly. A table may change or go while we read, so
 * an answer is a good guess about that moment and nothing is built on it but
 * counts. Entries are x86-64's (Intel SDM volume 3, "Paging") or arm64's (Arm
 * ARM, "VMSAv8-64 translation table format descriptors", and what the kernel
 * keeps in the bits left to it: arch/arm64/include/asm/pgtable-prot.h); user
 * space leaves `levels` at 0 on other architectures. Tables fill a base page.
 *
 * Needs vmlinux.h, bpf_helpers.h, bpf_core_read.h and abi.h before it.
 */
#ifndef KSMSCOPE_PAGEWALK_BPF_H
#define KSMSCOPE_PAGEWALK_BPF_H

#ifdef __TARGET_ARCH_arm64

#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_TABLE (1ull << 1)		/* above the lowest level: leads to another table */
#define ENTRY_ACCESSED (1ull << 10)
#define ENTRY_WRITE (1ull << 51)
#define ENTRY_DIRTY (1ull << 55)
#define ENTRY_SPECIAL (1ull << 56)
#define ENTRY_SAVED_DIRTY 0ull
#define ENTRY_NO_ACCESS 0ull		/* has had several places: such pages are not seen */
#define ENTRY_HUGE_MAPPED ENTRY_PRESENT

static __always_inline bool maps_huge_page(u64 entry)
{
	return !(entry & ENTRY_TABLE);
}

#else

#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE (1ull << 1)
#define ENTRY_ACCESSED (1ull << 5)
#define ENTRY_DIRTY (1ull << 6)
#define ENTRY_LEAF (1ull << 7)		/* above the lowest level: maps a huge page */
#define ENTRY_SPECIAL (1ull << 9)	/* no struct page of its own: the zero page, device memory */
#define ENTRY_SAVED_DIRTY (1ull << 58)	/* where a write-protected entry keeps its dirty bit, 6.6+ */
#define ENTRY_NO_ACCESS (1ull << 8)	/* of an entry that is not present: mapped all the same (PROT_NONE, NUMA hints) */
/* Any of these in an entry above the lowest level: it leads on. While a huge page is split only the last is left. */
#define ENTRY_HUGE_MAPPED (ENTRY_PRESENT | ENTRY_NO_ACCESS | ENTRY_LEAF)

static __always_inline bool maps_huge_page(u64 entry)
{
	return entry & ENTRY_LEAF;
}

#endif

/* A table is a base page of entries. */
#define ENTRY_BYTES_SHIFT 3
#define WALK_MAX_LEVELS 5

/* Low bits of folio->mapping: PAGE_MAPPING_KSM, since 6.18 FOLIO_MAPPING_KSM; the value never changed. */
#define MAPPING_FLAGS 3ull
#define MAPPING_ANON 1ull
#define MAPPING_KSM 3ull

struct walk_leaf {
	u64 entry;	/* 0: nothing is mapped, or the walk failed */
	u32 shift;	/* what the entry maps, as a power of two of bytes */
};

static __always_inline struct walk_leaf walk(const volatile struct walk_layout *layout, u64 table, u64 address)
{
	struct walk_leaf none = {};
	u32 levels = layout->levels, page_shift = layout->page_shift;
	u32 bits = page_shift - ENTRY_BYTES_SHIFT, shift = page_shift + bits * (levels - 1);

#pragma unroll
	for (int level = 0; level < WALK_MAX_LEVELS; level++) {
		u64 entry = 0, index = address >> (shift & 63) & ((1ull << (bits & 63)) - 1);

		if (level >= levels)
			break;
		if (bpf_probe_read_kernel(&entry, sizeof(entry), (void *)(table + index * sizeof(entry))))
			return none;
		if (!(entry & ENTRY_PRESENT))
			return none;
		if (shift <= page_shift || maps_huge_page(entry))
			return (struct walk_leaf){ .entry = entry, .shift = shift };
		table = layout->direct_map + (entry & layout->physical_mask);
		shift -= bits;
	}
	return none;
}

static __always_inline u64 leaf_pfn(const volatile struct walk_layout *layout, struct walk_leaf leaf)
{
	return (leaf.entry & layout->physical_mask) >> (layout->page_shift & 63);
}

static __always_inline struct page *frame_page(const volatile struct walk_layout *layout, u64 pfn)
{
	return (struct page *)(layout->page_structs + pfn * bpf_core_type_size(struct page));
}

/*
 * A KSM page is never part of a larger folio. The tail pages of one keep other
 * things where `mapping` would be, so they are told apart first.
 */
static __always_inline bool page_is_merged(struct page *page)
{
	if (BPF_CORE_READ(page, compound_head) & 1)
		return false;
	return ((u64)BPF_CORE_READ((struct folio *)page, mapping) & MAPPING_FLAGS) == MAPPING_KSM;
}

#endif
