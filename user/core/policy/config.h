/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator wants of the policy: bounds, budgets and who may be
 * touched. ksm-policyd.conf(5) says the same in words. The defaults act on
 * nobody and cost nothing while memory is plentiful.
 */
#ifndef KSMSCOPE_CORE_POLICY_CONFIG_H
#define KSMSCOPE_CORE_POLICY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/trust/rule.h"

/* From plenty to none. */
enum pressure { PRESSURE_HIGH, PRESSURE_CLEAR, PRESSURE_SOFT, PRESSURE_HARD, PRESSURE_LOW, PRESSURE_STATES };
extern const char *const pressure_names[PRESSURE_STATES + 1];	/* "high" …, NULL at the end */

/* Which huge pages may be broken, each includes those before it. */
enum break_huge {
	BREAK_NONE,
	BREAK_COLD,			/* known to be cold; where heat is unknown, none */
	BREAK_RICH,			/* rich in duplicates, and not known to be hot */
	BREAK_ALL,
};

enum opt_in_what { OPT_IN_NONE, OPT_IN_RANGES, OPT_IN_WHOLE };

/* What a state is, and what it allows. */
struct state_config {
	double below;			/* entered when available memory is below this share of minFree; high: 0, unused */
	double stall_some, stall_full;	/* entered at this share of stalled time in 10 s (PSI); 0: never for this */
	double engine_cpu;		/* most of one CPU for ksmd while there is something to win; 0: the engine stops */
	int break_huge;			/* enum break_huge */
	int opt_in;			/* enum opt_in_what: of those that may be opted in */
};

enum pace_by {
	PACE_AUTO,			/* the kernel's advisor where it was found on, else pages_to_scan */
	PACE_DIRECT,
	PACE_ADVISOR,
};

/* A setting that can also be left alone. */
enum keep { KEEP_OFF, KEEP_ON, KEEP };

/* Who may be opted in: somebody who matches any of the rules. */
struct allow_rule {
	struct domain_rule rule;
	bool unit;			/* the pattern is compared with each name in the path of the cgroup */
	uint32_t group;
};

struct allow_group {
	char *name;
	bool inject;			/* opt in by stopping the process and calling madvise inside it (ptrace) */
	uint32_t file;
	unsigned int line;
	bool has_rule;
};

struct policy_config {
	/* [policy] */
	bool apply;
	int64_t interval_ns;		/* from one decision to the next */
	int64_t hang_ns;		/* not heard of for so long, it is taken for dead and everything is put back */
	bool cross_domains;		/* merging across trust domains is accepted */
	char domain[CONF_NAME_MAX + 32];	/* merge in this one only; "": the one with most memory that may be opted in */
	bool keep_opt_ins;		/* at exit, what was opted in stays so */
	bool measure;			/* look at contents in the background to know what is to be won */

	/* [pressure] */
	uint64_t min_free_bytes;	/* 0: by ESXi's formula from the machine's memory */
	double hysteresis;		/* left again above its bound times this */
	int64_t worse_hold_ns, better_hold_ns;	/* how long a worse or better state must hold before it is believed */
	struct state_config state[PRESSURE_STATES];

	/* [engine] */
	int pace;			/* enum pace_by */
	int64_t hold_ns;		/* least time between two changes of one knob */
	double watch_cpu;		/* of one CPU for ksmd while there is nothing new */
	uint64_t rate_bytes;		/* most that ksmd looks at in a second */
	uint64_t most_pages_to_scan;
	int smart_scan, use_zero_pages;	/* enum keep */
	uint64_t max_page_sharing;	/* 0: left alone */
	double worth;			/* of one CPU, that one GiB saved is worth */
	uint64_t gain_bytes;		/* less than this is not worth a scan */
	int64_t rest_ns, most_rest_ns;	/* after scans that did not pay: doubles up to the second */
	int64_t back_off_ns;		/* hands off a knob for so long after somebody else wrote it */

	/* [opt-in] */
	double look_cpu;		/* of one CPU, on the average, for looking at contents of who may be opted in */
	int64_t look_interval_ns;	/* least time between two looks */
	uint64_t look_bytes;		/* do not look at more anonymous memory than this */
	double rich;			/* share of a range that must be duplicates for BREAK_RICH */
	double least_share;		/* share that must be duplicates at all */
	int64_t patience_ns;		/* a process that costs more than it gains for so long is taken out */
	double churn;			/* share of a range that changes between two looks: taken out again */
	uint64_t least_bytes;		/* duplicates in a range, below which it is not worth a stop of the process */
	uint64_t most_ranges;		/* opted in at one step */

	/* [allow NAME] */
	struct allow_rule *allow;
	uint32_t allow_count;
	struct allow_group *groups;
	uint32_t groups_count;
	char **files;			/* that it came from */
	uint32_t files_count;
};

void policy_config_init(struct policy_config *ret);
void policy_config_free(struct policy_config *config);

/*
 * Add what the text of a configuration file says; later entries replace earlier
 * ones, [allow] groups add up. Refused (EXIT_USAGE) with file, line and column.
 * policy_config_check() once after the last file: what does not fit together.
 * After a refusal the configuration is only good for policy_config_free().
 */
int policy_config_add(struct policy_config *config, const char *file, const char *text, size_t length,
		      struct error *err);
int policy_config_check(const struct policy_config *config, struct error *err);

/*
 * The group that allows this process to be opted in, NULL: none. A fact that
 * could not be read allows nothing.
 */
const struct allow_group *policy_allows(const struct policy_config *config, const struct domain_subject *subject);

#endif
