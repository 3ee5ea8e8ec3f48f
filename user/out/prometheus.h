/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics as bytes: Prometheus' text format 0.0.4 and OpenMetrics 1.0. It
 * knows how families, samples and label values are written, and what there is
 * too much of; which metrics there are is metrics.h's.
 *
 * A family's head is written with its first sample: what has no value is not
 * there. Samples of one family follow each other.
 */
#ifndef KSMSCOPE_OUT_PROMETHEUS_H
#define KSMSCOPE_OUT_PROMETHEUS_H

#include <stdint.h>

#include "base/text.h"

enum metric_format {
	METRICS_TEXT,			/* text 0.0.4 */
	METRICS_OPENMETRICS,		/* OpenMetrics 1.0 */
	METRIC_FORMATS
};

/* What a page of this format is called in HTTP. */
extern const char *const metric_content_types[METRIC_FORMATS];

enum metric_type {
	METRIC_GAUGE,			/* it may fall */
	METRIC_COUNTER,			/* its name ends in _total */
	METRIC_HISTOGRAM,
	METRIC_INFO,			/* its name ends in _info; its value is 1 */
};

struct metric {
	const char *prefix;		/* "ksmscope_" */
	const char *name;		/* what follows it; base units: _bytes, _seconds, _ratio, _pages */
	enum metric_type type;
	const char *help;
	const char *labels;		/* their names, for the documentation: "source, state"; NULL: none */
};

/* `value`: bytes as they came; written as valid UTF-8 (text_add_valid). */
struct metric_label {
	const char *name;
	const char *value;
};

/* Series that a page has at most, whatever happens. */
#define METRIC_SERIES_MOST 20000

struct metric_page {
	struct text *out;
	enum metric_format format;
	const struct metric *family;	/* whose head was written last */
	uint64_t series;
	uint64_t dropped;		/* samples that were one too many */
};

/* One sample. `labels` ends with a NULL name; NULL: none. What is no number is not written. */
void metric_add(struct metric_page *page, const struct metric *metric, const struct metric_label *labels, double value);

/* Of a histogram: with "_bucket" behind its name. */
void metric_add_part(struct metric_page *page, const struct metric *metric, const char *part,
		     const struct metric_label *labels, double value);

/* The last line. */
void metric_end(struct metric_page *page);

/* As the formats name it: "gauge". */
const char *metric_type_name(enum metric_type type);

/* The unit that its name ends in; "" where it has none. */
const char *metric_unit(const struct metric *metric);

#endif
