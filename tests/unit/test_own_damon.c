// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A DAMON of our own, on made trees of sysfs: what is set up, that it is taken
 * away whatever happens, and that nobody else's is touched.
 */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act/apply.h"
#include "act/damon_change.h"
#include "act/state.h"
#include "gather/own_damon.h"
#include "sys/damon.h"

#define KDAMONDS "sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT KDAMONDS "0/contexts/0/"
#define TICKS 77
#define SECONDS 10

struct fixture {
	char path[64], state[80];
	struct sysroot root;
};

static void put(const struct fixture *f, const char *file, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", f->path, file);
	for (char *slash = path + strlen(f->path) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(!mkdir(path, 0755) || errno == EEXIST);
		*slash = '/';
	}
	FILE *file_of = fopen(path, "w");
	assert_non_null(file_of);
	fputs(text, file_of);
	fclose(file_of);
}

static void is(const struct fixture *f, const char *file, const char *expected)
{
	char text[64] = "";
	assert_int_equal(sysroot_read(&f->root, text, sizeof(text), "%s", file), KNOWN);
	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, expected);
}

static void put_process(const struct fixture *f, int pid)
{
	char file[64], text[160];
	snprintf(file, sizeof(file), "proc/%d/stat", pid);
	snprintf(text, sizeof(text), "%d (made) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		 pid, TICKS);
	put(f, file, text);
	snprintf(file, sizeof(file), "proc/%d/status", pid);
	put(f, file, "Uid:\t0\t0\t0\t0\n");
}

/* Nobody has a DAMON: what the kernel would make when numbers are written is there already, as plain files. */
static int set_up(void **context)
{
	static const char *const files[] = {
		"0/contexts/0/operations", "0/contexts/0/monitoring_attrs/intervals/sample_us",
		"0/contexts/0/monitoring_attrs/intervals/aggr_us", "0/contexts/0/monitoring_attrs/intervals/update_us",
		"0/contexts/0/monitoring_attrs/nr_regions/min", "0/contexts/0/monitoring_attrs/nr_regions/max",
		"0/contexts/nr_contexts", "0/contexts/0/targets/nr_targets", "0/contexts/0/targets/0/pid_target",
		"0/contexts/0/targets/1/pid_target", "0/contexts/0/targets/0/regions/nr_regions",
		"0/contexts/0/targets/0/regions/0/start", "0/contexts/0/targets/0/regions/0/end",
		"0/contexts/0/targets/0/regions/1/start", "0/contexts/0/targets/0/regions/1/end", "nr_kdamonds",
	};
	struct fixture *f = calloc(1, sizeof(*f));
	char file[192];

	assert_non_null(f);
	*context = f;
	strcpy(f->path, "/tmp/ksmscope-own-damon-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	snprintf(f->state, sizeof(f->state), "%s/state", f->path);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), KDAMONDS "%s", files[i]);
		put(f, file, "0\n");
	}
	put(f, KDAMONDS "0/state", "off\n");
	put_process(f, 100);
	put_process(f, 200);
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

/* Two processes with three regions each. */
static struct plan of_processes(void)
{
	struct task tasks[2] = { { .pid = 100, .start_ticks = TICKS }, { .pid = 200, .start_ticks = TICKS } };
	const struct sample s = { .tasks = tasks, .tasks_count = 2 };
	struct region regions[6];
	struct plan plan;
	for (size_t i = 0; i < 6; i++)
		regions[i] = (struct region){ .task = i / 3, .pid = tasks[i / 3].pid };
	assert_int_equal(own_damon_processes(&plan, &s, regions, 6), 0);
	return plan;
}

static int begin(const struct fixture *f, const struct plan *plan, struct act **ret, struct error *err)
{
	int rc = act_begin(ret, &f->root, f->state, plan, err);
	return rc ? rc : act_carry_out(*ret, NULL, err);
}

static size_t journals(const struct fixture *f)
{
	char (*names)[JOURNAL_NAME_BYTES];
	struct state_dir state;
	size_t count;
	assert_int_equal(state_open(&state, f->state, SECONDS, NULL), 0);
	assert_int_equal(state_journals(&state, &names, &count, NULL), 0);
	free(names);
	state_close(&state);
	return count;
}

static void test_processes(void **context)
{
	struct fixture *f = *context;
	struct plan plan = of_processes();
	struct damon_running damon;
	struct error err = { 0 };
	struct act *act;

	assert_int_equal(plan.count, 2);
	assert_int_equal(begin(f, &plan, &act, &err), 0);
	is(f, KDAMONDS "nr_kdamonds", "1");
	is(f, KDAMONDS "0/state", "on");
	is(f, CONTEXT "operations", "vaddr");
	is(f, CONTEXT "targets/nr_targets", "2");
	is(f, CONTEXT "targets/0/pid_target", "100");
	is(f, CONTEXT "targets/1/pid_target", "200");
	is(f, CONTEXT "monitoring_attrs/nr_regions/min", "10");
	assert_int_equal(damon_of_our_own(&f->root, &damon), KNOWN);
	assert_int_equal(damon.sample_us, OWN_DAMON_SAMPLE_US);
	assert_int_equal(damon.aggregation_us, OWN_DAMON_AGGREGATION_US);
	assert_true(damon.by_process);
	assert_int_equal(act_finish(act, false, &err), 0);
	act_free(act);
	is(f, KDAMONDS "0/state", "off");
	is(f, KDAMONDS "nr_kdamonds", "0");
	assert_int_equal(journals(f), 0);
	plan_free(&plan);
}

static void test_memory(void **context)
{
	static const uint64_t starts[] = { 0x200000, 0x400000, 0xa00000, UINT64_MAX };
	struct fixture *f = *context;
	struct error err = { 0 };
	struct plan plan;
	struct act *act;

	assert_int_equal(own_damon_ranges(&plan, starts, 4, 0x200000), 0);
	assert_int_equal(plan.count, 2);
	assert_int_equal(begin(f, &plan, &act, &err), 0);
	is(f, CONTEXT "operations", "paddr");
	is(f, CONTEXT "targets/nr_targets", "1");
	is(f, CONTEXT "targets/0/regions/nr_regions", "2");
	is(f, CONTEXT "targets/0/regions/0/start", "2097152");
	is(f, CONTEXT "targets/0/regions/0/end", "6291456");
	is(f, CONTEXT "targets/0/regions/1/end", "12582912");
	act_free(act);
	is(f, KDAMONDS "nr_kdamonds", "0");
	plan_free(&plan);
}

/* Memory that is scattered is watched with what lies in between; nothing of it is left out. */
static void test_scattered(void **context)
{
	uint64_t starts[2000];
	struct plan plan;
	size_t at = 0;

	(void)context;
	for (size_t i = 0; i < 2000; i++)
		starts[i] = (2 * i + (i % 7 == 0)) * 0x200000;
	assert_int_equal(own_damon_ranges(&plan, starts, 2000, 0x200000), 0);
	assert_in_range(plan.count, 1, OWN_DAMON_RANGES);
	for (size_t i = 0; i < 2000; i++) {
		while (at < plan.count && plan.changes[at].end <= starts[i])
			at++;
		assert_true(at < plan.count && plan.changes[at].start <= starts[i] &&
			    starts[i] + 0x200000 <= plan.changes[at].end);
	}
	plan_free(&plan);
	assert_int_equal(own_damon_ranges(&plan, (const uint64_t[]){ UINT64_MAX }, 1, 0x200000), -ENOENT);
}

static void is_refused(struct fixture *f, const char *why)
{
	struct plan plan = of_processes();
	struct error err = { 0 };
	struct act *act;

	assert_int_equal(begin(f, &plan, &act, &err), -EXIT_KERNEL_CANNOT);
	assert_non_null(strstr(err.text, why));
	act_free(act);
	assert_int_equal(journals(f), 0);
	plan_free(&plan);
}

/* Whether it runs or not. */
static void test_somebody_elses(void **context)
{
	struct fixture *f = *context;
	put(f, KDAMONDS "nr_kdamonds", "1\n");
	is_refused(f, "somebody else");
	is(f, KDAMONDS "nr_kdamonds", "1");
	is(f, CONTEXT "operations", "0");
	put(f, KDAMONDS "nr_kdamonds", "0\n");
	put(f, "sys/module/damon_reclaim/parameters/enabled", "Y\n");
	is_refused(f, "module");
	put(f, "sys/module/damon_reclaim/parameters/enabled", "N\n");
	assert_null(damon_taken(&f->root));
}

/* Another process by now. */
static void test_a_target_that_ended(void **context)
{
	struct fixture *f = *context;
	struct plan plan = of_processes();
	struct error err = { 0 };
	struct act *act;

	plan.changes[1].start_ticks++;
	assert_int_equal(begin(f, &plan, &act, &err), -EXIT_FAILED);
	act_free(act);
	is(f, KDAMONDS "nr_kdamonds", "0");
	is(f, CONTEXT "operations", "0");
	plan_free(&plan);
}

static void remove_file(const struct fixture *f, const char *file)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", f->path, file);
	assert_int_equal(unlink(path), 0);
}

/* Whichever write fails, what was written before it is taken away. */
static void test_a_write_that_fails(void **context)
{
	static const char *const files[] = {
		KDAMONDS "0/state", CONTEXT "targets/1/pid_target", CONTEXT "targets/nr_targets", CONTEXT "operations",
		CONTEXT "monitoring_attrs/nr_regions/min", KDAMONDS "0/contexts/nr_contexts",
	};
	struct fixture *f = *context;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		remove_file(f, files[i]);
		is_refused(f, files[i]);
		is(f, KDAMONDS "nr_kdamonds", "0");
	}
	remove_file(f, KDAMONDS "nr_kdamonds");
	is_refused(f, "no DAMON");
}

/* Its guardian takes it away. */
static void test_the_program_is_killed(void **context)
{
	struct fixture *f = *context;
	struct plan plan = of_processes();
	pid_t child = fork();

	if (!child) {
		struct act *act;
		if (begin(f, &plan, &act, NULL))
			_exit(1);
		raise(SIGKILL);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(journals(f), 0);	/* waits for the lock, which the guardian has */
	is(f, KDAMONDS "0/state", "off");
	is(f, KDAMONDS "nr_kdamonds", "0");
	plan_free(&plan);
}

/* The guardian with it: by the journal alone. */
static struct undo_report undo(const struct fixture *f, int64_t mark)
{
	const struct record record = { .kind = RECORD_DAMON, .after = mark };
	struct undo_report report;
	struct state_dir state;
	struct journal journal;
	struct error err = { 0 };

	assert_int_equal(state_open(&state, f->state, SECONDS, &err), 0);
	assert_int_equal(journal_create(&journal, &state, "-", &err), 0);
	assert_int_equal(journal_add(&journal, &record, &err), 0);
	assert_int_equal(journal_sync(&journal, &err), 0);
	journal_close(&journal);
	state_close(&state);
	assert_int_equal(act_undo(&f->root, f->state, NULL, 0, &report, &err), 0);
	const struct undo_report counts = report;
	undo_report_free(&report);
	return counts;
}

static void put_running(const struct fixture *f, const char *mark)
{
	put(f, KDAMONDS "nr_kdamonds", "1\n");
	put(f, KDAMONDS "0/state", "on\n");
	put(f, KDAMONDS "0/contexts/nr_contexts", "1\n");
	put(f, CONTEXT "targets/nr_targets", "1\n");
	put(f, CONTEXT "monitoring_attrs/intervals/update_us", mark);
}

static void test_undo(void **context)
{
	struct fixture *f = *context;

	put_running(f, "1234567\n");
	assert_int_equal(undo(f, 1234567).restored, 1);
	is(f, KDAMONDS "0/state", "off");
	is(f, KDAMONDS "nr_kdamonds", "0");
	assert_int_equal(undo(f, 1234567).restored, 1);		/* there is none: nothing to do */
	put(f, KDAMONDS "nr_kdamonds", "1\n");			/* killed before it was ready */
	put(f, CONTEXT "targets/nr_targets", "0\n");
	assert_int_equal(undo(f, 7654321).restored, 1);
	is(f, KDAMONDS "nr_kdamonds", "0");
	assert_int_equal(journals(f), 0);
}

static void test_undo_leaves_others_alone(void **context)
{
	struct fixture *f = *context;

	put_running(f, "60000000\n");
	assert_int_equal(undo(f, 1234567).foreign, 1);
	put(f, KDAMONDS "nr_kdamonds", "2\n");
	put(f, CONTEXT "monitoring_attrs/intervals/update_us", "1234567\n");
	assert_int_equal(undo(f, 1234567).foreign, 1);
	is(f, KDAMONDS "0/state", "on");
	is(f, KDAMONDS "nr_kdamonds", "2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_processes),
		TEST(test_memory),
		TEST(test_scattered),
		TEST(test_somebody_elses),
		TEST(test_a_target_that_ended),
		TEST(test_a_write_that_fails),
		TEST(test_the_program_is_killed),
		TEST(test_undo),
		TEST(test_undo_leaves_others_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
