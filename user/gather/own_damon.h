/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a DAMON of one's own is to watch: the processes that have the regions,
 * or, where the kernel monitors no processes, the physical memory that they
 * lie in.
 */
#ifndef KSMSCOPE_GATHER_OWN_DAMON_H
#define KSMSCOPE_GATHER_OWN_DAMON_H

#include <stdbool.h>

#include "core/huge/region.h"
#include "core/judge/plan.h"

/* Ranges of physical memory; smaller gaps are watched with them where they would be more. */
#define OWN_DAMON_RANGES 256

/* One target per process, in the order of regions. 0 or -ENOMEM; plan_free(). */
int own_damon_processes(struct plan *ret, const struct sample *sample, const struct region *regions, size_t count);

/* `starts`: where regions begin, ascending; UINT64_MAX for those that are not known. 0, -ENOMEM, or -ENOENT: none is. */
int own_damon_ranges(struct plan *ret, const uint64_t *starts, size_t count, uint64_t region_bytes);

#endif
