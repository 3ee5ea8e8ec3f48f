/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a decision is made of: a few figures about the machine and about the
 * processes that KSM looks at or that may be opted in, drawn from a sample
 * and its model (core/live/). Each may be unknown, and then the policy does
 * less, never more.
 */
#ifndef KSMSCOPE_CORE_POLICY_FACTS_H
#define KSMSCOPE_CORE_POLICY_FACTS_H

#include "core/live/top_model.h"
#include "core/policy/config.h"
#include "core/trust/domain.h"

/* A process that KSM looks at, or that may be opted in. */
struct policy_task {
	pid_t pid;
	uint64_t start_ticks;
	bool allowed, inject;		/* may be opted in; by ptrace */
	bool mergeable;			/* KSM looks at some of its memory, or it is not known that it doesn't */
	uint32_t domain;		/* of policy_facts.domains */
	struct value anon_bytes, huge_bytes, merged_pages, potential_bytes;
	double cow_per_second, undone_per_second;	/* 0 where unknown */
	double new_duplicates;		/* per second: at least so many pages arrived whose content exists elsewhere */
};

struct policy_facts {
	int64_t clock_ns;		/* CLOCK_MONOTONIC; may jump in a replay */
	uint64_t page_bytes;
	struct value total_bytes, available_bytes;
	struct value stall_some, stall_full;	/* avg10, hundredths of a per cent */
	struct value knob[KNOB_COUNT];
	struct value ksmd_cpu_ns, cow_ksm;	/* counters */
	struct value cow_cost_ns;	/* CPU time of a write to a merged page, by this machine's calibration */
	char rival[64];			/* another program that drives the engine; "" for none */

	/* Of the processes that KSM looks at. */
	struct value new_duplicates;	/* per second, thousandths: pages whose content exists elsewhere, from the fault path */
	struct value mergeable_bytes;	/* anonymous memory */
	struct value win_bytes;		/* what merging more in them would free, as measured last */
	uint32_t mergeable_domains;	/* trust domains that they are in */
	char domain_a[64], domain_b[64];	/* two of them */

	struct policy_task *tasks;	/* ascending pid */
	size_t tasks_count, tasks_room;
	uint32_t chosen;		/* domain in which opting in takes place; DOMAIN_NO_MEMORY: nobody may be opted in */
	struct domains domains;
};

/* Names of executables are not in a sample: the caller looks them up. NULL: not known. */
typedef const char *policy_executable(void *context, const struct top_task *task);

/*
 * Draw them from a model. `executable` may be NULL. The facts keep their
 * memory from one call to the next. 0 or -ENOMEM. `rules` must outlive them.
 */
int policy_facts_take(struct policy_facts *ret, const struct top_model *model, const struct policy_config *config,
		      const struct domain_rules *rules, policy_executable *executable, void *context);
void policy_facts_free(struct policy_facts *facts);

/*
 * CPU time of a write to a merged page, the fault included, where this machine
 * is not calibrated: twice what was measured on an EPYC of 2024, so that who
 * does not know it is more careful.
 */
#define COW_COST_ASSUMED_NS 9200

/* By the calibration, or what is assumed without one. */
double policy_cow_cost_ns(const struct policy_facts *facts);
/* "4.6 µs each by the calibration", "9.2 µs each, assumed". */
struct policy_cow_text { char text[48]; } policy_cow_cost_text(const struct policy_facts *facts);

/* By pid; NULL when there is none. */
const struct policy_task *policy_facts_task(const struct policy_facts *facts, pid_t pid, uint64_t start_ticks);

#endif
