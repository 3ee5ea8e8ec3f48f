// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Acting for as long as a daemon lives, on an engine made of plain files: knobs
 * written again and again, foreign writes, a daemon that hangs or is killed.
 */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act/keep.h"
#include "act/state.h"
#include "sys/ksm_read.h"

struct fixture {
	char path[64], state[80];
	struct sysroot root;
	struct keeper *keeper;
};

static void put(const struct fixture *f, enum knob knob, int number)
{
	char path[192];
	snprintf(path, sizeof(path), "%s/" KSM_DIRECTORY "/%s", f->path, knobs[knob].name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%d\n", number);
	fclose(file);
}

static int get(const struct fixture *f, enum knob knob)
{
	return (int)value_or(ksm_knob_read(&f->root, knob), -1);
}

static int set_up(void **context)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char command[192];
	*context = f;
	/* thousands of syncs: not on a disk where it can be helped */
	strcpy(f->path, access("/dev/shm", W_OK) ? "/tmp/keep.XXXXXX" : "/dev/shm/keep.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	snprintf(f->state, sizeof(f->state), "%s/state", f->path);
	snprintf(command, sizeof(command), "mkdir -p %s/proc %s/" KSM_DIRECTORY, f->path, f->path);
	if (system(command))
		return -1;
	put(f, KNOB_RUN, 0);
	put(f, KNOB_PAGES_TO_SCAN, 100);
	return sysroot_open(&f->root, f->path, NULL);
}

static int tear_down(void **context)
{
	struct fixture *f = *context;
	char command[96];
	sysroot_close(&f->root);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	free(f);
	return system(command);
}

static void begin(struct fixture *f, double hang_seconds)
{
	struct undo_report left;
	struct error err = { 0 };
	int rc = keeper_open(&f->keeper, &f->root, f->state, "policyd", hang_seconds, &left, &err);
	undo_report_free(&left);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, 0);
}

static enum change_outcome set(struct fixture *f, enum knob knob, int before, int after)
{
	struct change change = { .kind = CHANGE_KNOB, .knob = knob, .before = before, .after = after };
	const struct plan plan = { .changes = &change, .count = 1 };
	struct change_result result = { 0 };
	struct error err;
	assert_int_equal(keeper_carry_out(f->keeper, &plan, &result, &err), 0);
	return result.outcome;
}

static size_t journals(const struct fixture *f)
{
	char (*names)[JOURNAL_NAME_BYTES];
	struct state_dir state;
	size_t count;
	assert_int_equal(state_open(&state, f->state, 5, NULL), 0);
	assert_int_equal(state_journals(&state, &names, &count, NULL), 0);
	free(names);
	state_close(&state);
	return count;
}

static void test_the_first_value_is_the_way_back(void **context)
{
	struct fixture *f = *context;
	begin(f, 0);
	assert_int_equal(set(f, KNOB_PAGES_TO_SCAN, 100, 500), CHANGE_DONE);
	assert_int_equal(set(f, KNOB_RUN, 0, 1), CHANGE_DONE);
	for (int i = 0; i < 50; i++)
		assert_int_equal(set(f, KNOB_PAGES_TO_SCAN, 500 + i, 501 + i), CHANGE_DONE);
	assert_int_equal(get(f, KNOB_PAGES_TO_SCAN), 550);
	assert_int_equal(keeper_close(f->keeper, false, NULL), 0);
	assert_int_equal(get(f, KNOB_PAGES_TO_SCAN), 100);
	assert_int_equal(get(f, KNOB_RUN), 0);
	assert_int_equal(journals(f), 0);
}

static void test_a_journal_is_renewed(void **context)
{
	struct fixture *f = *context;
	begin(f, 0);
	assert_int_equal(set(f, KNOB_RUN, 0, 1), CHANGE_DONE);
	for (int i = 0; i < 4000; i++)
		assert_int_equal(set(f, KNOB_PAGES_TO_SCAN, 100 + i, 101 + i), CHANGE_DONE);
	assert_int_equal(keeper_close(f->keeper, false, NULL), 0);
	assert_int_equal(get(f, KNOB_PAGES_TO_SCAN), 100);
	assert_int_equal(get(f, KNOB_RUN), 0);
	assert_int_equal(journals(f), 0);
}

static void test_a_foreign_write_wins(void **context)
{
	struct fixture *f = *context;
	begin(f, 0);
	assert_int_equal(set(f, KNOB_PAGES_TO_SCAN, 100, 500), CHANGE_DONE);
	put(f, KNOB_PAGES_TO_SCAN, 777);
	assert_int_equal(set(f, KNOB_PAGES_TO_SCAN, 500, 600), CHANGE_FOREIGN);
	assert_int_equal(get(f, KNOB_PAGES_TO_SCAN), 777);
	/* taken up again later, on purpose: their value is the way back now */
	assert_int_equal(set(f, KNOB_PAGES_TO_SCAN, 777, 600), CHANGE_DONE);
	assert_int_equal(keeper_close(f->keeper, false, NULL), 0);
	assert_int_equal(get(f, KNOB_PAGES_TO_SCAN), 777);
}

static void test_a_knob_that_fails_is_no_end(void **context)
{
	struct fixture *f = *context;
	begin(f, 0);
	assert_int_equal(set(f, KNOB_SMART_SCAN, 1, 0), CHANGE_REFUSED);	/* this engine has none */
	assert_int_equal(set(f, KNOB_RUN, 0, 1), CHANGE_DONE);
	assert_int_equal(keeper_close(f->keeper, false, NULL), 0);
	assert_int_equal(get(f, KNOB_RUN), 0);
}

static bool comes_true(const struct fixture *f, int run, int tenths)
{
	for (; tenths-- && get(f, KNOB_RUN) != run;)
		usleep(100000);
	return get(f, KNOB_RUN) == run;
}

static void test_a_hang_is_taken_for_the_end(void **context)
{
	struct fixture *f = *context;
	struct error err;
	const struct plan nothing = { 0 };
	begin(f, 1);
	assert_int_equal(set(f, KNOB_RUN, 0, 1), CHANGE_DONE);
	for (int i = 0; i < 4; i++) {		/* signs of life */
		usleep(500000);
		assert_int_equal(keeper_carry_out(f->keeper, &nothing, NULL, &err), 0);
	}
	assert_int_equal(get(f, KNOB_RUN), 1);
	assert_true(comes_true(f, 0, 50));
	assert_int_equal(keeper_carry_out(f->keeper, &nothing, NULL, &err), -EXIT_FAILED);
	assert_non_null(strstr(err.text, "the guardian is gone"));
	assert_int_equal(keeper_close(f->keeper, false, NULL), 0);
	assert_int_equal(journals(f), 0);
}

/* A daemon that is killed: its guardian puts things back, and nothing is left for --restore. */
static void test_what_is_left_is_put_back(void **context)
{
	struct fixture *f = *context;
	struct undo_report report;
	pid_t child = fork();

	if (!child) {
		begin(f, 0);
		set(f, KNOB_RUN, 0, 1);
		for (;;)
			pause();
	}
	assert_true(comes_true(f, 1, 50));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_true(comes_true(f, 0, 50));	/* the guardian */
	assert_int_equal(keeper_restore(&f->root, f->state, "policyd", &report, NULL), 0);
	assert_int_equal(report.failed, 0);
	undo_report_free(&report);
	assert_int_equal(journals(f), 0);
}

static void test_whose_journal(void **context)
{
	(void)context;
	assert_true(state_owns(NULL, "000000000001.000000001-77.journal"));
	assert_false(state_owns(NULL, "000000000001.000000001-77.policyd.journal"));
	assert_true(state_owns("policyd", "000000000001.000000001-77.policyd.journal"));
	assert_false(state_owns("policy", "000000000001.000000001-77.policyd.journal"));
	assert_false(state_owns("policyd", "000000000001.000000001-77.journal"));
	assert_false(state_owns("policyd", "rubbish.journal"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_first_value_is_the_way_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_journal_is_renewed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_foreign_write_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_knob_that_fails_is_no_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_hang_is_taken_for_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_left_is_put_back, set_up, tear_down),
		cmocka_unit_test(test_whose_journal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
