// SPDX-License-Identifier: GPL-2.0-or-later
/* Huge pages in the report for people: counts, the curve, the ledger's first rows. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "out/advise_huge.h"

#define PLOT_COLUMNS 56
#define PLOT_ROWS 10
#define FEW_REGIONS 20

struct page {
	struct text *out;
	const struct sample *sample;
	const struct huge *huge;
	const struct advise_style *style;
};

static void heading(const struct page *p, const char *title)
{
	text_printf(p->out, "\n%s%s%s\n", p->style->colour ? "\033[1m" : "", title, p->style->colour ? "\033[0m" : "");
}

/* ---- the plot: braille has two by four dots to a cell, plain text one ---- */

struct plot {
	bool braille;
	int width, height;		/* in dots */
	uint8_t dots[PLOT_ROWS][PLOT_COLUMNS];
};

static void set_dot(struct plot *p, int x, int y)
{
	static const uint8_t bit[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };

	if (x < 0 || y < 0 || x >= p->width || y >= p->height)
		return;
	y = p->height - 1 - y;
	if (p->braille)
		p->dots[y / 4][x / 2] |= bit[y % 4][x % 2];
	else
		p->dots[y][x] = 1;
}

/* Where a point of the curve is, 0 … 1 on both axes. */
static double along(const struct huge *h, const struct frontier_point *p)
{
	const struct frontier_point *last = &h->frontier[h->worth];
	if (!isnan(last->slowdown) && last->slowdown > 0)
		return p->slowdown / last->slowdown;
	return (double)p->regions_broken / last->regions_broken;
}

static double up(const struct huge *h, const struct frontier_point *p)
{
	return (double)p->saved_bytes / h->frontier[h->worth].saved_bytes;
}

/* A line from one point to the next, a dot per column or per row, whichever are more. */
static void draw_line(struct plot *p, double x0, double y0, double x1, double y1)
{
	double dx = (x1 - x0) * (p->width - 1), dy = (y1 - y0) * (p->height - 1);
	int steps = (int)fmax(fabs(dx), fabs(dy)) + 1;

	for (int i = 0; i <= steps; i++)
		set_dot(p, (int)lround(x0 * (p->width - 1) + dx * i / steps),
			(int)lround(y0 * (p->height - 1) + dy * i / steps));
}

static void draw_curve(struct plot *p, const struct huge *h)
{
	for (size_t i = 0; i < h->worth; i++)
		draw_line(p, along(h, &h->frontier[i]), up(h, &h->frontier[i]), along(h, &h->frontier[i + 1]),
			  up(h, &h->frontier[i + 1]));
}

static void cell(struct text *out, const struct plot *p, int row, int column)
{
	unsigned int dots = p->dots[row][column];

	if (!p->braille || !dots)
		text_puts(out, dots ? "*" : " ");
	else	/* U+2800 + dots in UTF-8 */
		text_printf(out, "%c%c%c", 0xe2, 0xa0 | dots >> 6, 0x80 | (dots & 0x3f));
}

static void plot_row(const struct page *p, const struct plot *plot, int row, int knee_row, int knee_column)
{
	bool top = row == 0, bottom = row == PLOT_ROWS - 1;
	uint64_t most = p->huge->frontier[p->huge->worth].saved_bytes;

	text_printf(p->out, "  %9s %s", top ? show_bytes(most).text : bottom ? "0" : "", p->style->utf8 ? "│" : "|");
	for (int c = 0; c < PLOT_COLUMNS; c++) {
		if (row == knee_row && c == knee_column)
			text_printf(p->out, "%s%s%s", p->style->colour ? "\033[33m" : "", p->style->utf8 ? "◆" : "K",
				    p->style->colour ? "\033[0m" : "");
		else
			cell(p->out, plot, row, c);
	}
	text_puts(p->out, "\n");
}

static void plot_axis(const struct page *p)
{
	const struct huge *h = p->huge;
	char right[48];

	text_printf(p->out, "  %9s %s", "", p->style->utf8 ? "└" : "+");
	for (int c = 0; c < PLOT_COLUMNS; c++)
		text_puts(p->out, p->style->utf8 ? "─" : "-");
	if (h->calibrated)
		snprintf(right, sizeof(right), "%.2g %%", h->frontier[h->worth].slowdown * 100);
	else
		snprintf(right, sizeof(right), "%zu", h->worth);
	text_printf(p->out, "\n  %9s  0 %-*s %s\n", "", PLOT_COLUMNS - 4 - (int)strlen(right),
		    h->calibrated ? "slow-down" : "huge pages broken", right);
}

static void plot(const struct page *p)
{
	const struct huge *h = p->huge;
	struct plot plot = { .braille = p->style->utf8, .width = PLOT_COLUMNS, .height = PLOT_ROWS };
	const struct frontier_point *knee = &h->frontier[h->knee];
	int column = lround(along(h, knee) * (PLOT_COLUMNS - 1)), row = lround((1 - up(h, knee)) * (PLOT_ROWS - 1));

	if (plot.braille) {
		plot.width *= 2;
		plot.height *= 4;
	}
	draw_curve(&plot, h);
	text_puts(p->out, "\n");
	for (int r = 0; r < PLOT_ROWS; r++)
		plot_row(p, &plot, r, h->knee ? row : -1, column);
	plot_axis(p);
}

/* ---- words ---- */

static void counts(const struct page *p)
{
	const struct huge *h = p->huge;
	uint64_t duplicates = 0, zero = 0, page = p->sample->machine.page_bytes;

	for (size_t i = 0; i < h->count; i++) {
		duplicates += h->regions[i].duplicates;
		zero += h->regions[i].zero;
	}
	text_printf(p->out, "  %s of %s, ", show_count(h->count).text, show_bytes(h->region_bytes).text);
	text_printf(p->out, "%s of them hide something: ", show_count(h->worth).text);
	text_printf(p->out, "%s of duplicates, ", show_bytes(duplicates * page).text);
	text_printf(p->out, "%s of zeros\n", show_bytes(zero * page).text);
	text_printf(p->out, "  merging saves %s with none broken", show_bytes(h->base_saved_bytes).text);
	text_printf(p->out, ", %s more with all broken\n", show_bytes(h->frontier[h->worth].saved_bytes).text);
}

static void hidden(const struct page *p)
{
	uint64_t page = p->sample->machine.page_bytes;

	if (!is_known(p->huge->hidden_frames) || !p->huge->hidden_frames.number)
		return;
	text_printf(p->out, "  out of KSM's reach in hugetlb and shared huge pages: %s",
		    show_bytes(p->huge->hidden_frames.number * page).text);
	text_printf(p->out, ", %s of that zeros\n", show_bytes(value_or(p->huge->hidden_zero, 0) * page).text);
}

static void heat(const struct page *p)
{
	const struct heat_facts *f = p->sample->heat;

	if (!f || f->source == HEAT_NOT_LOOKED) {
		text_puts(p->out, "  heat: unknown, so all of them count as hot (--heat SECONDS watches them)\n");
		return;
	}
	text_printf(p->out, "  heat: %u looks in %s by %s", f->looks, show_seconds(f->seconds).text,
		    heat_source_name(f->source));
	if (f->source == HEAT_DAMON)
		text_puts(p->out, ": what it found of whole runs of memory, seldom; nothing was cleared\n");
	else
		text_printf(p->out, ", which took %.2g %% of a CPU; each cleared the targets' accessed bits\n",
			    100 * f->cpu_seconds / f->seconds);
	if (!isnan(p->huge->disturbance))
		text_printf(p->out, "  heat: the targets lost some %.2g %% of their time to being watched\n",
			    100 * p->huge->disturbance);
	if (f->source == HEAT_PAGE_TABLES && !f->flushed)
		text_puts(p->out, "  heat: accesses by translations that stayed in the TLB are not seen: at least so hot\n");
}

static void slowdown_of(const struct page *p, const char *what, const struct frontier_point *point)
{
	if (!isnan(point->slowdown))
		text_printf(p->out, "  slow-down %s: %.2g %% (95 %%: %.2g to %.2g %%)\n", what, point->slowdown * 100,
			    point->slowdown_low * 100, point->slowdown_high * 100);
}

static void slowdown(const struct page *p)
{
	const struct huge *h = p->huge;

	if (h->knee && h->knee != h->worth)
		slowdown_of(p, "up to the knee", &h->frontier[h->knee]);
	slowdown_of(p, "with all broken", &h->frontier[h->worth]);

	if (!h->calibrated)
		text_puts(p->out, "  slow-down: unknown without a calibration of this machine (ksm-advise --calibrate)\n");
	else if (h->beyond)
		text_puts(p->out, "  slow-down: at least; the working set is larger than any that was calibrated\n");
	if (h->knee_kind == KNEE_NONE && h->worth)
		text_puts(p->out, "  no knee: what breaking costs and gives is in proportion, or everything is\n");
}

/* ---- the ledger ---- */

static const char *rate_text(const struct heat *heat, char ret[24])
{
	if (heat->known != KNOWN)
		snprintf(ret, 24, "unknown");
	else
		snprintf(ret, 24, "%s%.3g", heat->saturated ? ">" : "", heat->per_second);
	return ret;
}

static void ledger_row(const struct page *p, const struct region *r)
{
	char rate[24], cost[24] = "-";

	if (is_known(r->cost_ppm))
		snprintf(cost, sizeof(cost), "%" PRId64, r->cost_ppm.number);
	text_printf(p->out, "  %7d %#16" PRIx64 " %6u %6u %6u %6u %10s %10s %8s  %s\n", r->pid, r->address, r->duplicates,
		    r->zero, r->is_volatile, r->unique + r->unread, rate_text(&r->heat, rate),
		    show_bytes(r->benefit_bytes).text, cost, r->breaks_at_knee ? "break" : "keep");
}

static void ledger(const struct page *p)
{
	const struct huge *h = p->huge;
	size_t rows = p->style->verbose || h->count < FEW_REGIONS ? h->count : FEW_REGIONS;

	heading(p, "Huge pages, the best to break first");
	text_printf(p->out, "  %7s %16s %6s %6s %6s %6s %10s %10s %8s\n", "process", "address", "dupl.", "zero", "volat.",
		    "unique", "accesses/s", "frees", "cost ppm");
	for (size_t i = 0; i < rows; i++)
		ledger_row(p, &h->regions[h->order[i]]);
	if (rows < h->count)
		text_printf(p->out, "  %s more (--verbose; JSON has all of them)\n", show_count(h->count - rows).text);
}

void huge_text(struct text *out, const struct sample *s, const struct huge *h, const struct advise_style *style,
	       bool with_ledger)
{
	struct page p = { out, s, h, style };

	if (!h || (!h->count && !is_known(h->hidden_frames)))
		return;
	heading(&p, "Huge pages");
	counts(&p);
	hidden(&p);
	if (h->worth) {
		heat(&p);
		slowdown(&p);
		plot(&p);
	}
	if (with_ledger && h->count)
		ledger(&p);
}
