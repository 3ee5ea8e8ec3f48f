/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that is reported about a moment, once: what it is called on the
 * screen, in JSON and CSV and as a metric, what it means, its unit, and how it
 * follows from facts. Screen, writers, metrics and help walk this table.
 */
#ifndef KSMSCOPE_CORE_FIELDS_H
#define KSMSCOPE_CORE_FIELDS_H

#include <stdbool.h>

#include "core/live/top.h"

enum field {
	HOST_RUN,
	HOST_PAGES_TO_SCAN,
	HOST_SLEEP_MILLISECS,
	HOST_SMART_SCAN,
	HOST_USE_ZERO_PAGES,
	HOST_MAX_PAGE_SHARING,
	HOST_MERGE_ACROSS_NODES,
	HOST_ADVISOR_MODE,
	HOST_PAGES_SHARED,
	HOST_PAGES_SHARING,
	HOST_PAGES_UNSHARED,
	HOST_PAGES_VOLATILE,
	HOST_PAGES_SCANNED,
	HOST_PAGES_SKIPPED,
	HOST_ZERO_PAGES,
	HOST_STABLE_NODE_CHAINS,
	HOST_STABLE_NODE_DUPS,
	HOST_FULL_SCANS,
	HOST_SAVED,
	HOST_PROFIT,
	HOST_POTENTIAL,
	HOST_POTENTIAL_NET,
	HOST_VOLATILE,
	HOST_SWEEP_SECONDS,
	HOST_SWEEP_RATIO,
	HOST_KSMD_CPU,
	HOST_SCAN_RATE,
	HOST_MERGE_RATE,
	HOST_ZERO_MERGE_RATE,
	HOST_MERGE_FAILURE_RATE,
	HOST_REMOVED_RATE,
	HOST_REMOVED_MAPPING_RATE,
	HOST_PASS_SECONDS,
	HOST_PASS_ETA,
	HOST_PASS_CPU_SECONDS,
	HOST_PASS_TRACKED,
	HOST_ADVISOR_DECISION_RATE,
	HOST_ADVISOR_SCAN_SECONDS,
	HOST_ADVISOR_PAGES_TO_SCAN,
	HOST_ADVISOR_CPU,

	HOST_FAULTS_ALL,
	HOST_FAULTS_USER,
	HOST_FAULTS_FIRST,
	HOST_FAULTS_WRITE_PRESENT,
	HOST_FAULTS_COW,
	HOST_COW_COST,
	HOST_COW_CPU,
	HOST_FAULTS_COW_SEEN,
	HOST_FAULTS_COW_ZERO,
	HOST_FAULTS_COW_UNKNOWN,
	HOST_WASTE,
	HOST_NEW_DUPLICATES,
	HOST_SWAP_COPIES,
	HOST_WATCHED_RATIO,

	HOST_HUGE_BYTES,
	HOST_HUGE_FAULTS,
	HOST_COLLAPSES,
	HOST_COLLAPSE_TRIES,
	HOST_COLLAPSES_UNDOING,
	HOST_MERGES_UNDONE,
	HOST_SPLITS,
	HOST_SPLITS_PMD,
	HOST_KSMD_SPLITS,
	HOST_SPLITS_FAILED,
	HOST_KNEE_PAGES,
	HOST_KNEE_BYTES,
	HOST_KNEE_SLOWDOWN,
	HOST_FRONTIER_HUGE_PAGES,
	HOST_FRONTIER_PAGES,
	HOST_FRONTIER_BYTES,
	HOST_FRONTIER_SLOWDOWN,

	HOST_TOTAL,
	HOST_AVAILABLE,
	HOST_ANON,
	HOST_SWAP_FREE,
	HOST_STALL_SOME,
	HOST_STALL_FULL,
	HOST_STALL_SOME_AVG10,
	HOST_STALL_FULL_AVG10,
	HOST_EXPOSURE,
	HOST_EXPOSURE_RATIO,

	HOST_OWN_CPU,
	HOST_OWN_RSS,
	HOST_FIELDS,

	PROC_PID = HOST_FIELDS,
	PROC_UID,
	PROC_USER,
	PROC_ANON,
	PROC_HUGE,
	PROC_MERGED,
	PROC_PROFIT,
	PROC_POTENTIAL,
	PROC_MARGINAL,
	PROC_VOLATILE,
	PROC_HALF_LIFE,
	PROC_OPTED,
	PROC_MERGEABLE,
	PROC_COW,
	PROC_COW_ZERO,
	PROC_NEW_DUPLICATES,
	PROC_FAULTS,
	PROC_FIRST,
	PROC_WRITE_PRESENT,
	PROC_MERGES,
	PROC_COLLAPSES,
	PROC_UNDONE,
	PROC_SPLITS,
	PROC_ZERO_PAGES,
	PROC_TRACKED,
	PROC_RSS,
	PROC_SWAP,
	PROC_VM,
	PROC_CGROUP,
	PROC_DOMAIN,
	PROC_COMM,
	FIELD_COUNT,
};

#define PROC_FIELDS (FIELD_COUNT - HOST_FIELDS)

enum unit {
	UNIT_COUNT,
	UNIT_PAGES,
	UNIT_BYTES,
	UNIT_PER_SECOND,
	UNIT_RATIO,			/* 1: the whole; of CPU time: one CPU */
	UNIT_SECONDS,
	UNIT_MILLISECONDS,
	UNIT_FLAG,
	UNIT_CHOICE,			/* an index into `choices` */
	UNIT_TEXT,			/* field_text() */
};

/* How the model comes by a field. */
enum field_origin {
	ORIGIN_FACT,			/* the fact times `scale` */
	ORIGIN_RATE,			/* the fact's growth per second, times `scale` */
	ORIGIN_SEEN,			/* faults of some kinds per second, estimated */
	ORIGIN_COMPUTED,		/* by a formula of its own in top_model.c */
	ORIGIN_TEXT,
};

struct field_info {
	const char *name;		/* for --sort and --columns */
	const char *title;		/* of its column or meter */
	unsigned int width;		/* of its column; host fields: 0 */
	unsigned int rank;		/* which columns come first where there is little room; 0: on request only */
	const char *group;		/* JSON: the object it is in; NULL: the process or the top */
	const char *json;
	const char *metric;		/* without the project's prefix; a rate's metric is its counter, and ends in _total */
	const char *help;
	const char *metric_help;	/* what the metric counts, where `help` speaks of a share; NULL: help */
	enum unit unit;
	enum field_origin origin;
	unsigned int fact;		/* enum top_fact or task_fact; ORIGIN_SEEN: a bit for each fault_kind */
	double scale;
	bool sums;			/* the values of several processes add up */
	const char *const *choices;	/* UNIT_CHOICE: NULL-terminated */
};

extern const struct field_info fields[FIELD_COUNT];

static inline bool field_is_process(enum field f)
{
	return f >= HOST_FIELDS;
}

/* The word for a value of a UNIT_CHOICE; "?" for a number that stands for none, as a strange recording may have. */
const char *field_choice(enum field f, double value);

/* Is it a text on the left of its column, and sorted from A to Z? */
static inline bool field_is_text(enum field f)
{
	return fields[f].unit == UNIT_TEXT || fields[f].unit == UNIT_CHOICE;
}

/* Is its metric a counter? Of a rate, and of what the system counts itself. */
bool field_is_counter(enum field f);

/* Process field by its `name`; FIELD_COUNT when there is none. */
enum field field_by_name(const char *name, size_t length);

/* The fact that it is made of, by the name that `missing` knows it by; NULL where there are several. */
const char *field_fact(enum field f);
/* The probe that it comes from, likewise; NULL: from the system's files. */
const char *field_source(enum field f);

/* A text field of a process, raw; "" where it is not known. `ret` has room for what is made here. */
const char *field_text(const struct top_sample *sample, const struct top_task *task, enum field f, char ret[16]);

/*
 * "pid,anon,cow" as fields. A list that begins with + adds to what is in
 * `ret`. The number of fields, at most `room`; 0 with *ret_bad at the word
 * that is none.
 */
size_t field_list_parse(const char *list, enum field *ret, size_t count, size_t room, const char **ret_bad);

#endif
