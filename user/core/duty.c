// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/duty.h"

#include <math.h>
#include <stddef.h>

/* Two-sided 95 % of the normal distribution. */
#define Z95 1.959964
/* No event in a sample: with 95 % there are fewer than this many expected in it ("rule of three", −ln 0.05). */
#define NONE_SEEN 2.995732
/* Looking nearly all the time is looking all the time: the rest is how long it takes to read the clock. */
#define ALL_THE_TIME 0.999

int64_t duty_next(const struct duty_plan *plan, int64_t begin_ns, uint64_t random)
{
	return begin_ns + plan->period_ns / 2 + (int64_t)(random % (uint64_t)plan->period_ns);
}

void duty_add_window(struct duty_total *total, const struct duty_window *window)
{
	total->windows++;
	total->t += window->seconds;
	total->tt += window->seconds * window->seconds;
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

/* y against x, over windows; `freedom` is one less than the windows that carry information. */
struct ratio {
	double y, yy, yx, x, xx;
	double known_x;		/* total of x in the whole interval */
	uint32_t windows, freedom;
	bool parts;		/* each y is one of the x: a share, not a rate */
};

/* By how much windows differ beyond what the ratio explains. */
static double spread(const struct ratio *r, double seen)
{
	double slope = r->y / r->x, scale = r->known_x / r->x;
	double residual = fmax(0, r->yy - 2 * slope * r->yx + slope * slope * r->xx);
	double n = r->windows;

	if (r->windows < 2)
		return INFINITY;
	/* rounding leaves a trace where the ratio explains everything */
	if (residual <= 1e-9 * r->yy)
		return 0;
	return t95(r->freedom) * scale * sqrt((1 - seen) * residual * n / (n - 1));
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

/*
 * The interval is the wider one of two: what the windows' differences say, and
 * what single events as such would scatter, which is all that a few alike
 * windows can't show. And it keeps to what is certain.
 */
static struct duty_estimate estimate_ratio(const struct ratio *r, enum duty_basis basis)
{
	double seen = fmin(1, r->x / r->known_x), scale = r->known_x / r->x, count = r->y * scale;
	double half = spread(r, seen), rest = 1 - seen, low, high;

	if (r->parts) {
		struct duty_estimate share = duty_share(r->y, r->x);
		/* only the part that was not seen can differ */
		low = r->y + rest * r->known_x * share.low;
		high = r->y + rest * r->known_x * share.high;
	} else {
		double scatter = r->y > 0 ? Z95 * sqrt(r->y * rest) * scale : NONE_SEEN * rest * scale;
		low = count - scatter;
		high = count + scatter;
	}
	low = fmax(r->y, fmin(low, count - half));
	high = fmax(high, count + half);
	if (r->parts)
		high = fmin(high, r->known_x - (r->x - r->y));
	return (struct duty_estimate){ .count = count, .low = low, .high = fmax(high, low), .basis = basis };
}

static struct ratio against_time(const struct duty_total *total, double seconds, double y, double yy, double yt)
{
	return (struct ratio){
		.y = y, .yy = yy, .yx = yt, .x = total->t, .xx = total->tt,
		.known_x = fmax(seconds, total->t),
		.windows = total->windows,
		.freedom = total->windows - 1,
	};
}

/* Could a known total be the total of what the windows saw of it? */
static bool agrees(const struct ratio *by_time, double known_total)
{
	struct duty_estimate estimate = estimate_ratio(by_time, DUTY_TIME);
	return known_total >= by_time->y && known_total <= estimate.high;
}

/* A process's own faults as the auxiliary; false where it does not serve. */
static bool by_faults(const struct duty_process *p, const struct duty_total *total, int kind,
		      const struct duty_known *known, struct ratio *ret)
{
	const struct duty_kind *k = &p->kind[kind];
	struct ratio faults = against_time(total, known->seconds, p->x, p->xx, p->xt);

	if (!is_known(known->faults) || p->x <= 0 || !agrees(&faults, (double)known->faults.number))
		return false;
	*ret = (struct ratio){
		.y = k->y, .yy = k->yy, .yx = k->yx, .x = p->x, .xx = p->xx,
		.known_x = (double)known->faults.number,
		.windows = total->windows,
		.freedom = p->active - 1,
		.parts = true,
	};
	return true;
}

/* The machine's total of this kind as the auxiliary; false where it does not serve. */
static bool by_machine(const struct duty_process *p, const struct duty_total *total, int kind,
		       const struct duty_known *known, struct ratio *ret)
{
	const struct duty_kind *k = &p->kind[kind];
	struct ratio machine = against_time(total, known->seconds, total->m, total->mm, total->mt);

	if (kind != known->machine_kind || !is_known(known->machine) || total->m <= 0 ||
	    !agrees(&machine, (double)known->machine.number))
		return false;
	*ret = (struct ratio){
		.y = k->y, .yy = k->yy, .yx = k->ym, .x = total->m, .xx = total->mm,
		.known_x = (double)known->machine.number,
		.windows = total->windows,
		.freedom = total->windows - 1,
		.parts = true,
	};
	return true;
}

struct duty_estimate duty_estimate(const struct duty_process *process, const struct duty_total *total, int kind,
				   const struct duty_known *known)
{
	const struct duty_kind *k = &process->kind[kind];
	struct ratio ratio;

	if (!total->windows || total->t <= 0)
		return (struct duty_estimate){ .high = INFINITY, .basis = DUTY_NOTHING };
	if (total->t >= ALL_THE_TIME * known->seconds)
		return (struct duty_estimate){ k->y, k->y, k->y, DUTY_EXACT };
	ratio = against_time(total, known->seconds, k->y, k->yy, k->yt);
	struct duty_estimate best = estimate_ratio(&ratio, DUTY_TIME), other;
	if (by_faults(process, total, kind, known, &ratio)) {
		other = estimate_ratio(&ratio, DUTY_FAULTS);
		if (other.high - other.low < best.high - best.low)
			best = other;
	}
	if (by_machine(process, total, kind, known, &ratio)) {
		other = estimate_ratio(&ratio, DUTY_MACHINE);
		if (other.high - other.low < best.high - best.low)
			best = other;
	}
	return best;
}
