// SPDX-License-Identifier: GPL-2.0-or-later
#include "out/prometheus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const metric_content_types[METRIC_FORMATS] = {
	[METRICS_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
	[METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

static const char *const type_names[] = {
	[METRIC_GAUGE] = "gauge",
	[METRIC_COUNTER] = "counter",
	[METRIC_HISTOGRAM] = "histogram",
	[METRIC_INFO] = "info",
};

const char *metric_type_name(enum metric_type type)
{
	return type_names[type];
}

static bool ends_in(const char *name, size_t length, const char *end)
{
	size_t n = strlen(end);
	return length > n && !memcmp(name + length - n, end, n);
}

/* OpenMetrics calls a family by its name without what the type adds to it. */
static size_t family_length(const struct metric *m)
{
	size_t length = strlen(m->name);
	if (m->type == METRIC_COUNTER && ends_in(m->name, length, "_total"))
		return length - strlen("_total");
	if (m->type == METRIC_INFO && ends_in(m->name, length, "_info"))
		return length - strlen("_info");
	return length;
}

const char *metric_unit(const struct metric *m)
{
	static const char *const units[] = { "bytes", "seconds", "ratio", "pages" };
	size_t length = family_length(m);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t n = strlen(units[i]);
		if (ends_in(m->name, length, units[i]) && m->name[length - n - 1] == '_')
			return units[i];
	}
	return "";
}

/* ---- escapes ---- */

static void add_escaped(struct text *out, const char *s, bool quotes)
{
	while (*s) {
		size_t plain = strcspn(s, quotes ? "\\\n\"" : "\\\n");
		text_add(out, s, plain);
		s += plain;
		if (*s)
			text_puts(out, *s == '\n' ? "\\n" : *s == '"' ? "\\\"" : "\\\\");
		s += *s != '\0';
	}
}

static void add_label_value(struct text *out, const char *value)
{
	scoped_text struct text valid = { 0 };

	if (!*value)
		return;
	text_add_valid(&valid, value, strlen(value));
	if (valid.failed)
		out->failed = true;
	else
		add_escaped(out, valid.bytes, true);
}

/* The shortest decimal that reads back as the same number. */
static void add_number(struct text *out, double value)
{
	char text[32];

	if (isinf(value)) {
		text_puts(out, value < 0 ? "-Inf" : "+Inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	text_puts(out, text);
}

/* ---- families and samples ---- */

static void add_head(struct metric_page *page, const struct metric *m)
{
	bool open = page->format == METRICS_OPENMETRICS;
	int length = open ? (int)family_length(m) : (int)strlen(m->name);
	const char *type = m->type == METRIC_INFO && !open ? "gauge" : type_names[m->type];
	const char *unit = metric_unit(m);

	page->family = m;
	text_printf(page->out, "# HELP %s%.*s ", m->prefix, length, m->name);
	add_escaped(page->out, m->help, open);
	text_printf(page->out, "\n# TYPE %s%.*s %s\n", m->prefix, length, m->name, type);
	if (open && *unit)
		text_printf(page->out, "# UNIT %s%.*s %s\n", m->prefix, length, m->name, unit);
}

void metric_add_part(struct metric_page *page, const struct metric *m, const char *part,
		     const struct metric_label *labels, double value)
{
	if (isnan(value))
		return;
	if (page->series >= METRIC_SERIES_MOST) {
		page->dropped++;
		return;
	}
	page->series++;
	if (page->family != m)
		add_head(page, m);
	text_printf(page->out, "%s%s%s", m->prefix, m->name, part);
	for (const struct metric_label *l = labels; l && l->name; l++) {
		text_printf(page->out, "%s%s=\"", l == labels ? "{" : ",", l->name);
		add_label_value(page->out, l->value);
		text_puts(page->out, "\"");
	}
	text_puts(page->out, labels && labels->name ? "} " : " ");
	add_number(page->out, value);
	text_puts(page->out, "\n");
}

void metric_add(struct metric_page *page, const struct metric *metric, const struct metric_label *labels, double value)
{
	metric_add_part(page, metric, "", labels, value);
}

void metric_end(struct metric_page *page)
{
	if (page->format == METRICS_OPENMETRICS)
		text_puts(page->out, "# EOF\n");
}
