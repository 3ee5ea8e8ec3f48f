// SPDX-License-Identifier: GPL-2.0-or-later
/* The books of the fault probe where processes come and go: who has ended is forgotten, sums and room stay right. */
#include "unit.h"

#include "probe/fault_table.h"

#define FAULTS_EACH 3

struct crowd {
	struct fault_table table;
	size_t dropped;
};

static void on_dropped(pid_t pid, void *context)
{
	(void)pid;
	((struct crowd *)context)->dropped++;
}

/* An interval in which the processes first … first + count - 1 have faults; all of them are listed, and pid 1. */
static void interval(struct crowd *c, pid_t first, size_t count, bool listed)
{
	fault_table_begin(&c->table);
	for (size_t i = 0; i < count; i++) {
		struct fault_counts counts = { .kind = { FAULTS_EACH } };
		assert_true(fault_table_see(&c->table, first + (pid_t)i, &counts));
	}
	fault_table_close_window(&c->table, 1);
	assert_true(fault_table_know(&c->table, 1, 1, 1));
	for (size_t i = 0; listed && i < count; i++)
		assert_true(fault_table_know(&c->table, first + (pid_t)i, 1, FAULTS_EACH));
	fault_table_end(&c->table, 1, (double)count * FAULTS_EACH, 0);
	fault_table_forget_ended(&c->table, on_dropped, c);
}

static void test_who_has_ended_is_forgotten(void **state)
{
	struct crowd c = { 0 };
	uint64_t seen = 0;

	(void)state;
	for (pid_t first = 1000; first < 1000 + 200 * 500; first += 500, seen += 500)
		interval(&c, first, 500, true);
	/* those of the last intervals, and pid 1 */
	assert_in_range(c.table.count, 1, 1 + 500 * (FAULT_TABLE_ENDED + 1));
	assert_in_range(c.table.room, c.table.count, 4096);
	assert_int_equal(c.dropped + c.table.count, seen + 1);
	assert_int_equal(c.table.consumed, seen * FAULTS_EACH);
	fault_table_free(&c.table);
}

static void test_room_is_given_back(void **state)
{
	struct crowd c = { 0 };

	(void)state;
	interval(&c, 1000, 20000, true);
	assert_true(c.table.room >= 20000);
	for (int i = 0; i <= FAULT_TABLE_ENDED; i++)
		interval(&c, 100000, 1, true);
	assert_int_equal(c.table.count, 2);
	assert_in_range(c.table.room, 2, 256);
	fault_table_free(&c.table);
}

/* A process that began after the list was read is in none yet: its counters are still those of its beginning. */
static void test_a_late_one_is_not_forgotten(void **state)
{
	struct crowd c = { 0 };
	struct fault_counts counts = { .kind = { FAULTS_EACH + 4 } };

	(void)state;
	interval(&c, 1000, 1, false);
	assert_int_equal(c.dropped, 0);
	fault_table_begin(&c.table);
	assert_true(fault_table_see(&c.table, 1000, &counts));
	fault_table_close_window(&c.table, 1);
	assert_int_equal(c.table.consumed, FAULTS_EACH + 4);
	fault_table_free(&c.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_has_ended_is_forgotten),
		cmocka_unit_test(test_room_is_given_back),
		cmocka_unit_test(test_a_late_one_is_not_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
