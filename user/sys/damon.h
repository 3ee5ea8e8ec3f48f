/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DAMON that runs, by /sys/kernel/mm/damon/admin. Reads only: it belongs to somebody else. */
#ifndef KSMSCOPE_SYS_DAMON_H
#define KSMSCOPE_SYS_DAMON_H

#include <stdbool.h>
#include <stdint.h>

#include "core/known.h"
#include "sys/sysroot.h"

struct damon_running {
	uint64_t sample_us, aggregation_us;
};

/*
 * The one kdamond that runs and monitors physical memory. ABSENT: none does,
 * more than one runs, or what runs monitors something else; DENIED.
 */
enum known damon_running(const struct sysroot *root, struct damon_running *ret);

#endif
