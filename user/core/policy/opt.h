/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom to opt in, and whom to take out again: part of policy_step(). */
#ifndef KSMSCOPE_CORE_POLICY_OPT_H
#define KSMSCOPE_CORE_POLICY_OPT_H

#include "core/policy/policy.h"

/* Those of ours that ended are forgotten; those that cost more than they gain for longer than `patience` are taken out. -ENOMEM or 0. */
int opt_check_own(const struct policy_config *config, struct policy_memory *memory, const struct policy_facts *facts,
		  int64_t passed_ns, struct policy_decision *ret);

/* What a new look says: ranges to opt in, cold and rich ones first; ranges of ours that churn. */
int opt_by_look(const struct policy_config *config, struct policy_memory *memory, const struct policy_facts *facts,
		const struct policy_look *look, struct policy_decision *ret);

/* Is it time to look? */
bool opt_wants_look(const struct policy_config *config, struct policy_memory *memory,
		    const struct policy_facts *facts);

/* Is any of its memory opted in by us? */
bool opt_is_ours(const struct policy_memory *memory, pid_t pid, uint64_t start_ticks);

/* A change was made, or refused. */
int opt_note(const struct policy_config *config, struct policy_memory *memory, const struct change *change,
	     enum policy_outcome outcome);

/* Also for the knobs: add a change with its reason, an event. */
__attribute__((format(printf, 3, 4)))
int decision_add(struct policy_decision *decision, struct change change, const char *fmt, ...);
__attribute__((format(printf, 3, 4)))
void decision_tell(struct policy_decision *decision, enum policy_priority priority, const char *fmt, ...);

#endif
