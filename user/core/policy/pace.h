/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast should the engine run? By what there is to win and what it costs:
 *
 *	stopped		the state of memory allows no CPU, nobody is opted in, or it may not run
 *	sweep		full scans at the state's budget until one brings nothing more
 *	watch		nothing is new: next to nothing, to catch what comes
 *	rest		it did not pay: stopped for a while, each time longer
 *
 * A sweep begins with the first memory that KSM looks at, and again when there
 * is news: memory was opted in, duplicates arrived (fault path), or more can
 * be won by the last measurement. It ends after two whole scans of which the
 * last brought less than a hundredth of what the sweep won; with nothing won
 * after two it did not pay.
 *
 * Cost against gain, in shares of one CPU: ksmd's time and COW breaks of merged
 * pages, against `worth` per GiB saved.
 */
#ifndef KSMSCOPE_CORE_POLICY_PACE_H
#define KSMSCOPE_CORE_POLICY_PACE_H

#include "core/policy/facts.h"

enum pace { PACE_STOPPED, PACE_SWEEP, PACE_WATCH, PACE_REST, PACES };
extern const char *const pace_names[PACES];	/* "stopped" … */

struct pace_memory {
	enum pace pace;
	int64_t since_ns;
	char reason[240];

	/* What the engine did up to the step before. */
	struct value ksmd_cpu_ns, scanned_pages, cow_ksm;
	double page_ns;			/* ksmd's CPU time per page looked at; 0: not measured yet */
	double ksmd_share, cow_share;	/* of one CPU, smoothed over some steps */

	/* The sweep. */
	int64_t first_scans, last_scans;	/* full_scans when it began; and when a scan was last seen to end */
	bool proven;			/* it is known that it pays: by a look, or a measurement */
	int64_t scanned_at_start;
	int64_t saved_at_start, saved_at_scan;	/* pages */

	/* News since the last sweep ended. */
	double arrived_pages;
	bool by_arrivals;		/* arrivals asked for the sweep */
	unsigned int in_vain;		/* such sweeps in a row that brought nothing: it takes twice as many for the next */
	int64_t known_bytes;		/* mergeable memory that the last sweep went through */
	bool asked;			/* ranges were opted in */
	int64_t win_taken_bytes;	/* the measurement that the last sweep answered */

	int64_t rest_until_ns, rest_ns;
	unsigned int costs_more;	/* steps in a row */
};

/* What it comes to. */
struct pace_now {
	enum pace pace;
	bool changed;
	double budget;			/* of one CPU */
	int64_t sleep_millisecs, pages_to_scan;	/* PACE_SWEEP, PACE_WATCH */
	int64_t scan_seconds;		/* for the kernel's advisor: aim at one scan in so long */
};

/* `barred`: NULL, or why the engine may not run. */
struct pace_now pace_step(struct pace_memory *memory, const struct policy_config *config,
			  const struct policy_facts *facts, const struct state_config *state, const char *barred,
			  int64_t now_ns, int64_t passed_ns);

#endif
