// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/distinct.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mix.h"

int distinct_init(struct distinct *ret, size_t bytes)
{
	*ret = (struct distinct){ .level_bits_log2 = 6 };
	while (ret->level_bits_log2 < 32 && 2 * distinct_bytes(ret) <= bytes)
		ret->level_bits_log2++;
	ret->words = calloc(1, distinct_bytes(ret));
	return ret->words ? 0 : -ENOMEM;
}

void distinct_free(struct distinct *d)
{
	free(d->words);
	*d = (struct distinct){ 0 };
}

size_t distinct_bytes(const struct distinct *d)
{
	return ((size_t)DISTINCT_LEVELS << d->level_bits_log2) / 8;
}

void distinct_clear(struct distinct *d)
{
	memset(d->words, 0, distinct_bytes(d));
}

void distinct_add(struct distinct *d, uint64_t value)
{
	/* Mixed once more: who sees only values of a certain range must not see only certain bits. */
	uint64_t mixed = mix64(value);
	unsigned int level = (unsigned int)__builtin_clzll(mixed | (UINT64_C(1) << (64 - DISTINCT_LEVELS)));
	uint64_t bit = ((uint64_t)level << d->level_bits_log2) |
		       (mixed & ((UINT64_C(1) << d->level_bits_log2) - 1));

	d->words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

bool distinct_join(struct distinct *into, const struct distinct *from)
{
	if (into->level_bits_log2 != from->level_bits_log2)
		return false;
	for (size_t i = 0; i < distinct_bytes(into) / 8; i++)
		into->words[i] |= from->words[i];
	return true;
}

/* Fuller than this, a level says less than the next one, which looks at half as many values (Estan et al., 4.2). */
#define FULL 0.93

struct level {
	double ones;			/* share of its bits that are set */
	struct distinct_count count;
};

/* Linear counting: n = m ln(m / zeros), variance m (e^t - t - 1) at load t = n / m. */
static struct level level_count(const struct distinct *d, unsigned int level)
{
	double bits = ldexp(1, (int)d->level_bits_log2);
	size_t words = (size_t)1 << (d->level_bits_log2 - 6);
	uint64_t set = 0;

	for (size_t i = 0; i < words; i++)
		set += (uint64_t)__builtin_popcountll(d->words[level * words + i]);
	double ones = (double)set / bits, load = -log1p(-ones);
	return (struct level){
		.ones = ones,
		.count = { .count = bits * load, .variance = bits * (expm1(load) - load) },
	};
}

/*
 * From level b on, the map has looked at a share 2^-b of all values; b is the
 * first level that is not too full. The variance is that of counting there, and
 * that of having looked at a share.
 */
struct distinct_count distinct_estimate(const struct distinct *d)
{
	double count = 0, variance = 0;
	int b = DISTINCT_LEVELS;

	while (b > 0) {
		struct level level = level_count(d, (unsigned int)b - 1);
		if (level.ones > FULL)
			break;
		count += level.count.count;
		variance += level.count.variance;
		b--;
	}
	if (b == DISTINCT_LEVELS)
		return (struct distinct_count){ .count = 0, .variance = INFINITY };
	double whole = ldexp(count, b);
	return (struct distinct_count){
		.count = whole,
		.variance = ldexp(variance, 2 * b) + whole * (ldexp(1, b) - 1),
	};
}
