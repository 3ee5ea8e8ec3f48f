/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole display: a model, a view and a size in, a screen out. The same
 * arguments give the same screen. Every size works; with little room the
 * meters go first, then the lines around the table.
 */
#ifndef KSMSCOPE_SCREEN_DRAW_H
#define KSMSCOPE_SCREEN_DRAW_H

#include "core/live/detail.h"
#include "core/live/history.h"
#include "core/live/top_model.h"
#include "screen/canvas.h"
#include "screen/rows.h"
#include "screen/view.h"

struct display {
	const struct top_model *model;
	const struct rows *rows;
	const struct history *history;
	const struct detail *detail;		/* of the selected process; NULL: not looked at */
	double interval_seconds;
	size_t replay_at, replay_count;		/* the sample on show, from 1; count 0: this is live */
	const char *message;			/* for the line at the bottom; "" for none */
};

/* Draws all of a blank screen. Brings the view's scrolling in line with the size. */
void draw(struct canvas *canvas, struct view *view, const struct display *display);

/* ---- the parts, from top to bottom ---- */

void draw_title(struct span span, const struct view *view, const struct display *display);
void draw_engine(struct span span, const struct display *display);
/* How many rows all meters take at this width; and as many of them as fit into `rows`. */
int meter_rows(int width);
void draw_meters(struct canvas *canvas, int y, int rows, const struct display *display);
/* Column titles in the first row, processes below; `rows` of both together. */
void draw_table(struct canvas *canvas, int y, int rows, const struct view *view, const struct display *display);
void draw_page(struct canvas *canvas, int y, int rows, struct view *view, const struct display *display);
void draw_detail(struct canvas *canvas, int y, int rows, struct view *view, const struct display *display);
void draw_status(struct span span, const struct view *view, const struct display *display);
void draw_keys(struct span span, const struct view *view);

/* Why a field has no value: the entry of `missing` that it falls under, NULL where there is none. */
const struct missing *missing_of(const struct top_sample *sample, enum field f);

#endif
