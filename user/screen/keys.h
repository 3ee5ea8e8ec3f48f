/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How keys change what the user looks at. Nothing here knows of a terminal: a
 * key and the rows on the screen in, a new state out.
 */
#ifndef KSMSCOPE_SCREEN_KEYS_H
#define KSMSCOPE_SCREEN_KEYS_H

#include "screen/press.h"
#include "screen/rows.h"
#include "screen/view.h"

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

/* Take a key. `rows` is what the table shows now. */
enum view_request view_press(struct view *view, uint32_t key, const struct rows *rows);

/* There are so many rows on the screen: keep the selected one, or its neighbour, in sight. */
void view_settle(struct view *view, const struct rows *rows, size_t page_rows);

/* For the help page: what keys do. */
struct key_help {
	const char *keys;
	const char *help;
};

extern const struct key_help view_keys[];	/* ends with NULL */

#endif
