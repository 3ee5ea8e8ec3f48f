/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds what merging would free: from the sketch of a pass (gather/sweep.h)
 * the figures of the host, and of every process, user, virtual machine and
 * cgroup, each estimated on its own with its 95 % interval. The figure of a
 * group is not the sum of its processes' intervals, and what it would save by
 * being there (marginal) is not a sum at all.
 *
 * Everything is inside trust domains, as the tasks say (core/trust/assign.h).
 */
#ifndef KSMSCOPE_CORE_HOLDERS_H
#define KSMSCOPE_CORE_HOLDERS_H

#include "core/count/sharing.h"
#include "core/estimate/estimate.h"
#include "core/estimate/survival.h"
#include "core/sample.h"

enum holder_kind {
	HOLDER_HOST,
	HOLDER_PROCESS,
	HOLDER_UID,
	HOLDER_DOMAIN,		/* a trust domain */
	HOLDER_VM,
	HOLDER_CGROUP,		/* the processes of this cgroup itself */
	HOLDER_CGROUP_TREE,	/* and those of the cgroups below it */
	HOLDER_KINDS
};

/* In frames. */
struct holder {
	enum holder_kind kind;
	uint32_t task;			/* the process, or the first one of the group; in the sample */
	uint32_t name_length;		/* HOLDER_CGROUP_TREE: of the task's cgroup path, what is its name */
	uint32_t processes;
	uint64_t frames;		/* looked at */
	struct estimate potential;	/* its share of what merging frees, capped: shares of disjoint holders add up */
	struct estimate self;		/* freed by merging inside it alone */
	struct estimate marginal;	/* what it adds by being there */
	struct estimate young;		/* frames that changed too lately to be merged; only where `settled` */
	struct survival_estimate stays;
};

struct holders {
	struct holder *list;		/* the host first, then by kind, each kind by task */
	size_t count;
	double theta;
	bool settled;			/* young frames are told from others and left out of the potential */
	uint64_t frames, groups;	/* looked at; groups of contents that the sample keeps */
	struct sharing *pairs;		/* contents that two trust domains both hold, most first; by their first tasks */
	size_t pairs_count;
	struct estimate crossing;	/* frames: what merging across trust domains would free besides: a risk, no potential */
};

struct holders_input {
	const struct sample *sample;	/* its tasks, with names, uids, cgroups, guests */
	const struct sketch *sketch;
	const uint32_t *task_of;	/* per owner of the sketch: its task; CLASS_NONE: nobody's */
	const struct survival *survival;	/* per task; NULL: no page was looked at twice */
	double seconds;			/* between the two looks of `survival` */
	uint32_t max_page_sharing;
	bool settled;
};

/* 0; -ENOMEM; -EINVAL where the sketch is not whole. */
int holders_build(struct holders *ret, const struct holders_input *input);
void holders_free(struct holders *holders);

/* The name of a holder in the sample: the command, the trust domain, the guest, the cgroup's path; *ret_length bytes of it count. */
const char *holder_name(const struct holder *holder, const struct sample *sample, size_t *ret_length);

#endif
