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

/* Random accesses that a processor makes in a second, with huge pages; infinite where that is not known. */
static double limit(const struct slowdown *s, uint64_t bytes, bool most)
{
	struct measured m = calibration_huge_access(s->calibration, bytes);
	double ns = m.known != KNOWN ? 0 : most ? m.low : m.median;
	return ns > 0 ? 1 / (ns * NS) : INFINITY;
}

/*
 * Without a calibration the bound has no scale: unknown regions then count as
 * hot as the hottest measured one, or all alike.
 */
void slowdown_begin(struct slowdown *s, const struct region *regions, size_t count)
{
	double known = 0, hottest = 0, most;
	size_t unknown = 0;

	for (size_t i = 0; i < count; i++) {
		double rate = measured_rate(s, &regions[i]);
		if (is_measured(&regions[i]))
			known += rate;
		else
			unknown += !regions[i].heat.broken;
		hottest = rate > hottest ? rate : hottest;
	}
	most = limit(s, unknown * s->region_bytes, false);
	s->left_rate = isinf(most) || !unknown ? 0 : fmax(most - known, 0);
	s->unknown_rate = s->left_rate > 0 ? s->left_rate / unknown : hottest > 0 ? hottest : 1;
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

/* What so many accesses cost, all told never more than a processor makes of them. */
static struct slowdown_share access_cost(struct slowdown *s, struct slowdown_share accesses, uint64_t bytes)
{
	bool beyond = false;
	struct measured extra = calibration_access(s->calibration, bytes, &beyond);
	double most = limit(s, bytes, false);

	if (extra.known != KNOWN)
		return (struct slowdown_share){ NAN, NAN, NAN };
	s->beyond |= beyond;
	return (struct slowdown_share){
		.most_likely = fmin(accesses.most_likely, most) * extra.median * NS,
		.low = fmin(accesses.low, most) * extra.low * NS,
		.high = fmin(accesses.high, limit(s, bytes, true)) * extra.high * NS,
	};
}

double slowdown_of_region(struct slowdown *s, const struct region *r, uint64_t bytes)
{
	double rate = slowdown_rate(s, r);
	return access_cost(s, (struct slowdown_share){ rate, rate, rate }, bytes).most_likely + other_costs(s, r);
}

static double squared(double x)
{
	return x * x;
}

static void add_interval(struct slowdown *s, const struct region *r, double rate)
{
	double scale = s->utilization > 0 ? 1 / s->utilization : 0;

	if (is_measured(r) && !r->heat.broken) {
		s->sure += rate;
		s->below += squared(rate - r->heat.low * scale);
		s->above += squared(r->heat.high * scale - rate);
	} else if (!r->heat.broken) {
		s->least += measured_rate(s, r);	/* of a saturated one the lower end */
		s->unknown = true;
	}
}

struct slowdown_share slowdown_add(struct slowdown *s, const struct region *r)
{
	double rate = slowdown_rate(s, r);

	s->accesses += rate;
	s->squares += squared(rate);
	s->others += other_costs(s, r);
	add_interval(s, r, rate);
	struct slowdown_share ret = access_cost(s, (struct slowdown_share){
		.most_likely = s->accesses,
		.low = fmax(s->sure - sqrt(s->below), 0) + s->least,
		.high = fmax(s->sure + sqrt(s->above) + (s->unknown ? s->left_rate : 0), s->accesses),
	}, slowdown_working_set(s, s->accesses, s->squares));
	ret.most_likely += s->others;
	ret.low += s->others;
	ret.high += s->others;
	return ret;
}
