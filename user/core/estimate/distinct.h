/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many different 64-bit values were seen, by a bit each: a multiresolution
 * bitmap (Estan, Varghese, Fisk, IMC 2003) with linear counting in each level
 * (Whang, Vander-Zanden, Taylor, ACM TODS 15(2), 1990). Two of them over the
 * same kind of values join by OR.
 *
 * It does not know how often a value was seen, and can't take one back.
 */
#ifndef KSMSCOPE_CORE_DISTINCT_H
#define KSMSCOPE_CORE_DISTINCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Level i takes a share 2^-(i+1) of all values, the last one what is left. */
#define DISTINCT_LEVELS 16
#define DISTINCT_MIN_BYTES ((size_t)DISTINCT_LEVELS * 8)

struct distinct {
	uint64_t *words;
	unsigned int level_bits_log2;	/* 6 … 32 */
};

struct distinct_count {
	double count;
	double variance;		/* of count; INFINITY when the map is too full to say */
};

/* Takes at most `bytes`, at least half of them, DISTINCT_MIN_BYTES in any case. 0 or -ENOMEM. */
int distinct_init(struct distinct *ret, size_t bytes);
void distinct_free(struct distinct *distinct);
void distinct_clear(struct distinct *distinct);
size_t distinct_bytes(const struct distinct *distinct);

void distinct_add(struct distinct *distinct, uint64_t value);

/* False, and nothing done, where the two are not of one size. */
bool distinct_join(struct distinct *into, const struct distinct *from);

struct distinct_count distinct_estimate(const struct distinct *distinct);

#endif
