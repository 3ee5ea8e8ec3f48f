/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heat by DAMON, which samples one page for a run of memory that may hold many
 * huge pages. But it sees what a guest accesses under KVM, which page tables of
 * the host don't. Where nobody has one here and there is somebody to lend us
 * one (options.h), one of our own, on our targets alone, with a run for each
 * huge page and a sample every 5 ms. Else the one that runs already, for
 * whomever it runs: only its events are listened to. It samples seldom, so it
 * tells cold from not cold and little more.
 */
#ifndef KSMSCOPE_GATHER_HEAT_DAMON_H
#define KSMSCOPE_GATHER_HEAT_DAMON_H

#include "base/error.h"
#include "core/huge/region.h"
#include "gather/options.h"
#include "sys/sysroot.h"

/*
 * Listen for options->heat_seconds, at least for two of its aggregation
 * intervals to end, and fill facts; their source is which of both it was.
 * EXIT_KERNEL_CANNOT: none runs that could be listened to, or nothing was
 * heard; EXIT_FAILED: interrupted, or our own could not be taken away.
 */
int heat_by_damon(struct heat_facts *facts, const struct sample *sample, const struct sysroot *root,
		  const struct region *regions, size_t count, const struct gather_options *options,
		  struct error *err);

#endif
