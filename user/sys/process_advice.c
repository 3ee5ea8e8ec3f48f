// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/process_advice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define RANGES_PER_CALL 256		/* below UIO_MAXIOV */

int process_handle(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : fd;
}

static int advise(int handle, const struct iovec *ranges, size_t count, int advice)
{
	return syscall(SYS_process_madvise, handle, ranges, count, advice, 0) < 0 ? -errno : 0;
}

int process_break_huge(int handle, uint64_t start, uint64_t end, uint64_t page_bytes, uint64_t pmd_bytes)
{
	struct iovec ranges[RANGES_PER_CALL];
	int rc = 0;
	for (uint64_t at = start; !rc && at < end; ) {
		size_t count = 0;
		for (; at < end && count < RANGES_PER_CALL; at += pmd_bytes)
			ranges[count++] = (struct iovec){ (void *)(uintptr_t)at, page_bytes };
		rc = advise(handle, ranges, count, MADV_COLD);
	}
	return rc;
}

int process_rebuild_huge(int handle, uint64_t address, uint64_t pmd_bytes)
{
	const struct iovec range = { (void *)(uintptr_t)address, pmd_bytes };
	return advise(handle, &range, 1, MADV_COLLAPSE);
}

int debugfs_break_huge(const struct sysroot *root, pid_t pid, uint64_t start, uint64_t end)
{
	char order[96];
	scoped_fd int fd = sysroot_open_write(root, "sys/kernel/debug/split_huge_pages");
	if (fd < 0)
		return fd;
	int length = snprintf(order, sizeof(order), "%d,0x%" PRIx64 ",0x%" PRIx64 "\n", (int)pid, start, end);
	return write(fd, order, length) < 0 ? -errno : 0;
}
