/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a sample of contents to a total with a 95 % interval.
 *
 * A group of contents that stand or fall together is in the sample with
 * probability θ. Of each group in it we know x, its frames, and y, what is
 * asked for (its duplicates, say), with 0 <= y <= x. Of the population we know
 * the frames X, and where somebody counted them the groups G. With the slope b
 * and the level l fitted to the sample,
 *
 *	Y^ = Σy/θ + b (X - Σx/θ) + l (G - n/θ)
 *
 * is the difference estimator of survey sampling (Cochran, Sampling
 * Techniques, ch. 7; Särndal, Swensson, Wretman, ch. 6). docs/model-sampling.md
 * has the variance, the correction for skew and the limits.
 *
 * Used twice over the same groups: regression_sum() for each, then
 * regression_fit(), then regression_residual() for each, then
 * regression_part().
 */
#ifndef KSMSCOPE_CORE_REGRESSION_H
#define KSMSCOPE_CORE_REGRESSION_H

#include <stdbool.h>
#include <stdint.h>

/* Totals that are estimated from the same groups at once. */
#define REGRESSION_MEASURES 7

/* In frames or contents. */
struct estimate {
	double value;
	double low, high;	/* 95 % interval; both equal to value where exact */
	bool exact;
};

struct regression_line {
	double sum_y, sum_xy;
	double slope, level;
	double squares, cubes, fourths;	/* of the residuals, each enlarged for its pull on the line */
};

struct regression {
	uint64_t groups;
	double sum_x, sum_xx;
	double leverage_xx, leverage_x, leverage_1;	/* of a group: its pull on the line, 0 … 1, from x², x and 1 */
	struct regression_line of[REGRESSION_MEASURES];
};

/* What is known of the whole population, or of one stratum of it. */
struct population {
	double theta;		/* 0 < θ <= 1 */
	double frames;		/* X */
	double groups;		/* G; read only where groups_variance is finite */
	double groups_variance;	/* of G; INFINITY where nobody counted groups */
	unsigned int never_whole;	/* bit per measure: y < x in every group, since a first copy never counts */
	unsigned int all_but_first;	/* bit per measure: y = x less the group's contents, by what the measure is */
	bool groups_are_contents;	/* each group is one content */
};

/* One stratum's contribution; strata add up. */
struct part {
	double value;
	double variance;
	double skew;		/* shift of the interval's middle, in frames */
	double doubt;		/* what groups not met may hide where few met are off the line, in frames */
	double missing_up, missing_down;	/* what frames hide that the sample has too few of, or too many */
	double least, most;	/* what is certain whatever the sample */
	bool even;		/* the error is normal and hangs on no sample of groups */
	double freedom;		/* degrees of freedom behind the variance; INFINITY where nothing is estimated */
};

void regression_sum(struct regression *r, double x, const double *y, unsigned int measures);
void regression_fit(struct regression *r, const struct population *of, unsigned int measures);
void regression_residual(struct regression *r, double x, const double *y, unsigned int measures);
struct part regression_part(const struct regression *r, unsigned int measure, const struct population *of);

/*
 * A plain count without anything known beside it: Y^ = Σy/θ, from Σy, Σy² and
 * Σy³ over the groups in the sample. `most` bounds what there can be at all.
 */
struct part counted_part(double sum, double squares, double cubes, double theta, double most);

/* What to start adding from. */
struct part part_nothing(void);
struct part part_add(struct part a, struct part b);

struct estimate part_estimate(const struct part *part);

/* The 97.5 % quantile of Student's t; INFINITY below one degree of freedom. */
double student_quantile(double freedom);

#endif
