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
	CHANGE_RELEASE,			/* take back what was opted in of [start, end) by this plan's journal; no way back */
	CHANGE_BREAK,			/* break the huge pages in [start, end) of pid; back: rebuild them */
	CHANGE_REBUILD,			/* make huge pages of [start, end) of pid; back: break them */
	CHANGE_OPT_OUT,			/* madvise(MADV_UNMERGEABLE) on [start, end) inside pid; back: MADV_MERGEABLE */
	CHANGE_DAMON,			/* a DAMON of our own on pid, or physical [start, end) where pid is 0; back: end it */
};

/* Changes of one lever in one process are made in one go. In the order in which they are taken back. */
enum lever { LEVER_KNOB, LEVER_RELEASE, LEVER_OPT_IN, LEVER_SHAPE, LEVER_OPT_OUT, LEVER_DAMON };

static inline enum lever change_lever(enum change_kind kind)
{
	static const enum lever levers[] = { LEVER_KNOB, LEVER_OPT_IN, LEVER_OPT_IN, LEVER_RELEASE, LEVER_SHAPE,
					     LEVER_SHAPE, LEVER_OPT_OUT, LEVER_DAMON };
	return levers[kind];
}

/* "knob", "madvise", "prctl", "release", "break", "rebuild", "opt-out", "damon"; static storage. */
const char *change_kind_name(enum change_kind kind);

struct change {
	enum change_kind kind;
	enum knob knob;			/* CHANGE_KNOB */
	int64_t before, after;		/* CHANGE_DAMON: after, runs of memory to be told apart at least */
	pid_t pid;			/* the other kinds */
	uint64_t start_ticks;		/* the process that was meant, not a later one of this PID */
	uint64_t start, end;		/* all but CHANGE_KNOB and CHANGE_PRCTL; of CHANGE_DAMON, where pid is 0 */
	char reason[160];
};

struct plan {
	struct change *changes;		/* in the order in which they are made */
	size_t count;
	uint64_t predicted_bytes;	/* frames given back × page size when it has converged */
	uint64_t tracked_pages;		/* pages that ksmd will have to visit per scan */
	uint64_t crossing_frames;	/* duplicates it would merge across trust domains */
	size_t regions_broken, regions_kept;	/* huge pages; both 0 where they are not told apart */
	double slowdown;		/* predicted share of the targets' processor time; NAN: not known */
	bool merges;			/* the engine has something to do; else all is done when the changes are made */
	size_t domains_left_out;	/* trust domains that stay out so that nothing crosses */
};

/* What becomes of huge pages. */
enum huge_pages {
	HUGE_PAGES_ANY,			/* mappings are opted in whole: ksmd breaks what it likes */
	HUGE_PAGES_KEEP,		/* none is broken */
	HUGE_PAGES_KNEE,		/* those up to the frontier's knee */
	HUGE_PAGES_ALL,			/* all that hide anything */
	HUGE_PAGES_WITHIN,		/* as many as cost at most max_slowdown */
};

struct plan_options {
	enum huge_pages huge_pages;	/* other than ANY only where the model has them (model.huge) */
	double max_slowdown;		/* HUGE_PAGES_WITHIN: share of the targets' processor time */
	enum { OPT_IN_MAPPINGS, OPT_IN_PROCESS } opt_in;
	double ksmd_cpu;		/* share of one CPU that ksmd may take, above 0, below 1 */
	bool cross_domains;		/* the operator accepts merging across trust domains */
	bool split_frees_zero;		/* this kernel frees zero sub-pages when it splits a huge page */
};

/*
 * Opt in what is worth it, then make the engine scan it at the given pace. The
 * engine's knobs come last, `run` the very last; act/ restores in reverse.
 * Mainline KSM has one merge space, so without cross_domains only the trust
 * domain with the largest saving is opted in. 0 or -ENOMEM. An empty plan
 * (count 0) means there is nothing worth doing.
 */
int plan_make(struct plan *ret_plan, const struct sample *sample, const struct model *model,
	      const struct plan_options *options);
/*
 * Only have the engine run, every page visited in every scan, at a pace that
 * leaves it some tens of per cent of a CPU: to measure what it costs. 0 or -ENOMEM.
 */
int plan_measuring(struct plan *ret_plan, const struct engine *engine);
void plan_free(struct plan *plan);

/* Behind the changes that are made in one go, from `first` on: a knob, a release, or what one lever does to one process. */
size_t plan_step_end(const struct plan *plan, size_t first);

#endif
