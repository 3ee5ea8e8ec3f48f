// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frontier as a picture: bytes saved against slow-down, and against huge
 * pages lost, side by side. Plain SVG 1.1, no scripts, no fonts of its own.
 */
#include <math.h>
#include <stdio.h>

#include "base/units.h"
#include "out/advise_huge.h"

#define WIDTH 960
#define HEIGHT 440
#define TOP 84
#define BOTTOM 62
#define LEFT 84
#define GAP 96
#define RIGHT 36
#define TICKS 5
#define MOST_POINTS 600

struct panel {
	const char *title, *axis;
	double x, width;		/* in the picture */
	double most;			/* of the x axis, at its right end */
	bool percent;
};

struct picture {
	struct text *out;
	const struct huge *huge;
	double most_bytes;		/* at the top */
};

/* The smallest of 1, 2, 2.5, 5, 10 … that divides `most` into at most TICKS steps. */
static double step_of(double most)
{
	static const double steps[] = { 1, 2, 2.5, 5, 10 };
	double decade = pow(10, floor(log10(most / TICKS)));
	size_t i = 0;

	while (i < 4 && steps[i] * decade * TICKS < most)
		i++;
	return steps[i] * decade;
}

/* Bytes are divided in powers of two, so that labels are round. */
static double byte_step_of(double most)
{
	double step = exp2(floor(log2(most / TICKS)));
	return step * TICKS < most ? 2 * step : step;
}

static double y_of(const struct picture *p, double bytes)
{
	return HEIGHT - BOTTOM - bytes / p->most_bytes * (HEIGHT - TOP - BOTTOM);
}

static double x_of(const struct panel *panel, double value)
{
	return panel->x + value / panel->most * panel->width;
}

static double value_of_point(const struct panel *panel, const struct frontier_point *point)
{
	return panel->percent ? point->slowdown * 100 : (double)point->regions_broken;
}

static void grid(const struct picture *p, const struct panel *panel)
{
	double step = step_of(panel->most), bytes = byte_step_of(p->most_bytes);
	double floor_y = y_of(p, 0), right = panel->x + panel->width;

	for (int i = 0; i * bytes <= p->most_bytes * 1.0001; i++) {
		double v = i * bytes;
		text_printf(p->out, "<path class='grid' d='M%.1f %.1fH%.1f'/>"
			    "<text class='tick' x='%.1f' y='%.1f' text-anchor='end'>%s</text>\n", panel->x, y_of(p, v), right,
			    panel->x - 9, y_of(p, v) + 4, i ? show_bytes(v).text : "0");
	}
	for (int i = 0; i * step <= panel->most * 1.0001; i++) {
		double v = i * step;
		text_printf(p->out, "<path class='grid' d='M%.1f %.1fV%d'/>"
			    "<text class='tick' x='%.1f' y='%.1f' text-anchor='middle'>%.4g%s</text>\n", x_of(panel, v),
			    floor_y, TOP, x_of(panel, v), floor_y + 18, v, panel->percent ? " %" : "");
	}
	text_printf(p->out, "<path class='axis' d='M%.1f %dV%.1fH%.1f'/>\n", panel->x, TOP, floor_y, right);
	text_printf(p->out, "<text class='name' x='%.1f' y='%d' text-anchor='middle'>%s</text>\n",
		    panel->x + panel->width / 2, HEIGHT - 16, panel->axis);
	text_printf(p->out, "<text class='head' x='%.1f' y='%d'>%s</text>\n", panel->x, TOP - 14, panel->title);
}

static void curve(const struct picture *p, const struct panel *panel)
{
	const struct huge *h = p->huge;
	size_t step = h->worth / MOST_POINTS + 1;
	const struct frontier_point *last = &h->frontier[h->worth];

	text_printf(p->out, "<path class='chord' d='M%.1f %.1fL%.1f %.1f'/>\n", x_of(panel, 0), y_of(p, 0),
		    x_of(panel, value_of_point(panel, last)), y_of(p, last->saved_bytes));
	text_puts(p->out, "<path class='curve' d='");
	for (size_t i = 0; i <= h->worth; i++)
		if (i % step == 0 || i == h->knee || i == h->worth)
			text_printf(p->out, "%c%.1f %.1f", i ? 'L' : 'M', x_of(panel, value_of_point(panel, &h->frontier[i])),
				    y_of(p, h->frontier[i].saved_bytes));
	text_puts(p->out, "'/>\n");
}

/* `below` the point: the labels of two that are close to one another stand on either side of the curve. */
static void label(const struct picture *p, const struct panel *panel, const struct frontier_point *point,
		  const char *name, int below)
{
	double x = x_of(panel, value_of_point(panel, point)), y = y_of(p, point->saved_bytes);
	bool left = x > panel->x + panel->width * 0.45;
	char what[48];

	if (panel->percent)
		snprintf(what, sizeof(what), "%.2g %%", point->slowdown * 100);
	else
		snprintf(what, sizeof(what), "%s huge pages", show_count(point->regions_broken).text);
	text_printf(p->out, "<circle class='%s' cx='%.1f' cy='%.1f' r='5'/>\n", name, x, y);
	text_printf(p->out, "<text class='note' x='%.1f' y='%.1f' text-anchor='%s'>"
		    "<tspan class='strong'>%s</tspan>: %s for %s</text>\n", x + (left ? -10 : 11), y + below,
		    left ? "end" : "start", name, show_bytes(point->saved_bytes).text, what);
}

static void draw_panel(const struct picture *p, const struct panel *panel)
{
	const struct huge *h = p->huge;

	grid(p, panel);
	curve(p, panel);
	label(p, panel, &h->frontier[h->worth], "all", -10);
	if (h->knee && h->knee != h->worth)
		label(p, panel, &h->frontier[h->knee], "knee", 20);
}

static const char style[] =
	"<style>text{font-family:'DejaVu Sans',Verdana,sans-serif;fill:#222}"
	".title{font-size:17px;font-weight:bold}.sub{font-size:12px;fill:#555}.head{font-size:13px;font-weight:bold}"
	".name{font-size:12px;fill:#333}.tick{font-size:11px;fill:#555}.note{font-size:11.5px;paint-order:stroke;"
	"stroke:#fff;stroke-width:4px;stroke-linejoin:round}.strong{font-weight:bold}"
	".grid{stroke:#e4e6ea;fill:none}.axis{stroke:#555;fill:none}.chord{stroke:#9aa3b2;stroke-dasharray:5 4;fill:none}"
	".curve{stroke:#1f5fae;stroke-width:2.5;fill:none;stroke-linejoin:round}"
	".knee{fill:#e07b00;stroke:#fff;stroke-width:1.5}.all{fill:#1f5fae;stroke:#fff;stroke-width:1.5}</style>\n";

static void head(const struct picture *p, const struct sample *s)
{
	const struct huge *h = p->huge;
	enum heat_source source = s->heat ? s->heat->source : HEAT_NOT_LOOKED;

	text_printf(p->out, "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d'>\n",
		    WIDTH, HEIGHT, WIDTH, HEIGHT);
	text_puts(p->out, style);
	text_printf(p->out, "<rect width='%d' height='%d' fill='#fff'/>\n", WIDTH, HEIGHT);
	text_puts(p->out, "<text class='title' x='28' y='32'>Breaking huge pages: what it saves, what it costs</text>\n");
	text_printf(p->out, "<text class='sub' x='28' y='51'>%s huge pages of %s", show_count(h->count).text,
		    show_bytes(h->region_bytes).text);
	text_printf(p->out, ", %s hide something; merging saves %s with none broken; heat: %s</text>\n",
		    show_count(h->worth).text, show_bytes(h->base_saved_bytes).text,
		    source == HEAT_NOT_LOOKED ? "unknown" : heat_source_name(source));
}

void huge_svg(struct text *out, const struct sample *s, const struct huge *h)
{
	const struct frontier_point *last = &h->frontier[h->worth];
	struct picture p = { out, h, last->saved_bytes * 1.08 };
	double room = WIDTH - LEFT - RIGHT, half = (room - GAP) / 2;
	bool both = h->calibrated && last->slowdown > 0;
	struct panel lost = { "Saved against huge pages lost", "huge pages broken", LEFT, room, h->worth * 1.04, false };

	head(&p, s);
	if (both) {
		struct panel slow = { "Saved against slow-down", "predicted slow-down of the targets", LEFT, half,
				      last->slowdown * 104, true };
		draw_panel(&p, &slow);
		lost.x += half + GAP;
		lost.width = half;
	}
	draw_panel(&p, &lost);
	text_puts(out, "</svg>\n");
}
