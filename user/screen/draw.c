// SPDX-License-Identifier: GPL-2.0-or-later
#include "screen/draw.h"
#include "screen/keys.h"

/* Lines around the table, from top to bottom: how many of each. */
struct layout {
	int title, engine, meters, body, status, keys;
};

/* What is spared first comes last here. The body has at least five rows before there are meters. */
static struct layout lay_out(int width, int height, bool table)
{
	struct layout l = { .title = height >= 3, .keys = height >= 6, .status = height >= 5,
			    .engine = table && height >= 8 };
	int left = height - l.title - l.keys - l.status - l.engine, wanted = meter_rows(width);

	if (table && left > 6)
		l.meters = left - 6 < wanted ? left - 6 : wanted;
	l.body = left - l.meters;
	return l;
}

static struct span whole_line(struct canvas *canvas, int y)
{
	return span_at(canvas, 0, y, canvas->width);
}

static void draw_body(struct canvas *canvas, int y, int rows, struct view *v, const struct display *d)
{
	if (v->page == PAGE_TABLE) {
		/* the titles take a row where there are two */
		view_settle(v, d->rows, rows > 1 ? rows - 1 : rows);
		draw_table(canvas, y, rows, v, d);
	} else if (v->page == PAGE_DETAIL) {
		draw_detail(canvas, y, rows, v, d);
	} else {
		draw_page(canvas, y, rows, v, d);
	}
}

void draw(struct canvas *canvas, struct view *v, const struct display *d)
{
	struct layout l = lay_out(canvas->width, canvas->height, v->page == PAGE_TABLE);
	int y = 0;

	if (l.title)
		draw_title(whole_line(canvas, y++), v, d);
	if (l.engine)
		draw_engine(whole_line(canvas, y++), d);
	draw_meters(canvas, y, l.meters, d);
	y += l.meters;
	draw_body(canvas, y, l.body, v, d);
	y += l.body;
	if (l.status)
		draw_status(whole_line(canvas, y++), v, d);
	if (l.keys)
		draw_keys(whole_line(canvas, y), v);
}
