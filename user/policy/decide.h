/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One decision from one moment, now or recorded: facts, policy_step(), its
 * changes made or pretended, and told.
 */
#ifndef KSMSCOPE_POLICY_DECIDE_H
#define KSMSCOPE_POLICY_DECIDE_H

#include "core/live/top_model.h"
#include "policy/configure.h"
#include "policy/hands.h"
#include "policy/log.h"

/* What goes from one decision to the next. Zeroed at the start. */
struct deciding {
	struct top_sample samples[2];
	unsigned int now;		/* which of them is the later one */
	struct top_model model;
	struct top_track track;
	struct policy_facts facts;
	struct policy_memory memory;
	struct hands hands;
	struct policy_log log;
};

/* Where the next moment is to be written, before deciding_observe(). */
struct top_sample *deciding_next(struct deciding *deciding);

/* Take it for the present. `executable` as for policy_facts_take(). 0 or an error. */
int deciding_observe(struct deciding *deciding, const struct configuration *configuration, policy_executable *executable,
		     void *context, struct error *err);

/* What came of a decision, for whoever makes them. */
struct decided {
	bool want_look;			/* contents of those who may be opted in are to be looked at */
	bool opts_in;			/* it opts somebody in */
};

/* Decide, act, tell. `time_ns`: CLOCK_REALTIME of the moment; `look` may be NULL. Error: nothing more can be done. */
int deciding_decide(struct deciding *deciding, const struct policy_config *config, int64_t time_ns,
		    const struct policy_look *look, struct decided *ret, struct error *err);

/* All but the hands, which have things to put back. */
void deciding_free(struct deciding *deciding);

#endif
