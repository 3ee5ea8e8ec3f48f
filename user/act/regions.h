/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The huge pages of one process, as far as act/ has to look at them: which regions are whole, broken, fit to be rebuilt. */
#ifndef KSMSCOPE_ACT_REGIONS_H
#define KSMSCOPE_ACT_REGIONS_H

#include "act/process.h"
#include "base/error.h"
#include "probe/page_flags.h"
#include "sys/pagemap.h"

struct regions {
	const struct sysroot *root;
	struct process process;
	int handle;			/* process_handle() */
	struct pagemap map;
	struct page_flags flags;
	uint64_t page_bytes, pmd_bytes;
};

/*
 * KNOWN, GONE or DENIED; ABSENT where this kernel has no huge pages or no
 * process_madvise. regions_close() after KNOWN only.
 */
enum known regions_open(struct regions *ret, const struct sysroot *root, pid_t pid, uint64_t start_ticks);
void regions_close(struct regions *regions);

bool regions_is_huge(struct regions *regions, uint64_t address);

/* The first address of a region at or after `start`; and the end of the last that ends at or before `end`. */
uint64_t regions_first(const struct regions *regions, uint64_t start);
uint64_t regions_last(const struct regions *regions, uint64_t end);

/*
 * NULL where the region is fit to be made a huge page: in one anonymous
 * mapping of its own that allows it, each of its pages mapped or swapped out,
 * none merged. Else why not; static storage. *ret_merged tells the last.
 */
const char *regions_unfit(struct regions *regions, uint64_t address, bool *ret_merged);

#endif
