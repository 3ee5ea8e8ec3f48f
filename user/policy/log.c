// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/log.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

void policy_log_open(struct policy_log *ret, bool json)
{
	*ret = (struct policy_log){ .terminal = isatty(STDERR_FILENO), .json = json };
}

void policy_log_close(struct policy_log *log)
{
	for (size_t i = 0; i < LOG_KEPT; i++) {
		text_free(&log->kept_text[i]);
		text_free(&log->kept_json[i]);
	}
}

void policy_log_line(const struct policy_log *log, enum policy_priority priority, const char *fmt, ...)
{
	scoped_text struct text line = { 0 };
	char text[1024], shown[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printable(shown, sizeof(shown), text);
	if (log->terminal)
		text_printf(&line, "ksm-policyd: %s\n", shown);
	else
		text_printf(&line, "<%d>%s\n", priority, shown);
	text_write(&line, stderr, NULL);	/* nobody is left to tell that nobody could be told */
}

static void keep(struct policy_log *log, const struct policy_report *report)
{
	struct text *text = &log->kept_text[log->next], *json = &log->kept_json[log->next];

	text->length = json->length = 0;
	policy_report_text(text, report);
	policy_report_json(json, report);
	log->next = (log->next + 1) % LOG_KEPT;
	log->count++;
	if (log->json)
		text_write(json, stdout, NULL);
}

void policy_log_decision(struct policy_log *log, const struct policy_report *r)
{
	enum policy_priority priority;

	if (!r->decision->events_count && !r->decision->plan.count)
		return;
	for (size_t i = 0; i < r->decision->events_count; i++)
		policy_log_line(log, r->decision->events[i].priority, "%s", r->decision->events[i].text);
	for (size_t i = 0; i < r->decision->plan.count; i++) {
		scoped_text struct text line = { 0 };
		policy_change_line(&line, &r->decision->plan.changes[i], &r->done[i], &priority);
		policy_log_line(log, priority, "%s", line.bytes ? line.bytes : "");
	}
	keep(log, r);
}

void policy_log_explain(const struct policy_log *log, bool json, struct text *ret)
{
	if (!log->count)
		text_puts(ret, json ? "" : "No decision has changed anything yet.\n");
	for (size_t i = 0; i < LOG_KEPT; i++) {
		const struct text *one = &(json ? log->kept_json : log->kept_text)[(log->next + i) % LOG_KEPT];
		if (one->length)
			text_add(ret, one->bytes, one->length);
	}
}
