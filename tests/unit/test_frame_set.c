// SPDX-License-Identifier: GPL-2.0-or-later
/* The set of frames that were met. */
#include <errno.h>

#include "core/frame_set.h"
#include "unit.h"

static void each_frame_is_new_once(void **state)
{
	struct frame_set set = { 0 };
	const uint64_t pfns[] = { 0, 1, 63, 64, 65, 32767, 32768, 6000000, (1ull << 30) + 7, 2 };
	bool is_new = false;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof(pfns) / sizeof(pfns[0]); i++) {
			is_new = round;
			assert_int_equal(frame_set_add(&set, pfns[i], &is_new), 0);
			assert_int_equal(is_new, !round);
		}
	/* neighbours of those were never met */
	assert_int_equal(frame_set_add(&set, 66, &is_new), 0);
	assert_true(is_new);
	assert_int_equal(frame_set_add(&set, (1ull << 30) + 8, &is_new), 0);
	assert_true(is_new);
	frame_set_free(&set);
}

static void numbers_beyond_memory_are_refused(void **state)
{
	struct frame_set set = { 0 };
	bool is_new;

	(void)state;
	assert_int_equal(frame_set_add(&set, 1ull << FRAME_SET_BITS, &is_new), -ERANGE);
	assert_int_equal(frame_set_add(&set, UINT64_MAX, &is_new), -ERANGE);
	assert_null(set.words);
	frame_set_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_frame_is_new_once),
		cmocka_unit_test(numbers_beyond_memory_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
