// SPDX-License-Identifier: GPL-2.0-or-later
/* When the engine counts as having converged, on made and on random histories. */
#include "unit.h"

#include <stdlib.h>

#include "act/converge.h"

static void nothing_to_merge_takes_three_ends_of_scans(void **context)
{
	struct convergence c;
	(void)context;
	convergence_start(&c, 100, 7);
	assert_false(convergence_step(&c, 100, 7));
	assert_false(convergence_step(&c, 101, 7));
	assert_false(convergence_step(&c, 102, 7));
	assert_true(convergence_step(&c, 103, 7));
}

static void growth_asks_for_a_whole_scan_more(void **context)
{
	struct convergence c;
	(void)context;
	convergence_start(&c, 0, 0);
	assert_false(convergence_step(&c, 2, 500));
	assert_false(convergence_step(&c, 2, 1009));
	assert_false(convergence_step(&c, 3, 1009));	/* the scan in which it grew may have gone on growing */
	assert_true(convergence_step(&c, 4, 1009));
}

static void growth_late_in_a_scan_counts_for_the_next(void **context)
{
	struct convergence c;
	(void)context;
	convergence_start(&c, 0, 0);
	assert_false(convergence_step(&c, 3, 1));
	assert_false(convergence_step(&c, 4, 2));
	assert_false(convergence_step(&c, 5, 3));
	assert_false(convergence_step(&c, 6, 3));
	assert_true(convergence_step(&c, 7, 3));
}

static void a_fall_is_no_growth(void **context)
{
	struct convergence c;
	(void)context;
	convergence_start(&c, 0, 1000);
	assert_false(convergence_step(&c, 1, 400));	/* somebody unmerged */
	assert_false(convergence_step(&c, 2, 800));
	assert_true(convergence_step(&c, 3, 900));	/* never above what was there at first */
}

static void scans_that_go_backwards_start_anew(void **context)
{
	struct convergence c;
	(void)context;
	convergence_start(&c, 1000, 0);
	assert_false(convergence_step(&c, 1002, 0));
	assert_false(convergence_step(&c, 5, 0));
	assert_false(convergence_step(&c, 7, 0));
	assert_true(convergence_step(&c, 8, 0));
}

/*
 * An engine that merges at random moments, read at random moments: never
 * converged before three ends of scans, nor when a merge happened since the
 * beginning of the last whole scan; and always in the end.
 */
static void on_random_histories(void **context)
{
	(void)context;
	srand(1009);
	for (int round = 0; round < 20000; round++) {
		struct convergence c;
		int64_t pages = 0, scans = rand() % 50, first = scans, merged_in = scans, last = scans + rand() % 12;
		bool converged = false;
		convergence_start(&c, scans, pages);
		for (int moment = 0; moment < 400 && !converged; moment++) {
			scans += rand() % 8 == 0;
			if (scans < last && rand() % 4 == 0) {
				pages++;
				merged_in = scans;
			}
			if (rand() % 3 == 0)
				converged = convergence_step(&c, scans, pages);
			if (converged) {
				assert_true(scans - first >= 3);
				assert_true(scans - merged_in >= 2);
			}
		}
		assert_true(converged || scans - last < 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_merge_takes_three_ends_of_scans),
		cmocka_unit_test(growth_asks_for_a_whole_scan_more),
		cmocka_unit_test(growth_late_in_a_scan_counts_for_the_next),
		cmocka_unit_test(a_fall_is_no_growth),
		cmocka_unit_test(scans_that_go_backwards_start_anew),
		cmocka_unit_test(on_random_histories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
