/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One sample after the other, as pages of metrics. It has the rights to look
 * at everything and no business with the network.
 */
#ifndef KSMSCOPE_EXPORTER_COLLECTOR_H
#define KSMSCOPE_EXPORTER_COLLECTOR_H

#include "exporter/options.h"
#include "out/metrics.h"

struct collector;

int collector_open(struct collector **ret, const struct exporter_settings *settings, struct error *err);
void collector_close(struct collector *collector);

/* Take the next sample. One that fails leaves the last one's values. */
int collector_sample(struct collector *collector, struct error *err);

/* Its metrics; `use` of the HTTP side, NULL: there is none. */
void collector_write(struct collector *collector, enum metric_format format, const struct http_use *use,
		     struct text *ret);
/* The HTTP side did not take the last pages over: the next ones say how often that was. */
void collector_note(struct collector *collector, bool unsent);

/* When the last sample was taken, CLOCK_REALTIME; 0: there is none. */
int64_t collector_time_ns(const struct collector *collector);

/* Work between samples; when to call again, CLOCK_MONOTONIC ns, INT64_MAX: not at all. */
void collector_tick(struct collector *collector, int64_t *ret_next_ns);

#endif
