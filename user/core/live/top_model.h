/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows from two moments (top.h) by arithmetic: rates, ksmd's share of
 * a CPU, pass time, signed profit, exposure. No clock, no I/O: the samples'
 * own times count.
 *
 * A counter that went backwards costs one interval. A process that was not
 * there before, or whose PID is somebody else's now, has no rates yet.
 */
#ifndef KSMSCOPE_CORE_TOP_MODEL_H
#define KSMSCOPE_CORE_TOP_MODEL_H

#include "core/live/fields.h"
#include "core/live/top.h"

/* A reported value. low and high are its 95 % interval; equal to value where it is exact. */
struct quantity {
	double value;
	double low, high;
	uint8_t known;			/* enum known; NOT_READ: there is no interval to reckon with yet */
	bool partial;			/* a sum of which parts are not known */
};

struct top_row {
	const struct top_task *task;
	struct quantity value[PROC_FIELDS];
};

/* What has to be remembered from interval to interval: when a scan was seen to end. Zeroed at the start. */
struct top_track {
	int64_t pass_ended_ns;		/* clock_ns of the sample that saw it; 0: none seen */
	double pass_seconds;		/* 0: none seen from end to end */
};

struct top_model {
	const struct top_sample *sample;	/* the later one */
	double seconds;			/* between the two; 0: there are no rates */
	struct quantity host[HOST_FIELDS];
	struct top_row *rows;		/* one per process that was asked for, ascending pid */
	size_t count, room;
};

/*
 * `before` may be NULL or be of another machine's boot: then there are no
 * rates. Both samples must outlive the model. It keeps its memory from one
 * build to the next. 0 or -ENOMEM.
 */
int top_model_build(struct top_model *model, const struct top_sample *before, const struct top_sample *now,
		    struct top_track *track);
void top_model_free(struct top_model *model);

static inline struct quantity top_row_value(const struct top_row *row, enum field f)
{
	return row->value[f - HOST_FIELDS];
}

/* a + b for a sum over processes: what is not known makes it partial. */
struct quantity quantity_sum(struct quantity a, struct quantity b);

/* For sorting: -1, 0, 1. Unknown values come after all known ones, whatever the direction. */
int quantity_compare(struct quantity a, struct quantity b, bool descending);

#endif
