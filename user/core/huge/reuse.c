// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/huge/reuse.h"

#include <math.h>

void reuse_begin(struct reuse *reuse)
{
	*reuse = (struct reuse){ 0 };
	for (int i = 0; i < 2 * REUSE_BUCKETS; i++)
		reuse->part[i] = -expm1(-pow(10, (double)(i - REUSE_BUCKETS) / REUSE_PER_DECADE));
}

size_t reuse_bucket(double rate)
{
	if (!(rate > REUSE_LOWEST_RATE))
		return 0;
	double bucket = round(log10(rate / REUSE_LOWEST_RATE) * REUSE_PER_DECADE);
	return bucket < REUSE_BUCKETS - 1 ? (size_t)bucket : REUSE_BUCKETS - 1;
}

void reuse_add(struct reuse *reuse, size_t bucket)
{
	for (size_t b = 0; b < REUSE_BUCKETS; b++)
		reuse->regions[b] += reuse->part[REUSE_BUCKETS + bucket - b];
}

double reuse_regions(const struct reuse *reuse, size_t bucket)
{
	return reuse->regions[bucket] / -expm1(-1);
}
