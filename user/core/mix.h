/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bijection of 64-bit numbers that spreads every bit over all of them: the
 * finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). It makes table
 * places and repeatable random numbers from values that are keyed already; it
 * hides nothing.
 */
#ifndef KSMSCOPE_CORE_MIX_H
#define KSMSCOPE_CORE_MIX_H

#include <stdint.h>

static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* The next number of a repeatable random sequence; any state is a good seed. */
static inline uint64_t random64(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(*state);
}

#endif
