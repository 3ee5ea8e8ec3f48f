// SPDX-License-Identifier: GPL-2.0-or-later
/* Page walks by the processor's counters, on made readings: few machines at hand have counters. */
#include "unit.h"

#include <math.h>

#include "measure/pmu.h"

static void near(double actual, double expected)
{
	assert_true(fabs(actual - expected) < 1e-12);
}

/* Only what was counted between two readings; counters may have run long before. */
static void test_differences(void **state)
{
	struct pmu_reading sum = { .cycles = 1, .walks = { 2, 3 } };
	const struct pmu_reading before = { .cycles = UINT64_MAX - 9, .walks = { 100, 7 } };
	const struct pmu_reading after = { .cycles = 90, .walks = { 140, 7 } };
	(void)state;
	pmu_add(&sum, &before, &after);	/* a counter that wraps around, too */
	assert_int_equal(sum.cycles, 101);
	assert_int_equal(sum.walks[0], 42);
	assert_int_equal(sum.walks[1], 3);
}

/* The event that counts walks is the one that grows with base pages. */
static void test_which_event(void **state)
{
	const struct pmu_reading huge = { .cycles = 1000, .walks = { 10, 500 } };
	const struct pmu_reading first = { .cycles = 2000, .walks = { 800, 1000 } };	/* the second: half, in both */
	const struct pmu_reading second = { .cycles = 2000, .walks = { 0, 1600 } };
	const struct pmu_reading neither = { .cycles = 2000, .walks = { 20, 1000 } };
	(void)state;
	near(pmu_walk_share(&first, &huge), 0.4);
	near(pmu_walk_share(&second, &huge), 0.8);
	near(pmu_walk_share(&neither, &huge), 0);
}

static void test_implausible(void **state)
{
	const struct pmu_reading none = { 0 }, huge = { .cycles = 1000 };
	const struct pmu_reading more_than_cycles = { .cycles = 10, .walks = { 11, 0 } };
	(void)state;
	near(pmu_walk_share(&none, &none), 0);
	near(pmu_walk_share(&none, &huge), 0);
	near(pmu_walk_share(&more_than_cycles, &huge), 0);
}

/* On a machine without counters it says why; with them, a reading is had. */
static void test_this_machine(void **state)
{
	struct pmu pmu;
	struct pmu_reading reading;
	(void)state;
	if (pmu_open(&pmu)) {
		assert_true(pmu_read(&pmu, &reading));
		pmu_close(&pmu);
	} else {
		assert_non_null(pmu.why);
	}
	assert_false(pmu_read(&pmu, &reading));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_which_event),
		cmocka_unit_test(test_implausible),
		cmocka_unit_test(test_this_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
