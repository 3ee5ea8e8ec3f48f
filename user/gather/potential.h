/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What merging more would free, measured beside the display: a child sweeps the
 * whole host (sweep.h), at the lowest priority and within a budget, and tells
 * after each pass what it found. From its second pass on it tells what changes
 * from what stays, and what changes is no potential.
 *
 * Each figure has its 95 % interval. Those of groups (users, guests, cgroups)
 * are estimated of the group as one.
 */
#ifndef KSMSCOPE_GATHER_POTENTIAL_H
#define KSMSCOPE_GATHER_POTENTIAL_H

#include "core/live/top.h"
#include "core/trust/domain.h"
#include "gather/pace.h"
#include "sys/sysroot.h"

struct potential;

struct potential_options {
	const struct domain_rules *domains;	/* inside these trust domains; NULL: each uid, each VM */
	struct budget budget;		/* zeroed: SWEEP_CPU of one CPU */
	uint64_t memory_bytes;		/* for the child's tables; 0: SKETCH_DEFAULT_BYTES */
	double burst_seconds;		/* CPU time that it may take at once, so that a first answer is there soon */
};

/*
 * Inside these trust domains (NULL: each uid, each VM), with SWEEP_CPU and
 * POTENTIAL_BURST_SECONDS. NULL when memory is out. The first pass begins with
 * the first call of potential_take().
 */
struct potential *potential_open(const struct sysroot *root, const struct domain_rules *domains);
struct potential *potential_open_with(const struct sysroot *root, const struct potential_options *options);
/* Ends a pass that is under way. NULL is fine. */
void potential_close(struct potential *potential);

#define POTENTIAL_BURST_SECONDS 2

/*
 * Put the last pass into the sample: the facts of SOURCE_CONTENT, and its
 * shares; or into `missing` why there is none yet. Begins with the sweep where
 * it is not on. Never waits.
 */
void potential_take(struct potential *potential, struct top_sample *sample);

#endif
