/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a model and a view to the rows of the table: filtered, sorted, as a tree. */
#ifndef KSMSCOPE_SCREEN_ROWS_H
#define KSMSCOPE_SCREEN_ROWS_H

#include "core/live/top_group.h"
#include "screen/view.h"

struct shown_row {
	const struct top_row *process;		/* NULL: a group */
	const struct top_group *group;		/* NULL: a process */
	uint32_t depth;
	bool folded;
	struct row_id id;
};

struct rows {
	const struct top_model *model;
	struct top_groups groups;		/* where there is a tree */
	struct shown_row *items;
	size_t count;
	size_t processes;			/* that passed the filter */
};

/* 0 or -ENOMEM; then there are no rows. */
int rows_build(struct rows *ret, const struct top_model *model, const struct view *view);
void rows_free(struct rows *rows);

/* The row of that id; `count` where it is gone. */
size_t rows_find(const struct rows *rows, struct row_id id);

/* Does a row's name, user, PID, guest or cgroup have `text` in it? Upper and lower case are the same. */
bool row_matches(const struct rows *rows, const struct shown_row *row, const char *text);

/* The value of a row's field; of a group the sum. */
struct quantity row_value(const struct shown_row *row, enum field f);

/* Processes by a field, in its natural order: the largest, or A to Z, first. */
void rows_sort_processes(const struct top_row **rows, size_t count, const struct top_model *model, enum field f,
			 bool ascending);

#endif
