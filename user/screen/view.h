/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user looks at, and how keys change it. Nothing here knows of a
 * terminal: a key and the rows on the screen in, a new state out.
 */
#ifndef KSMSCOPE_SCREEN_VIEW_H
#define KSMSCOPE_SCREEN_VIEW_H

#include "core/top_group.h"
#include "core/top_model.h"
#include "screen/press.h"

enum view_page {
	PAGE_TABLE,
	PAGE_DETAIL,		/* one process */
	PAGE_HELP,
	PAGE_MISSING,		/* what is missing, and why */
	PAGE_SORT,		/* choose the column to sort by */
	PAGE_COLUMNS,		/* choose the columns */
	VIEW_PAGES
};

enum view_prompt {
	PROMPT_NONE,
	PROMPT_SEARCH,
	PROMPT_FILTER,
};

/* What a row stands for, from sample to sample: a process, or a group by its name. */
struct row_id {
	pid_t pid;		/* 0: a group */
	uint64_t number;	/* start_ticks, or a hash of the group's name */
};

#define VIEW_FOLDED 256
#define VIEW_TEXT 64

struct view {
	enum view_page page;
	enum view_prompt prompt;
	enum group_kind tree;

	enum field sort;
	bool ascending;			/* against the field's natural order */
	enum field columns[PROC_FIELDS];
	size_t columns_count;		/* 0: as many of the usual ones as fit */
	int first_column;		/* scrolled to the right */

	char filter[VIEW_TEXT];
	char search[VIEW_TEXT];
	struct row_id selected;
	size_t at;			/* where the selected row was last, for when it goes */
	size_t first;			/* topmost row on the screen */
	struct row_id folded[VIEW_FOLDED];	/* groups whose members are hidden */
	size_t folded_count;

	size_t first_line;		/* topmost on a page where a line is chosen */
	size_t line;			/* scrolled to, or chosen, on a page that is not the table */
	size_t page_rows, lines;	/* rows on the screen; lines of such a page: as last drawn */
	bool paused;
	bool replay;			/* steps can be taken */
};

/* What the program has to do about a key. */
enum view_request {
	REQUEST_NONE,
	REQUEST_QUIT,
	REQUEST_REDRAW,
	REQUEST_STEP_BACK,
	REQUEST_STEP_ON,
	REQUEST_FIRST,
	REQUEST_LAST,
	REQUEST_POTENTIAL,
};

void view_init(struct view *view);

struct rows;

/* Take a key. `rows` is what the table shows now. */
enum view_request view_press(struct view *view, uint32_t key, const struct rows *rows);

/* There are so many rows on the screen: keep the selected one, or its neighbour, in sight. */
void view_settle(struct view *view, const struct rows *rows, size_t page_rows);

/* The same for a page of so many lines. Where one is chosen it stays in sight; returns the topmost one. */
size_t view_settle_page(struct view *view, size_t lines, size_t page_rows, bool chooses);

/*
 * The columns that fit, into ret; the usual ones unless some were chosen. The
 * last one has the room that is left. At least one.
 */
size_t view_columns(const struct view *view, int width, enum field ret[PROC_FIELDS]);

bool view_is_folded(const struct view *view, struct row_id id);

static inline bool row_id_equal(struct row_id a, struct row_id b)
{
	return a.pid == b.pid && a.number == b.number;
}

/* For the help page: what keys do. */
struct key_help {
	const char *keys;
	const char *help;
};

extern const struct key_help view_keys[];	/* ends with NULL */

#endif
