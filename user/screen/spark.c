// SPDX-License-Identifier: GPL-2.0-or-later
#include "screen/spark.h"

#include <math.h>

static const char ascii_levels[] = "_.,:-=+*#";

static void find_range(const float *values, size_t count, bool relative, float *ret_low, float *ret_high)
{
	float low = INFINITY, high = -INFINITY;
	for (size_t i = 0; i < count; i++) {
		if (!isfinite(values[i]))
			continue;
		low = fminf(low, values[i]);
		high = fmaxf(high, values[i]);
	}
	*ret_low = relative ? low : fminf(low, 0);
	/* a line that stays at its height is no wall */
	*ret_high = relative ? high : fmaxf(high, 0) * 1.25f;
}

void put_spark(struct span span, enum role role, const float *values, size_t count, bool relative)
{
	float low, high;

	if (count > (size_t)span.width) {
		values += count - span.width;
		count = span.width;
	}
	find_range(values, count, relative, &low, &high);
	for (size_t i = 0; i < count; i++) {
		if (!isfinite(values[i]))
			continue;
		float share = high > low ? (values[i] - low) / (high - low) : 0;
		int level = (int)lrintf(share * 7);
		put_glyph(span, span.width - (int)count + (int)i, level ? role : ROLE_DIM, 0x2581 + level,
			  ascii_levels[level]);
	}
}

void put_bar(struct span span, enum role role, double share)
{
	if (!isfinite(share) || share < 0)
		return;
	int filled = (int)lrint(fmin(share, 1) * span.width);
	if (share > 0 && !filled)
		filled = 1;
	for (int i = 0; i < span.width; i++)
		put_glyph(span, i, i < filled ? role : ROLE_DIM, i < filled ? 0x25a0 : 0xb7, i < filled ? '#' : '.');
}
