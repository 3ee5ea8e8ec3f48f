/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heat by the DAMON that runs already, for whomever it runs: only its events
 * are listened to. It samples seldom, and one page for a run of memory that may
 * hold many huge pages, so it tells cold from not cold and little more. But it
 * sees what a guest accesses under KVM, which page tables of the host don't.
 */
#ifndef KSMSCOPE_GATHER_HEAT_DAMON_H
#define KSMSCOPE_GATHER_HEAT_DAMON_H

#include "base/error.h"
#include "core/huge/region.h"
#include "gather/options.h"
#include "sys/sysroot.h"

/*
 * Listen for options->heat_seconds, at least for two of its aggregation
 * intervals to end, and fill facts. EXIT_KERNEL_CANNOT: none runs that could
 * be listened to, or nothing was heard; EXIT_FAILED: interrupted.
 */
int heat_by_damon(struct heat_facts *facts, const struct sample *sample, const struct sysroot *root,
		  const struct region *regions, size_t count, const struct gather_options *options,
		  struct error *err);

#endif
