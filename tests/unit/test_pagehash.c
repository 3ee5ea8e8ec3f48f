// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page hash as user space computes it; that BPF computes the same is
 * tests/live/content_test.c's business. Keys are from a fixed seed: a failure
 * repeats itself.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/pagehash.h"

#define BITS (CONTENT_CHUNK_BYTES * 8)
#define MANY (1u << 20)

struct key {
	__u64 words[CONTENT_KEY_WORDS];
};

struct page {
	__u64 words[CONTENT_KEY_WORDS];
};

/* SplitMix64: good enough for made keys and contents. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static void fill(void *ret, size_t bytes, uint64_t seed)
{
	for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
		uint64_t word = next_random(&seed);
		memcpy((char *)ret + i, &word, sizeof(word));
	}
}

static struct key made_key(uint64_t seed)
{
	struct key key;
	fill(&key, sizeof(key), seed);
	return key;
}

static uint64_t hash_chunks(const struct key *key, const __u64 *words, uint32_t chunks)
{
	uint64_t hash = 0;
	for (uint32_t i = 0; i < chunks; i++)
		hash = pagehash_chunk(hash, words + i * CONTENT_KEY_WORDS, key->words);
	return hash;
}

static uint64_t hash_page(const struct key *key, const struct page *page)
{
	return hash_chunks(key, page->words, 1);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static size_t repeated(uint64_t *hashes, size_t count)
{
	size_t same = 0;
	qsort(hashes, count, sizeof(*hashes), by_value);
	for (size_t i = 1; i < count; i++)
		same += hashes[i] == hashes[i - 1];
	return same;
}

static void flip(struct page *page, unsigned int bit)
{
	page->words[bit / 64] ^= 1ull << bit % 64;
}

/* Contents on which weak hashes stumble: nothing, all ones, text-like, random. */
static struct page made_page(unsigned int kind)
{
	struct page page;

	memset(&page, kind == 1 ? 0xff : 0, sizeof(page));
	if (kind == 2)
		memset(&page, 'a', sizeof(page));
	if (kind == 3)
		fill(&page, sizeof(page), 99);
	return page;
}

/* Every page that differs from another in one bit has a hash of its own. */
static void single_bits(void **state)
{
	(void)state;
	uint64_t *hashes = malloc((BITS + 1) * sizeof(*hashes));
	struct key key = made_key(1);

	for (unsigned int kind = 0; kind < 4; kind++) {
		struct page page = made_page(kind);
		for (unsigned int bit = 0; bit < BITS; bit++) {
			flip(&page, bit);
			hashes[bit] = hash_page(&key, &page);
			flip(&page, bit);
		}
		hashes[BITS] = hash_page(&key, &page);
		assert_int_equal(repeated(hashes, BITS + 1), 0);
	}
	free(hashes);
}

/* One word whose bits are moved to each place of the page. */
static void one_word_in_all_places(void **state)
{
	(void)state;
	uint64_t hashes[CONTENT_KEY_WORDS];
	struct key key = made_key(2);

	for (unsigned int shift = 0; shift < 64; shift++) {
		for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i++) {
			struct page page = { { 0 } };
			page.words[i] = 1ull << shift;
			hashes[i] = hash_page(&key, &page);
		}
		assert_int_equal(repeated(hashes, CONTENT_KEY_WORDS), 0);
	}
}

static void swap(struct page *page, unsigned int i, unsigned int j)
{
	__u64 word = page->words[i];
	page->words[i] = page->words[j];
	page->words[j] = word;
}

/* Any two words change places, within a pair of the hash, across pairs, and far apart. */
static void swapped_words(void **state)
{
	(void)state;
	size_t count = CONTENT_KEY_WORDS * (CONTENT_KEY_WORDS - 1) / 2, n = 0;
	uint64_t *hashes = malloc((count + 1) * sizeof(*hashes));
	struct key key = made_key(3);
	struct page page;

	for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i++)
		page.words[i] = i * i + 7;
	for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i++) {
		for (unsigned int j = 0; j < i; j++) {
			swap(&page, i, j);
			hashes[n++] = hash_page(&key, &page);
			swap(&page, i, j);
		}
	}
	hashes[n++] = hash_page(&key, &page);
	assert_int_equal(n, count + 1);
	assert_int_equal(repeated(hashes, n), 0);
	free(hashes);
}

/* Rotations and reversal: the same words in other places. */
static void permuted_words(void **state)
{
	(void)state;
	uint64_t hashes[2 * CONTENT_KEY_WORDS];
	struct key key = made_key(4);
	struct page page = made_page(3), moved;

	for (unsigned int by = 0; by < CONTENT_KEY_WORDS; by++) {
		for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i++)
			moved.words[(i + by) % CONTENT_KEY_WORDS] = page.words[i];
		hashes[by] = hash_page(&key, &moved);
		for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i++)
			moved.words[CONTENT_KEY_WORDS - 1 - (i + by) % CONTENT_KEY_WORDS] = page.words[i];
		hashes[CONTENT_KEY_WORDS + by] = hash_page(&key, &moved);
	}
	assert_int_equal(repeated(hashes, 2 * CONTENT_KEY_WORDS), 0);
}

/*
 * Doubles that are negated in pairs: the top bits of two words flip, which
 * cancels out in a sum and vanishes in a product mod 2^64 every other time.
 * The hash's own bound is 2^-33 for each pair of pages.
 */
static void negated_doubles(void **state)
{
	(void)state;
	const uint64_t sign = 1ull << 63;

	for (unsigned int seed = 0; seed < 16; seed++) {
		struct key key = made_key(500 + seed);
		struct page page;
		for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i++) {
			double value = (double)i + 0.5;
			memcpy(&page.words[i], &value, sizeof(value));
		}
		uint64_t before = hash_page(&key, &page);
		for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i++) {
			for (unsigned int j = 0; j < i; j += 1 + seed) {
				page.words[i] ^= sign;
				page.words[j] ^= sign;
				assert_int_not_equal(hash_page(&key, &page), before);
				page.words[i] ^= sign;
				page.words[j] ^= sign;
			}
		}
	}
}

/*
 * Pairs that the lanes, each alone, would confuse: differences in upper halves
 * only, which the low lane sees as a product mod 2^32, for all top bits.
 */
static void upper_halves(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 4096; seed++) {
		struct key key = made_key(10000 + seed);
		struct page page = made_page(seed % 4), other = page;
		unsigned int place = seed % CONTENT_KEY_WORDS, bit = 32 + seed % 32;

		other.words[place] ^= 1ull << bit;
		other.words[place ^ 1] ^= 1ull << bit;
		assert_int_not_equal(hash_page(&key, &page), hash_page(&key, &other));
	}
}

/* A page of zeros against pages with a single small number in them. */
static void nearly_zero(void **state)
{
	(void)state;
	static struct page page;
	size_t n = 0;
	uint64_t *hashes = malloc((256 * CONTENT_KEY_WORDS + 1) * sizeof(*hashes));
	struct key key = made_key(5);

	hashes[n++] = hash_page(&key, &page);
	for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i++) {
		for (unsigned int value = 1; value < 256; value++) {
			page.words[i] = value;
			hashes[n++] = hash_page(&key, &page);
		}
		page.words[i] = 0;
	}
	assert_int_equal(repeated(hashes, n), 0);
	free(hashes);
}

/* A million pages that differ in two counters, as the pages of a database do. */
static void counter_pages(void **state)
{
	(void)state;
	static struct page page;
	uint64_t *hashes = malloc(MANY * sizeof(*hashes));
	struct key key = made_key(6);

	for (unsigned int i = 0; i < MANY; i++) {
		page.words[0] = i >> 10;
		page.words[CONTENT_KEY_WORDS - 1] = (uint64_t)(i & 1023) << 32;
		hashes[i] = hash_page(&key, &page);
	}
	assert_int_equal(repeated(hashes, MANY), 0);
	free(hashes);
}

/* Another key gives another hash, for each page; the same key the same. */
static void depends_on_the_key(void **state)
{
	(void)state;
	uint64_t hashes[4096];
	struct key again = made_key(7);

	for (unsigned int kind = 0; kind < 4; kind++) {
		struct page page = made_page(kind);
		for (unsigned int seed = 0; seed < 4096; seed++) {
			struct key key = made_key(7 + seed);
			hashes[seed] = hash_page(&key, &page);
		}
		assert_int_equal(hash_page(&again, &page), hashes[0]);
		assert_int_equal(repeated(hashes, 4096), 0);
	}
}

/* Every word of the key matters. */
static void uses_the_whole_key(void **state)
{
	(void)state;
	struct page page = made_page(3);
	struct key key = made_key(8);
	uint64_t before = hash_page(&key, &page);

	for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i++) {
		key.words[i] ^= 1ull << 17;
		assert_int_not_equal(hash_page(&key, &page), before);
		key.words[i] ^= 1ull << 17;
	}
}

/*
 * A flipped bit of the page moves each bit of the hash half of the time, over
 * random keys. 2,000 trials: a bit off by 6 standard deviations (134) has a chance
 * of 2e-9 each.
 */
static void avalanche(void **state)
{
	(void)state;
	enum { TRIALS = 2000 };
	unsigned int moved[64] = { 0 };

	for (unsigned int trial = 0; trial < TRIALS; trial++) {
		struct key key = made_key(100000 + trial);
		struct page page = made_page(trial % 4);
		uint64_t before = hash_page(&key, &page);
		flip(&page, (trial * 2654435761u) % BITS);
		uint64_t changed = before ^ hash_page(&key, &page);
		for (unsigned int bit = 0; bit < 64; bit++)
			moved[bit] += changed >> bit & 1;
	}
	for (unsigned int bit = 0; bit < 64; bit++)
		assert_in_range(moved[bit], TRIALS / 2 - 134, TRIALS / 2 + 134);
}

/* Chunks of a longer page count by their place, and each of them counts. */
static void long_pages(void **state)
{
	(void)state;
	enum { CHUNKS = CONTENT_MAX_CHUNKS };
	struct page *page = calloc(CHUNKS, sizeof(*page));
	struct key key = made_key(9);
	uint64_t hashes[CHUNKS + 1], swapped[CHUNKS];

	hashes[CHUNKS] = hash_chunks(&key, page->words, CHUNKS);
	for (unsigned int i = 0; i < CHUNKS; i++) {
		page[i].words[3] = 5;
		hashes[i] = hash_chunks(&key, page->words, CHUNKS);
		page[i].words[3] = 0;
		swapped[i] = hash_chunks(&key, page->words, i + 1);	/* as many zeros, shorter */
	}
	assert_int_equal(repeated(hashes, CHUNKS + 1), 0);
	assert_int_equal(repeated(swapped, CHUNKS), 0);
	free(page);
}

/* Against the formula of pagehash.h, written down once more. */
static void as_defined(void **state)
{
	(void)state;
	struct key key = made_key(10);
	struct page page = made_page(3);
	unsigned __int128 low = 0, high = 0;

	for (unsigned int i = 0; i < CONTENT_KEY_WORDS; i += 2) {
		unsigned __int128 v = (page.words[i] + key.words[i]) % ((unsigned __int128)1 << 64);
		unsigned __int128 partner = (page.words[i + 1] + key.words[i + 1]) % ((unsigned __int128)1 << 64);
		low += (v & UINT64_MAX) * (partner & UINT64_MAX);
		high += ((v & UINT64_MAX) >> 32) * ((partner & UINT64_MAX) >> 32);
	}
	uint64_t want = pagehash_mix(pagehash_mix((uint64_t)low) + (uint64_t)high);
	assert_int_equal(hash_page(&key, &page), want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_bits),
		cmocka_unit_test(one_word_in_all_places),
		cmocka_unit_test(swapped_words),
		cmocka_unit_test(permuted_words),
		cmocka_unit_test(negated_doubles),
		cmocka_unit_test(upper_halves),
		cmocka_unit_test(nearly_zero),
		cmocka_unit_test(counter_pages),
		cmocka_unit_test(depends_on_the_key),
		cmocka_unit_test(uses_the_whole_key),
		cmocka_unit_test(avalanche),
		cmocka_unit_test(long_pages),
		cmocka_unit_test(as_defined),
	};
	return cmocka_run_group_tests_name("pagehash", tests, NULL, NULL);
}
