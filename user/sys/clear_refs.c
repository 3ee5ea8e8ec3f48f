// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/clear_refs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/pagemap.h"

/* enum clear_refs_types in fs/proc/task_mmu.c */
#define CLEAR_ALL "1"
#define CLEAR_SOFT_DIRTY "4"

#define PAGEMAP_SOFT_DIRTY (1ull << 55)

int clear_refs_open(const struct sysroot *root, pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "proc/%d/clear_refs", pid);
	return sysroot_open_write(root, path);
}

static enum known write_one(int fd, const char *what)
{
	if (pwrite(fd, what, 1, 0) == 1)
		return KNOWN;
	return errno == ESRCH ? GONE : known_of_errno(errno);
}

enum known clear_refs(int fd, bool flush)
{
	enum known known = write_one(fd, CLEAR_ALL);
	return known == KNOWN && flush ? write_one(fd, CLEAR_SOFT_DIRTY) : known;
}

bool clear_refs_can_flush(const struct sysroot *root, uint64_t page_bytes)
{
	struct pagemap map;
	uint64_t entry = 0;
	char *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return false;
	*(volatile char *)page = 1;
	bool seen = pagemap_open(&map, root, getpid(), page_bytes) == KNOWN;
	if (seen) {
		seen = pagemap_read(&map, (uintptr_t)page, &entry, 1) == 1;
		pagemap_close(&map);
	}
	munmap(page, page_bytes);
	return seen && (entry & PAGEMAP_PRESENT) && !(entry & PAGEMAP_SOFT_DIRTY);
}
