// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/duty.h"

#include <math.h>

/* Two-sided 95 % of the normal distribution. */
#define Z95 1.959964
/* No event in a sample: with 95 % there are fewer than this many expected in it ("rule of three", −ln 0.05). */
#define NONE_SEEN 2.995732
/* Looking nearly all the time is looking all the time: the rest is how long it takes to read the clock. */
#define ALL_THE_TIME 0.999
/* Two counters of the same events are not read at the same moment: they may differ by so much and agree. */
#define AGREE_SHARE 0.02
#define AGREE_EVENTS 10
/* Missed: at least so many events, and less than this share of those that the windows should have seen. */
#define UNEXPLAINED_EVENTS 20
#define UNEXPLAINED_SHARE 0.25
/* Between long windows. */
#define FIRST_PAUSE_NS 5000000000
#define LONGEST_PAUSE_NS 640000000000

int64_t duty_next(const struct duty_plan *plan, int64_t begin_ns, uint64_t random)
{
	return begin_ns + plan->period_ns / 2 + (int64_t)(random % (uint64_t)plan->period_ns);
}

void duty_add_window(struct duty_total *total, const struct duty_window *window)
{
	total->windows++;
	total->t += window->seconds;
	total->tt += window->seconds * window->seconds;
	total->machine_active += window->machine > 0;
	total->m += window->machine;
	total->mm += window->machine * window->machine;
	total->mt += window->machine * window->seconds;
}

void duty_add_counts(struct duty_process *process, const struct duty_window *window,
		     const uint64_t counts[DUTY_KINDS])
{
	double x = 0;
	for (int i = 0; i < DUTY_KINDS; i++)
		x += (double)counts[i];
	if (x <= 0)
		return;
	process->active++;
	process->x += x;
	process->xx += x * x;
	process->xt += x * window->seconds;
	for (int i = 0; i < DUTY_KINDS; i++) {
		struct duty_kind *kind = &process->kind[i];
		double y = (double)counts[i];
		kind->y += y;
		kind->yy += y * y;
		kind->yx += y * x;
		kind->yt += y * window->seconds;
		kind->ym += y * window->machine;
	}
}

static double add_known(double a, double b)
{
	return a < 0 || b < 0 ? -1 : a + b;
}

void duty_total_add(struct duty_total *total, const struct duty_total *more)
{
	total->seconds += more->seconds;
	total->machine = add_known(total->machine, more->machine);
	total->windows += more->windows;
	total->t += more->t;
	total->tt += more->tt;
	total->machine_active += more->machine_active;
	total->m += more->m;
	total->mm += more->mm;
	total->mt += more->mt;
}

void duty_process_add(struct duty_process *process, const struct duty_process *more)
{
	process->all = add_known(process->all, more->all);
	process->active += more->active;
	process->x += more->x;
	process->xx += more->xx;
	process->xt += more->xt;
	for (int i = 0; i < DUTY_KINDS; i++) {
		process->kind[i].y += more->kind[i].y;
		process->kind[i].yy += more->kind[i].yy;
		process->kind[i].yx += more->kind[i].yx;
		process->kind[i].yt += more->kind[i].yt;
		process->kind[i].ym += more->kind[i].ym;
	}
}

/* Student's t, two-sided 95 %. */
static double t95(uint32_t freedom)
{
	static const double table[] = {
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
		2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
	};
	if (!freedom)
		return INFINITY;
	return freedom <= 20 ? table[freedom - 1] : Z95 + 2.5 / freedom;
}

/* y against x. */
struct ratio {
	double y, yy, yx, x, xx;	/* sums over the horizon's windows */
	double seen;			/* y in the interval */
	double rest;			/* x in the interval that was not seen */
	double windows;			/* of the horizon */
	double rest_windows;		/* that would fit into the time that was not seen */
	double gaps;			/* in which that time comes */
	uint32_t freedom;		/* one less than the windows that carry information */
	bool parts;			/* each y is one of the x: a share, not a rate */
};

/* What single events, each by itself, let a window's y scatter around the ratio. */
static double variance_of_events(const struct ratio *r)
{
	double share = r->y / r->x;
	return r->parts ? r->x * share * (1 - share) / r->windows : r->y / r->windows;
}

/* By how much the rest may differ from the ratio. */
static double spread(const struct ratio *r)
{
	double slope = r->y / r->x, n = r->rest_windows;
	double residual = r->yy - 2 * slope * r->yx + slope * slope * r->xx;

	if (!r->freedom)
		return r->y > 0 && r->rest > 0 ? INFINITY : 0;
	/* rounding leaves a trace where the ratio explains everything */
	if (residual <= 1e-9 * r->yy)
		return 0;
	double all = residual / (r->windows - 1), events = fmin(all, variance_of_events(r)), moods = all - events;
	double variance = n * events + n * n / r->gaps * moods + n * n / r->windows * all;
	return t95(r->freedom) * sqrt(variance);
}

struct duty_estimate duty_share(double hits, double trials)
{
	if (trials <= 0)
		return (struct duty_estimate){ .high = 1 };
	double p = hits / trials, z2 = Z95 * Z95, centre = (p + z2 / (2 * trials)) / (1 + z2 / trials);
	double half = Z95 / (1 + z2 / trials) * sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials));
	return (struct duty_estimate){
		.count = p,
		.low = hits > 0 ? fmax(0, centre - half) : 0,
		.high = hits < trials ? fmin(1, centre + half) : 1,
		.basis = DUTY_FAULTS,
	};
}

/* What single events would scatter, seen in the horizon as they were: half the width of the rest's interval. */
static double scatter(const struct ratio *r)
{
	double expected = r->rest * r->y / r->x;
	if (r->y <= 0)
		return NONE_SEEN * r->rest / r->x;
	return Z95 * sqrt(expected * (1 + expected / r->y));
}

/*
 * The interval is the wider one of two: what the windows' differences say, and
 * what single events as such would scatter, which is all that a few alike
 * windows can't show. And it keeps to what is certain.
 */
static struct duty_estimate estimate_ratio(const struct ratio *r, enum duty_basis basis)
{
	double count = r->seen + r->rest * r->y / r->x, half = spread(r), low, high;

	if (r->parts) {
		struct duty_estimate share = duty_share(r->y, r->x);
		low = r->seen + r->rest * share.low;
		high = r->seen + r->rest * share.high;
	} else {
		low = count - scatter(r);
		high = count + scatter(r);
	}
	low = fmax(r->seen, fmin(low, count - half));
	high = fmax(high, count + half);
	if (r->parts)
		high = fmin(high, r->seen + r->rest);
	return (struct duty_estimate){ .count = count, .low = low, .high = fmax(high, low), .basis = basis };
}

static double rest_windows(const struct duty_total *now, const struct duty_total *horizon)
{
	return fmax(0, now->seconds - now->t) * horizon->windows / horizon->t;
}

/* Anything against time: `seen` of it in the interval, its sums over the horizon. */
static struct ratio against_time(const struct duty_total *now, const struct duty_total *horizon, double seen,
				 double y, double yy, double yt, uint32_t active)
{
	return (struct ratio){
		.y = y, .yy = yy, .yx = yt, .x = horizon->t, .xx = horizon->tt,
		.seen = seen,
		.rest = fmax(0, now->seconds - now->t),
		.windows = horizon->windows,
		.rest_windows = rest_windows(now, horizon),
		.gaps = fmax(1, now->windows),
		.freedom = active < horizon->windows ? active : horizon->windows - 1,
	};
}

/* Could a total that is known for the horizon be that of what its windows saw? */
static bool agrees(const struct duty_total *h, double known, double y, double yy, double yt, uint32_t active)
{
	struct ratio ratio = against_time(h, h, y, y, yy, yt, active);
	struct duty_estimate estimate = estimate_ratio(&ratio, DUTY_TIME);
	double slack = AGREE_SHARE * known + AGREE_EVENTS;
	return known >= estimate.low - slack && known <= estimate.high + slack;
}

/* A process's own faults as the auxiliary; false where it does not serve. */
static bool by_faults(const struct duty_case *c, int kind, struct ratio *ret)
{
	const struct duty_process *h = c->horizon;
	const struct duty_kind *k = &h->kind[kind];

	if (c->now->all < 0 || h->all < 0 || h->x <= 0 ||
	    !agrees(c->horizon_total, h->all, h->x, h->xx, h->xt, h->active))
		return false;
	*ret = (struct ratio){
		.y = k->y, .yy = k->yy, .yx = k->yx, .x = h->x, .xx = h->xx,
		.seen = c->now->kind[kind].y,
		.rest = fmax(0, c->now->all - c->now->x),
		.windows = c->horizon_total->windows,
		.rest_windows = rest_windows(c->now_total, c->horizon_total),
		.gaps = fmax(1, c->now_total->windows),
		.freedom = h->active - 1,
		.parts = true,
	};
	return true;
}

/* The machine's total of this kind as the auxiliary; false where it does not serve. */
static bool by_machine(const struct duty_case *c, int kind, struct ratio *ret)
{
	const struct duty_total *h = c->horizon_total;
	const struct duty_kind *k = &c->horizon->kind[kind];

	if (kind != c->machine_kind || c->now_total->machine < 0 || h->machine < 0 || h->m <= 0 ||
	    !agrees(h, h->machine, h->m, h->mm, h->mt, h->machine_active))
		return false;
	*ret = (struct ratio){
		.y = k->y, .yy = k->yy, .yx = k->ym, .x = h->m, .xx = h->mm,
		.seen = c->now->kind[kind].y,
		.rest = fmax(0, c->now_total->machine - c->now_total->m),
		.windows = h->windows,
		.rest_windows = rest_windows(c->now_total, h),
		.gaps = fmax(1, c->now_total->windows),
		.freedom = h->machine_active - 1,
		.parts = true,
	};
	return true;
}

static void keep_narrower(struct duty_estimate *best, const struct ratio *ratio, enum duty_basis basis)
{
	struct duty_estimate other = estimate_ratio(ratio, basis);
	if (other.high - other.low < best->high - best->low)
		*best = other;
}

/*
 * What the machine-wide counter leaves: nobody can have had more events than it
 * counted beyond those that were seen. And where no window saw any of them,
 * anybody may have had them all.
 */
static void bound_by_machine(const struct duty_case *c, int kind, struct duty_estimate *e)
{
	double seen = c->now->kind[kind].y, left = c->now_total->machine - c->now_total->m;

	if (kind != c->machine_kind || c->now_total->machine < 0 || left < 0)
		return;
	if (c->now->all >= 0)
		left = fmin(left, fmax(0, c->now->all - c->now->x));
	if (c->horizon_total->m <= 0)
		e->high = seen + left;
	e->count = fmin(e->count, seen + left);
	e->high = fmin(e->high, seen + left);
	e->low = fmin(e->low, e->count);
}

struct duty_estimate duty_estimate(const struct duty_case *c, int kind)
{
	const struct duty_kind *h = &c->horizon->kind[kind];
	double seen = c->now->kind[kind].y;
	struct ratio ratio;

	if (!c->horizon_total->windows || c->horizon_total->t <= 0)
		return (struct duty_estimate){ .high = INFINITY, .basis = DUTY_NOTHING };
	if (c->now_total->t >= ALL_THE_TIME * c->now_total->seconds)
		return (struct duty_estimate){ seen, seen, seen, DUTY_EXACT };
	ratio = against_time(c->now_total, c->horizon_total, seen, h->y, h->yy, h->yt, c->horizon->active);
	struct duty_estimate best = estimate_ratio(&ratio, DUTY_TIME);
	if (by_faults(c, kind, &ratio))
		keep_narrower(&best, &ratio, DUTY_FAULTS);
	if (by_machine(c, kind, &ratio))
		keep_narrower(&best, &ratio, DUTY_MACHINE);
	bound_by_machine(c, kind, &best);
	return best;
}

static bool unexplained(const struct duty_total *horizon)
{
	double expected = horizon->machine * horizon->t / horizon->seconds;
	return horizon->seconds > 0 && horizon->machine >= UNEXPLAINED_EVENTS &&
		horizon->m < UNEXPLAINED_SHARE * expected;
}

bool duty_wants_long(struct duty_patience *patience, int64_t now_ns, const struct duty_total *horizon)
{
	if (!unexplained(horizon)) {
		patience->pause_ns = 0;
		return false;
	}
	if (now_ns < patience->next_ns)
		return false;
	patience->pause_ns = patience->pause_ns ? patience->pause_ns * 2 : FIRST_PAUSE_NS;
	if (patience->pause_ns > LONGEST_PAUSE_NS)
		patience->pause_ns = LONGEST_PAUSE_NS;
	patience->next_ns = now_ns + patience->pause_ns;
	return true;
}
