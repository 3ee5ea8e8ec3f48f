// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <time.h>

#include "base/units.h"
#include "out/fleet.h"

#define FEW_PAIRS 16
#define FEW_MISSING 8

static void partial(struct text *out, const struct sample *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->missing_count; i++) {
		const struct missing *m = &s->missing[i];
		if (m->harmless)
			continue;
		if (++count <= FEW_MISSING)
			text_printf(out, "partial: %s: %s (%s)\n", m->what, known_name(m->state), m->why);
	}
	if (count > FEW_MISSING)
		text_printf(out, "partial: and %zu more (--format json has all)\n", count - FEW_MISSING);
}

void sketched_text(struct text *out, const struct sketched *sketched)
{
	const struct portable *p = sketched->portable;
	const struct sample *s = sketched->sample;

	text_printf(out, "%s: %s contents kept of %s frames (%s) of %zu process%s, %s zero frames apart; looked at in %s\n",
		    p->label, show_count(p->count).text, show_count(p->frames).text,
		    show_bytes((int64_t)(p->frames * p->page_bytes)).text, s->tasks_count, s->tasks_count == 1 ? "" : "es",
		    show_count(p->zero_frames).text, show_seconds(s->seconds).text);
	text_printf(out, "written to %s, trust domain: %s\n", sketched->file, *p->domain ? p->domain : "none stated");
	if (!*p->domain)
		text_printf(out, "What it has in common with others will count as crossing domains, as no saving: state one "
			    "with --domain.\n");
	partial(out, s);
}

/* ---- several ---- */

static const char *moment(char ret[32], int64_t time_s)
{
	time_t at = time_s;
	struct tm utc;

	if (!gmtime_r(&at, &utc) || !strftime(ret, 32, "%Y-%m-%d %H:%M", &utc))
		return "?";
	return ret;
}

static void sketches(struct text *out, const struct compared *c)
{
	char when[32];

	text_printf(out, "%-24s %-16s %12s  %10s  %9s  %s\n", "Sketch", "trust domain", "frames", "bytes", "contents",
		    "taken (UTC)");
	for (size_t i = 0; i < c->count; i++) {
		const struct portable *p = c->sets[i];
		text_printf(out, "  %-22s %-16s %12s  %10s  %9s  %s\n", p->label, *p->domain ? p->domain : "-",
			    show_count(p->frames).text, show_bytes((int64_t)(p->frames * p->page_bytes)).text,
			    show_count(p->count).text, moment(when, p->time_s));
	}
}

static int64_t bytes_of(const struct compared *c, double frames)
{
	return llround((frames > 0 ? frames : 0) * (double)c->sets[0]->page_bytes);
}

static void figure(struct text *out, const struct compared *c, const char *name, const struct estimate *e, const char *note)
{
	text_printf(out, "  %-36s %10s", name, show_bytes(bytes_of(c, e->value)).text);
	if (e->exact)
		text_puts(out, "  (exact)");
	else
		text_printf(out, "  (%s to %s)", show_bytes(bytes_of(c, floor(e->low))).text,
			    show_bytes(bytes_of(c, ceil(e->high))).text);
	text_printf(out, "%s\n", note);
}

static void together(struct text *out, const struct compared *c)
{
	const struct estimate *of = c->all.of;

	text_printf(out, "\nAll of them on one host (95 %% intervals, from %s contents)\n", show_count(c->all.contents).text);
	figure(out, c, "saved by being together", &of[COMPARE_INSIDE], "");
	figure(out, c, "equal across trust domains", &of[COMPARE_CROSSING], "  a risk, not a saving");
	figure(out, c, "duplicates in each alone", &of[COMPARE_APART], "  wherever it runs");
	figure(out, c, "all that is equal then", &of[COMPARE_TOGETHER], "");
}

static void pairs(struct text *out, const struct compared *c, bool verbose)
{
	size_t shown = verbose || c->pairs_count < FEW_PAIRS ? c->pairs_count : FEW_PAIRS;

	if (c->count < 3)
		return;
	text_puts(out, "\nBy twos                                      saved together\n");
	for (size_t i = 0; i < shown; i++) {
		const struct compared_pair *p = &c->pairs[i];
		const struct estimate *e = &p->of.of[COMPARE_INSIDE];
		text_printf(out, "  %-20s %-20s %12s  (%s to %s)", c->sets[p->a]->label, c->sets[p->b]->label,
			    show_bytes(bytes_of(c, e->value)).text, show_bytes(bytes_of(c, floor(e->low))).text,
			    show_bytes(bytes_of(c, ceil(e->high))).text);
		if (p->of.of[COMPARE_CROSSING].value >= 1)
			text_printf(out, "  and %s across domains",
				    show_bytes(bytes_of(c, p->of.of[COMPARE_CROSSING].value)).text);
		text_puts(out, "\n");
	}
	if (shown < c->pairs_count)
		text_printf(out, "  … and %zu more (--verbose)\n", c->pairs_count - shown);
}

void compared_text(struct text *out, const struct compared *c, bool verbose)
{
	sketches(out, c);
	together(out, c);
	pairs(out, c, verbose);
}
