/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A screen: an array of cells, each a glyph and what it means there. Colours
 * are the terminal's business. Nothing is ever written outside.
 */
#ifndef KSMSCOPE_SCREEN_CANVAS_H
#define KSMSCOPE_SCREEN_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

enum role {
	ROLE_PLAIN,
	ROLE_DIM,		/* units, what is zero or not known */
	ROLE_LABEL,		/* the name of a value */
	ROLE_STRONG,		/* the value itself */
	ROLE_GOOD,
	ROLE_WARN,
	ROLE_BAD,
	ROLE_TITLE,		/* the topmost line */
	ROLE_HEAD,		/* column titles */
	ROLE_SORTED,		/* the title of the column that is sorted by */
	ROLE_GROUP,		/* a row that stands for several processes */
	ROLE_SELECTED,
	ROLE_FOUND,		/* a row that the search is at */
	ROLE_KEY,		/* a key to press */
	ROLE_SPARK,
	ROLES
};

struct cell {
	uint32_t glyph;		/* Unicode; 0: the right half of the wide glyph before it */
	enum role role;
};

struct canvas {
	int width, height;
	bool ascii;		/* nothing but ASCII can be shown */
	struct cell *cells;	/* row by row */
};

/* A blank screen; at least one cell in each direction. False when memory is out. */
bool canvas_init(struct canvas *canvas, int width, int height, bool ascii);
void canvas_free(struct canvas *canvas);

/* Part of a line: what is put there stays inside. */
struct span {
	struct canvas *canvas;
	int x, y, width;
};

/* Cut to the screen; its width is 0 where nothing of it is on the screen. */
struct span span_at(struct canvas *canvas, int x, int y, int width);
/* What is left of a span behind its first `columns`. */
struct span span_after(struct span span, int columns);
/* Its first `columns`. */
struct span span_first(struct span span, int columns);

/*
 * Put text (UTF-8, raw: what can't be shown becomes '?') at the beginning or
 * at the end of a span; what does not fit is cut and ends in "…". Returns the
 * columns taken.
 */
int put(struct span span, enum role role, const char *text);
int put_right(struct span span, enum role role, const char *text);
__attribute__((format(printf, 3, 4)))
int putf(struct span span, enum role role, const char *fmt, ...);

/* One glyph, with what stands for it where only ASCII can be shown. */
void put_glyph(struct span span, int column, enum role role, uint32_t glyph, char ascii);

/* Give a whole span a role, keeping its glyphs. */
void paint(struct span span, enum role role);

/* Columns that a text takes. */
int text_columns(const char *text);

#endif
