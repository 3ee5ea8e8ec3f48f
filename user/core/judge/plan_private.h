/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan while it is made. For judge/plan*.c alone. */
#ifndef KSMSCOPE_CORE_PLAN_PRIVATE_H
#define KSMSCOPE_CORE_PLAN_PRIVATE_H

#include "core/judge/plan.h"

struct planner {
	struct plan *plan;
	const struct sample *sample;
	const struct model *model;
	const struct plan_options *options;
	const struct saving *domain;	/* the trust domain that is opted in, where not all are */
	size_t room;
	bool failed;			/* memory is out */
};

/* Append a change with its reason. */
__attribute__((format(printf, 3, 4)))
void plan_add(struct planner *planner, struct change change, const char *fmt, ...);

/* Is a task of those whose memory may be merged with each other? */
bool plan_takes(const struct planner *planner, uint32_t task);

/* Opt in around huge pages: break those that are chosen, and keep ksmd off all others. */
void plan_huge(struct planner *planner);

#endif
