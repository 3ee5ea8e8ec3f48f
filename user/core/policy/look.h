/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a look at the contents of those who may be opted in found, range by
 * range. All of them are of one trust domain, so every duplicate counts.
 *
 * Each huge page is a range of its own, since one mapping (a heap, a guest's
 * memory) holds rich and poor, cold and hot ones; what lies between them are
 * ranges, too. Of these only the sum is known: it is shared out by length.
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

/*
 * Slow-down of an access that misses the TLB for want of a huge page, in
 * nanoseconds: the worst that was measured on a 4 GiB set (docs/model.md).
 */
#define POLICY_MISS_NS 200

/*
 * Draw it from a sample of contents, its model and its huge pages (model->huge,
 * NULL: there are none). `worth`: of one CPU, that a GiB saved is worth: a huge
 * page is cold where its accesses cost less than what breaking it gives, and
 * hot where they cost more. What has no candidate page is left out. 0 or -ENOMEM.
 */
int policy_look_take(struct policy_look *ret, const struct sample *sample, const struct model *model, double worth);
void policy_look_free(struct policy_look *look);

#endif
