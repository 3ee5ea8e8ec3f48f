/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ksmtop was asked for. */
#ifndef KSMSCOPE_TOP_OPTIONS_H
#define KSMSCOPE_TOP_OPTIONS_H

#include "cli/options.h"
#include "core/live/fields.h"
#include "core/trust/domain.h"
#include "screen/view.h"

enum top_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };

struct top_settings {
	double delay_seconds;
	uint64_t iterations;		/* 0: without end */
	uint64_t most_processes;	/* 0: all */
	struct pid_option pids;
	const char *comm, *cgroup, *record, *replay, *sysroot, *calibration;
	uint64_t uid;
	bool by_uid;
	bool batch, once, json, csv, precise, no_bpf, potential, no_color;
	enum top_format format;
	const char *domains;
	struct domain_rules rules;	/* what is in the file `domains` */
	struct view view;		/* sort, columns and tree as they were asked for */
};

/* Parse and check what belongs together. Ready to be used when PARSED_GO comes back. */
int top_settings_parse(struct top_settings *ret, int argc, char **argv, enum parsed *ret_parsed, struct error *err);
void top_settings_free(struct top_settings *settings);

#endif
