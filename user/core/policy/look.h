/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a look at the contents of those who may be opted in found, range by
 * range. All of them are of one trust domain, so every duplicate counts.
 */
#ifndef KSMSCOPE_CORE_POLICY_LOOK_H
#define KSMSCOPE_CORE_POLICY_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/model.h"

struct policy_range {
	pid_t pid;
	uint64_t start_ticks;
	uint64_t start, end;
	uint64_t pages;			/* that KSM could take */
	uint64_t duplicates;		/* its share of the frames that merging frees, and what is merged already */
	uint64_t huge;			/* pages inside huge pages */
	uint64_t huge_cold;		/* of these, inside huge pages known to be cold */
	uint64_t huge_hot;		/* and known to be hot; the rest is not known */
	uint64_t is_volatile;		/* changed between the two looks */
	bool mergeable;			/* opted in already */
	bool secret;			/* mlocked, DONTDUMP, WIPEONFORK */
};

struct policy_look {
	double cpu_seconds;		/* that it took */
	char domain[64];
	struct policy_range *ranges;	/* ascending pid and address */
	size_t count;
};

/* Draw it from a sample of contents and its model. Those with no candidate page are left out. 0 or -ENOMEM. */
int policy_look_take(struct policy_look *ret, const struct sample *sample, const struct model *model);
void policy_look_free(struct policy_look *look);

#endif
