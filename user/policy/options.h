/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ksm-policyd was asked for on its command line. */
#ifndef KSMSCOPE_POLICY_OPTIONS_H
#define KSMSCOPE_POLICY_OPTIONS_H

#include "cli/options.h"
#include "http/server.h"

#define POLICY_OWNER "policyd"		/* of its journals */

enum policy_format { POLICY_TEXT, POLICY_JSON };

struct policy_settings {
	const char *config, *domains, *state_dir, *replay;
	bool config_given, domains_given;
	bool apply, check, status, explain, restore, no_bpf;
	uint64_t steps;			/* 0: until it is told to stop */
	int format;
	struct http_settings http;	/* metrics, where an address or a socket was given */
};

int policy_settings_parse(struct policy_settings *ret, int argc, char **argv, enum parsed *ret_parsed,
			  struct error *err);
void policy_settings_free(struct policy_settings *settings);

#endif
