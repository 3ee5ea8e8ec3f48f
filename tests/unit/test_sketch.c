// SPDX-License-Identifier: GPL-2.0-or-later
/* The sample of contents against plain counting: what it keeps, how it thins, joins and forgets; scout; count of probes. */
#include "unit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/estimate/distinct.h"
#include "core/estimate/scout.h"
#include "core/estimate/sketch.h"
#include "core/mix.h"

#define ROOMY ((size_t)1 << 20)

#define PHASE UINT64_C(0xfedcba9876543210)

static uint64_t probe_of(uint64_t content)
{
	return mix64(content + 1);
}

static uint64_t hash_of(uint64_t content)
{
	return mix64(~content);
}

static struct sketch make(size_t bytes, double theta)
{
	struct sketch_options options = { .bytes = bytes, .theta = theta, .run = 7, .phase = PHASE };
	struct sketch s;

	assert_int_equal(sketch_init(&s, &options, NULL), 0);
	return s;
}

static void add(struct sketch *s, uint64_t content, uint32_t owner, uint32_t frames)
{
	sketch_add(s, probe_of(content), hash_of(content), owner, frames);
}

static const struct sketch_slot *find(const struct sketch *s, uint64_t content, uint32_t owner)
{
	for (uint32_t i = 0; i < s->slots_count; i++)
		if (s->slots[i].frames && s->slots[i].hash == hash_of(content) && s->slots[i].owner == owner)
			return &s->slots[i];
	return NULL;
}

static uint32_t frames_of(const struct sketch *s, uint64_t content, uint32_t owner)
{
	const struct sketch_slot *slot = find(s, content, owner);
	return slot ? slot->frames : 0;
}

static uint32_t used(const struct sketch *s)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < s->slots_count; i++)
		count += s->slots[i].frames != 0;
	assert_int_equal(count, s->used[SKETCH_LIGHT] + s->used[SKETCH_HEAVY]);
	return count;
}

static bool is_below(const struct sketch *s, uint64_t content)
{
	return probe_of(content) + PHASE <= s->last[SKETCH_LIGHT];
}

#define CONTENTS 500
#define OWNERS 5

/* A stream of frames in random order, and what plain counting makes of it. */
static void stream(struct sketch *s, uint64_t seed, uint32_t plain[CONTENTS][OWNERS])
{
	for (int i = 0; i < 20000; i++) {
		uint64_t r = random64(&seed);
		uint32_t content = (uint32_t)(r % CONTENTS) & (uint32_t)(r >> 40), owner = (uint32_t)(r >> 32) % OWNERS;
		add(s, content % CONTENTS, owner, 1 + (r >> 60));
		plain[content % CONTENTS][owner] += 1 + (uint32_t)(r >> 60);
	}
}

static void expect_counts(const struct sketch *s, uint32_t plain[CONTENTS][OWNERS])
{
	uint32_t kept = 0;

	for (uint32_t c = 0; c < CONTENTS; c++)
		for (uint32_t o = 0; o < OWNERS; o++) {
			assert_int_equal(frames_of(s, c, o), is_below(s, c) ? plain[c][o] : 0);
			kept += is_below(s, c) && plain[c][o];
		}
	assert_int_equal(used(s), kept);
	for (uint32_t o = 0; o < OWNERS; o++) {
		uint64_t frames = 0;
		for (uint32_t c = 0; c < CONTENTS; c++)
			frames += plain[c][o];
		assert_int_equal(sketch_owner_frames(s, o, SKETCH_LIGHT), frames);
	}
}

static void test_counts_are_exact(void **state)
{
	(void)state;
	for (int shift = 0; shift <= 6; shift += 2) {
		uint32_t plain[CONTENTS][OWNERS] = { 0 };
		struct sketch s = make(ROOMY, ldexp(1, -shift));
		stream(&s, 1 + (uint64_t)shift, plain);
		assert_int_equal(s.failed, 0);
		assert_true(sketch_theta(&s, SKETCH_LIGHT) == ldexp(1, -shift));
		expect_counts(&s, plain);
		sketch_free(&s);
	}
}

static void test_thins_in_place(void **state)
{
	(void)state;
	enum { MANY = 100000 };
	struct sketch s = make(SKETCH_MIN_BYTES, 1);

	/* Twice the same contents, the second time after θ has fallen. */
	for (int round = 0; round < 2; round++)
		for (uint64_t c = 0; c < MANY; c++)
			add(&s, c, (uint32_t)(c % 3), 1 + (uint32_t)(c % 2));
	assert_int_equal(s.failed, 0);
	double theta = sketch_theta(&s, SKETCH_LIGHT);
	assert_true(theta < 0.1 && log2(theta) == floor(log2(theta)));
	assert_in_range(used(&s), s.used_max / 3, s.used_max);

	uint32_t kept = 0;
	for (uint32_t i = 0; i < s.slots_count; i++)
		if (s.slots[i].frames)
			assert_true(s.slots[i].place <= s.last[SKETCH_LIGHT]);
	for (uint64_t c = 0; c < MANY; c++)
		if (is_below(&s, c)) {
			/* Its copies of the first round, when θ was larger, count too: nothing started over. */
			const struct sketch_slot *slot = find(&s, c, (uint32_t)(c % 3));
			assert_non_null(slot);
			assert_int_equal(slot->frames, 2 * (1 + c % 2));
			kept++;
		}
	assert_int_equal(kept, used(&s));
	assert_int_equal(sketch_frames(&s), 2 * (MANY + MANY / 2));
	sketch_free(&s);
}

/* Lowered from outside: as if the threshold had been so from the start, and a higher one changes nothing. */
static void test_lowered(void **state)
{
	(void)state;
	uint32_t plain[CONTENTS][OWNERS] = { 0 };
	struct sketch s = make(ROOMY, 1.0 / 2);

	stream(&s, 5, plain);
	uint32_t before = used(&s);
	sketch_lower(&s, SKETCH_LIGHT, UINT64_MAX);
	assert_int_equal(used(&s), before);
	expect_counts(&s, plain);
	sketch_lower(&s, SKETCH_LIGHT, UINT64_MAX / 8);
	assert_int_equal(s.last[SKETCH_LIGHT], UINT64_MAX / 8);
	assert_in_range(used(&s), 1, before / 2);
	expect_counts(&s, plain);
	sketch_free(&s);
}

static void test_memory_bound(void **state)
{
	(void)state;
	const size_t sizes[] = { SKETCH_MIN_BYTES, 1 << 20, SKETCH_DEFAULT_BYTES, 256 << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sketch s = make(sizes[i], 1);
		size_t index = sizeof(uint64_t) * s.used_max;	/* of an estimate */
		size_t bytes = sizeof(s) + s.slots_max * sizeof(*s.slots) + distinct_bytes(&s.probes);
		size_t growing = s.slots_count < s.slots_max ? s.slots_count * sizeof(*s.slots) : 0;
		assert_true(bytes + index <= sizes[i] && bytes + index > sizes[i] / 10 * 9);
		assert_true(bytes + growing <= sizes[i]);
		if (sizes[i] == SKETCH_DEFAULT_BYTES)
			assert_in_range(s.used_max, 340000, 400000);
		sketch_free(&s);
	}
}

static void test_memory_is_not_left(void **state)
{
	(void)state;
	struct sketch s = make(SKETCH_MIN_BYTES, 1);
	uint32_t most = s.slots_max;

	for (uint64_t c = 0; c < 200000; c++) {
		add(&s, c, (uint32_t)(c % 1000), 1);
		assert_true(s.used[SKETCH_LIGHT] + s.used[SKETCH_HEAVY] <= s.used_max);
	}
	assert_true(s.slots_count == most && s.slots_max == most);
	assert_int_equal(s.owners, 1000);
	assert_true(s.owners_capacity <= 1250);
	sketch_free(&s);
}

static void test_no_room(void **state)
{
	(void)state;
	struct sketch s = make(SKETCH_MIN_BYTES, 1);

	/* All in one place, the lowest: no threshold parts them. */
	for (uint64_t c = 0; c < 100000 && !s.failed; c++)
		sketch_add(&s, -PHASE, hash_of(c), 0, 1);
	assert_int_equal(s.failed, -ENOSPC);
	used(&s);
	sketch_free(&s);
}

static void test_refuses_options(void **state)
{
	(void)state;
	struct sketch_options bad[] = { { .theta = 0 }, { .theta = 1.5 }, { .theta = -1 }, { .theta = NAN },
					{ .theta = 1, .bytes = 1000 } };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sketch s;
		struct error err = { 0 };
		assert_int_equal(sketch_init(&s, &bad[i], &err), -EXIT_USAGE);
		assert_true(err.text[0]);
	}
}

/* ---- the frequent ones ---- */

static void test_heavy_is_kept_whole(void **state)
{
	(void)state;
	struct sketch s = make(SKETCH_MIN_BYTES, 1.0 / 1024);
	uint64_t heavy[4] = { probe_of(0), probe_of(1), probe_of(2), 0 };

	sketch_set_heavy(&s, heavy, 4);
	assert_true(sketch_is_heavy(&s, probe_of(1)) && sketch_is_heavy(&s, 0) && !sketch_is_heavy(&s, probe_of(3)));
	for (int i = 0; i < 1000; i++)
		for (uint64_t c = 0; c < 4; c++)
			add(&s, c, (uint32_t)i % 2, 1);
	for (uint64_t c = 0; c < 3; c++) {
		assert_int_equal(frames_of(&s, c, 0), 500);
		assert_int_equal(find(&s, c, 1)->stratum, SKETCH_HEAVY);
	}
	assert_int_equal(frames_of(&s, 3, 0), is_below(&s, 3) ? 500 : 0);
	assert_int_equal(sketch_owner_frames(&s, 0, SKETCH_HEAVY), 1500);
	assert_int_equal(sketch_owner_frames(&s, 0, SKETCH_LIGHT), 500);
	/* The count of probes is of the light ones. */
	assert_true(fabs(distinct_estimate(&s.probes).count - 1) < 0.01);
	sketch_free(&s);
}

/* One probe with more contents than the table holds: they are told apart by their hash, and thinned among themselves. */
static void test_heavy_probe_of_many_contents(void **state)
{
	(void)state;
	enum { MANY = 50000 };
	struct sketch s = make(SKETCH_MIN_BYTES, 1.0 / 16);
	uint64_t heavy = 99;
	uint32_t light = 0, kept = 0;

	sketch_set_heavy(&s, &heavy, 1);
	for (uint64_t c = 0; c < MANY; c++) {
		sketch_add(&s, heavy, hash_of(c), 0, 2);
		if (c < 1000)
			add(&s, MANY + c, 1, 1);
	}
	assert_int_equal(s.failed, 0);
	assert_true(sketch_theta(&s, SKETCH_LIGHT) == 1.0 / 16);
	assert_true(sketch_theta(&s, SKETCH_HEAVY) < 0.5);
	for (uint64_t c = 0; c < 1000; c++)
		light += is_below(&s, MANY + c);
	assert_int_equal(s.used[SKETCH_LIGHT], light);
	for (uint64_t c = 0; c < MANY; c++)
		if (hash_of(c) + PHASE <= s.last[SKETCH_HEAVY]) {
			kept++;
			assert_int_equal(frames_of(&s, c, 0), 2);
		}
	assert_int_equal(s.used[SKETCH_HEAVY], kept);
	assert_int_equal(sketch_owner_frames(&s, 0, SKETCH_HEAVY), 2 * MANY);
	sketch_free(&s);
}

/* ---- joining and forgetting ---- */

static void test_merge_is_addition(void **state)
{
	(void)state;
	uint32_t plain[CONTENTS][OWNERS] = { 0 };
	struct sketch a = make(ROOMY, 1.0 / 2), b = make(ROOMY, 1.0 / 4);

	stream(&a, 11, plain);
	stream(&b, 12, plain);
	assert_int_equal(sketch_merge(&a, &b, NULL, NULL), 0);
	assert_true(sketch_theta(&a, SKETCH_LIGHT) == 0.25);
	expect_counts(&a, plain);
	assert_true(a.counts_distinct);
	sketch_free(&a);
	sketch_free(&b);
}

static void test_merge_maps_owners(void **state)
{
	(void)state;
	struct sketch a = make(SKETCH_MIN_BYTES, 1), b = make(SKETCH_MIN_BYTES, 1);
	const uint32_t map[2] = { 5, 5 };

	add(&a, 1, 5, 3);
	add(&b, 1, 0, 4);
	add(&b, 1, 1, 1);
	assert_int_equal(sketch_merge(&a, &b, map, NULL), 0);
	assert_int_equal(frames_of(&a, 1, 5), 8);
	assert_int_equal(sketch_owner_frames(&a, 5, SKETCH_LIGHT), 8);
	sketch_free(&a);
	sketch_free(&b);
}

static void test_merge_refuses(void **state)
{
	(void)state;
	struct sketch a = make(SKETCH_MIN_BYTES, 1), b = make(SKETCH_MIN_BYTES, 1);
	struct error err = { 0 };
	uint64_t heavy = 3;

	b.run = 8;
	assert_int_equal(sketch_merge(&a, &b, NULL, &err), -EXIT_USAGE);
	assert_non_null(strstr(err.text, "different keys"));
	b.run = 7;
	b.phase++;
	assert_int_equal(sketch_merge(&a, &b, NULL, &err), -EXIT_USAGE);
	b.phase--;
	sketch_set_heavy(&b, &heavy, 1);
	assert_int_equal(sketch_merge(&a, &b, NULL, &err), -EXIT_USAGE);
	assert_non_null(strstr(err.text, "frequent"));
	sketch_free(&a);
	sketch_free(&b);
}

static void test_forgets_an_owner(void **state)
{
	(void)state;
	uint32_t plain[CONTENTS][OWNERS] = { 0 };
	struct sketch s = make(ROOMY, 1.0 / 2);

	stream(&s, 21, plain);
	sketch_forget(&s, 3);
	sketch_forget(&s, 1000);
	for (uint32_t c = 0; c < CONTENTS; c++)
		plain[c][3] = 0;
	expect_counts(&s, plain);
	assert_false(s.counts_distinct);
	sketch_free(&s);
}

static void test_unsee(void **state)
{
	(void)state;
	struct sketch s = make(SKETCH_MIN_BYTES, 1);

	assert_true(sketch_see(&s, 5, 2, 3));
	sketch_unsee(&s, 5, 2, 1);
	assert_int_equal(sketch_frames(&s), 2);
	sketch_unsee(&s, 5, 2, 9);
	sketch_unsee(&s, 5, 70, 1);
	assert_int_equal(sketch_frames(&s), 0);
	assert_false(sketch_see(&s, 5, 2, 0));
	sketch_free(&s);
}

/* A page whose probe is known to an attacker: over the phases it is in as often as any other. */
static void test_phase_moves_everybody(void **state)
{
	(void)state;
	int in = 0, runs = 4096;

	for (int i = 0; i < runs; i++) {
		struct sketch_options options = { .bytes = SKETCH_MIN_BYTES, .theta = 1.0 / 16,
						  .phase = mix64((uint64_t)i) };
		struct sketch s;
		assert_int_equal(sketch_init(&s, &options, NULL), 0);
		in += sketch_see(&s, 0, 0, 1);
		sketch_free(&s);
	}
	/* 256 expected, σ = 15.5 */
	assert_in_range(in, 256 - 62, 256 + 62);
}

/* ---- scout ---- */

static uint32_t scout_stream(struct scout *scout, uint32_t frequent, uint32_t copies, uint32_t single, uint64_t *ret)
{
	scout_init(scout, 5);
	for (uint32_t copy = 0; copy < copies; copy++)
		for (uint32_t c = 0; c < frequent; c++) {
			scout_see(scout, probe_of(c));
			for (uint32_t i = 0; i < single / frequent / copies; i++)
				scout_see(scout, mix64(1000000 + scout->random + i));
		}
	return scout_frequent(scout, ret, SKETCH_HEAVY_MAX, 1);
}

static void test_scout_finds_the_frequent(void **state)
{
	(void)state;
	struct scout *scout = malloc(sizeof(*scout));
	uint64_t heavy[SKETCH_HEAVY_MAX];

	assert_non_null(scout);
	/* 20 contents of 1 % each among single ones. */
	uint32_t count = scout_stream(scout, 20, 3000, 240000, heavy);
	assert_true(count >= 20);
	for (uint32_t c = 0; c < 20; c++) {
		bool found = false;
		for (uint32_t i = 0; i < 20; i++)
			found = found || heavy[i] == probe_of(c);
		assert_true(found);
	}
	/* Half of the pages may cost a full hash at most: not all of the 50, 2 % each, get in. */
	scout_stream(scout, 50, 3000, 0, heavy);
	count = scout_frequent(scout, heavy, SKETCH_HEAVY_MAX, 0.5);
	assert_in_range(count, 21, 28);
	/* But one that is half of all pages itself is never left to chance, and takes the room of the others. */
	scout_stream(scout, 1, 60000, 60000, heavy);
	count = scout_frequent(scout, heavy, SKETCH_HEAVY_MAX, 0.25);
	assert_int_equal(count, 1);
	assert_true(heavy[0] == probe_of(0));
	scout_init(scout, 1);
	assert_int_equal(scout_frequent(scout, heavy, SKETCH_HEAVY_MAX, 1), 0);
	free(scout);
}

/*
 * Were the smaller probes chosen among equally frequent ones, just those below
 * the threshold would leave the light stratum, and every estimate be biased.
 */
static void test_scout_is_blind_to_the_place(void **state)
{
	(void)state;
	struct scout *scout = malloc(sizeof(*scout));
	uint64_t heavy[SKETCH_HEAVY_MAX];
	double sum = 0;

	assert_non_null(scout);
	scout_init(scout, 3);
	for (uint32_t c = 0; c < 5000; c++)
		for (int copy = 0; copy < SCOUT_HITS; copy++)
			scout_see(scout, probe_of(c));
	uint32_t count = scout_frequent(scout, heavy, 256, 1);
	assert_int_equal(count, 256);
	for (uint32_t i = 0; i < count; i++)
		sum += ldexp((double)heavy[i], -64);
	/* Mean of 256 uniform numbers: 0.5, σ = 0.018 */
	assert_true(fabs(sum / count - 0.5) < 0.08);
	free(scout);
}

/* ---- the count of probes ---- */

static void test_distinct_counts(void **state)
{
	(void)state;
	const uint32_t counts[] = { 0, 1, 10, 1000, 100000, 1000000, 5000000 };
	const size_t sizes[] = { DISTINCT_MIN_BYTES * 64, 128 << 10 };

	for (size_t s = 0; s < 2; s++)
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			struct distinct d;
			assert_int_equal(distinct_init(&d, sizes[s]), 0);
			assert_in_range(distinct_bytes(&d), sizes[s] / 2, sizes[s]);
			for (uint64_t c = 0; c < counts[i]; c++) {
				distinct_add(&d, probe_of(c));
				if (c % 16 == 0)
					distinct_add(&d, probe_of(c));
			}
			struct distinct_count e = distinct_estimate(&d);
			assert_true(fabs(e.count - counts[i]) <= 4 * sqrt(e.variance) + 1e-9);
			/* And the stated error is a small one. */
			double most = s ? 0.01 : 0.08;
			assert_true(sqrt(e.variance) <= most * counts[i] + 1);
			distinct_free(&d);
		}
}

static void test_distinct_too_full(void **state)
{
	(void)state;
	struct distinct d;

	assert_int_equal(distinct_init(&d, 0), 0);
	for (uint64_t c = 0; c < 10000000; c++)
		distinct_add(&d, probe_of(c));
	assert_true(isinf(distinct_estimate(&d).variance));
	distinct_free(&d);
}

static void test_distinct_joins(void **state)
{
	(void)state;
	struct distinct a, b, both;

	assert_false(distinct_init(&a, 4096) || distinct_init(&b, 4096) || distinct_init(&both, 4096));
	for (uint64_t c = 0; c < 3000; c++) {
		distinct_add(c % 2 ? &a : &b, probe_of(c));
		distinct_add(&both, probe_of(c));
	}
	assert_true(distinct_join(&a, &b));
	assert_memory_equal(a.words, both.words, distinct_bytes(&a));
	distinct_free(&b);
	assert_false(distinct_init(&b, 8192));
	assert_false(distinct_join(&a, &b));
	distinct_free(&a);
	distinct_free(&b);
	distinct_free(&both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_are_exact),
		cmocka_unit_test(test_thins_in_place),
		cmocka_unit_test(test_lowered),
		cmocka_unit_test(test_memory_bound),
		cmocka_unit_test(test_memory_is_not_left),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_refuses_options),
		cmocka_unit_test(test_heavy_is_kept_whole),
		cmocka_unit_test(test_heavy_probe_of_many_contents),
		cmocka_unit_test(test_merge_is_addition),
		cmocka_unit_test(test_merge_maps_owners),
		cmocka_unit_test(test_merge_refuses),
		cmocka_unit_test(test_forgets_an_owner),
		cmocka_unit_test(test_unsee),
		cmocka_unit_test(test_phase_moves_everybody),
		cmocka_unit_test(test_scout_finds_the_frequent),
		cmocka_unit_test(test_scout_is_blind_to_the_place),
		cmocka_unit_test(test_distinct_counts),
		cmocka_unit_test(test_distinct_too_full),
		cmocka_unit_test(test_distinct_joins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
