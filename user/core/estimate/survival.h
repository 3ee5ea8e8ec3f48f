/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long do pages stay as they are? From pages looked at twice, some seconds
 * apart: the share that stayed, with its 95 % interval, and the half-life that
 * it makes where pages change at a constant rate.
 *
 * Equal pages come and go together, so contents and not pages are what the
 * interval stands on: the variance is that of a ratio of sums over contents
 * (Cochran, Sampling Techniques, ch. 6), the interval Wilson's with as many
 * pages as make that variance.
 */
#ifndef KSMSCOPE_CORE_SURVIVAL_H
#define KSMSCOPE_CORE_SURVIVAL_H

#include <stdbool.h>
#include <stdint.h>

/* Sums over contents; zeroed: nothing was looked at. They add up over owners. */
struct survival {
	double pages, stayed;		/* weighted by what each stands for */
	double pages_pages, stayed_pages, stayed_stayed;	/* squares and products, by content */
	uint64_t contents;
};

struct survival_estimate {
	bool known;			/* false: no page was looked at twice */
	double share, low, high;	/* that stayed, 0 … 1 */
	double half_life, half_life_low, half_life_high;	/* seconds; INFINITY: no change was seen */
};

/* `pages` pages of one content, each standing for `weight` pages, were looked at twice; `stayed` stayed. */
void survival_add(struct survival *sums, double pages, double stayed, double weight);
void survival_join(struct survival *into, const struct survival *from);

/* `seconds` lay between the two looks. */
struct survival_estimate survival_estimate(const struct survival *sums, double seconds);

#endif
