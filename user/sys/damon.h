/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DAMON that runs, by /sys/kernel/mm/damon/admin. Reads only: most often it belongs to somebody else. */
#ifndef KSMSCOPE_SYS_DAMON_H
#define KSMSCOPE_SYS_DAMON_H

#include <stdbool.h>
#include <stdint.h>

#include "core/known.h"
#include "sys/sysroot.h"

struct damon_running {
	uint64_t sample_us, aggregation_us;
	bool by_process;		/* its targets are processes, else physical memory */
};

/*
 * The one kdamond that runs and monitors physical memory. ABSENT: none does,
 * more than one runs, or what runs monitors something else; DENIED.
 */
enum known damon_running(const struct sysroot *root, struct damon_running *ret);

/* The one that was set up for us: of either kind. ABSENT: it does not run (any more). */
enum known damon_of_our_own(const struct sysroot *root, struct damon_running *ret);

/*
 * NULL where nobody has a DAMON here: none is set up by sysfs, not even one
 * that does not run, and no module runs one. Else why none may be started;
 * static.
 */
const char *damon_taken(const struct sysroot *root);

/* Of the kdamond that is set up alone: whose? */
enum damon_owner {
	DAMON_NOBODYS,			/* there is none */
	DAMON_OURS,			/* it has our mark, or is not ready to run: without targets */
	DAMON_FOREIGN,
	DAMON_UNKNOWN,			/* it can't be read */
};

/* `mark`: in microseconds, its interval between updates, by which it is told. */
enum damon_owner damon_owner(const struct sysroot *root, uint64_t mark);

#endif
