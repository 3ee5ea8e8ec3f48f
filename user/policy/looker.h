/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at the contents of those who may be opted in, in a child (errand.h):
 * every page, twice, a second apart, so that what changes is told from what
 * stays; and in that second how often huge pages are accessed.
 */
#ifndef KSMSCOPE_POLICY_LOOKER_H
#define KSMSCOPE_POLICY_LOOKER_H

#include "core/policy/facts.h"
#include "core/policy/look.h"
#include "gather/errand.h"
#include "sys/sysroot.h"

struct looker {
	const struct sysroot *root;
	struct errand errand;
	pid_t *pids;
	size_t count;
	char domain[64];
	double worth;			/* of a GiB, in CPUs */
};

/* Begin to look at the processes of the chosen domain, unless a look is under way. False: no child can be had. */
bool looker_begin(struct looker *looker, const struct policy_config *config, const struct policy_facts *facts);

/* ERRAND_DONE once, with a look that the caller frees. Never waits. */
enum errand_state looker_take(struct looker *looker, struct policy_look *ret);
void looker_end(struct looker *looker);

#endif
