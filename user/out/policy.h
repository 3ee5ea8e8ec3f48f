/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decisions of the policy as lines for a log and as JSON; where it stands, as both. docs/json-policyd.md has the keys. */
#ifndef KSMSCOPE_OUT_POLICY_H
#define KSMSCOPE_OUT_POLICY_H

#include "base/text.h"
#include "core/policy/policy.h"
#include "out/prometheus.h"

/* What became of a change. */
struct policy_done {
	bool planned_only;		/* dry run: nothing was tried */
	enum policy_outcome outcome;
	char text[200];			/* why, or what there is to say about it; may be "" */
};

/* One decision; everything is the caller's. */
struct policy_report {
	int64_t time_ns;		/* CLOCK_REALTIME */
	const struct policy_config *config;
	const struct policy_memory *memory;
	const struct policy_facts *facts;
	const struct policy_decision *decision;
	const struct policy_done *done;	/* one per change of the plan */
};

/* "would set run 0 → 1: sweep: …"; *ret_priority as syslog has them. */
void policy_change_line(struct text *out, const struct change *change, const struct policy_done *done,
			enum policy_priority *ret_priority);

/* One object, one line. */
void policy_report_json(struct text *out, const struct policy_report *report);
/* The same for people, several lines. */
void policy_report_text(struct text *out, const struct policy_report *report);

/* Where it stands. */
struct policy_status {
	int64_t time_ns, started_ns;	/* CLOCK_REALTIME */
	pid_t pid;
	bool apply;
	const struct policy_config *config;
	const struct policy_memory *memory;
	const struct policy_facts *facts;
	struct value own_cpu_ns, own_rss_bytes;
	double look_seconds;		/* CPU time of the looks at contents */
	uint64_t looks, looks_failed, changes_made, changes_refused, reloads, reloads_refused;
};

void policy_status_json(struct text *out, const struct policy_status *status);
void policy_status_text(struct text *out, const struct policy_status *status);

/* The same as metrics, a whole page. */
void policy_status_metrics(struct text *out, enum metric_format format, const struct policy_status *status);

#endif
