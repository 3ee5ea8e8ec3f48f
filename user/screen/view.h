/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user looks at: which page, sorted and filtered how, scrolled where.
 * Keys change it (keys.h).
 */
#ifndef KSMSCOPE_SCREEN_VIEW_H
#define KSMSCOPE_SCREEN_VIEW_H

#include "core/live/top_group.h"
#include "core/live/top_model.h"

enum view_page {
	PAGE_TABLE,
	PAGE_DETAIL,		/* one process */
	PAGE_HELP,
	PAGE_MISSING,		/* what is missing, and why */
	PAGE_MACHINE,		/* every value about the machine */
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

void view_init(struct view *view);

/*
 * A page of so many lines is on the screen: keep its scrolling inside. Where
 * a line is chosen it stays in sight. Returns the topmost line.
 */
size_t view_settle_page(struct view *view, size_t lines, size_t page_rows, bool chooses);

/*
 * The columns that fit, into ret; the usual ones unless some were chosen. The
 * last one has the room that is left. At least one.
 */
size_t view_columns(const struct view *view, int width, enum field ret[PROC_FIELDS]);

bool view_is_folded(const struct view *view, struct row_id id);
/* Its place in `folded`; folded_count where it is not there. */
size_t view_find_folded(const struct view *view, struct row_id id);

/* The usual columns that fit into a width; the command is the last one. With a `tree` it has more room. */
size_t view_usual_columns(int width, bool tree, enum field ret[PROC_FIELDS]);

static inline bool row_id_equal(struct row_id a, struct row_id b)
{
	return a.pid == b.pid && a.number == b.number;
}

#endif
