/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keyed hash of a page, the same in BPF and in user space.
 *
 * Two lanes go over the page's 64-bit words in turn. With w a word and k the
 * key's word at the same place:
 *
 *	v = w + k;  lane += (v mod 2^32) · ⌊v / 2^32⌋;  other lane += w
 *
 * The product sum is NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC:
 * Fast and Secure Message Authentication", CRYPTO '99) but for the carry from
 * the low to the high half, which at most doubles its bound: two different
 * pages that somebody chose without knowing the key collide in a lane with
 * probability at most 2^-31. Adding the plain word to the other lane (XXH3
 * does the like) makes pages that differ in one word never collide, and lets
 * ordinary pairs collide with about 2^-64. NH needs a key word for each word
 * of the message, so the key is as long as a chunk.
 *
 * Pages longer than a chunk are folded chunk by chunk, in order.
 *
 * It is no MAC: the key is for one run, and hashes are never shown.
 */
#ifndef KSMSCOPE_PAGEHASH_H
#define KSMSCOPE_PAGEHASH_H

#include "abi.h"

#define PAGEHASH_UNROLL 8	/* words per turn of the loop */

#ifdef __bpf__
/*
 * clang 14 keeps more values alive than BPF has registers and spills them:
 * 0.41 µs per page instead of 0.27. Eight instructions per word, by hand.
 */
#define PAGEHASH_STEP(lane, other, words, key, i)					\
	asm volatile("r4 = *(u64 *)(%[from] + %[at]);"					\
		     "r5 = *(u64 *)(%[with] + %[at]);"					\
		     "r5 += r4;"							\
		     "w3 = w5;"								\
		     "r5 >>= 32;"							\
		     "r3 *= r5;"							\
		     "%[sum] += r3;"							\
		     "%[raw] += r4;"							\
		     : [sum] "+r"(lane), [raw] "+r"(other)				\
		     : [from] "r"(words), [with] "r"(key), [at] "i"((i) * 8)		\
		     : "r3", "r4", "r5")
#else
#define PAGEHASH_STEP(lane, other, words, key, i)					\
	do {										\
		__u64 sum_ = (words)[i] + (key)[i];					\
		(lane) += (sum_ & 0xffffffff) * (sum_ >> 32);				\
		(other) += (words)[i];							\
	} while (0)
#endif

/* A bijection in which each bit of the input moves about half of the output (Stafford's mix 13, as in SplitMix64). */
static inline __attribute__((always_inline)) __u64 pagehash_mix(__u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Fold one chunk of CONTENT_CHUNK_BYTES into `state`, which is 0 before the first. */
static inline __attribute__((always_inline)) __u64 pagehash_chunk(__u64 state, const __u64 *words, const __u64 *key)
{
	__u64 even = 0, odd = 0;

	for (int i = 0; i < CONTENT_KEY_WORDS / PAGEHASH_UNROLL; i++) {
		PAGEHASH_STEP(even, odd, words, key, 0);
		PAGEHASH_STEP(odd, even, words, key, 1);
		PAGEHASH_STEP(even, odd, words, key, 2);
		PAGEHASH_STEP(odd, even, words, key, 3);
		PAGEHASH_STEP(even, odd, words, key, 4);
		PAGEHASH_STEP(odd, even, words, key, 5);
		PAGEHASH_STEP(even, odd, words, key, 6);
		PAGEHASH_STEP(odd, even, words, key, 7);
		words += PAGEHASH_UNROLL;
		key += PAGEHASH_UNROLL;
	}
	return pagehash_mix(pagehash_mix(state ^ even) + odd);
}

#endif
