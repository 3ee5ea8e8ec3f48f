/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page faults by process and kind, COW breaks of merged pages among them, and
 * what arriving pages hold (bpf/fault.bpf.c).
 *
 * While its programs are attached, every fault of the machine takes some
 * 100 ns longer. So by default they are attached in short windows at random
 * times, about an eighth of the time, and core/live/duty.h makes rates of what the
 * windows saw. `precise` keeps them attached: exact, at that price. Where COW
 * breaks of merged pages happen that the windows miss, a window gets longer.
 *
 * The caller drives the windows from its event loop:
 *
 *	for (;;) {
 *		wait until when fault_tick(probe, &when, …) says, or for other things
 *		once a second or so: fault_read(probe, &known, &interval, …)
 *	}
 *
 * A late tick makes a window longer or rarer, which costs accuracy or speed,
 * but no correctness: what counts is how long it really was.
 */
#ifndef KSMSCOPE_PROBE_FAULT_H
#define KSMSCOPE_PROBE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "bpf/abi.h"
#include "core/known.h"
#include "core/live/duty.h"
#include "probe/attach.h"
#include "probe/engine.h"
#include "probe/fault_facts.h"
#include "sys/proc_tasks.h"
#include "sys/sysroot.h"

struct fault_probe;

struct fault_options {
	bool precise;
	struct duty_plan plan;		/* zeroed: the default */
	uint32_t sample_every;		/* look at one arrival in so many; 0: at none */
	struct merge_record merges;	/* engine_merges(), or MERGE_RECORD_NONE */
	bool merged;			/* pages are merged already: begin with a long window */
};

/* What is meant to be used. */
struct fault_options fault_defaults(void);

int fault_open(struct fault_probe **ret, const struct fault_options *options, const struct sysroot *root,
	       struct error *err);
void fault_close(struct fault_probe *probe);

/*
 * Are COW breaks of merged pages told apart? If not, all COW breaks are of
 * kind FAULT_COW_UNKNOWN. *ret_why (may be NULL) says why not; it lives as
 * long as the probe.
 */
enum known fault_tells_merged(const struct fault_probe *probe, const char **ret_why);

/*
 * Open or close a window if it is time for it. When to call again goes to
 * *ret_next_ns, CLOCK_MONOTONIC: INT64_MAX where nothing is planned.
 */
int fault_tick(struct fault_probe *probe, int64_t *ret_next_ns, struct error *err);

/* What others count, ever growing, at the moment of reading. What is not known costs accuracy only. */
struct fault_known {
	const struct process_facts *processes;	/* tasks_read(): all processes, ascending; NULL: unknown */
	size_t count;
	struct value faults;			/* pgfault of /proc/vmstat */
	struct value cow_ksm;			/* likewise */
};

/*
 * What happened since the last reading. The first one has no earlier `known`
 * to compare with, and tells little.
 */
int fault_read(struct fault_probe *probe, const struct fault_known *known, struct fault_interval *ret,
	       struct error *err);
void fault_interval_free(struct fault_interval *interval);

/* A process's events of a kind since the last reading. */
struct duty_estimate fault_estimate(const struct fault_interval *interval, const struct fault_process *process,
				    enum fault_kind kind);

/*
 * New duplicates since the last reading: arrivals times the share of the sample
 * that equalled an earlier page. A lower bound (bpf/arrivals.bpf.h).
 */
struct duty_estimate fault_duplicates(const struct fault_interval *interval, const struct fault_process *process);

/* Since fault_open(), all CPUs together. */
struct fault_loss {
	struct fault_totals totals;
	uint64_t consumed;		/* by process; produced = consumed + lost once a window is closed */
	uint64_t hashed;
	uint64_t waiting;		/* arrivals that were chosen and not yet looked at */
};

int fault_loss(const struct fault_probe *probe, struct fault_loss *ret, struct error *err);

/* Lifetimes of merges that a write ended, as far as windows saw it. */
void fault_lifetimes(const struct fault_probe *probe, struct merge_lifetimes *ret);

const struct attachment *fault_attachment(const struct fault_probe *probe);

#endif
