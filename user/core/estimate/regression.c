// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/regression.h"

#include <math.h>

/* Φ(z) = 0.975 */
#define Z 1.959963984540054

/*
 * The score interval of a Poisson count of one reaches this far above it, in
 * counts: z²/2 + z √(1 + z²/4). Groups that differ from all those met, and were
 * not met themselves, are at most about as many as make one such count.
 */
#define DOUBT_GROUPS 4.662

/* Where so many are to be expected, 1 sample in 20 has none: fewer say nothing of those not met. */
#define FEW_GROUPS 3

/* A sample this many standard errors short of frames is short for a reason: 1 in 740 is so by chance. */
#define MISSING_ERRORS 3

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

static bool groups_are_counted(const struct population *of)
{
	return of->theta < 1 && isfinite(of->groups_variance);
}

/*
 * Where groups are counted and y is x less the contents of a group, the line
 * starts from y = x - 1, which errs only by groups of several contents; else
 * from y = 0. What the sample says is fitted to what is left.
 */
static bool starts_from_identity(const struct population *of, unsigned int measure)
{
	return groups_are_counted(of) && (of->all_but_first >> measure & 1);
}

/*
 * Least squares, where the level also pays for the error of the number of
 * groups: minimise (1-θ)/θ² Σ(y - b x - l)² + l² Var G. A level that the data
 * don't ask for stays near its start; without a count of groups it is 0, and
 * the slope is Σxy/Σx².
 */
void regression_fit(struct regression *r, const struct population *of, unsigned int measures)
{
	double penalty = of->groups_variance * of->theta * of->theta / (1 - of->theta);
	double n = (double)r->groups, n_paid = n + penalty;
	double determinant = r->sum_xx * n_paid - r->sum_x * r->sum_x;

	if (groups_are_counted(of) && determinant > 1e-9 * r->sum_xx * n_paid) {
		r->leverage_xx = n_paid / determinant;
		r->leverage_x = -r->sum_x / determinant;
		r->leverage_1 = r->sum_xx / determinant;
	} else if (r->sum_xx > 0) {
		r->leverage_xx = 1 / r->sum_xx;
	}
	for (unsigned int m = 0; m < measures; m++) {
		struct regression_line *line = &r->of[m];
		double start = starts_from_identity(of, m);
		double left_y = line->sum_y - start * (r->sum_x - n);
		double left_xy = line->sum_xy - start * (r->sum_xx - r->sum_x);
		line->slope = start + r->leverage_xx * left_xy + r->leverage_x * left_y;
		line->level = -start + r->leverage_x * left_xy + r->leverage_1 * left_y;
	}
}

/*
 * A group that pulls the line to itself has a small residual for that. Divided
 * by √(1 - leverage), its square is as large on average as it would be against
 * the true line (MacKinnon, White, 1985: HC2).
 */
void regression_residual(struct regression *r, double x, const double *y, unsigned int measures)
{
	double leverage = (r->leverage_xx * x + 2 * r->leverage_x) * x + r->leverage_1;
	double apart = 1 / sqrt(fmax(1 - leverage, LEAST_APART));

	for (unsigned int m = 0; m < measures; m++) {
		struct regression_line *line = &r->of[m];
		double e = (y[m] - line->slope * x - line->level) * apart;
		line->squares += e * e;
		line->cubes += e * e * e;
		line->fourths += e * e * e * e;
	}
}

/* Nothing is left to estimate: the sum over the sample is the answer. */
static struct part certain_part(double value)
{
	return (struct part){ .value = value, .least = value, .most = value, .even = true, .freedom = INFINITY };
}

struct part part_nothing(void)
{
	return certain_part(0);
}

/*
 * The sample says how many frames there should be, and with which error. Where
 * there are more, contents are missing from it that are unlike those met, and
 * the line says nothing of them; but of these frames none to all count. Where
 * there are fewer, likewise.
 */
static void reckon_missing(struct part *part, const struct regression *r, double slope, const struct population *of)
{
	double error = sqrt((1 - of->theta) * r->sum_xx) / of->theta;
	double missing = of->frames - r->sum_x / of->theta;
	double beyond = fmax(fabs(missing) - MISSING_ERRORS * error, 0);
	double share = fmin(fmax(slope, 0), 1);

	part->missing_up = beyond * (missing > 0 ? 1 - share : share);
	part->missing_down = beyond * (missing > 0 ? share : 1 - share);
}

/*
 * Degrees of freedom of the variance: where few groups make most of it, their
 * number counts and not that of all (Satterthwaite, 1946). But where these are
 * off the line by the same, to one side, the variance is that of their number,
 * as of a Poisson count: for that the interval's middle moves (`skew`), and a
 * wider quantile would reckon with it twice. With residuals of one size
 * Σe⁴ Σe² = (Σe³)²; what Σe⁴ has beyond that is their difference in size.
 */
static double freedom_of(const struct regression *r, const struct regression_line *line)
{
	double n = (double)r->groups, left = n - 1 - (line->level != 0);
	double squares = line->squares;
	double spread = squares > 0 ? line->fourths / (squares * squares) - 1 / n : 0;
	double counted = squares > 0 ? line->cubes * line->cubes / (squares * squares * squares) : 0;

	spread -= fmin(counted, spread);
	return spread > 0 ? fmin(left, 2 / spread) : left;
}

/*
 * By how many frames a group that is unlike all those met is off the line: as
 * many as a content has copies beside the first, for a copy taken at random.
 * Pages that differ little in each of eight like processes share a probe by
 * eight, as equal ones have eight copies; and the larger groups are those that
 * count.
 */
static double frames_off(const struct regression *r)
{
	double beside = r->sum_x - (double)r->groups;

	return beside >= 1 ? fmax((r->sum_xx - r->sum_x) / beside - 1, 1) : 1;
}

/* The groups that make most of the residuals are this few: (Σe²)²/Σe⁴, their number where they are of one size. */
static bool few_are_off(const struct regression_line *line)
{
	return line->squares < 1 || line->squares * line->squares < FEW_GROUPS * line->fourths;
}

/*
 * How far the interval's middle moves for lopsided residuals, in residuals: to
 * second order (2 z² + 1)/6 times Σe³/Σe² (Johnson, 1978; Hall, The Bootstrap
 * and Edgeworth Expansion, 1992, 3.10). Where all are of one size to one side,
 * the sum is a Poisson count, whose estimate and variance are the same number;
 * its score interval moves by z²/2. In between, as far as they go together.
 */
static double skew_of(const struct regression_line *line)
{
	double squares = line->squares, cubes = line->cubes;
	double together = cubes * cubes / (squares * line->fourths);

	return cubes / squares * (2 * Z * Z + 1 + together * (Z * Z - 1)) / 6;
}

struct part regression_part(const struct regression *r, unsigned int measure, const struct population *of)
{
	const struct regression_line *line = &r->of[measure];
	double not_met = of->frames - r->sum_x, n = (double)r->groups;
	bool by_identity = starts_from_identity(of, measure);

	if (not_met <= 0)
		return certain_part(line->sum_y);

	double odds = (1 - of->theta) / of->theta;
	struct part part = {
		.value = line->sum_y / of->theta + line->slope * (of->frames - r->sum_x / of->theta),
		.least = line->sum_y,
		.most = line->sum_y + not_met - (of->never_whole >> measure & 1),
		.freedom = freedom_of(r, line),
	};
	if (line->level != 0) {
		part.value += line->level * (of->groups - n / of->theta);
		part.variance = line->level * line->level * of->groups_variance;
	}
	if (by_identity && of->groups_are_contents) {	/* no group is off the line, whatever the sample */
		part.even = true;
		part.freedom = INFINITY;
		return part;
	}
	if (of->theta >= 1)		/* frames that were counted and never read: no sample speaks for them */
		part.freedom = 0;
	part.variance += odds / of->theta * line->squares;
	if (few_are_off(line))
		part.doubt = DOUBT_GROUPS * odds * frames_off(r);
	if (line->squares >= 1)
		part.skew = skew_of(line) * odds;
	if (!by_identity)
		reckon_missing(&part, r, line->slope, of);
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
		.missing_up = a.missing_up + b.missing_up,
		.missing_down = a.missing_down + b.missing_down,
		.least = a.least + b.least,
		.most = a.most + b.most,
		.even = a.even && b.even,
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
	double g4 = Z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;
	return Z + (g1 + (g2 + (g3 + g4 / freedom) / freedom) / freedom) / freedom;
}

/* ---- intervals beside a bound ---- */

/*
 * A total can't be below `least`. Cutting the usual interval there would cover
 * a total that sits at the bound too often, and may leave a point where the
 * estimate falls below it. The interval by likelihood ratio keeps its 95 %
 * (Feldman, Cousins, Phys. Rev. D 57, 1998, IV.B). Here for an estimate x of a
 * mean above 0, in standard errors: a mean is in the interval when x is in the
 * mean's own [x1, x2], which holds 95 %, with equal ratio at both ends.
 */
static double normal_between(double low, double high)
{
	return (erfc(-high / M_SQRT2) - erfc(-low / M_SQRT2)) / 2;
}

/* What [x1, x2] of a mean holds beyond 95 %, when x2 is x. */
static double excess_below(double mean, double x)
{
	double x1 = x - x * x / (2 * mean);
	return normal_between(x1 - mean, x - mean) - 0.95;
}

/* The same when x1 is x, below 0. */
static double excess_above(double mean, double x)
{
	return normal_between(x - mean, sqrt(mean * mean - 2 * mean * x)) - 0.95;
}

/* Where `excess` changes its sign between two means. */
static double change_of_sign(double (*excess)(double mean, double x), double x, double positive, double negative)
{
	for (int i = 0; i < 60; i++) {
		double middle = (positive + negative) / 2;
		if (excess(middle, x) > 0)
			positive = middle;
		else
			negative = middle;
	}
	return (positive + negative) / 2;
}

/* The interval's lower end; Z below x once both ends of [x1, x2] are above 0. */
static double bounded_low(double x)
{
	if (x >= 2 * Z)
		return x - Z;
	return excess_below(1e-9, x) <= 0 ? 0 : change_of_sign(excess_below, x, 1e-9, x);
}

/* Its upper end. */
static double bounded_high(double x)
{
	return x >= 0 ? x + Z : change_of_sign(excess_above, x, Z, 1e-9);
}

/* How far above the bound the interval of an estimate begins, and ends; `reach` is its usual half. */
static double begin_above(double above, double reach)
{
	return reach > 0 ? bounded_low(above * Z / reach) * reach / Z : above;
}

static double end_above(double above, double reach)
{
	return reach > 0 ? bounded_high(above * Z / reach) * reach / Z : above;
}

static double clamp(double value, double low, double high)
{
	return fmin(fmax(value, low), high);
}

static void even_interval(struct estimate *ret, const struct part *part, double reach)
{
	double above = part->value - part->least, below = part->most - part->value;

	ret->low = below < 0 ? part->most - end_above(below, reach) : part->least + begin_above(above, reach);
	ret->high = above < 0 ? part->least + end_above(above, reach) : part->most - begin_above(below, reach);
}

static double reach_of(const struct part *part)
{
	if (part->freedom < 1)
		return INFINITY;
	double quantile = isinf(part->freedom) ? Z : student_quantile(part->freedom);
	return sqrt(quantile * quantile * part->variance + part->skew * part->skew);
}

struct estimate part_estimate(const struct part *part)
{
	double reach = reach_of(part), least = part->least, most = part->most;
	/* groups that were not met are off to the side to which those are that were met */
	double down = part->skew <= 0 ? part->doubt : 0, up = part->skew >= 0 ? part->doubt : 0;
	struct estimate e = {
		.value = clamp(part->value, least, most),
		.low = part->value - part->missing_down - fmax(reach - part->skew, down),
		.high = part->value + part->missing_up + fmax(reach + part->skew, up),
	};

	if (least >= most)
		return (struct estimate){ .value = least, .low = least, .high = least, .exact = true };
	if (part->even)
		even_interval(&e, part, reach);
	e.low = clamp(e.low, least, e.value);
	e.high = clamp(e.high, e.value, most);
	return e;
}
