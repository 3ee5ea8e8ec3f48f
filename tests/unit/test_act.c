// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carrying out, restoring and undoing on an engine made of plain files, where
 * any of them can fail, vanish or be changed by somebody else in between.
 * What the kernel adds to it is tested on the kernel (tests/live/test_act.c).
 */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act/apply.h"
#include "act/journal.h"
#include "sys/ksm_read.h"
#include "sys/ksm_write.h"

#define NOBODY 65534

/* What the made engine is set to; advisor_mode as the kernel shows it. */
static const struct {
	enum knob knob;
	const char *text;
} found[] = {
	{ KNOB_RUN, "0\n" },
	{ KNOB_PAGES_TO_SCAN, "100\n" },
	{ KNOB_SLEEP_MILLISECS, "20\n" },
	{ KNOB_SMART_SCAN, "1\n" },
	{ KNOB_ADVISOR_MODE, "[none] scan-time\n" },
	{ KNOB_FULL_SCANS, "23\n" },
	{ KNOB_PAGES_SHARING, "1009\n" },
};
#define FOUND (sizeof(found) / sizeof(found[0]))

static const struct change changes[] = {
	{ .kind = CHANGE_KNOB, .knob = KNOB_SMART_SCAN, .before = 1, .after = 0 },
	{ .kind = CHANGE_KNOB, .knob = KNOB_PAGES_TO_SCAN, .before = 100, .after = 5003 },
	{ .kind = CHANGE_KNOB, .knob = KNOB_SLEEP_MILLISECS, .before = 20, .after = 7 },
	{ .kind = CHANGE_KNOB, .knob = KNOB_RUN, .before = 0, .after = 1 },
};
enum { SMART_SCAN, PAGES_TO_SCAN, SLEEP_MILLISECS, RUN, CHANGES };

struct fixture {
	char path[64], state[80];
	struct sysroot root;
	struct plan plan;
};

static void knob_path(const struct fixture *f, enum knob knob, char ret[192])
{
	snprintf(ret, 192, "%s/" KSM_DIRECTORY "/%s", f->path, knobs[knob].name);
}

static void put(const struct fixture *f, enum knob knob, const char *text)
{
	char path[192];
	knob_path(f, knob, path);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int64_t get(const struct fixture *f, enum knob knob)
{
	return value_or(ksm_knob_read(&f->root, knob), -1);
}

static int set_up(void **context)
{
	static const char *const directories[] = { "proc", "sys", "sys/kernel", "sys/kernel/mm", KSM_DIRECTORY };
	struct fixture *f = calloc(1, sizeof(*f));
	char path[192];
	*context = f;
	strcpy(f->path, "/tmp/act.XXXXXX");
	if (!mkdtemp(f->path) || chmod(f->path, 0755))
		return -1;
	snprintf(f->state, sizeof(f->state), "%s/state", f->path);
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->path, directories[i]);
		if (mkdir(path, 0755))
			return -1;
	}
	for (size_t i = 0; i < FOUND; i++)
		put(f, found[i].knob, found[i].text);
	f->plan = (struct plan){ .changes = malloc(sizeof(changes)), .count = CHANGES };
	memcpy(f->plan.changes, changes, sizeof(changes));
	return sysroot_open(&f->root, f->path, NULL);
}

static int tear_down(void **context)
{
	struct fixture *f = *context;
	char command[96];
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	sysroot_close(&f->root);
	free(f->plan.changes);
	int rc = system(command);
	free(f);
	return rc;
}

static struct act *begin(struct fixture *f)
{
	struct act *act;
	struct error err = { 0 };
	int rc = act_begin(&act, &f->root, f->state, &f->plan, &err);
	if (rc)
		print_message("%s\n", err.text);
	assert_int_equal(rc, 0);
	return act;
}

static void check_carried_out(const struct fixture *f, const struct act *act)
{
	for (size_t i = 0; i < f->plan.count; i++) {
		assert_int_equal(act_results(act)[i].outcome, CHANGE_DONE);
		assert_int_equal(get(f, f->plan.changes[i].knob), f->plan.changes[i].after);
	}
}

/* All as at first, but for one knob (KNOB_COUNT: none). */
static void check_restored(const struct fixture *f, enum knob but)
{
	for (size_t i = 0; i < FOUND; i++) {
		int64_t expected = found[i].knob == KNOB_ADVISOR_MODE ? ADVISOR_NONE : atoi(found[i].text);
		if (found[i].knob != but)
			assert_int_equal(get(f, found[i].knob), expected);
	}
}

static size_t journals(const struct fixture *f)
{
	char (*names)[JOURNAL_NAME_BYTES];
	struct state_dir state;
	size_t count;
	assert_int_equal(state_open(&state, f->state, 0, NULL), 0);
	assert_int_equal(state_journals(&state, &names, &count, NULL), 0);
	free(names);
	state_close(&state);
	return count;
}

static struct undo_report undo(const struct fixture *f)
{
	struct undo_report report;
	assert_int_equal(act_undo(&f->root, f->state, NULL, 0, &report, NULL), 0);
	struct undo_report counts = report;
	undo_report_free(&report);
	counts.lines = NULL;
	return counts;
}

static void apply_then_finish_is_the_identity(void **context)
{
	struct fixture *f = *context;
	struct error err;
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, &err), 0);
	check_carried_out(f, act);
	assert_int_equal(act_finish(act, true, &err), 0);
	check_restored(f, KNOB_COUNT);
	for (size_t i = 0; i < CHANGES; i++)
		assert_int_equal(act_results(act)[i].outcome, CHANGE_RESTORED);
	act_free(act);
	assert_int_equal(journals(f), 0);
}

static void without_a_finish_all_is_put_back(void **context)
{
	struct fixture *f = *context;
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	check_carried_out(f, act);
	act_free(act);
	check_restored(f, KNOB_COUNT);
	assert_int_equal(journals(f), 0);
}

/* The k-th write fails: an error, and nothing is left changed. Each k in turn. */
static void any_write_may_fail(void **context)
{
	struct fixture *f = *context;
	for (size_t k = 0; k < CHANGES; k++) {
		char path[192], aside[200];
		struct error err;
		knob_path(f, changes[k].knob, path);
		snprintf(aside, sizeof(aside), "%s.aside", path);
		assert_int_equal(rename(path, aside), 0);
		struct act *act = begin(f);
		assert_int_equal(act_carry_out(act, NULL, &err), -EXIT_KERNEL_CANNOT);
		assert_non_null(strstr(err.text, knobs[changes[k].knob].name));
		assert_int_equal(act_results(act)[k].outcome, CHANGE_REFUSED);
		for (size_t i = 0; i < CHANGES; i++)
			if (i != k)
				assert_int_equal(get(f, changes[i].knob), i < k ? changes[i].after : changes[i].before);
		assert_int_equal(act_finish(act, true, &err), 0);
		act_free(act);
		assert_int_equal(rename(aside, path), 0);
		check_restored(f, KNOB_COUNT);
		assert_int_equal(journals(f), 0);
	}
}

/* The same where the file is there and may not be written: as somebody who is not root. */
static void a_file_that_may_not_be_written(void **context)
{
	struct fixture *f = *context;
	char path[192];
	struct error err;
	bool root = geteuid() == 0;
	for (size_t i = 0; i < FOUND; i++) {
		knob_path(f, found[i].knob, path);
		assert_int_equal(root ? chown(path, NOBODY, NOBODY) : 0, 0);
	}
	knob_path(f, KNOB_SLEEP_MILLISECS, path);
	assert_int_equal(chmod(path, 0444), 0);
	assert_int_equal(root ? chown(f->path, NOBODY, NOBODY) : 0, 0);
	assert_int_equal(root ? seteuid(NOBODY) : 0, 0);
	struct act *act = begin(f);
	int rc = act_carry_out(act, NULL, &err);
	int64_t during = get(f, KNOB_PAGES_TO_SCAN);
	int finished = act_finish(act, true, NULL);
	act_free(act);
	assert_int_equal(root ? seteuid(0) : 0, 0);
	assert_int_equal(rc, -EXIT_NOT_PERMITTED);
	assert_non_null(strstr(err.text, "sleep_millisecs: Permission denied: only root may write it"));
	assert_int_equal(during, 5003);
	assert_int_equal(finished, 0);
	check_restored(f, KNOB_COUNT);
}

static void somebody_elses_value_is_left_alone(void **context)
{
	struct fixture *f = *context;
	struct error err;
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, &err), 0);
	put(f, KNOB_PAGES_TO_SCAN, "4001\n");
	assert_int_equal(act_finish(act, true, &err), 0);
	assert_int_equal(get(f, KNOB_PAGES_TO_SCAN), 4001);
	check_restored(f, KNOB_PAGES_TO_SCAN);
	assert_int_equal(act_results(act)[PAGES_TO_SCAN].outcome, CHANGE_FOREIGN);
	assert_non_null(strstr(act_results(act)[PAGES_TO_SCAN].text, "4001"));
	assert_int_equal(act_results(act)[RUN].outcome, CHANGE_RESTORED);
	act_free(act);
	assert_int_equal(journals(f), 0);
	assert_int_equal(undo(f).foreign, 0);		/* said once; the next undo has nothing to do with it */
}

static void what_was_put_back_by_somebody_is_restored(void **context)
{
	struct fixture *f = *context;
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	put(f, KNOB_RUN, "0\n");
	assert_int_equal(act_finish(act, true, NULL), 0);
	assert_int_equal(act_results(act)[RUN].outcome, CHANGE_RESTORED);
	check_restored(f, KNOB_COUNT);
	act_free(act);
}

/* Found at another value than planned: that one is the one to go back to. */
static void what_was_found_is_restored_not_what_was_planned(void **context)
{
	struct fixture *f = *context;
	put(f, KNOB_PAGES_TO_SCAN, "4001\n");
	put(f, KNOB_SMART_SCAN, "0\n");			/* already as wanted: not ours to restore */
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	check_carried_out(f, act);
	put(f, KNOB_SMART_SCAN, "1\n");
	assert_int_equal(act_finish(act, true, NULL), 0);
	assert_int_equal(get(f, KNOB_PAGES_TO_SCAN), 4001);
	assert_int_equal(get(f, KNOB_SMART_SCAN), 1);
	assert_int_equal(act_results(act)[SMART_SCAN].outcome, CHANGE_DONE);
	check_restored(f, KNOB_PAGES_TO_SCAN);
	act_free(act);
}

/* Gone when it should be restored: the others are, the journal stays, and a later undo does the rest. */
static void a_vanished_file_is_restored_later(void **context)
{
	struct fixture *f = *context;
	struct undo_report report;
	struct error err;
	struct act *act = begin(f), *second;
	char path[192], aside[200];
	knob_path(f, KNOB_SLEEP_MILLISECS, path);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(act_finish(act, true, &err), -EXIT_FAILED);
	assert_int_equal(act_results(act)[SLEEP_MILLISECS].outcome, CHANGE_STUCK);
	act_free(act);
	check_restored(f, KNOB_SLEEP_MILLISECS);
	assert_int_equal(journals(f), 1);
	report = undo(f);
	assert_int_equal(report.failed, 1);
	assert_int_equal(rename(aside, path), 0);
	assert_int_equal(act_begin(&second, &f->root, f->state, &f->plan, &err), -EXIT_FAILED);
	assert_non_null(strstr(err.text, "undo it first"));
	report = undo(f);
	assert_int_equal(report.restored, 1);
	assert_int_equal(report.count, 1);
	check_restored(f, KNOB_COUNT);
	assert_int_equal(journals(f), 0);
	assert_int_equal(undo(f).count, 0);
}

static void run_2_is_never_written(void **context)
{
	struct fixture *f = *context;
	struct error err;
	assert_int_equal(ksm_knob_write(&f->root, KNOB_RUN, 2, &err), -EXIT_FAILED);
	assert_int_equal(get(f, KNOB_RUN), 0);
	put(f, KNOB_RUN, "2\n");
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	assert_int_equal(get(f, KNOB_RUN), 1);
	assert_int_equal(act_finish(act, true, NULL), 0);
	assert_int_equal(get(f, KNOB_RUN), 0);
	assert_int_equal(act_results(act)[RUN].outcome, CHANGE_RESTORED);
	assert_non_null(strstr(act_results(act)[RUN].text, "never written"));
	act_free(act);
}

static void values_out_of_bounds_are_refused(void **context)
{
	struct fixture *f = *context;
	struct error err;
	assert_int_equal(ksm_knob_write(&f->root, KNOB_PAGES_TO_SCAN, -1, &err), -EXIT_FAILED);
	assert_int_equal(ksm_knob_write(&f->root, KNOB_PAGES_TO_SCAN, 1ll << 32, &err), -EXIT_FAILED);
	assert_int_equal(ksm_knob_write(&f->root, KNOB_PAGES_SHARING, 1, &err), -EXIT_FAILED);
	assert_int_equal(ksm_knob_write(&f->root, KNOB_MAX_PAGE_SHARING, 3, &err), -EXIT_KERNEL_CANNOT);
	check_restored(f, KNOB_COUNT);
}

/* Backwards: at no moment is pages_to_scan put back while the advisor, put back first, would refuse it. */
static void the_advisor_comes_back_last(void **context)
{
	struct fixture *f = *context;
	struct undo_report report;
	put(f, KNOB_ADVISOR_MODE, "none [scan-time]\n");
	f->plan.changes[SMART_SCAN] = (struct change){ .kind = CHANGE_KNOB, .knob = KNOB_ADVISOR_MODE,
						       .before = ADVISOR_SCAN_TIME, .after = ADVISOR_NONE };
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	check_carried_out(f, act);
	assert_int_equal(act_finish(act, true, NULL), 0);
	assert_int_equal(get(f, KNOB_ADVISOR_MODE), ADVISOR_SCAN_TIME);
	assert_int_equal(get(f, KNOB_PAGES_TO_SCAN), 100);
	assert_int_equal(act_results(act)[PAGES_TO_SCAN].outcome, CHANGE_RESTORED);	/* not "left to the advisor" */
	act_free(act);

	/* switched on by somebody else meanwhile: pages_to_scan is the kernel's now */
	put(f, KNOB_ADVISOR_MODE, "[none] scan-time\n");
	memcpy(f->plan.changes, changes, sizeof(changes));
	act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	put(f, KNOB_ADVISOR_MODE, "none [scan-time]\n");
	assert_int_equal(act_finish(act, true, NULL), 0);
	assert_int_equal(act_results(act)[PAGES_TO_SCAN].outcome, CHANGE_FOREIGN);
	assert_int_equal(get(f, KNOB_PAGES_TO_SCAN), 5003);
	act_free(act);
	report = undo(f);
	assert_int_equal(report.count, 0);
}

/* The kernel sets pages_to_scan when the advisor is switched on, and again when it is switched off. */
static void what_the_advisor_overwrites_is_restored(void **context)
{
	struct fixture *f = *context;
	struct change on = { .kind = CHANGE_KNOB, .knob = KNOB_ADVISOR_MODE, .before = ADVISOR_NONE,
			     .after = ADVISOR_SCAN_TIME };
	f->plan.changes[0] = on;
	f->plan.count = 1;
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	put(f, KNOB_PAGES_TO_SCAN, "500\n");		/* as the kernel does */
	assert_int_equal(act_finish(act, true, NULL), 0);
	check_restored(f, KNOB_COUNT);
	act_free(act);
	assert_int_equal(journals(f), 0);
}

static void one_at_a_time(void **context)
{
	struct fixture *f = *context;
	struct undo_report report;
	struct error err;
	struct act *act = begin(f), *second;
	assert_int_equal(act_begin(&second, &f->root, f->state, &f->plan, &err), -EXIT_FAILED);
	assert_non_null(strstr(err.text, "another plan"));
	assert_null(second);
	assert_int_equal(act_undo(&f->root, f->state, NULL, 0, &report, &err), -EXIT_FAILED);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	act_free(act);
	check_restored(f, KNOB_COUNT);
	act_free(begin(f));
}

static void a_stop_ends_before_the_first_write(void **context)
{
	struct fixture *f = *context;
	volatile sig_atomic_t stop = 1;
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, &stop, NULL), 0);
	assert_int_equal(act_results(act)[0].outcome, CHANGE_PENDING);
	check_restored(f, KNOB_COUNT);
	act_free(act);
}

/* Processes of a captured system are nobody's to stop: a PID there is somebody else here. */
static void captured_processes_are_left_alone(void **context)
{
	struct fixture *f = *context;
	f->plan.changes[0] = (struct change){ .kind = CHANGE_PRCTL, .pid = getpid() };
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	assert_int_equal(act_results(act)[0].outcome, CHANGE_REFUSED);
	assert_int_equal(act_results(act)[RUN].outcome, CHANGE_DONE);
	assert_int_equal(act_finish(act, false, NULL), 0);
	check_restored(f, KNOB_COUNT);
	act_free(act);
}

/* The program and its guardian both killed: the journal alone is enough. */
static void the_journal_alone_is_enough(void **context)
{
	struct fixture *f = *context;
	struct journal journal;
	struct state_dir state;
	char boot[] = "-";
	assert_int_equal(state_open(&state, f->state, 0, NULL), 0);
	assert_int_equal(journal_create(&journal, &state, boot, NULL), 0);
	for (size_t i = 0; i < CHANGES; i++) {
		const struct change *c = &changes[i];
		struct record r = { .kind = RECORD_KNOB, .knob = c->knob, .before = c->before, .after = c->after };
		assert_int_equal(journal_add(&journal, &r, NULL), 0);
		if (i + 1 < CHANGES)		/* died between the journal and the last write */
			assert_int_equal(ksm_knob_write(&f->root, c->knob, c->after, NULL), 0);
	}
	journal_close(&journal);
	state_close(&state);
	assert_int_equal(undo(f).restored, CHANGES);
	check_restored(f, KNOB_COUNT);
	assert_int_equal(journals(f), 0);
}

static void what_another_boot_left_is_gone(void **context)
{
	struct fixture *f = *context;
	struct journal journal;
	struct state_dir state;
	struct record r = { .kind = RECORD_KNOB, .knob = KNOB_RUN, .before = 1, .after = 0 };
	assert_int_equal(state_open(&state, f->state, 0, NULL), 0);
	assert_int_equal(journal_create(&journal, &state, "another-boot", NULL), 0);
	assert_int_equal(journal_add(&journal, &r, NULL), 0);
	journal_close(&journal);
	state_close(&state);
	struct undo_report report = undo(f);
	assert_int_equal(report.gone, 1);
	assert_int_equal(get(f, KNOB_RUN), 0);
	assert_int_equal(journals(f), 0);
}

static void a_journal_of_rubbish_stops_a_begin(void **context)
{
	struct fixture *f = *context;
	struct act *act = begin(f), *second;
	struct error err;
	char path[160];
	act_free(act);
	snprintf(path, sizeof(path), "%s/1.journal", f->state);
	FILE *file = fopen(path, "w");
	fputs("rubbish\n", file);
	fclose(file);
	assert_int_equal(act_begin(&second, &f->root, f->state, &f->plan, &err), -EXIT_FAILED);
	assert_non_null(strstr(err.text, "1.journal:1:"));
	struct undo_report report = undo(f);
	assert_int_equal(report.failed, 1);
	assert_int_equal(journals(f), 1);
	check_restored(f, KNOB_COUNT);
}

static void an_engine_that_stands_still_is_not_waited_for(void **context)
{
	struct fixture *f = *context;
	struct act_progress progress;
	struct error err;
	f->plan.count = RUN;		/* all but run */
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	assert_int_equal(act_wait(act, 60, NULL, NULL, NULL, &progress, &err), -EXIT_FAILED);
	assert_non_null(strstr(err.text, "not running"));
	act_free(act);
	check_restored(f, KNOB_COUNT);
}

static void a_deadline_ends_the_wait(void **context)
{
	struct fixture *f = *context;
	struct act_progress progress;
	struct act *act = begin(f);
	assert_int_equal(act_carry_out(act, NULL, NULL), 0);
	put(f, KNOB_PAGES_SHARING, "1032\n");
	assert_int_equal(act_wait(act, 0.3, NULL, NULL, NULL, &progress, NULL), 0);
	assert_false(progress.converged);
	assert_int_equal(progress.gained_pages, 23);
	assert_int_equal(progress.pages_sharing, 1032);
	assert_int_equal(progress.full_scans, 0);
	assert_true(progress.ksmd_seconds < 0);		/* there is no ksmd in this tree */
	put(f, KNOB_PAGES_SHARING, "1009\n");
	act_free(act);
	check_restored(f, KNOB_COUNT);
}

static void advisor_modes(void **context)
{
	static const char *const bad[] = { "", "\n", "[]", "[none scan-time", "scan", "none scan-time",
					   "[scan-tim] none" };
	enum advisor_mode mode;
	(void)context;
	assert_true(advisor_mode_parse("[none] scan-time\n", &mode) && mode == ADVISOR_NONE);
	assert_true(advisor_mode_parse("none [scan-time]\n", &mode) && mode == ADVISOR_SCAN_TIME);
	assert_true(advisor_mode_parse("scan-time\n", &mode) && mode == ADVISOR_SCAN_TIME);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(advisor_mode_parse(bad[i], &mode));
}

static void the_whole_engine_is_read(void **context)
{
	struct fixture *f = *context;
	struct engine engine;
	char path[192];
	snprintf(path, sizeof(path), "%s/proc/37", f->path);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/proc/37/stat", f->path);
	FILE *file = fopen(path, "w");
	fputs("37 (ksmd) S 2 0 0 0 -1 2097216 0 0 0 0 23 1009 0 0 25 5 1 0 27 0 0\n", file);
	fclose(file);
	snprintf(path, sizeof(path), "%s/proc/vmstat", f->path);
	file = fopen(path, "w");
	fputs("nr_free_pages 1\ncow_ksm 7919\nzswpin 0\n", file);
	fclose(file);
	put(f, KNOB_GENERAL_PROFIT, "-64\n");
	ksm_read(&f->root, &engine);
	assert_int_equal(value_or(engine.knob[KNOB_FULL_SCANS], -1), 23);
	assert_int_equal(value_or(engine.knob[KNOB_GENERAL_PROFIT], 0), -64);
	assert_int_equal(value_or(engine.knob[KNOB_ADVISOR_MODE], -1), ADVISOR_NONE);
	assert_int_equal(engine.knob[KNOB_USE_ZERO_PAGES].known, ABSENT);
	assert_int_equal(value_or(engine.ksmd_cpu_ticks, -1), 1032);
	assert_int_equal(value_or(engine.cow_ksm, -1), 7919);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(apply_then_finish_is_the_identity),
		TEST(without_a_finish_all_is_put_back),
		TEST(any_write_may_fail),
		TEST(a_file_that_may_not_be_written),
		TEST(somebody_elses_value_is_left_alone),
		TEST(what_was_put_back_by_somebody_is_restored),
		TEST(what_was_found_is_restored_not_what_was_planned),
		TEST(a_vanished_file_is_restored_later),
		TEST(run_2_is_never_written),
		TEST(values_out_of_bounds_are_refused),
		TEST(the_advisor_comes_back_last),
		TEST(what_the_advisor_overwrites_is_restored),
		TEST(one_at_a_time),
		TEST(a_stop_ends_before_the_first_write),
		TEST(captured_processes_are_left_alone),
		TEST(the_journal_alone_is_enough),
		TEST(what_another_boot_left_is_gone),
		TEST(a_journal_of_rubbish_stops_a_begin),
		TEST(an_engine_that_stands_still_is_not_waited_for),
		TEST(a_deadline_ends_the_wait),
		TEST(advisor_modes),
		TEST(the_whole_engine_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
