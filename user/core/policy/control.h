/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a pace to the engine's knobs: part of policy_step(). */
#ifndef KSMSCOPE_CORE_POLICY_CONTROL_H
#define KSMSCOPE_CORE_POLICY_CONTROL_H

#include "core/policy/policy.h"

/*
 * Did somebody else write a knob of ours, or does another program drive the
 * engine? Then hands off, for `back_off`. True while they are off.
 */
bool control_is_foreign(const struct policy_config *config, struct policy_memory *memory,
			const struct policy_facts *facts, struct policy_decision *ret);

/* Plan the knobs that are to change. 0 or -ENOMEM. */
int control_plan(const struct policy_config *config, struct policy_memory *memory, const struct policy_facts *facts,
		 struct policy_decision *ret);

void control_note(const struct policy_config *config, struct policy_memory *memory, const struct change *change,
		  enum policy_outcome outcome);

#endif
