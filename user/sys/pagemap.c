// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/pagemap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "core/sort.h"

/* PAGEMAP_SCAN of 6.7 (52526ca7fdb9), which Debian 12's headers do not have. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_argument {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define PAGEMAP_SCAN_IOCTL _IOWR('f', 16, struct scan_argument)
#define SCAN_PRESENT (1ull << 3)
#define SCAN_HUGE (1ull << 6)
/* Below this many pages reading the entries is as cheap as asking for holes. */
#define SCAN_WORTH_PAGES 4096
/* Frames this far apart are read in one go: an entry costs less than a call. */
#define KPAGEFLAGS_GAP 16
#define KPAGEFLAGS_RUN 1024

enum known pagemap_open(struct pagemap *ret, const struct sysroot *root, pid_t pid, uint64_t page_bytes)
{
	*ret = (struct pagemap){ .page_bytes = page_bytes, .can_scan = true };
	ret->pagemap = sysroot_openf(root, "proc/%d/pagemap", pid);
	if (ret->pagemap >= 0)
		return KNOWN;
	return ret->pagemap == -ENOENT ? GONE : known_of_errno(-ret->pagemap);
}

void pagemap_close(struct pagemap *map)
{
	if (map->pagemap >= 0)
		close(map->pagemap);
	map->pagemap = -1;
}

bool pagemap_next_run(struct pagemap *map, uint64_t *address, uint64_t end, uint64_t *ret_end)
{
	if (*address >= end)
		return false;
	*ret_end = end;
	if (map->dense && end - *address > SCAN_WORTH_PAGES * map->page_bytes)
		*ret_end = *address + SCAN_WORTH_PAGES * map->page_bytes;
	if (map->dense || !map->can_scan || end - *address < SCAN_WORTH_PAGES * map->page_bytes)
		return true;
	struct scan_region region;
	struct scan_argument argument = {
		.size = sizeof(argument), .start = *address, .end = end,
		.vec = (uintptr_t)&region, .vec_len = 1,
		.category_mask = SCAN_PRESENT, .return_mask = SCAN_PRESENT,
	};
	int found = ioctl(map->pagemap, PAGEMAP_SCAN_IOCTL, &argument);
	if (found < 0) {
		map->can_scan = false;	/* an older kernel: read everything */
		return true;
	}
	if (found == 0)
		return false;
	/* beyond a short region the entries are read all the same: scattered pages would cost a call each */
	uint64_t least = region.start + SCAN_WORTH_PAGES * map->page_bytes;
	*address = region.start;
	*ret_end = region.end > least ? region.end : least < end ? least : end;
	return true;
}

size_t pagemap_read(const struct pagemap *map, uint64_t address, uint64_t *ret_entries, size_t count)
{
	ssize_t n;

	do
		n = pread(map->pagemap, ret_entries, count * 8, address / map->page_bytes * 8);
	while (n < 0 && errno == EINTR);
	return n < 0 ? 0 : n / 8;
}

/* The frames follow each other, aligned, and are of a large folio. */
static bool has_huge_frames(const struct pagemap *map, int kpageflags, uint64_t address, uint64_t pmd_bytes)
{
	uint64_t pages = pmd_bytes / map->page_bytes, first = 0, last = 0, flags = 0;
	if (kpageflags < 0 || !pagemap_read(map, address, &first, 1) ||
	    !pagemap_read(map, address + pmd_bytes - map->page_bytes, &last, 1))
		return false;
	uint64_t pfn = first & PAGEMAP_PFN_MASK;
	if (!(first & last & PAGEMAP_PRESENT) || pfn % pages || (last & PAGEMAP_PFN_MASK) != pfn + pages - 1)
		return false;
	return !kpageflags_read(kpageflags, &pfn, &flags, 1) && (flags & KPAGE_THP);
}

bool pagemap_is_huge(struct pagemap *map, int kpageflags, uint64_t address, uint64_t pmd_bytes)
{
	struct scan_region region;
	struct scan_argument argument = {
		.size = sizeof(argument), .start = address, .end = address + pmd_bytes,
		.vec = (uintptr_t)&region, .vec_len = 1,
		.category_mask = SCAN_HUGE, .return_mask = SCAN_HUGE,
	};
	int found = map->can_scan ? ioctl(map->pagemap, PAGEMAP_SCAN_IOCTL, &argument) : -1;
	if (found < 0) {
		map->can_scan = false;
		return has_huge_frames(map, kpageflags, address, pmd_bytes);
	}
	return found == 1 && region.start == address && region.end == address + pmd_bytes;
}

bool pagemap_shows_frames(const struct sysroot *root, uint64_t page_bytes)
{
	struct pagemap map;
	uint64_t entry = 0;
	volatile char *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return false;
	*page = 1;
	if (pagemap_open(&map, root, getpid(), page_bytes) == KNOWN) {
		pagemap_read(&map, (uintptr_t)page, &entry, 1);
		pagemap_close(&map);
	}
	munmap((void *)page, page_bytes);
	return (entry & PAGEMAP_PRESENT) && (entry & PAGEMAP_PFN_MASK);
}

int kpageflags_open(const struct sysroot *root)
{
	return sysroot_openf(root, "proc/kpageflags");
}

/* Frame numbers have at most 40 bits (52 of an address): an index fits below them. */
#define INDEX_BITS 24

/* Read one run of frames [first, last] and deal the flags out to order[0 … count). */
static void read_run(int fd, const uint64_t *pfns, const uint32_t *order, size_t count, uint64_t *ret_flags)
{
	uint64_t buffer[KPAGEFLAGS_RUN], first = pfns[order[0]], last = pfns[order[count - 1]];
	ssize_t n = pread(fd, buffer, (last - first + 1) * 8, first * 8);

	for (size_t i = 0; i < count; i++) {
		uint64_t at = pfns[order[i]] - first;
		ret_flags[order[i]] = n > 0 && at < (uint64_t)n / 8 ? buffer[at] : KPAGE_NOPAGE;
	}
}

int kpageflags_read(int fd, const uint64_t *pfns, uint64_t *ret_flags, size_t count)
{
	scoped_free uint32_t *order = malloc((count + 1) * sizeof(*order));
	scoped_free uint64_t *sorted = malloc((count + 1) * sizeof(*sorted));
	if (!order || !sorted || count >> INDEX_BITS)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = pfns[i] << INDEX_BITS | i;
	sort_u64(sorted, count);
	for (size_t i = 0; i < count; i++)
		order[i] = sorted[i] & ((1u << INDEX_BITS) - 1);
	for (size_t i = 0, next; i < count; i = next) {
		uint64_t first = pfns[order[i]];
		for (next = i + 1; next < count; next++)
			if (pfns[order[next]] - pfns[order[next - 1]] > KPAGEFLAGS_GAP ||
			    pfns[order[next]] - first >= KPAGEFLAGS_RUN)
				break;
		read_run(fd, pfns, order + i, next - i, ret_flags);
	}
	return 0;
}
