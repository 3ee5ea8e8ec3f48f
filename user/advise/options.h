/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ksm-advise was asked for. */
#ifndef KSMSCOPE_ADVISE_OPTIONS_H
#define KSMSCOPE_ADVISE_OPTIONS_H

#include "cli/options.h"
#include "core/judge/plan.h"
#include "core/trust/domain.h"
#include "gather/gather.h"

enum advise_action { ACTION_ADVISE, ACTION_APPLY, ACTION_UNDO };
enum advise_format { FORMAT_TEXT, FORMAT_JSON };

struct advise_options {
	struct pid_option pids;
	const char *comm, *cgroup, *vm, *sysroot, *state_dir, *budget_text, *domains, *plot;
	struct domain_rules rules;	/* what is in the file `domains` */
	const char *record, *replay;
	const char *sketch, *fleet_key, *label, *domain;
	char *const *files;		/* --compare: the words that are no options */
	size_t files_count;
	uint64_t contents;		/* of a sketch; 0: PORTABLE_DEFAULT_CONTENTS */
	uint64_t uid;
	double settle_seconds, for_seconds, ksmd_cpu, theta, heat_seconds, exchange_rate;
	struct budget budget;
	uint64_t memory_bytes;
	const char *calibration;	/* the file; NULL: the usual one, where there is one */
	double calibrate_seconds;
	int format, reader, heat_by, opt_in;
	bool has_uid, has_theta, has_memory, all, exact, apply, undo, dry_run, cross_domains, verbose, no_color;
	int huge_pages;			/* enum huge_pages, but for HUGE_PAGES_WITHIN */
	double max_slowdown;
	bool has_max_slowdown, calibrate, no_writes, ledger, compare, has_contents;
};

/* Parse and check what belongs together. *ret is ready to be used when PARSED_GO comes back. */
int advise_options_parse(struct advise_options *ret, int argc, char **argv, enum parsed *ret_parsed,
			 struct error *err);
void advise_options_free(struct advise_options *options);

/* Is anybody named to be looked at? */
bool advise_has_target(const struct advise_options *options);
struct target advise_target(const struct advise_options *options);
/* --apply needs to know single mappings, so it looks at every page. */
enum look_mode advise_look_mode(const struct advise_options *options);
enum reader_kind advise_reader(const struct advise_options *options);

#endif
