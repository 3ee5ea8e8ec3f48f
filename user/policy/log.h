/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon says: lines on standard error, with the priority in front as
 * sd-daemon(3) has it ("<5>…") where that is no terminal; with --format json
 * also a decision a line on standard output. And the last decisions, kept for
 * --explain.
 */
#ifndef KSMSCOPE_POLICY_LOG_H
#define KSMSCOPE_POLICY_LOG_H

#include "out/policy.h"

#define LOG_KEPT 64			/* decisions */

struct policy_log {
	bool terminal, json;
	struct text kept_text[LOG_KEPT], kept_json[LOG_KEPT];
	size_t next;
	uint64_t count;
};

void policy_log_open(struct policy_log *ret, bool json);
void policy_log_close(struct policy_log *log);

__attribute__((format(printf, 3, 4)))
void policy_log_line(const struct policy_log *log, enum policy_priority priority, const char *fmt, ...);

/* A decision in which something happened; one without is not told. */
void policy_log_decision(struct policy_log *log, const struct policy_report *report);

/* The last ones, oldest first. */
void policy_log_explain(const struct policy_log *log, bool json, struct text *ret);

#endif
