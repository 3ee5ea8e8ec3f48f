/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A moment as metrics: which families there are, what they are called, and
 * what of a model goes into them. The table of fields (core/live/fields.h) and
 * that of the engine's files drive it; the documentation is made from the same
 * tables.
 *
 * What is not known is not there. ksmscope_source_state and
 * ksmscope_fact_missing say why; no value stands for it.
 */
#ifndef KSMSCOPE_OUT_METRICS_H
#define KSMSCOPE_OUT_METRICS_H

#include "core/live/series.h"
#include "core/live/top_model.h"
#include "out/prometheus.h"

/* What the program tells of itself. Below 0: not known, and not there. */
struct metrics_own {
	const char *program;
	double interval_seconds;	/* between samples */
	double taken_seconds;		/* that taking and writing the last one took */
	double samples, failures;	/* so far */
	double requests, refused, failed_logins, connections;	/* of the HTTP side */
	double http_cpu_seconds, http_resident_bytes;
	double pages_unsent;		/* finished pages that the HTTP side was too busy to take */
};

struct metrics_input {
	const struct top_model *model;
	const struct series *series;
	const struct metrics_own *own;
	bool node;			/* node_exporter's ten names of the engine, too */
	/* Further families of the caller's, with metric_add(); NULL: none. */
	void (*more)(struct metric_page *page, const void *context);
	const void *context;
};

/* A whole page. Running out of memory shows in out->failed. */
void metrics_write(struct text *out, enum metric_format format, const struct metrics_input *input);

/* Every family that there can be, as docs/metrics.md. */
void metrics_document(struct text *out);

#endif
