/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan: changes, each with its reason and its way back. Made by pure
 * functions from a sample and its model; carried out by act/ and nobody else.
 */
#ifndef KSMSCOPE_CORE_PLAN_H
#define KSMSCOPE_CORE_PLAN_H

#include "core/model.h"

enum change_kind {
	CHANGE_KNOB,			/* write /sys/kernel/mm/ksm/<knob>; way back: the value found */
	CHANGE_MADVISE,			/* madvise(MADV_MERGEABLE) on [start, end) inside pid; back: MADV_UNMERGEABLE */
	CHANGE_PRCTL,			/* prctl(PR_SET_MEMORY_MERGE, 1) inside pid; back: 0 */
};

struct change {
	enum change_kind kind;
	enum knob knob;			/* CHANGE_KNOB */
	int64_t before, after;
	pid_t pid;			/* the other kinds */
	uint64_t start_ticks;		/* the process that was meant, not a later one of this PID */
	uint64_t start, end;		/* CHANGE_MADVISE */
	char reason[160];
};

struct plan {
	struct change *changes;		/* in the order in which they are made */
	size_t count;
	uint64_t predicted_bytes;	/* frames given back × page size when it has converged */
	uint64_t tracked_pages;		/* pages that ksmd will have to visit per scan */
	bool zero_frees_on_split;	/* assumption used in predicted_bytes */
};

struct plan_options {
	enum { OPT_IN_MAPPINGS, OPT_IN_PROCESS } opt_in;
	double ksmd_cpu;		/* share of one CPU that ksmd may take, 0 … 1 */
	bool split_frees_zero;		/* this kernel frees zero sub-pages when it splits a huge page */
};

int plan_make(struct plan *ret_plan, const struct sample *sample, const struct model *model,
	      const struct plan_options *options);
void plan_free(struct plan *plan);

#endif
