/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between kernels, each difference once: what changed, in which
 * commit, first released when. Needs vmlinux.h and bpf_core_read.h before it.
 */
#ifndef KSMSCOPE_COMPAT_BPF_H
#define KSMSCOPE_COMPAT_BPF_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	s64 counter;
} counter64;

struct mm_rss_stat {
	counter64 count[4];
};

struct percpu_counter {
	s64 count;
	s32 *counters;
};

struct mm_struct___single_rss {
	struct mm_rss_stat rss_stat;
};

struct mm_struct___percpu_rss {
	struct percpu_counter rss_stat[4];
};

struct mm_struct___word_zero {
	unsigned long ksm_zero_pages;
};

struct mm_struct___atomic_zero {
	counter64 ksm_zero_pages;
};

struct mm_struct___word_flags {
	unsigned long flags;
};

typedef struct {
	unsigned long __mm_flags[1];
} mm_flags_t;

struct mm_struct___bitmap_flags {
	mm_flags_t flags;
};

#pragma clang attribute pop

/*
 * Resident pages of a kind (enum task_pages, the kernel's MM_* counters).
 * f1a7941243c1 "mm: convert mm's rss stats into percpu_counter" (6.2): before
 * it one atomic per mm, since then a sum plus what each CPU has not yet added.
 */
static __always_inline bool compat_rss_percpu(void)
{
	return bpf_core_field_exists(struct mm_struct___percpu_rss, rss_stat[0].counters);
}

/* An index that is no literal would be scaled by our struct's size, not the kernel's. */
static __always_inline struct percpu_counter *compat_rss_counter(struct mm_struct *mm, u32 kind)
{
	return (void *)&((struct mm_struct___percpu_rss *)mm)->rss_stat[0] +
		kind * bpf_core_type_size(struct percpu_counter);
}

/* `mm` is a pointer that the verifier knows: plain loads, which are quicker than reads by a helper. */
static __always_inline s64 compat_rss(struct mm_struct *mm, u32 kind)
{
	s64 pages = 0;
	if (compat_rss_percpu())
		return compat_rss_counter(mm, kind)->count;
	bpf_core_read(&pages, sizeof(pages), &((struct mm_struct___single_rss *)mm)->rss_stat.count[0] + kind);
	return pages;
}

/* The per-CPU parts that compat_rss() lacks; NULL where there are none. */
static __always_inline void *compat_rss_parts(struct mm_struct *mm, u32 kind)
{
	return compat_rss_percpu() ? compat_rss_counter(mm, kind)->counters : NULL;
}

/*
 * Pages merged with the zero page. e2942062e01d "ksm: count all zero pages
 * placed by KSM" (6.6), per process since 6080d19f0704 (6.6); the counter
 * became atomic with c2dc78b86e08 "mm/ksm: fix ksm_zero_pages accounting" (6.10).
 */
static __always_inline s64 compat_zero_pages(struct mm_struct *mm)
{
	s64 pages = -1;
	if (bpf_core_field_exists(struct mm_struct___atomic_zero, ksm_zero_pages.counter))
		bpf_core_read(&pages, sizeof(pages), &((struct mm_struct___atomic_zero *)mm)->ksm_zero_pages.counter);
	else if (bpf_core_field_exists(struct mm_struct___word_zero, ksm_zero_pages))
		bpf_core_read(&pages, sizeof(pages), &((struct mm_struct___word_zero *)mm)->ksm_zero_pages);
	return pages;
}

/*
 * PR_SET_MEMORY_MERGE is on. MMF_VM_MERGE_ANY came as bit 29 with d7597f59d1d3
 * (6.4) and moved to bit 30 with 24e41bf8a6b4 (6.7); the flags became a bitmap
 * in 6.18. -1: the kernel has no such flag. `release` is LINUX_KERNEL_VERSION.
 */
static __always_inline int compat_merge_any(struct mm_struct *mm, u32 release)
{
	unsigned long flags = 0;
	if (release < 0x060400)
		return -1;
	if (bpf_core_field_exists(struct mm_struct___bitmap_flags, flags.__mm_flags))
		bpf_core_read(&flags, sizeof(flags), &((struct mm_struct___bitmap_flags *)mm)->flags.__mm_flags);
	else
		bpf_core_read(&flags, sizeof(flags), &((struct mm_struct___word_flags *)mm)->flags);
	return flags >> (release >= 0x060700 ? 30 : 29) & 1;
}

/*
 * The result in huge_memory events, by the number of their arguments: the flag
 * "writable" stood before it until "mm: drop all references of writable and
 * SCAN_PAGE_RO" (6.18). `arguments` must be a constant of the object, so that
 * the verifier drops the other branch; the barrier keeps the compiler from
 * making one load with a computed offset of the two, which would be refused.
 */
static __always_inline u32 compat_isolate_result(u64 *ctx, u32 arguments)
{
	u64 result = 0;
	if (arguments == 4) {
		result = ctx[3];
		barrier_var(result);
		return result;
	}
	return ctx[4];
}

static __always_inline u32 compat_scan_result(u64 *ctx, u32 arguments)
{
	u64 result = 0;
	if (arguments == 6) {
		result = ctx[4];
		barrier_var(result);
		return result;
	}
	return ctx[5];
}

#endif
