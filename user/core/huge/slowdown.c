// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/huge/slowdown.h"

#include <math.h>

#define NS 1e-9
/* A slow-down by accesses with a working set that is too large for the calibration: less is not spoken of. */
#define BEYOND_MATTERS 1e-3

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

static uint64_t bucket_bytes(const struct slowdown *s, size_t bucket)
{
	return (uint64_t)llround(reuse_regions(&s->reuse, bucket) * s->region_bytes);
}

uint64_t slowdown_working_set(const struct slowdown *s, const struct region *r)
{
	return bucket_bytes(s, reuse_bucket(slowdown_rate(s, r)));
}

static double user_share(const struct slowdown *s)
{
	return s->user_share > 0 ? s->user_share : 1;
}

/* Seconds that an access takes with huge pages; 0 where that is not known. */
static double whole_seconds(const struct slowdown *s, uint64_t bytes)
{
	struct measured m = calibration_huge_access(s->calibration, bytes);
	return m.known == KNOWN ? m.median * NS : 0;
}

/* Share of the time that accesses of known rate take; regions of unknown rate count as hotter than all of them. */
static double known_time(struct slowdown *s, const struct region *regions, size_t count)
{
	double accesses[REUSE_BUCKETS] = { 0 }, time = 0;

	reuse_begin(&s->reuse);
	for (size_t i = 0; i < count; i++) {
		double rate = measured_rate(s, &regions[i]);
		if (is_measured(&regions[i]))
			accesses[reuse_bucket(rate)] += rate;
		if (!regions[i].heat.broken)
			reuse_add(&s->reuse, is_measured(&regions[i]) ? reuse_bucket(rate) : REUSE_BUCKETS - 1);
	}
	for (size_t i = 0; i < REUSE_BUCKETS; i++)
		time += accesses[i] ? accesses[i] * whole_seconds(s, bucket_bytes(s, i)) : 0;
	reuse_begin(&s->reuse);
	return time;
}

/*
 * Without a calibration the bound has no scale: unknown regions then count as
 * hot as the hottest measured one, or all alike.
 */
void slowdown_begin(struct slowdown *s, const struct region *regions, size_t count)
{
	double hottest = 0;
	size_t unknown = 0;

	for (size_t i = 0; i < count; i++) {
		hottest = fmax(hottest, measured_rate(s, &regions[i]));
		unknown += !is_measured(&regions[i]) && !regions[i].heat.broken;
	}
	double left = fmax(user_share(s) - known_time(s, regions, count), 0), each = whole_seconds(s, unknown * s->region_bytes);
	s->left_rate = unknown && each > 0 ? left / each : 0;
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

double slowdown_of_region(struct slowdown *s, const struct region *r)
{
	double rate = slowdown_rate(s, r);
	uint64_t bytes = bucket_bytes(s, reuse_bucket(rate));
	bool beyond;
	struct measured extra = calibration_access(s->calibration, bytes, &beyond);

	if (extra.known != KNOWN)
		return NAN;
	return rate * extra.median * NS / fmax(rate * whole_seconds(s, bytes) / user_share(s), 1) + other_costs(s, r);
}

static double squared(double x)
{
	return x * x;
}

static void add_interval(const struct slowdown *s, struct slowdown_bucket *b, const struct region *r, double rate)
{
	double scale = s->utilization > 0 ? 1 / s->utilization : 0;

	if (is_measured(r)) {
		b->sure += rate;
		b->below += squared(rate - r->heat.low * scale);
		b->above += squared(r->heat.high * scale - rate);
	} else {
		b->least += measured_rate(s, r);	/* of a saturated one the lower end */
		b->unknown = true;
	}
}

void slowdown_add(struct slowdown *s, const struct region *r)
{
	double rate = slowdown_rate(s, r);
	size_t bucket = reuse_bucket(rate);

	s->others += other_costs(s, r);
	if (r->heat.broken)
		return;
	s->bucket[bucket].regions++;
	s->bucket[bucket].accesses += rate;
	reuse_add(&s->reuse, bucket);
	add_interval(s, &s->bucket[bucket], r, rate);
}

/* One end of the slow-down: what accesses cost and the time that they take, with the squares of their distances. */
struct end {
	double cost, cost_squares, time, time_squares;
};

/* Times are nanoseconds for each access. */
static void add_end(struct end *e, double accesses, double squares, double extra, double whole)
{
	e->cost += accesses * extra * NS;
	e->cost_squares += squares * squared(extra * NS);
	e->time += accesses * whole * NS;
	e->time_squares += squares * squared(whole * NS);
}

/* All told never more accesses than there is time for. `side`: 1 above, -1 below; `more`: not subject to squares; `most`: the time. */
static double share_of(const struct end *e, double side, const struct end *more, double most)
{
	double time = fmax(e->time + side * sqrt(e->time_squares), 0) + more->time;
	return (fmax(e->cost + side * sqrt(e->cost_squares), 0) + more->cost) / fmax(time / most, 1);
}

struct ends {
	struct end likely, low, least, high, left;
	double beyond;			/* of the likely cost: of larger working sets than any calibrated */
};

static void add_bucket(struct slowdown *s, size_t i, struct ends *e)
{
	const struct slowdown_bucket *b = &s->bucket[i];
	uint64_t bytes = bucket_bytes(s, i);
	bool beyond = false;
	struct measured extra = calibration_access(s->calibration, bytes, &beyond);
	struct measured whole = calibration_huge_access(s->calibration, bytes);

	if (whole.known != KNOWN)
		whole = (struct measured){ .known = KNOWN };
	add_end(&e->likely, b->accesses, 0, extra.median, whole.median);
	add_end(&e->low, b->sure, b->below, extra.low, whole.median);
	add_end(&e->least, b->least, 0, extra.low, whole.median);
	add_end(&e->high, b->sure, b->above, extra.high, whole.low);
	e->beyond += beyond ? b->accesses * extra.median * NS : 0;
	if (b->unknown && s->left_rate * extra.high * NS > e->left.cost) {
		e->left = (struct end){ 0 };
		add_end(&e->left, s->left_rate, 0, extra.high, whole.low);
	}
}

struct slowdown_share slowdown_so_far(struct slowdown *s)
{
	static const struct end nothing;
	struct ends e = { 0 };
	double most = user_share(s);
	bool beyond;

	if (calibration_access(s->calibration, s->region_bytes, &beyond).known != KNOWN)
		return (struct slowdown_share){ NAN, NAN, NAN };
	for (size_t i = 0; i < REUSE_BUCKETS; i++)
		if (s->bucket[i].regions)
			add_bucket(s, i, &e);
	s->beyond |= e.beyond > BEYOND_MATTERS;
	double likely = share_of(&e.likely, 1, &nothing, most);
	return (struct slowdown_share){
		.most_likely = likely + s->others,
		.low = fmin(share_of(&e.low, -1, &e.least, most), likely) + s->others,
		.high = fmax(share_of(&e.high, 1, &e.left, most), likely) + s->others,
	};
}
