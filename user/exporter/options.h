/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ksm-exporter was asked for. */
#ifndef KSMSCOPE_EXPORTER_OPTIONS_H
#define KSMSCOPE_EXPORTER_OPTIONS_H

#include "cli/options.h"
#include "core/trust/domain.h"
#include "http/server.h"

#define EXPORTER_PROGRAM "ksm-exporter"
#define EXPORTER_ADDRESS "127.0.0.1:9877"

struct exporter_settings {
	double interval_seconds;
	double knee_seconds;		/* between two looks at huge pages; 0: none */
	uint64_t knee_bytes;		/* anonymous memory that these may hold; 0: KNEE_BYTES */
	uint64_t top;			/* groups with series of their own, per kind */
	bool precise, no_bpf, no_potential, once, list_metrics;
	int compat;			/* enum compat */
	const char *sysroot, *textfile, *domains, *replay;
	struct domain_rules rules;	/* of `domains` */
	struct http_settings http;
};

enum compat { COMPAT_NONE, COMPAT_NODE };

/* Parse and check what belongs together. Ready to be used when PARSED_GO comes back. */
int exporter_settings_parse(struct exporter_settings *ret, int argc, char **argv, enum parsed *ret_parsed,
			    struct error *err);
void exporter_settings_free(struct exporter_settings *settings);

#endif
