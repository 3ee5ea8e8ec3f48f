/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How short is memory? Five states as ESXi has them, from available memory
 * against minFree and from the time that tasks stall for memory (PSI): the
 * worse of the two. Bounds up and down differ, and a state must hold for a
 * while before it is believed.
 *
 * What could not be read presses nobody: without either figure it is high.
 */
#ifndef KSMSCOPE_CORE_POLICY_PRESSURE_H
#define KSMSCOPE_CORE_POLICY_PRESSURE_H

#include "core/policy/facts.h"

struct pressure_memory {
	enum pressure state;
	enum pressure wanted;		/* what the figures say now, while it does not hold long enough */
	int64_t wanted_since_ns;
	int64_t since_ns;		/* when the state was entered */
	int64_t time_ns[PRESSURE_STATES];	/* spent in each */
	uint64_t entered[PRESSURE_STATES];
	char reason[160];		/* why it is this one */
};

/* minFree: configured, or 6 % of the first 4 GiB, 4 % up to 12, 2 % up to 28, 1 % of the rest (VMware). 0: unknown. */
uint64_t pressure_min_free(const struct policy_config *config, struct value total_bytes);

/*
 * `now_ns`: the policy's own time, which never goes back; `passed_ns` of it
 * since the last call. True when the state changed.
 */
bool pressure_step(struct pressure_memory *memory, const struct policy_config *config, const struct policy_facts *facts,
		   int64_t now_ns, int64_t passed_ns);

#endif
