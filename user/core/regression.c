// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/regression.h"

#include <math.h>

/* Φ(z) = 0.975 */
#define Z 1.959963984540054

/*
 * The score interval of a Poisson count of one reaches this far above it, in
 * counts: z²/2 + z √(1 + z²/4). Groups that differ from all those met, and were
 * not met themselves, are at most about as many as make one such count.
 */
#define DOUBT_GROUPS 4.662

/* One group alone makes its own line, and nothing is left to compare it with. */
#define LEAST_APART 0.1

void regression_sum(struct regression *r, double x, const double *y, unsigned int measures)
{
	r->groups++;
	r->sum_x += x;
	r->sum_xx += x * x;
	for (unsigned int m = 0; m < measures; m++) {
		r->of[m].sum_y += y[m];
		r->of[m].sum_xy += x * y[m];
	}
}

/*
 * Least squares, where the level also pays for the error of the number of
 * groups: minimise (1-θ)/θ² Σ(y - b x - l)² + l² Var G. A level that the data
 * don't ask for stays near 0; without a count of groups it is 0, and the slope
 * is Σxy/Σx².
 */
void regression_fit(struct regression *r, const struct population *of, unsigned int measures)
{
	double penalty = of->groups_variance * of->theta * of->theta / (1 - of->theta);
	double n = (double)r->groups + penalty;
	double determinant = r->sum_xx * n - r->sum_x * r->sum_x;
	bool with_level = of->theta < 1 && isfinite(penalty) && determinant > 1e-9 * r->sum_xx * n;

	if (with_level) {
		r->leverage_xx = n / determinant;
		r->leverage_x = -r->sum_x / determinant;
		r->leverage_1 = r->sum_xx / determinant;
	} else if (r->sum_xx > 0) {
		r->leverage_xx = 1 / r->sum_xx;
	}
	for (unsigned int m = 0; m < measures; m++) {
		struct regression_line *line = &r->of[m];
		line->slope = r->leverage_xx * line->sum_xy + r->leverage_x * line->sum_y;
		line->level = r->leverage_x * line->sum_xy + r->leverage_1 * line->sum_y;
	}
}

/*
 * A group that pulls the line to itself has a small residual for that. Divided
 * by 1 - leverage it is the one against a line fitted to the others, so that
 * their squares make the jackknife's variance (MacKinnon, White, 1985: HC3).
 */
void regression_residual(struct regression *r, double x, const double *y, unsigned int measures)
{
	double leverage = (r->leverage_xx * x + 2 * r->leverage_x) * x + r->leverage_1;
	double apart = 1 / fmax(1 - leverage, LEAST_APART);

	for (unsigned int m = 0; m < measures; m++) {
		struct regression_line *line = &r->of[m];
		double e = (y[m] - line->slope * x - line->level) * apart;
		line->squares += e * e;
		line->cubes += e * e * e;
	}
}

/* Nothing is left to estimate: the sum over the sample is the answer. */
static struct part certain_part(double value)
{
	return (struct part){ .value = value, .least = value, .most = value, .freedom = INFINITY };
}

/*
 * By how many frames a group that is unlike all those met may be off the line:
 * one, where nothing is known of it; less where y = x - 1 holds for any group.
 */
static double doubt_of_group(const struct regression_line *line, bool all_but_one)
{
	if (!all_but_one)
		return 1;
	return fmax(fabs(0 - line->slope - line->level), fabs(1 - 2 * line->slope - line->level));
}

struct part regression_part(const struct regression *r, unsigned int measure, const struct population *of)
{
	const struct regression_line *line = &r->of[measure];
	double not_met = of->frames - r->sum_x, n = (double)r->groups;

	if (not_met <= 0)
		return certain_part(line->sum_y);

	double odds = (1 - of->theta) / of->theta;
	struct part part = {
		.value = line->sum_y / of->theta + line->slope * (of->frames - r->sum_x / of->theta),
		.least = line->sum_y,
		.most = line->sum_y + not_met - (of->never_whole >> measure & 1),
		.freedom = n - 1,
	};
	if (line->level != 0) {
		part.value += line->level * (of->groups - n / of->theta);
		part.variance = line->level * line->level * of->groups_variance;
		part.freedom = n - 2;
	}
	if (of->theta >= 1)		/* frames that were counted and never read: no sample speaks for them */
		part.freedom = 0;
	if (part.freedom >= 1)
		part.variance += odds / of->theta * line->squares;
	if (line->squares >= 1)
		part.skew = line->cubes / line->squares * Z * Z / 2 * odds;
	else
		part.doubt = DOUBT_GROUPS * odds * doubt_of_group(line, of->all_but_one >> measure & 1);
	return part;
}

struct part counted_part(double sum, double squares, double cubes, double theta, double most)
{
	if (theta >= 1)
		return certain_part(sum);
	double odds = (1 - theta) / theta;
	return (struct part){
		.value = sum / theta,
		.variance = odds / theta * squares,
		.skew = squares > 0 ? cubes / squares * Z * Z / 2 * odds : 0,
		.doubt = squares > 0 ? 0 : DOUBT_GROUPS * odds,
		.least = sum,
		.most = fmax(most, sum),
		.freedom = INFINITY,
	};
}

struct part part_add(struct part a, struct part b)
{
	return (struct part){
		.value = a.value + b.value,
		.variance = a.variance + b.variance,
		.skew = a.skew + b.skew,
		.doubt = a.doubt + b.doubt,
		.least = a.least + b.least,
		.most = a.most + b.most,
		.freedom = fmin(a.freedom, b.freedom),
	};
}

/* Student's quantile from the normal one (Abramowitz, Stegun, 26.7.5); its first two by heart. */
double student_quantile(double freedom)
{
	if (freedom < 1)
		return INFINITY;
	if (freedom < 2)
		return 12.706;
	if (freedom < 3)
		return 4.303;
	double z2 = Z * Z;
	double g1 = Z * (z2 + 1) / 4;
	double g2 = Z * ((5 * z2 + 16) * z2 + 3) / 96;
	double g3 = Z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
	return Z + (g1 + (g2 + g3 / freedom) / freedom) / freedom;
}

static double clamp(double value, double low, double high)
{
	return fmin(fmax(value, low), high);
}

struct estimate part_estimate(const struct part *part)
{
	if (part->least >= part->most)
		return (struct estimate){ .value = part->least, .low = part->least, .high = part->least,
					  .exact = true };

	double reach = INFINITY;
	if (part->freedom >= 1) {
		double quantile = isinf(part->freedom) ? Z : student_quantile(part->freedom);
		reach = sqrt(quantile * quantile * part->variance + part->skew * part->skew);
	}
	double down = fmax(reach - part->skew, part->doubt), up = fmax(reach + part->skew, part->doubt);
	return (struct estimate){
		.value = clamp(part->value, part->least, part->most),
		.low = clamp(part->value - down, part->least, part->most),
		.high = clamp(part->value + up, part->least, part->most),
	};
}
