/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frame is behind each page of a process, and what the kernel says about
 * that frame. Formats: Documentation/admin-guide/mm/pagemap.rst.
 */
#ifndef KSMSCOPE_SYS_PAGEMAP_H
#define KSMSCOPE_SYS_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "core/known.h"
#include "sys/sysroot.h"

/* Bits of a pagemap entry. */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)
#define PAGEMAP_FILE (1ull << 61)	/* a file's page or shared anonymous memory */
#define PAGEMAP_EXCLUSIVE (1ull << 56)	/* mapped exactly once */
#define PAGEMAP_PFN_MASK ((1ull << 55) - 1)

/* Bits of a kpageflags entry: include/uapi/linux/kernel-page-flags.h. */
#define KPAGE_ANON (1ull << 12)
#define KPAGE_HUGETLB (1ull << 17)
#define KPAGE_HWPOISON (1ull << 19)
#define KPAGE_NOPAGE (1ull << 20)
#define KPAGE_KSM (1ull << 21)
#define KPAGE_THP (1ull << 22)
#define KPAGE_OFFLINE (1ull << 23)
#define KPAGE_ZERO_PAGE (1ull << 24)

struct pagemap {
	int pagemap;		/* /proc/PID/pagemap */
	uint64_t page_bytes;
	bool can_scan;		/* PAGEMAP_SCAN (6.7): holes are skipped without reading them */
	bool dense;		/* set by the caller: no holes are expected next, so the scan, a walk of its own, is saved */
};

/* KNOWN, GONE or DENIED. */
enum known pagemap_open(struct pagemap *ret, const struct sysroot *root, pid_t pid, uint64_t page_bytes);
void pagemap_close(struct pagemap *map);

/*
 * The next run of pages at or after *address, below `end`, in which something
 * may be present: [*address, *ret_end). False when there is none.
 */
bool pagemap_next_run(struct pagemap *map, uint64_t *address, uint64_t end, uint64_t *ret_end);

/* Read the entries of `count` pages from `address`. The number read, 0 at the end of the process. */
size_t pagemap_read(const struct pagemap *map, uint64_t address, uint64_t *ret_entries, size_t count);

/*
 * Is there one huge page of `pmd_bytes` at `address`, mapped whole? Without
 * PAGEMAP_SCAN it is told by its frames (`kpageflags`, -1: then it is never
 * seen), and one that is mapped page by page can't be told from it.
 */
bool pagemap_is_huge(struct pagemap *map, int kpageflags, uint64_t address, uint64_t pmd_bytes);

/*
 * May we see frame numbers? Without CAP_SYS_ADMIN they read as zero. Tried on
 * a page of our own.
 */
bool pagemap_shows_frames(const struct sysroot *root, uint64_t page_bytes);

/*
 * Flags of frames, by /proc/kpageflags. `fd` is that file. `pfns` need not be
 * sorted; near ones are read together. What can't be read gets KPAGE_NOPAGE.
 */
int kpageflags_open(const struct sysroot *root);
int kpageflags_read(int fd, const uint64_t *pfns, uint64_t *ret_flags, size_t count);

#endif
