// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/survival.h"

#include <math.h>

/* Φ(z) = 0.975 */
#define Z 1.959963984540054

void survival_add(struct survival *s, double pages, double stayed, double weight)
{
	double n = pages * weight, k = stayed * weight;

	s->pages += n;
	s->stayed += k;
	s->pages_pages += n * n;
	s->stayed_pages += k * n;
	s->stayed_stayed += k * k;
	s->contents++;
}

void survival_join(struct survival *into, const struct survival *from)
{
	into->pages += from->pages;
	into->stayed += from->stayed;
	into->pages_pages += from->pages_pages;
	into->stayed_pages += from->stayed_pages;
	into->stayed_stayed += from->stayed_stayed;
	into->contents += from->contents;
}

/* As many independent pages as have this variance; at most one per content, since equal pages go together. */
static double pages_worth(const struct survival *s, double share)
{
	double contents = (double)s->contents;
	double squares = s->stayed_stayed - 2 * share * s->stayed_pages + share * share * s->pages_pages;
	double variance = squares / (s->pages * s->pages);

	if (variance <= 0 || share <= 0 || share >= 1)
		return s->pages * s->pages / s->pages_pages;
	return fmin(share * (1 - share) / variance, contents);
}

static double half_life(double share, double seconds)
{
	if (share >= 1)
		return INFINITY;
	return share > 0 ? seconds * M_LN2 / -log(share) : 0;
}

struct survival_estimate survival_estimate(const struct survival *s, double seconds)
{
	struct survival_estimate e = { 0 };

	if (!(s->pages > 0) || !(seconds > 0))
		return e;
	e.known = true;
	e.share = fmin(s->stayed / s->pages, 1);
	double n = pages_worth(s, e.share), z2 = Z * Z;
	double middle = (e.share + z2 / (2 * n)) / (1 + z2 / n);
	double reach = Z / (1 + z2 / n) * sqrt(e.share * (1 - e.share) / n + z2 / (4 * n * n));
	e.low = fmax(fmin(middle - reach, e.share), 0);
	e.high = fmin(fmax(middle + reach, e.share), 1);
	e.half_life = half_life(e.share, seconds);
	e.half_life_low = half_life(e.low, seconds);
	e.half_life_high = half_life(e.high, seconds);
	return e;
}
