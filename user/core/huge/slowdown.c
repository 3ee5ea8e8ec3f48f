// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/huge/slowdown.h"

#include <math.h>

#define NS 1e-9

/* Where looks saturated the region is at least that hot; the rest is unknown. */
static bool is_measured(const struct region *r)
{
	return r->heat.known == KNOWN && !r->heat.saturated;
}

static double measured_rate(const struct slowdown *s, const struct region *r)
{
	if (r->heat.known != KNOWN || r->heat.broken)
		return 0;
	return s->utilization > 0 ? r->heat.per_second / s->utilization : 0;
}

double slowdown_rate(const struct slowdown *s, const struct region *r)
{
	double measured = measured_rate(s, r);

	if (is_measured(r) || r->heat.broken)
		return measured;
	return measured > s->unknown_rate ? measured : s->unknown_rate;
}

uint64_t slowdown_working_set(const struct slowdown *s, double accesses, double squares)
{
	return squares > 0 ? accesses * accesses / squares * s->region_bytes : 0;
}

/* Nanoseconds of a random access with huge pages. 0: not known. */
static double huge_access_ns(const struct calibration *c, uint64_t bytes)
{
	double last = 0;
	for (size_t i = 0; c && i < c->accesses; i++) {
		if (c->access[i].huge_ns.known != KNOWN)
			continue;
		last = c->access[i].huge_ns.median;
		if (c->access[i].bytes >= bytes)
			break;
	}
	return last;
}

/*
 * Without a calibration the bound has no scale: unknown regions then count as
 * hot as the hottest measured one, or all alike.
 */
void slowdown_begin(struct slowdown *s, const struct region *regions, size_t count)
{
	double known = 0, hottest = 0, most = 0;
	size_t unknown = 0;

	for (size_t i = 0; i < count; i++) {
		double rate = measured_rate(s, &regions[i]);
		if (is_measured(&regions[i]))
			known += rate;
		else
			unknown += !regions[i].heat.broken;
		hottest = rate > hottest ? rate : hottest;
	}
	double ns = huge_access_ns(s->calibration, unknown * s->region_bytes);
	if (ns > 0)
		most = 1 / (ns * NS) - known;
	s->unknown_rate = most > 0 && unknown ? most / unknown : hottest > 0 ? hottest : 1;
}

/*
 * Pages of a region are taken to be alike: of v in n that changed while we
 * looked twice, T seconds apart, each is written −ln(1 − v/n)/T times a second.
 */
static double rewrites_per_second(const struct slowdown *s, const struct region *r)
{
	uint32_t stable = r->pages - r->is_volatile;
	if (s->settle_seconds <= 0 || !r->is_volatile || !stable)
		return 0;
	return -log1p(-(double)r->is_volatile / r->pages) / s->settle_seconds * (r->duplicates + r->zero);
}

static double cost_seconds(const struct calibration *c, enum cost cost)
{
	struct measured m = calibration_cost(c, cost);
	return m.known == KNOWN ? m.median * NS : 0;
}

/* Writes to merged pages, breaking it, and rebuilding it one day: of a second of processor time of the targets. */
static double other_costs(const struct slowdown *s, const struct region *r)
{
	double zero = (double)r->zero / r->pages;
	double split = cost_seconds(s->calibration, COST_SPLIT_FULL) * (1 - zero) +
		       cost_seconds(s->calibration, COST_SPLIT_ZERO) * zero;
	double rebuild = cost_seconds(s->calibration, COST_COLLAPSE);
	double rate = rewrites_per_second(s, r) * cost_seconds(s->calibration, COST_COW_EXTRA) +
		      (split + rebuild) / s->life_seconds;

	return s->utilization > 0 ? rate / s->utilization : 0;
}

static double access_cost(struct slowdown *s, double accesses, uint64_t bytes)
{
	bool beyond = false;
	struct measured extra = calibration_access(s->calibration, bytes, &beyond);

	if (extra.known != KNOWN)
		return NAN;
	s->beyond |= beyond;
	return accesses * extra.median * NS;
}

double slowdown_of_region(struct slowdown *s, const struct region *r, uint64_t bytes)
{
	return access_cost(s, slowdown_rate(s, r), bytes) + other_costs(s, r);
}

double slowdown_add(struct slowdown *s, const struct region *r)
{
	double rate = slowdown_rate(s, r);

	s->accesses += rate;
	s->squares += rate * rate;
	s->others += other_costs(s, r);
	return access_cost(s, s->accesses, slowdown_working_set(s, s->accesses, s->squares)) + s->others;
}
