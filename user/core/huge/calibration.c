// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/huge/calibration.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS 86400000000000ll
#define ONE_POINT_FACTOR 4
#define CLOCK_SLACK_NS 3600000000000ll		/* clocks are set; an hour ahead is no future */

const char *const cost_names[COST_COUNT] = {
	[COST_SPLIT_FULL] = "split_full",
	[COST_SPLIT_ZERO] = "split_zero",
	[COST_COLLAPSE] = "collapse",
	[COST_COW_BREAK] = "cow_break",
	[COST_WRITE_FAULT] = "write_fault",
	[COST_COW_EXTRA] = "cow_extra",
};

/* ---- medians ---- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/*
 * The interval between two order statistics holds the true median with a
 * binomial probability, whatever the distribution (W. R. Thompson 1936). By
 * its normal approximation, rounded outwards: ranks n/2 -+ 1.96 sqrt(n)/2.
 */
static size_t lower_rank(size_t count)
{
	double rank = floor(count / 2.0 - 0.98 * sqrt(count)) - 1;	/* from nought */
	return rank > 0 ? (size_t)rank : 0;
}

struct measured measured_of(double *values, size_t count)
{
	struct measured m = { .known = NOT_READ, .count = count };
	if (!count)
		return m;
	qsort(values, count, sizeof(*values), ascending);
	size_t low = lower_rank(count);
	m.known = KNOWN;
	m.median = count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
	m.low = values[low];
	m.high = values[count - 1 - low];
	return m;
}

/* ---- does it hold here? ---- */

static const char *refuse_page(const struct calibration *c, const struct calibration_facts *f, char why[256])
{
	if (c->page_bytes == f->page_bytes && c->pmd_bytes == f->pmd_bytes)
		return NULL;
	snprintf(why, 256, "it is of pages of %" PRIu64 " and %" PRIu64 " bytes, this kernel has %" PRIu64 " and %"
		 PRIu64, c->page_bytes, c->pmd_bytes, f->page_bytes, f->pmd_bytes);
	return why;
}

static const char *refuse_age(const struct calibration *c, const struct calibration_facts *f, char why[256])
{
	int64_t age = f->time_ns - c->time_ns;
	if (age < -CLOCK_SLACK_NS) {
		snprintf(why, 256, "it is from the future: the clock was set back since, or the file is made up");
		return why;
	}
	if (age <= CALIBRATION_DAYS * DAY_NS)
		return NULL;
	snprintf(why, 256, "it is %" PRId64 " days old, and %d is the limit", (int64_t)(age / DAY_NS), CALIBRATION_DAYS);
	return why;
}

const char *calibration_refused(const struct calibration *c, const struct calibration_facts *f, char why[256])
{
	if (strcmp(c->cpu, f->cpu)) {
		snprintf(why, 256, "it is of another CPU (%.80s; this is %.80s)", c->cpu, f->cpu);
		return why;
	}
	if (strcmp(c->release, f->release)) {
		snprintf(why, 256, "it is of another kernel (%.64s; this is %.64s)", c->release, f->release);
		return why;
	}
	return refuse_page(c, f, why) ? why : refuse_age(c, f, why);
}

/* ---- lines through points ---- */

static struct measured nothing(const char *why)
{
	struct measured m = { .known = NOT_READ };
	snprintf(m.why, sizeof(m.why), "%s", why);
	return m;
}

static const char uncalibrated[] = "this machine is not calibrated (ksm-advise --calibrate)";

/* A cost is none, though a measured difference may be where there is next to nothing to measure. */
static struct measured never_negative(struct measured m)
{
	m.median = fmax(m.median, 0);
	m.low = fmax(m.low, 0);
	m.high = fmax(m.high, 0);
	return m;
}

/* On the line from `a` at x0 to `b` at x1. */
static struct measured between(const struct measured *a, double x0, const struct measured *b, double x1, double x)
{
	double t = (x - x0) / (x1 - x0);
	struct measured m = { .known = KNOWN, .count = a->count < b->count ? a->count : b->count };
	m.median = a->median + t * (b->median - a->median);
	m.low = a->low + t * (b->low - a->low);
	m.high = a->high + t * (b->high - a->high);
	return never_negative(m);
}

static const struct measured *time_of(const struct access_point *p, bool huge)
{
	return huge ? &p->huge_ns : &p->extra_ns;
}

/* Of huge pages the time itself, else the extra time. */
static struct measured access_time(const struct calibration *c, uint64_t bytes, bool huge, bool *ret_beyond)
{
	const struct measured none = { .known = KNOWN };
	const struct access_point *last = NULL;

	*ret_beyond = false;
	if (!c)
		return nothing(uncalibrated);
	for (size_t i = 0; i < c->accesses; i++) {
		const struct access_point *p = &c->access[i];
		if (time_of(p, huge)->known != KNOWN)
			continue;
		if (bytes < p->bytes && !last)
			return huge ? p->huge_ns : between(&none, 0, &p->extra_ns, p->bytes, bytes);
		if (bytes < p->bytes)
			return between(time_of(last, huge), log2(last->bytes), time_of(p, huge), log2(p->bytes), log2(bytes));
		last = p;
	}
	if (!last)
		return nothing(c->accesses ? time_of(&c->access[0], huge)->why : "it was not measured");
	*ret_beyond = bytes > last->bytes;
	return never_negative(*time_of(last, huge));
}

struct measured calibration_access(const struct calibration *c, uint64_t bytes, bool *ret_beyond)
{
	return access_time(c, bytes, false, ret_beyond);
}

struct measured calibration_huge_access(const struct calibration *c, uint64_t bytes)
{
	bool beyond;
	return access_time(c, bytes, true, &beyond);
}

struct measured calibration_cost(const struct calibration *c, enum cost cost)
{
	return c ? c->cost[cost] : nothing(uncalibrated);
}

/* ---- ksmd ---- */

static const struct measured *figure_of(const struct scan_point *p, bool merge)
{
	return merge ? &p->merge_ns : &p->visit_ns;
}

/* Never below the cheapest that was seen: a line over the logarithm falls without end. */
static struct measured at_least(struct measured m, const struct measured *floor)
{
	m.median = fmax(m.median, floor->median);
	m.low = fmax(m.low, floor->low);
	m.high = fmax(m.high, floor->high);
	return m;
}

/* One point tells nothing of the slope: it holds near it. */
static struct measured near_one(const struct scan_point *p, bool merge, uint64_t pages)
{
	if (pages < p->pages / ONE_POINT_FACTOR || pages / ONE_POINT_FACTOR > p->pages)
		return nothing("only one number of tracked pages was measured, far from this one");
	return *figure_of(p, merge);
}

static struct measured scan_cost(const struct calibration *c, uint64_t pages, bool merge)
{
	const struct scan_point *a = NULL, *b = NULL;
	const struct measured *floor = NULL;

	if (!c)
		return nothing(uncalibrated);
	for (size_t i = 0; i < c->scans; i++) {
		const struct measured *m = figure_of(&c->scan[i], merge);
		if (m->known != KNOWN)
			continue;
		floor = floor && floor->median < m->median ? floor : m;
		/* the two points around it; beyond the last, the last two */
		if (!b || pages > b->pages) {
			a = b;
			b = &c->scan[i];
		} else if (!a) {
			a = b;
			b = &c->scan[i];
		}
	}
	if (!b)
		return nothing(c->scans ? figure_of(&c->scan[0], merge)->why : "it was not measured");
	if (!a)
		return near_one(b, merge, pages);
	double x = log2(pages ? pages : 1);
	return at_least(between(figure_of(a, merge), log2(a->pages), figure_of(b, merge), log2(b->pages), x), floor);
}

struct measured calibration_visit(const struct calibration *c, uint64_t pages)
{
	return scan_cost(c, pages, false);
}

struct measured calibration_merge(const struct calibration *c, uint64_t pages)
{
	return scan_cost(c, pages, true);
}
