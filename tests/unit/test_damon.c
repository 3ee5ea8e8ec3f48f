// SPDX-License-Identifier: GPL-2.0-or-later
/* Which DAMON may be listened to, on made trees of sysfs: none, one that runs, one that does not, two, of another kind. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/damon.h"
#include "sys/sysroot.h"

#define KDAMONDS "sys/kernel/mm/damon/admin/kdamonds"

struct tree {
	char path[64];
	struct sysroot root;
};

static void put(const struct tree *t, const char *file, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", t->path, file);
	for (char *slash = path + strlen(t->path) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(!mkdir(path, 0755) || errno == EEXIST);
		*slash = '/';
	}
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void put_kdamond(const struct tree *t, int i, const char *state, const char *operations, const char *sample_us)
{
	char file[160];
	snprintf(file, sizeof(file), KDAMONDS "/%d/state", i);
	put(t, file, state);
	snprintf(file, sizeof(file), KDAMONDS "/%d/contexts/0/operations", i);
	put(t, file, operations);
	snprintf(file, sizeof(file), KDAMONDS "/%d/contexts/0/monitoring_attrs/intervals/sample_us", i);
	put(t, file, sample_us);
	snprintf(file, sizeof(file), KDAMONDS "/%d/contexts/0/monitoring_attrs/intervals/aggr_us", i);
	put(t, file, "100000\n");
}

static int set_up(void **state)
{
	struct error err;
	struct tree *t = calloc(1, sizeof(*t));
	assert_non_null(t);
	strcpy(t->path, "/tmp/ksmscope-damon-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	put(t, "sys/kernel/notes", "");
	assert_int_equal(sysroot_open(&t->root, t->path, &err), 0);
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct tree *t = *state;
	char command[96];
	sysroot_close(&t->root);
	snprintf(command, sizeof(command), "rm -rf %s", t->path);
	int rc = system(command);
	free(t);
	return rc;
}

static enum known running(const struct tree *t, struct damon_running *ret)
{
	*ret = (struct damon_running){ 0 };
	return damon_running(&t->root, ret);
}

static void test_kernel_without(void **state)
{
	struct damon_running damon;
	assert_int_equal(running(*state, &damon), ABSENT);
}

static void test_one_that_runs(void **state)
{
	struct damon_running damon;
	put(*state, KDAMONDS "/nr_kdamonds", "1\n");
	put_kdamond(*state, 0, "on\n", "paddr\n", "5000\n");
	assert_int_equal(running(*state, &damon), KNOWN);
	assert_int_equal(damon.sample_us, 5000);
	assert_int_equal(damon.aggregation_us, 100000);
}

static void test_none_runs(void **state)
{
	struct damon_running damon;
	put(*state, KDAMONDS "/nr_kdamonds", "0\n");
	assert_int_equal(running(*state, &damon), ABSENT);
	put(*state, KDAMONDS "/nr_kdamonds", "1\n");
	put_kdamond(*state, 0, "off\n", "paddr\n", "5000\n");
	assert_int_equal(running(*state, &damon), ABSENT);
}

/* The other one is found; of two that run, events do not say whose they are. */
static void test_two(void **state)
{
	struct damon_running damon;
	put(*state, KDAMONDS "/nr_kdamonds", "2\n");
	put_kdamond(*state, 0, "off\n", "vaddr\n", "1\n");
	put_kdamond(*state, 1, "on\n", "paddr\n", "7000\n");
	assert_int_equal(running(*state, &damon), KNOWN);
	assert_int_equal(damon.sample_us, 7000);
	put_kdamond(*state, 0, "on\n", "paddr\n", "5000\n");
	assert_int_equal(running(*state, &damon), ABSENT);
}

static void test_of_another_kind(void **state)
{
	struct damon_running damon;
	put(*state, KDAMONDS "/nr_kdamonds", "1\n");
	put_kdamond(*state, 0, "on\n", "vaddr\n", "5000\n");
	assert_int_equal(running(*state, &damon), ABSENT);
}

/* No rate follows from intervals that cannot be. */
static void test_rubbish(void **state)
{
	static const char *const samples[] = { "", "0\n", "-5\n", "200000\n", "soon\n" };
	struct damon_running damon;
	put(*state, KDAMONDS "/nr_kdamonds", "1\n");
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		put_kdamond(*state, 0, "on\n", "paddr\n", samples[i]);
		assert_int_equal(running(*state, &damon), ABSENT);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kernel_without),
		TEST(test_one_that_runs),
		TEST(test_none_runs),
		TEST(test_two),
		TEST(test_of_another_kind),
		TEST(test_rubbish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
