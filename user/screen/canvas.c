// SPDX-License-Identifier: GPL-2.0-or-later
#include "screen/canvas.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

bool canvas_init(struct canvas *s, int width, int height, bool ascii)
{
	*s = (struct canvas){ .width = width > 0 ? width : 1, .height = height > 0 ? height : 1, .ascii = ascii };
	s->cells = malloc((size_t)s->width * s->height * sizeof(*s->cells));
	for (int i = 0; s->cells && i < s->width * s->height; i++)
		s->cells[i] = (struct cell){ ' ', ROLE_PLAIN };
	return s->cells;
}

void canvas_free(struct canvas *s)
{
	free(s->cells);
	*s = (struct canvas){ 0 };
}

/* ---- spans ---- */

struct span span_at(struct canvas *s, int x, int y, int width)
{
	if (x < 0) {
		width += x;
		x = 0;
	}
	if (width > s->width - x)
		width = s->width - x;
	if (y < 0 || y >= s->height || width < 0)
		return (struct span){ s, 0, 0, 0 };
	return (struct span){ s, x, y, width };
}

struct span span_after(struct span span, int columns)
{
	if (columns > span.width)
		columns = span.width;
	return (struct span){ span.canvas, span.x + columns, span.y, span.width - columns };
}

struct span span_first(struct span span, int columns)
{
	if (columns < 0)
		columns = 0;
	if (columns < span.width)
		span.width = columns;
	return span;
}

static struct cell *cell_of(struct span span, int column)
{
	return &span.canvas->cells[(size_t)span.y * span.canvas->width + span.x + column];
}

/* ---- glyphs ---- */

struct range {
	uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t glyph)
{
	for (size_t i = 0; i < count; i++)
		if (glyph >= ranges[i].first && glyph <= ranges[i].last)
			return true;
	return false;
}

/* Combining marks, joiners and what turns the direction of writing: they would spoil the columns or deceive. */
static bool is_unfit(uint32_t glyph)
{
	static const struct range ranges[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd },
		{ 0x610, 0x61c }, { 0x64b, 0x65f }, { 0x6d6, 0x6ed }, { 0x900, 0x903 }, { 0x93a, 0x94f },
		{ 0xe31, 0xe3a }, { 0x115f, 0x11ff }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x20d0, 0x20ff }, { 0xe000, 0xf8ff }, { 0xfe00, 0xfe0f },
		{ 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xfff0, 0xffff }, { 0x1d165, 0x1d1ad }, { 0x1f3fb, 0x1f3ff },
		{ 0xe0000, 0x10ffff },
	};
	return is_in(ranges, sizeof(ranges) / sizeof(ranges[0]), glyph);
}

/* East Asian wide and emoji: Unicode's EastAsianWidth W and F, in whole blocks. */
static bool is_wide(uint32_t glyph)
{
	static const struct range ranges[] = {
		{ 0x1100, 0x115e }, { 0x2e80, 0x303e }, { 0x3041, 0x4dbf }, { 0x4e00, 0xa4cf }, { 0xa960, 0xa97f },
		{ 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f }, { 0xff01, 0xff60 }, { 0xffe0, 0xffe6 },
		{ 0x16fe0, 0x18aff }, { 0x1b000, 0x1b2ff }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff },
		{ 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
	};
	return glyph >= 0x1100 && is_in(ranges, sizeof(ranges) / sizeof(ranges[0]), glyph);
}

/* Take one character off the text; what is none, or unfit, is a '?'. */
static uint32_t take(const char **text)
{
	const unsigned char *s = (const unsigned char *)*text;
	size_t n = utf8_length(s);
	uint32_t glyph = n < 2 ? s[0] : s[0] & (0x7f >> n);

	for (size_t i = 1; i < n; i++)
		glyph = glyph << 6 | (s[i] & 0x3f);
	*text += n ? n : 1;
	return !n || is_unfit(glyph) ? '?' : glyph;
}

static int columns_of(uint32_t glyph)
{
	return is_wide(glyph) ? 2 : 1;
}

int text_columns(const char *text)
{
	int columns = 0;
	while (*text && columns < INT_MAX - 2)
		columns += columns_of(take(&text));
	return columns;
}

/* ---- writing ---- */

/* Half of a wide glyph that is overwritten must not stay behind. */
static void mend(struct span span, int column)
{
	struct cell *cell = cell_of(span, column);
	if (!cell->glyph && span.x + column > 0)
		cell[-1].glyph = ' ';
	if (is_wide(cell->glyph) && span.x + column + 1 < span.canvas->width)
		cell[1].glyph = ' ';
}

static void set(struct span span, int column, enum role role, uint32_t glyph)
{
	mend(span, column);
	*cell_of(span, column) = (struct cell){ glyph, role };
}

void put_glyph(struct span span, int column, enum role role, uint32_t glyph, char ascii)
{
	if (column >= 0 && column < span.width)
		set(span, column, role, span.canvas->ascii ? (uint32_t)ascii : glyph);
}

int put(struct span span, enum role role, const char *text)
{
	int column = 0, wanted = text_columns(text);
	int limit = wanted <= span.width ? span.width : span.width - 1;

	if (!span.width)
		return 0;
	while (*text) {
		uint32_t glyph = take(&text);
		int columns = columns_of(glyph);
		if (column + columns > limit)
			break;
		set(span, column, role, span.canvas->ascii && glyph > 0x7e ? '?' : glyph);
		if (columns == 2)
			set(span, column + 1, role, span.canvas->ascii ? '?' : 0);
		column += columns;
	}
	if (limit < span.width)
		put_glyph(span, column++, role, 0x2026, '~');
	return column;
}

int put_right(struct span span, enum role role, const char *text)
{
	int columns = text_columns(text);
	return put(span_after(span, columns < span.width ? span.width - columns : 0), role, text);
}

int putf(struct span span, enum role role, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return put(span, role, text);
}

void paint(struct span span, enum role role)
{
	for (int i = 0; i < span.width; i++)
		cell_of(span, i)->role = role;
}
