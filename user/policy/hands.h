/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries decisions out, or only pretends to: a dry run decides on as if what
 * it would have written were there.
 */
#ifndef KSMSCOPE_POLICY_HANDS_H
#define KSMSCOPE_POLICY_HANDS_H

#include "act/keep.h"
#include "core/policy/policy.h"
#include "out/policy.h"
#include "policy/log.h"

struct hands {
	const struct sysroot *root;
	const char *state_dir;
	struct keeper *keeper;		/* NULL: dry run */
	struct pretended {
		bool on;
		int64_t found, value;	/* what is there, and what would be */
	} knob[KNOB_COUNT];
	uint64_t made, refused;
};

/* What an earlier run left is put back first, and told. */
int hands_open(struct hands *ret, const struct sysroot *root, const char *state_dir,
	       const struct policy_config *config, const struct policy_log *log, struct error *err);

/* Put everything back. */
int hands_close(struct hands *hands, bool keep_opt_ins, const struct policy_log *log, struct error *err);

/* Put everything back, and begin again by another configuration; the policy forgets what it had written. */
int hands_begin_anew(struct hands *hands, const struct policy_config *config, struct policy_memory *memory,
		     const struct policy_log *log, struct error *err);

bool hands_act(const struct hands *hands);

/* Dry run: the facts, as if what was planned had been done. Real changes of the same knobs win. */
void hands_pretend(struct hands *hands, struct policy_facts *facts);

/* *ret_done, to be freed, has one entry per change. The policy's memory learns of it. Error: nothing more can be done. */
int hands_carry_out(struct hands *hands, const struct policy_config *config, struct policy_memory *memory,
		    const struct plan *plan, struct policy_done **ret_done, struct error *err);

#endif
