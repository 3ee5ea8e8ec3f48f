/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Setting up a DAMON by /sys/kernel/mm/damon/admin, starting and ending it.
 * Only act/ may include this. Nobody else's may be there (damon_taken()): the
 * first write would throw it away.
 */
#ifndef KSMSCOPE_SYS_DAMON_WRITE_H
#define KSMSCOPE_SYS_DAMON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "sys/sysroot.h"

/* A process, or a range of physical addresses. */
struct damon_target {
	pid_t pid;
	uint64_t start, end;
};

struct damon_setup {
	bool by_process;		/* targets are processes ("vaddr"), else physical memory ("paddr") */
	const struct damon_target *targets;
	size_t count;
	uint64_t sample_us, aggregation_us;
	uint64_t mark;			/* its interval between updates, in microseconds */
	uint64_t least_regions;		/* at least 3 */
};

/*
 * Set one up and start it, each file read back. After an error it may be there
 * in part: damon_end(). EXIT_KERNEL_CANNOT where this kernel does not monitor
 * such targets (CONFIG_DAMON_VADDR, CONFIG_DAMON_PADDR).
 */
int damon_start(const struct sysroot *root, const struct damon_setup *setup, struct error *err);

/* Stop it where it runs, and take it away. */
int damon_end(const struct sysroot *root, struct error *err);

#endif
