/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keyed hash of a page, the same in BPF and in user space.
 *
 * Two lanes go over pairs of 64-bit words. With w, w' the words of a pair, k, k'
 * the key's words at their place, v = w + k and v' = w' + k' (mod 2^64):
 *
 *	low += v · v' (mod 2^64);  high += ⌊v / 2^32⌋ · ⌊v' / 2^32⌋
 *
 * `high` is NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC: Fast and
 * Secure Message Authentication", CRYPTO '99) over the upper halves of the
 * words, `low` the same form of sum with whole words and without the product's
 * upper half. Two different pages, chosen by somebody who does not know the
 * key, agree in both lanes with probability at most 2^-33:
 *
 *  - If two words at the same place differ in their lower half, their difference
 *    d has t ≤ 31 trailing zero bits. All keys but the partner's fixed, the
 *    lanes agree only if d · v' = const (mod 2^64), which 2^t of the 2^64
 *    values of v' do: 2^(t-64), which is 2^-64 where t = 0.
 *  - Else only upper halves differ. Then `low` is 2^32 times a sum of such
 *    differences with uniform 32-bit factors, the lower halves of the v: with u ≤ 31
 *    trailing zeros in a difference it agrees with 2^(u-32). Those lower
 *    halves fixed, what the upper half of v' may be for `high` to agree is at
 *    most one value of 2^32 (NH's proof). Together 2^(u-64).
 *
 * So pages that nobody made to collide do so with about 2^-64. The lanes are
 * folded to 64 bits by a fixed mixing function, one after the other, since a
 * fold that provably adds no more than 2^-64 would need more key; it is taken
 * to be as good. Pages longer than a chunk are folded chunk by chunk, in
 * order. NH needs a key word for each word of the message, so the key is as
 * long as a chunk.
 *
 * It is no MAC: the key is for one run, and hashes are never shown.
 */
#ifndef KSMSCOPE_PAGEHASH_H
#define KSMSCOPE_PAGEHASH_H

#include "abi.h"

/* Contents may have been written as anything. */
typedef __u64 __attribute__((may_alias)) pagehash_word;

#define PAGEHASH_INLINE static inline __attribute__((always_inline))

#ifdef __bpf__
/*
 * By hand, since clang 14 keeps more values alive than BPF has registers, and
 * spills them: half as fast. In x86-64's machine code this is bound by its
 * eight operations of the ALU per pair; loads and moves are free.
 */
#define PAGEHASH_PAIR(first, second)							\
	"r0 = *(u64 *)(%[word] + " #first ");"						\
	"r1 = *(u64 *)(%[key] + " #first ");"						\
	"r0 += r1;"									\
	"r1 = *(u64 *)(%[word] + " #second ");"						\
	"r2 = *(u64 *)(%[key] + " #second ");"						\
	"r1 += r2;"									\
	"r2 = r0;"									\
	"r2 *= r1;"									\
	"%[low] += r2;"									\
	"r0 >>= 32;"									\
	"r1 >>= 32;"									\
	"r1 *= r0;"									\
	"%[high] += r1;"

PAGEHASH_INLINE void pagehash_lanes(const pagehash_word *word, const __u64 *key, __u64 *ret_low,
				    __u64 *ret_high)
{
	__u64 low = 0, high = 0;

	for (int i = 0; i < CONTENT_KEY_WORDS / 16; i++) {
		asm volatile(PAGEHASH_PAIR(0, 8) PAGEHASH_PAIR(16, 24) PAGEHASH_PAIR(32, 40) PAGEHASH_PAIR(48, 56)
			     PAGEHASH_PAIR(64, 72) PAGEHASH_PAIR(80, 88) PAGEHASH_PAIR(96, 104) PAGEHASH_PAIR(112, 120)
			     : [low] "+r"(low), [high] "+r"(high)
			     : [word] "r"(word), [key] "r"(key)
			     : "r0", "r1", "r2", "memory");
		word += 16;
		key += 16;
	}
	*ret_low = low;
	*ret_high = high;
}

/* The lanes go over one more cache line. */
PAGEHASH_INLINE void pagehash_line(const pagehash_word *word, const __u64 *key, __u64 *low, __u64 *high)
{
	__u64 l = *low, h = *high;

	asm volatile(PAGEHASH_PAIR(0, 8) PAGEHASH_PAIR(16, 24) PAGEHASH_PAIR(32, 40) PAGEHASH_PAIR(48, 56)
		     : [low] "+r"(l), [high] "+r"(h)
		     : [word] "r"(word), [key] "r"(key)
		     : "r0", "r1", "r2", "memory");
	*low = l;
	*high = h;
}
#else
PAGEHASH_INLINE void pagehash_lanes(const pagehash_word *word, const __u64 *key, __u64 *ret_low,
				    __u64 *ret_high)
{
	__u64 low = 0, high = 0;

	for (int i = 0; i < CONTENT_KEY_WORDS; i += 2) {
		__u64 a = word[i] + key[i], b = word[i + 1] + key[i + 1];
		low += a * b;
		high += (a >> 32) * (b >> 32);
	}
	*ret_low = low;
	*ret_high = high;
}

PAGEHASH_INLINE void pagehash_line(const pagehash_word *word, const __u64 *key, __u64 *low, __u64 *high)
{
	for (int i = 0; i < CONTENT_LINE_BYTES / 8; i += 2) {
		__u64 a = word[i] + key[i], b = word[i + 1] + key[i + 1];
		*low += a * b;
		*high += (a >> 32) * (b >> 32);
	}
}
#endif

/* A bijection in which each bit of the input moves about half of the output (Stafford's mix 13, as in SplitMix64). */
PAGEHASH_INLINE __u64 pagehash_mix(__u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Both lanes in 64 bits. */
PAGEHASH_INLINE __u64 pagehash_fold(__u64 state, __u64 low, __u64 high)
{
	return pagehash_mix(pagehash_mix(state ^ low) + high);
}

/* Fold one chunk of CONTENT_CHUNK_BYTES into `state`, which is 0 before the first. */
PAGEHASH_INLINE __u64 pagehash_chunk(__u64 state, const void *words, const __u64 *key)
{
	__u64 low, high;

	pagehash_lanes(words, key, &low, &high);
	return pagehash_fold(state, low, high);
}

#endif
