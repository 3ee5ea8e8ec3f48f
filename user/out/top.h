/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moments as lines: JSON (schema ksmtop/1) and CSV. */
#ifndef KSMSCOPE_OUT_TOP_H
#define KSMSCOPE_OUT_TOP_H

#include "base/text.h"
#include "core/live/top_group.h"
#include "core/live/top_model.h"

/* What of a moment is written. */
struct top_shown {
	const struct top_model *model;
	const struct top_row *const *rows;	/* the processes, in this order */
	size_t count;
	const struct top_groups *groups;	/* NULL: no groups */
	const enum field *columns;		/* CSV */
	size_t columns_count;
};

/* One object on one line. Every field of the table is there; what is not known is null, and why is in `missing`. */
void top_json(struct text *out, const struct top_shown *shown);

/* One line per process, after the time; what is not known is empty. The head has the fields' names as in JSON. */
void top_csv_head(struct text *out, const struct top_shown *shown);
void top_csv(struct text *out, const struct top_shown *shown);

#endif
