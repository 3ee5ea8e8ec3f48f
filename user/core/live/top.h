/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ksmtop and the exporter look at: the facts of one moment, host-wide and
 * by process. Counters are as the system has them, ever growing; what follows
 * from two samples (rates, profit, exposure) is the model's (top_model.h).
 *
 * Every fact says whether it was read, is absent on this kernel, or denied.
 * Why it is not there is in `missing`, once for all processes.
 *
 * It holds no contents and no hashes of them, and no mappings: those of one
 * process are detail.h's.
 */
#ifndef KSMSCOPE_CORE_TOP_H
#define KSMSCOPE_CORE_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/abi.h"
#include "core/knobs.h"
#include "core/known.h"
#include "core/live/duty.h"
#include "core/names.h"
#include "core/sample.h"

/* Facts about the machine. The first KNOB_COUNT are the files of the engine, by enum knob. */
enum top_fact {
	FACT_KSMD_CPU_NS = KNOB_COUNT,	/* counter */
	FACT_COW_KSM,			/* counter: vmstat cow_ksm */
	FACT_SWAP_COPIES,		/* counter: vmstat ksm_swpin_copy */
	FACT_PAGE_FAULTS,		/* counter: vmstat pgfault */
	FACT_HUGE_FAULTS,		/* counter: vmstat thp_fault_alloc */
	FACT_COLLAPSES,			/* counter: vmstat thp_collapse_alloc */
	FACT_SPLITS,			/* counter: vmstat thp_split_page */
	FACT_SPLITS_FAILED,		/* counter: vmstat thp_split_page_failed */
	FACT_SPLITS_PMD,		/* counter: vmstat thp_split_pmd */
	FACT_HUGE_BYTES,		/* AnonHugePages of meminfo */
	FACT_ANON_BYTES,		/* AnonPages of meminfo */
	FACT_TOTAL_BYTES,		/* MemTotal */
	FACT_AVAILABLE_BYTES,		/* MemAvailable */
	FACT_SWAP_FREE_BYTES,		/* SwapFree */
	FACT_STALL_SOME_US,		/* counter: pressure/memory, some */
	FACT_STALL_FULL_US,		/* counter: pressure/memory, full */
	FACT_STALL_SOME_AVG10,		/* hundredths of a per cent */
	FACT_STALL_FULL_AVG10,		/* hundredths of a per cent */

	FACT_MERGES,			/* counter, engine probe: pages merged and kept */
	FACT_ZERO_MERGES,		/* counter, engine probe: merged with the zero page */
	FACT_MERGE_FAILURES,		/* counter, engine probe */
	FACT_REMOVED_PAGES,		/* counter, engine probe: KSM pages given up */
	FACT_REMOVED_MAPPINGS,		/* counter, engine probe: mappings given up with them */
	FACT_PASSES,			/* counter, engine probe: seen from begin to end */
	FACT_PASS_LAST_NS,		/* engine probe: duration of the last pass */
	FACT_PASS_RUNNING_NS,		/* engine probe: since the present pass began */
	FACT_PASS_LAST_CPU_NS,		/* engine probe: ksmd's CPU time in the last pass */
	FACT_PASS_TRACKED_PAGES,	/* engine probe: pages that ksmd tracked at the end of the last pass */
	FACT_ADVISOR_DECISIONS,		/* counter, engine probe: of the kernel's own advisor */
	FACT_ADVISOR_SCAN_SECONDS,	/* engine probe: the last scan, as the advisor took it */
	FACT_ADVISOR_PAGES_TO_SCAN,	/* engine probe: its last decision */
	FACT_ADVISOR_CPU_PERCENT,	/* engine probe: ksmd's share of a CPU, as the advisor took it */

	FACT_COLLAPSE_TRIES,		/* counter, huge-page probe */
	FACT_COLLAPSES_UNDOING,		/* counter, huge-page probe: collapses of ranges with merged pages */
	FACT_MERGES_UNDONE,		/* counter, huge-page probe: merged pages in those */
	FACT_KSMD_SPLITS,		/* counter, huge-page probe: huge pages that ksmd split */

	FACT_POTENTIAL_BYTES,		/* content sampler: what merging more would free */
	FACT_POTENTIAL_LOW_BYTES,	/* content sampler: 95 % interval of it */
	FACT_POTENTIAL_HIGH_BYTES,
	FACT_VOLATILE_BYTES,		/* content sampler: memory that changed too lately to be merged, none of the potential */
	FACT_VOLATILE_LOW_BYTES,
	FACT_VOLATILE_HIGH_BYTES,
	FACT_CROSSING_BYTES,		/* content sampler: what merging across trust domains would free besides */
	FACT_CROSSING_LOW_BYTES,
	FACT_CROSSING_HIGH_BYTES,
	FACT_ZERO_BYTES,		/* content sampler: frames full of zeros that KSM could take */
	FACT_ZERO_IN_HUGE_BYTES,	/* content sampler: of these, inside huge pages */
	FACT_SWEEPS,			/* counter, content sampler: whole passes over all memory */
	FACT_SWEEP_NS,			/* content sampler: duration of the last one */
	FACT_SWEEP_SHARE,		/* content sampler: how far the present one is, in hundredths of a per cent */
	FACT_SWEEP_TIME_NS,		/* content sampler: when the last one ended, CLOCK_MONOTONIC */

	FACT_CANDIDATE_PAGES,		/* content sampler: mappings that the engine would track with everything opted in */

	FACT_FRONTIER_LOOKS,		/* counter, huge-page ledger: looks at all huge pages */
	FACT_FRONTIER_CPU_NS,		/* counter, huge-page ledger: CPU time of these */
	FACT_FRONTIER_TIME_NS,		/* huge-page ledger: when the last one ended, CLOCK_REALTIME */
	FACT_FRONTIER_LOOK_NS,		/* huge-page ledger: duration of the last one */
	FACT_FRONTIER_HUGE_PAGES,	/* huge-page ledger: huge pages mapped whole */
	FACT_FRONTIER_ALL_PAGES,	/* huge-page ledger: of these, that free something; what they do and cost follows */
	FACT_FRONTIER_ALL_BYTES,
	FACT_FRONTIER_ALL_SLOWDOWN_PPB,
	FACT_KNEE_PAGES,		/* huge-page ledger: the same of those up to the frontier's knee */
	FACT_KNEE_BYTES,
	FACT_KNEE_SLOWDOWN_PPB,

	FACT_COW_COST_NS,		/* calibration: CPU time of a write to a merged page; its interval follows */
	FACT_COW_COST_LOW_NS,
	FACT_COW_COST_HIGH_NS,

	FACT_OWN_CPU_NS,		/* counter: our own CPU time */
	FACT_OWN_RSS_BYTES,
	TOP_FACTS
};

/* Facts about one process. */
enum task_fact {
	TASK_ANON_BYTES,
	TASK_RSS_BYTES,
	TASK_SWAP_BYTES,
	TASK_HUGE_BYTES,		/* anonymous memory in PMD huge pages */
	TASK_MERGED_PAGES,		/* ksm_stat: mappings of KSM frames */
	TASK_ZERO_PAGES,		/* ksm_stat: merged with the zero page */
	TASK_TRACKED_PAGES,		/* ksm_stat: rmap_items */
	TASK_PROFIT_BYTES,		/* ksm_stat, signed */
	TASK_MERGEABLE,			/* 1: has a mapping that KSM looks at */
	TASK_MERGE_ANY,			/* 1: opted in as a whole, prctl(PR_SET_MEMORY_MERGE) */
	TASK_PAGE_FAULTS,		/* counter: minor and major, by the kernel's own account */
	TASK_MERGES,			/* counter, engine probe */
	TASK_COLLAPSES,			/* counter, huge-page probe */
	TASK_MERGES_UNDONE,		/* counter, huge-page probe */
	TASK_KSMD_SPLITS,		/* counter, huge-page probe */
	TASK_POTENTIAL_BYTES,		/* content sampler: its share of the potential */
	TASK_POTENTIAL_LOW_BYTES,	/* content sampler: 95 % interval of it */
	TASK_POTENTIAL_HIGH_BYTES,
	TASK_MARGINAL_BYTES,		/* content sampler: what it adds to the potential by being there; no sum */
	TASK_VOLATILE_BYTES,		/* content sampler: changed too lately to be merged */
	TASK_VOLATILE_LOW_BYTES,
	TASK_VOLATILE_HIGH_BYTES,
	TASK_HALF_LIFE_MS,		/* content sampler: until half of its pages have changed; at least that where high is INT64_MAX */
	TASK_HALF_LIFE_LOW_MS,
	TASK_HALF_LIFE_HIGH_MS,
	TASK_FACTS
};

struct fact_info {
	const char *name;		/* stable: recordings and `missing` use it */
	bool counter;			/* only grows; a rate follows from two samples */
	const char *source;		/* the probe that it comes from: SOURCE_…; NULL: the system's files */
};

/* What `missing` calls our probes. */
#define SOURCE_FAULT "fault probe"
#define SOURCE_ENGINE "engine probe"
#define SOURCE_HUGE "huge-page probe"
#define SOURCE_CALIBRATION "calibration"
#define SOURCE_CONTENT "content sampler"
#define SOURCE_LEDGER "huge-page ledger"

extern const struct fact_info top_facts[TOP_FACTS];	/* knobs: see knob_info */
extern const struct fact_info task_facts[TASK_FACTS];
extern const char *const fault_kind_names[FAULT_KINDS];

struct top_task {
	pid_t pid, parent;
	uint64_t start_ticks;		/* tells a reused PID */
	uid_t uid;			/* effective */
	char comm[64];			/* raw */
	uint32_t cgroup, user, vm;	/* of top_sample.names; vm: a QEMU guest's name */
	uint32_t domain;		/* likewise: its trust domain, as the content sampler put it; "": not known yet */
	bool left_out;			/* nobody asked for it: it has no row in the model */
	int64_t number[TASK_FACTS];
	uint8_t known[TASK_FACTS];	/* enum known */
};

/* Processes that are one for the content sampler, and estimated as one: their figure has an interval of its own. */
enum share_kind { SHARE_UID, SHARE_VM, SHARE_CGROUP, SHARE_CGROUP_TREE, SHARE_DOMAIN, SHARE_KINDS };

struct top_share {
	enum share_kind kind;		/* SHARE_CGROUP_TREE: with the cgroups below it */
	uid_t uid;			/* SHARE_UID */
	uint32_t name;			/* of top_sample.names: the guest, the cgroup's path, the trust domain */
	int64_t potential, low, high;	/* bytes, and their 95 % interval */
	int64_t marginal;		/* bytes: what they add to the potential by being there */
};

/* Contents that two trust domains both hold, zeros apart: what merging across them would free, a risk and no saving. */
struct top_crossing {
	uint32_t a, b;			/* of top_sample.names: the domains */
	int64_t bytes, low, high;	/* and the 95 % interval */
};

/* One way that events take, from where they are produced to us. */
struct loss {
	char path[32];
	uint64_t produced, consumed, lost;
};

/* How often something ended in one way: merges that failed, by error; collapses, by the kernel's result. */
struct outcome {
	pid_t pid;			/* 0: of the whole machine */
	char of[24], what[32];		/* "merges" "EFAULT" */
	uint64_t count;			/* counter */
};

#define OUTCOME_MERGES "merges"		/* of a page with another one: failures by error */
#define OUTCOME_SCANS "collapse_scans"	/* of a range that khugepaged considered: why it was left, or not */
#define OUTCOME_COLLAPSES "collapses"	/* of a range whose collapse was tried */

/* What the kernel says of one of our BPF programs. */
struct program_use {
	char name[32];
	uint64_t runs, nanoseconds;	/* while measured */
	double measured_share;		/* of the time, 0 … 1 */
};

/* A part of the facts, as it was read for this sample. */
struct source_use {
	char name[24];
	enum known state;		/* KNOWN: it answered */
	double seconds;			/* that reading took */
};

/* How long merges lasted until a write broke them, by binary logarithm of milliseconds: see merge_lifetimes. */
#define TOP_LIFETIMES LIFETIME_BUCKETS

/*
 * Faults that were looked at one by one since the sample before, and in a
 * horizon of some more seconds: sums to make estimates of (duty.h), by enum
 * fault_kind.
 */
struct top_watch {
	pid_t pid;			/* 0: the whole machine */
	struct duty_process now, horizon;
	struct fault_arrivals arrivals;	/* in the horizon: new pages whose content was looked at */
};

struct top_sample {
	int64_t time_ns;		/* CLOCK_REALTIME */
	int64_t clock_ns;		/* CLOCK_MONOTONIC: intervals are reckoned with it */
	char host[65], release[65];
	uint64_t page_bytes;		/* of the machine that was looked at */
	unsigned int cpus;

	struct value fact[TOP_FACTS];
	struct top_task *tasks;		/* ascending pid, each pid once; no kernel threads */
	size_t tasks_count, tasks_room;
	struct names names;

	enum known watched;		/* were faults looked at? */
	struct duty_total windows, horizon;
	struct top_watch machine;
	struct top_watch *watches;	/* of processes with any, ascending pid */
	size_t watches_count, watches_room;
	uint64_t lifetimes[TOP_LIFETIMES];	/* counters; known when `watched` is */
	uint64_t lifetimes_unseen;		/* breaks of merges that were not seen to begin */
	struct top_share *shares;	/* by kind, uid and name: see top_sample_share() */
	size_t shares_count, shares_room;
	struct top_crossing *crossings;	/* most bytes first */
	size_t crossings_count, crossings_room;
	struct outcome *outcomes;	/* see top_sample_outcomes() */
	size_t outcomes_count, outcomes_room;
	struct loss *losses;
	size_t losses_count, losses_room;
	struct program_use *programs;
	size_t programs_count, programs_room;
	struct source_use *sources;
	size_t sources_count, sources_room;
	struct missing *missing;
	size_t missing_count, missing_room;
};

/* A zeroed struct is an empty sample. clear() keeps the memory for the next one. */
void top_sample_clear(struct top_sample *sample);
void top_sample_free(struct top_sample *sample);

/* Room for one more, zeroed; NULL when memory is out. */
struct top_task *top_sample_add_task(struct top_sample *sample);
struct top_watch *top_sample_add_watch(struct top_sample *sample);
struct loss *top_sample_add_loss(struct top_sample *sample);
struct top_share *top_sample_add_share(struct top_sample *sample);
struct top_crossing *top_sample_add_crossing(struct top_sample *sample);
struct outcome *top_sample_add_outcome(struct top_sample *sample);
struct program_use *top_sample_add_program(struct top_sample *sample);
struct source_use *top_sample_add_source(struct top_sample *sample);

/* Note something that is missing. The same `what` is noted once. */
__attribute__((format(printf, 4, 5)))
void top_sample_missing(struct top_sample *sample, const char *what, enum known state, const char *why, ...);

/* By pid; NULL when there is none. */
const struct top_task *top_sample_task(const struct top_sample *sample, pid_t pid);

/* The shares in the order in which top_sample_share() finds them. */
void top_sample_sort_shares(struct top_sample *sample);
/* Of a uid, or of a name of `length` bytes; NULL when nobody estimated it. */
const struct top_share *top_sample_share(const struct top_sample *sample, enum share_kind kind, uid_t uid,
					 const char *name, size_t length);

/* Bring the outcomes into the order in which top_sample_outcomes() finds them. */
void top_sample_sort_outcomes(struct top_sample *sample);
/* Those of one process, or of the machine (0), by `of`, most frequent first. */
const struct outcome *top_sample_outcomes(const struct top_sample *sample, pid_t pid, size_t *ret_count);

static inline const char *top_name(const struct top_sample *s, uint32_t name)
{
	return names_string(&s->names, name);
}

static inline struct value task_value(const struct top_task *t, enum task_fact fact)
{
	return (struct value){ .number = t->number[fact], .known = t->known[fact] };
}

static inline void task_set(struct top_task *t, enum task_fact fact, struct value v)
{
	t->number[fact] = v.number;
	t->known[fact] = v.known;
}

/* Is a fact one of the engine's files? */
static inline bool fact_is_knob(unsigned int fact)
{
	return fact < (unsigned int)KNOB_COUNT;
}

/* The name of a fact about the machine, knobs included. */
const char *top_fact_name(enum top_fact fact);

#endif
