// SPDX-License-Identifier: GPL-2.0-or-later
/* Medians and their intervals, costs between measured points, and which calibration is refused. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/huge/calibration.h"

#define DAY_NS 86400000000000ll
#define NOW_NS (20000 * DAY_NS)

static struct measured figure(double median, double spread)
{
	return (struct measured){ .known = KNOWN, .median = median, .low = median - spread, .high = median + spread,
				  .count = 20 };
}

static void made(struct calibration *c)
{
	*c = (struct calibration){ .cpu = "CPU one", .release = "6.12.0", .time_ns = NOW_NS, .page_bytes = 4096,
				   .pmd_bytes = 2u << 20 };
	c->accesses = 3;
	c->access[0] = (struct access_point){ .bytes = 16u << 20, .extra_ns = figure(4, 1) };
	c->access[1] = (struct access_point){ .bytes = 64u << 20, .extra_ns = figure(20, 2) };
	c->access[2] = (struct access_point){ .bytes = 256u << 20, .extra_ns = figure(80, 4) };
	c->scans = 3;
	c->scan[0] = (struct scan_point){ .pages = 1u << 13, .visit_ns = figure(2000, 100), .merge_ns = figure(4000, 0) };
	c->scan[1] = (struct scan_point){ .pages = 1u << 15, .visit_ns = figure(3000, 100), .merge_ns = figure(5000, 0) };
	c->scan[2] = (struct scan_point){ .pages = 1u << 17, .visit_ns = figure(5000, 100), .merge_ns = figure(9000, 0) };
	for (int i = 0; i < COST_COUNT; i++)
		c->cost[i] = figure(1000 * (i + 1), 10);
}

static void test_median(void **state)
{
	double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 3, 2 };
	(void)state;
	struct measured m = measured_of(odd, 3);
	assert_int_equal(m.known, KNOWN);
	assert_true(m.median == 5 && m.low == 1 && m.high == 9 && m.count == 3);
	m = measured_of(even, 4);
	assert_true(m.median == 2.5 && m.low == 1 && m.high == 4);
	assert_int_equal(measured_of(even, 0).known, NOT_READ);
}

static uint64_t next(uint64_t *x)
{
	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return *x >> 33;
}

/* The interval holds the true median in at least 19 of 20 cases, and not by being useless. */
static void test_interval_covers(void **state)
{
	static const size_t counts[] = { 8, 20, 51, 200 };
	uint64_t x = 7;
	(void)state;
	for (size_t k = 0; k < 4; k++) {
		unsigned int held = 0, trials = 4000;
		double width = 0;
		for (unsigned int t = 0; t < trials; t++) {
			double values[200];
			for (size_t i = 0; i < counts[k]; i++)
				values[i] = -log((next(&x) % 1000000 + 0.5) / 1e6);
			struct measured m = measured_of(values, counts[k]);
			held += m.low <= log(2) && log(2) <= m.high;
			width += m.high - m.low;
		}
		assert_true(held >= 0.945 * trials);
		assert_true(width / trials < 8 / sqrt(counts[k]));
	}
}

static void test_access(void **state)
{
	struct calibration c;
	bool beyond;
	(void)state;
	made(&c);
	assert_true(calibration_access(&c, 64u << 20, &beyond).median == 20 && !beyond);
	/* 128 MiB: half way on the logarithm */
	struct measured m = calibration_access(&c, 128u << 20, &beyond);
	assert_true(fabs(m.median - 50) < 1e-9 && fabs(m.low - 47) < 1e-9 && fabs(m.high - 53) < 1e-9 && !beyond);
	m = calibration_access(&c, 4ull << 30, &beyond);
	assert_true(m.median == 80 && beyond);
	/* below the smallest: down to nothing, and never below */
	assert_true(fabs(calibration_access(&c, 8u << 20, &beyond).median - 2) < 1e-9);
	assert_true(calibration_access(&c, 0, &beyond).median == 0);
	for (uint64_t bytes = 1u << 20, last = 0; bytes < 1ull << 33; bytes += bytes / 3) {
		m = calibration_access(&c, bytes, &beyond);
		assert_true(m.median >= last && m.low <= m.median && m.median <= m.high);
		last = m.median;
	}
	/* a difference that came out below nothing costs nothing, at its size, around it and beyond */
	c.access[2].extra_ns.median = c.access[2].extra_ns.low = -3;
	c.access[c.accesses - 1].extra_ns.median = c.access[c.accesses - 1].extra_ns.low = -3;
	assert_true(calibration_access(&c, c.access[2].bytes, &beyond).median == 0);
	m = calibration_access(&c, c.access[c.accesses - 1].bytes * 2, &beyond);
	assert_true(m.median == 0 && m.low == 0 && m.high >= 0 && beyond);
}

/* A size that could not be measured is passed over, and does not count as nought. */
static void test_access_with_holes(void **state)
{
	struct calibration c;
	bool beyond;
	(void)state;
	made(&c);
	c.access[1].extra_ns = (struct measured){ .known = ABSENT };
	assert_true(fabs(calibration_access(&c, 64u << 20, &beyond).median - 42) < 1e-9);
	c.access[0].extra_ns = c.access[2].extra_ns = (struct measured){ .known = ABSENT, .why = "no huge pages" };
	struct measured m = calibration_access(&c, 64u << 20, &beyond);
	assert_int_not_equal(m.known, KNOWN);
	assert_string_equal(m.why, "no huge pages");
	assert_int_not_equal(calibration_access(NULL, 1, &beyond).known, KNOWN);
}

static void test_scan(void **state)
{
	struct calibration c;
	(void)state;
	made(&c);
	assert_true(fabs(calibration_visit(&c, 1u << 14).median - 2500) < 1e-9);
	assert_true(fabs(calibration_visit(&c, 1u << 16).median - 4000) < 1e-9);
	/* beyond the last point on the last line, below the first never cheaper than what was seen */
	assert_true(fabs(calibration_visit(&c, 1u << 19).median - 7000) < 1e-9);
	assert_true(calibration_visit(&c, 1).median == 2000);
	assert_true(calibration_visit(&c, 0).median == 2000);
	assert_true(fabs(calibration_merge(&c, 1u << 16).median - 7000) < 1e-9);
	c.scan[1].visit_ns.known = c.scan[2].visit_ns.known = ABSENT;
	assert_true(calibration_visit(&c, 1u << 14).median == 2000);	/* one point: near it */
	assert_int_not_equal(calibration_visit(&c, 1u << 16).known, KNOWN);
	assert_int_equal(calibration_merge(&c, 1u << 14).known, KNOWN);
	assert_int_not_equal(calibration_merge(NULL, 1).known, KNOWN);
}

static void test_refused(void **state)
{
	struct calibration c;
	struct calibration_facts f = { "CPU one", "6.12.0", NOW_NS, 4096, 2u << 20 };
	char why[256];
	(void)state;
	made(&c);
	assert_null(calibration_refused(&c, &f, why));
	f.time_ns = NOW_NS + CALIBRATION_DAYS * DAY_NS;
	assert_null(calibration_refused(&c, &f, why));
	f.time_ns++;
	assert_null(strstr(calibration_refused(&c, &f, why), "future"));
	assert_non_null(strstr(why, "90 days"));
	f.time_ns = NOW_NS - DAY_NS;
	assert_non_null(strstr(calibration_refused(&c, &f, why), "future"));
	f.time_ns = NOW_NS;
	f.release = "6.12.1";
	assert_non_null(strstr(calibration_refused(&c, &f, why), "6.12.1"));
	f.release = "6.12.0";
	f.cpu = "CPU two";
	assert_non_null(strstr(calibration_refused(&c, &f, why), "CPU two"));
	f.cpu = "CPU one";
	f.pmd_bytes = 32u << 20;
	assert_non_null(calibration_refused(&c, &f, why));
	f.pmd_bytes = 2u << 20;
	f.page_bytes = 16384;
	assert_non_null(calibration_refused(&c, &f, why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median),
		cmocka_unit_test(test_interval_covers),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_access_with_holes),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
