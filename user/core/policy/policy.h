/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision: configuration, memory of earlier steps and facts in, changes
 * with their reasons out. No clock, no I/O, no globals: the same steps make
 * the same decisions on any machine and in any replay.
 *
 * What holds whatever the facts are:
 *   - no knob is changed more often than `hold`, none outside its bounds;
 *   - nothing is done because of a figure that is not known, and one more
 *     unknown figure never leads to more being done;
 *   - run=2 is never planned; a knob that somebody else wrote is left alone,
 *     and with it the engine, for `back_off`;
 *   - nobody is opted in who is not allowed to be, or is in another trust
 *     domain than the others.
 *
 * Time is the sum of what passed between steps, each at most POLICY_STEP_NS,
 * so that a clock that jumps ends no hold time early.
 */
#ifndef KSMSCOPE_CORE_POLICY_POLICY_H
#define KSMSCOPE_CORE_POLICY_POLICY_H

#include "core/judge/plan.h"
#include "core/policy/look.h"
#include "core/policy/pace.h"
#include "core/policy/pressure.h"

#define POLICY_STEP_NS INT64_C(60000000000)
#define POLICY_EVENTS 16

struct knob_memory {
	bool ours;			/* written by us, and found so ever since */
	bool changed;
	int64_t value;
	int64_t changed_ns;		/* when it was last planned */
};

/* A process in which ranges were opted in by us, or that is left alone for a while. */
struct own_process {
	pid_t pid;
	uint64_t start_ticks;
	struct own_range {
		uint64_t start, end;	/* 0, 0: the whole process */
		unsigned int strikes;	/* looks in a row in which it only churned */
	} *ranges;
	size_t count;
	double cow_rate, undone_rate;	/* per second, smoothed over `patience` */
	int64_t bad_ns;			/* how long it has cost more than it gained */
	int64_t shunned_until_ns;	/* it refused, or did not pay */
	int64_t changed_ns;
};

struct policy_memory {
	int64_t now_ns;			/* the policy's time */
	int64_t clock_ns;		/* of the last facts */
	uint64_t steps;
	struct pressure_memory pressure;
	struct pace_memory pace;
	struct knob_memory knob[KNOB_COUNT];
	bool advisor_found;		/* the kernel's advisor was on at the first step */
	int64_t hands_off_until_ns;
	char hands_off[160];		/* why */
	char barred[200];		/* why the engine may not run; "" where it may */
	struct own_process *own;	/* ascending pid */
	size_t own_count;
	int64_t next_look_ns, look_pause_ns, looked_ns;
	double allowed_bytes, looked_bytes;	/* of those that may be opted in: at the last step, and at the last look */
	char domain[64];		/* in which it has opted in; "": none yet */
	double cow_cost_ns;		/* that was told last; 0: none yet */
};

enum policy_priority { POLICY_ERROR = 3, POLICY_WARNING = 4, POLICY_NOTICE = 5, POLICY_INFO = 6 };	/* as syslog */

/* Something to be told that is no change. */
struct policy_event {
	enum policy_priority priority;
	char text[240];
};

struct policy_decision {
	struct plan plan;
	struct policy_event events[POLICY_EVENTS];
	size_t events_count;
	struct pace_now pace;
	bool want_look;			/* look at contents of those who may be opted in (look.h) */
};

/*
 * `look`: a new one, or NULL. The decision is to be freed with
 * policy_decision_free(). 0 or -ENOMEM.
 */
int policy_step(const struct policy_config *config, struct policy_memory *memory, const struct policy_facts *facts,
		const struct policy_look *look, struct policy_decision *ret);
void policy_decision_free(struct policy_decision *decision);

enum policy_outcome { POLICY_MADE, POLICY_REFUSED, POLICY_FOREIGN };

/* What became of a change of the last decision. 0 or -ENOMEM. */
int policy_note(const struct policy_config *config, struct policy_memory *memory, const struct change *change,
		enum policy_outcome outcome);

void policy_memory_free(struct policy_memory *memory);

#endif
