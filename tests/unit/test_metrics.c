// SPDX-License-Identifier: GPL-2.0-or-later
/* Metrics as bytes, groups with and without places of their own, and what a page has of a moment. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "out/metrics.h"
#include "tests/unit/unit.h"

#define SECOND 1000000000ll

/* ---- bytes ---- */

static const struct metric things = { "test_", "things_total", METRIC_COUNTER,
				      "a \"help\" with \\ and\nlines", "name" };
static const struct metric size = { "test_", "size_bytes", METRIC_GAUGE, "a size", NULL };

static void assert_page(enum metric_format format, const char *label, double value, const char *expected)
{
	struct text out = { 0 };
	struct metric_page page = { .out = &out, .format = format };
	const struct metric_label labels[] = { { "name", label }, { 0 } };

	metric_add(&page, &things, label ? labels : NULL, value);
	metric_end(&page);
	assert_string_equal(out.bytes, expected);
	text_free(&out);
}

static void test_text_and_openmetrics(void **state)
{
	(void)state;
	assert_page(METRICS_TEXT, "x", 3,
		    "# HELP test_things_total a \"help\" with \\\\ and\\nlines\n# TYPE test_things_total counter\n"
		    "test_things_total{name=\"x\"} 3\n");
	assert_page(METRICS_OPENMETRICS, "x", 3,
		    "# HELP test_things a \\\"help\\\" with \\\\ and\\nlines\n# TYPE test_things counter\n"
		    "test_things_total{name=\"x\"} 3\n# EOF\n");
}

static void test_label_values(void **state)
{
	(void)state;
	static const char head[] = "# HELP test_things_total a \"help\" with \\\\ and\\nlines\n"
				   "# TYPE test_things_total counter\ntest_things_total{name=\"%s\"} 1\n";
	static const struct {
		const char *name, *written;
	} cases[] = {
		{ "", "" },
		{ "a\"b", "a\\\"b" },
		{ "a\\x2db", "a\\\\x2db" },
		{ "a\nb", "a\\nb" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xff" "a\xc3", "\\\\xffa\\\\xc3" },
		{ "\xed\xa0\x80", "\\\\xed\\\\xa0\\\\x80" },	/* a surrogate */
		{ "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[512];
		snprintf(expected, sizeof(expected), head, cases[i].written);
		assert_page(METRICS_TEXT, cases[i].name, 1, expected);
	}
}

static void test_long_label(void **state)
{
	struct text out = { 0 };
	struct metric_page page = { .out = &out };
	char name[4097];
	const struct metric_label labels[] = { { "name", name }, { 0 } };
	(void)state;

	memset(name, 'x', sizeof(name) - 1);
	name[4096] = '\0';
	metric_add(&page, &things, labels, 1);
	const char *quote = strchr(strstr(out.bytes, "{name="), '"') + 1;
	assert_int_equal(strspn(quote, "x"), 4096);
	assert_string_equal(quote + 4096, "\"} 1\n");
	text_free(&out);
}

static void test_numbers(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *written;
	} cases[] = {
		{ 0, "0" }, { -4096, "-4096" }, { 0.1, "0.1" }, { 1.0 / 3, "0.3333333333333333" },
		{ 9007199254740993.0, "9007199254740992" }, { 1e300, "1e+300" },
		{ INFINITY, "+Inf" }, { -INFINITY, "-Inf" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text out = { 0 };
		struct metric_page page = { .out = &out };
		metric_add(&page, &size, NULL, cases[i].value);
		out.bytes[out.length - 1] = '\0';
		assert_string_equal(strrchr(out.bytes, ' ') + 1, cases[i].written);
		text_free(&out);
	}
}

static void test_no_number_no_sample(void **state)
{
	struct text out = { 0 };
	struct metric_page page = { .out = &out };
	(void)state;
	metric_add(&page, &size, NULL, NAN);
	assert_int_equal(out.length, 0);
}

static void test_series_are_bounded(void **state)
{
	struct text out = { 0 };
	struct metric_page page = { .out = &out };
	(void)state;
	for (int i = 0; i < METRIC_SERIES_MOST + 7; i++)
		metric_add(&page, &size, NULL, 1);
	assert_int_equal(page.series, METRIC_SERIES_MOST);
	assert_int_equal(page.dropped, 7);
	text_free(&out);
}

/* ---- groups ---- */

struct moments {
	struct top_sample samples[2];
	unsigned int now;
	struct top_model model;
	struct top_track track;
	struct series series;
	bool begun;
};

static struct top_sample *next_sample(struct moments *m)
{
	struct top_sample *before = &m->samples[m->now], *s = &m->samples[m->now = !m->now];
	top_sample_clear(s);
	s->clock_ns = before->clock_ns + SECOND;
	s->time_ns = s->clock_ns;
	s->page_bytes = 4096;
	return s;
}

static struct top_task *add_task(struct top_sample *s, pid_t pid, const char *cgroup, int64_t anon, int64_t faults)
{
	struct top_task *t = top_sample_add_task(s);
	t->pid = pid;
	t->start_ticks = 1;
	t->uid = 1000;
	t->cgroup = names_add(&s->names, cgroup);
	task_set(t, TASK_ANON_BYTES, value_of(anon));
	task_set(t, TASK_TRACKED_PAGES, value_of(0));
	task_set(t, TASK_PAGE_FAULTS, value_of(faults));
	return t;
}

static void update(struct moments *m)
{
	assert_int_equal(top_model_build(&m->model, m->begun ? &m->samples[!m->now] : NULL, &m->samples[m->now],
					 &m->track), 0);
	assert_int_equal(series_update(&m->series, &m->model), 0);
	m->begun = true;
}

static void moments_end(struct moments *m)
{
	top_sample_free(&m->samples[0]);
	top_sample_free(&m->samples[1]);
	top_model_free(&m->model);
	series_free(&m->series);
}

static const struct series_group *group(const struct moments *m, const char *label)
{
	const struct series_set *set = &m->series.set[SERIES_CGROUP];
	for (size_t i = 0; i < set->count; i++)
		if (!strcmp(set->groups[i].label, label))
			return &set->groups[i];
	return NULL;
}

static double faults_of(const struct series_group *g)
{
	return g->counter[PROC_FAULTS - HOST_FIELDS];
}

static void test_largest_have_places(void **state)
{
	struct moments m = { .series.most = 2 };
	(void)state;

	struct top_sample *s = next_sample(&m);
	add_task(s, 1, "/a", 100, 0);
	add_task(s, 2, "/b", 200, 0);
	add_task(s, 3, "/c", 300, 0);
	task_set(add_task(s, 4, "/d", 1, 0), TASK_TRACKED_PAGES, value_of(1));
	update(&m);
	assert_int_equal(m.series.set[SERIES_CGROUP].count, 2);
	assert_non_null(group(&m, "/c"));
	assert_non_null(group(&m, "/d"));	/* the engine has something to do in it */
	assert_int_equal(m.series.set[SERIES_CGROUP].others, 2);
	assert_int_equal(m.series.set[SERIES_CGROUP].other.processes, 2);
	assert_true(m.series.set[SERIES_CGROUP].other.value[PROC_ANON - HOST_FIELDS].value == 300);
	moments_end(&m);
}

/* Whoever has a place, and whoever loses it: all increments together are those of the processes, and none falls. */
static void test_increments_add_up(void **state)
{
	struct moments m = { .series.most = 3 };
	double last_other = 0, sum = 0, shown = 0;
	int64_t faults[8] = { 0 };
	unsigned int seed = 7;
	(void)state;

	for (int round = 0; round < 200; round++) {
		struct top_sample *s = next_sample(&m);
		double before[8] = { 0 };
		for (int i = 0; i < 8; i++) {
			char name[] = "/0";
			name[1] += (char)i;
			if (group(&m, name))
				before[i] = faults_of(group(&m, name));
			int64_t more = rand_r(&seed) % 100;
			sum += round ? more : 0;
			faults[i] += more;
			add_task(s, i + 1, name, rand_r(&seed) % 1000, faults[i]);
		}
		update(&m);
		for (int i = 0; i < 8; i++) {
			char name[] = "/0";
			name[1] += (char)i;
			const struct series_group *g = group(&m, name);
			if (g)
				assert_true(faults_of(g) >= before[i] || before[i] == 0);
			shown += g ? faults_of(g) - before[i] : 0;
		}
		assert_true(faults_of(&m.series.set[SERIES_CGROUP].other) >= last_other);
		last_other = faults_of(&m.series.set[SERIES_CGROUP].other);
	}
	assert_true(fabs(shown + last_other - sum) < 1e-6 * sum);
	assert_true(m.series.set[SERIES_CGROUP].dropped > 0);
	moments_end(&m);
}

/* Two names that are written the same way are one series: twice the same would make the page unreadable. */
static void test_labels_are_unique(void **state)
{
	struct moments m = { .series.most = 10 };
	(void)state;

	struct top_sample *s = next_sample(&m);
	add_task(s, 1, "/x\xff", 100, 0);
	add_task(s, 2, "/x\\xff", 10, 0);
	add_task(s, 3, SERIES_OTHER, 5, 0);
	update(&m);
	assert_int_equal(m.series.set[SERIES_CGROUP].count, 1);
	assert_true(group(&m, "/x\\xff")->value[PROC_ANON - HOST_FIELDS].value == 110);
	assert_int_equal(m.series.set[SERIES_CGROUP].others, 1);
	moments_end(&m);
}

static void test_label_bytes_are_bounded(void **state)
{
	struct moments m = { .series.most = SERIES_MOST };
	size_t bytes = 0;
	(void)state;

	struct top_sample *s = next_sample(&m);
	for (int i = 0; i < 100; i++) {
		char name[4096];
		memset(name, 'y', sizeof(name) - 1);
		name[4095] = '\0';
		name[0] = '/';
		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		add_task(s, i + 1, name, 1000 - i, 0);
	}
	update(&m);
	for (size_t i = 0; i < m.series.set[SERIES_CGROUP].count; i++)
		bytes += strlen(m.series.set[SERIES_CGROUP].groups[i].label);
	assert_true(bytes <= SERIES_LABEL_BYTES && bytes > SERIES_LABEL_BYTES / 2);
	assert_int_equal(m.series.set[SERIES_CGROUP].count + m.series.set[SERIES_CGROUP].others, 100);
	moments_end(&m);
}

static void test_units(void **state)
{
	(void)state;
	static const struct {
		const char *cgroup, *unit;
	} cases[] = {
		{ "/", "" }, { "", "" }, { "/docker/0123", "" },
		{ "/system.slice/ssh.service", "ssh.service" },
		{ "/system.slice/x.slice", "x.slice" },
		{ "/user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/a.service/sub", "a.service" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice", "user@1000.service" },
		{ "/.service", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length;
		const char *unit = series_unit(cases[i].cgroup, &length);
		assert_int_equal(length, strlen(cases[i].unit));
		assert_int_equal(strncmp(unit, cases[i].unit, length), 0);
	}
}

static bool has_domain(const struct moments *m, const char *label)
{
	const struct series_set *set = &m->series.set[SERIES_DOMAIN];
	for (size_t i = 0; i < set->count; i++)
		if (!strcmp(set->groups[i].label, label))
			return true;
	return false;
}

static void test_domains(void **state)
{
	static const char text[] = "[domain shop]\ncgroup = /shop\n";
	struct moments m = { .series.most = 5 };
	struct domain_rules rules = { 0 };
	(void)state;

	assert_int_equal(domain_rules_add(&rules, "x", text, sizeof(text) - 1, NULL), 0);
	for (int configured = 0; configured < 2; configured++) {
		m.series.rules = configured ? &rules : NULL;
		struct top_sample *s = next_sample(&m);
		add_task(s, 1, "/shop", 100, 0);
		add_task(s, 2, "/", 100, 0);
		add_task(s, 3, "/vm", 100, 0)->vm = names_add(&s->names, "web");
		update(&m);
		assert_true(has_domain(&m, "uid 1000") && has_domain(&m, "vm web"));
		assert_int_equal(has_domain(&m, "shop"), configured);
	}
	moments_end(&m);
	domain_rules_free(&rules);
}

/* ---- pages ---- */

static void write_page(struct moments *m, enum metric_format format, struct text *out)
{
	const struct metrics_own own = { .program = "test", .interval_seconds = 5, .connections = -1 };
	const struct metrics_input in = { .model = &m->model, .series = &m->series, .own = &own, .node = true };
	metrics_write(out, format, &in);
	assert_false(out->failed);
}

static bool has_line(const struct text *page, const char *line)
{
	char framed[256];
	snprintf(framed, sizeof(framed), "\n%s\n", line);
	return strstr(page->bytes, framed);
}

static void test_absent_is_not_there(void **state)
{
	struct moments m = { .series.most = 2 };
	struct text page = { 0 };
	(void)state;

	struct top_sample *s = next_sample(&m);
	s->fact[KNOB_PAGES_SHARED] = value_of(0);
	s->fact[KNOB_GENERAL_PROFIT] = value_of(-123456);
	s->fact[KNOB_SMART_SCAN].known = ABSENT;
	s->fact[KNOB_SLEEP_MILLISECS] = value_of(20);
	s->fact[FACT_COW_KSM].known = DENIED;
	top_sample_missing(s, "cow_ksm", DENIED, "permission denied");
	update(&m);
	write_page(&m, METRICS_TEXT, &page);
	assert_true(has_line(&page, "ksmscope_ksm_pages_shared 0"));
	assert_true(has_line(&page, "ksmscope_profit_bytes -123456"));
	assert_true(has_line(&page, "node_ksmd_general_profit_bytes -123456"));
	assert_true(has_line(&page, "ksmscope_ksm_sleep_seconds 0.02"));
	assert_null(strstr(page.bytes, "ksmscope_ksm_smart_scan"));
	assert_null(strstr(page.bytes, "ksmscope_cow_breaks_total"));
	assert_null(strstr(page.bytes, "ksmscope_http_connections "));
	assert_true(has_line(&page, "ksmscope_fact_missing{fact=\"cow_ksm\",state=\"denied\"} 1"));
	text_free(&page);
	moments_end(&m);
}

/* A family's samples follow each other, and its head comes once: both parsers insist. */
static void test_families_are_whole(void **state)
{
	struct moments m = { .series.most = 2 };
	struct text page = { 0 };
	size_t heads = 0;
	(void)state;

	for (int i = 0; i < 2; i++) {
		struct top_sample *s = next_sample(&m);
		for (int knob = 0; knob < KNOB_COUNT; knob++)
			s->fact[knob] = value_of(knob);
		add_task(s, 1, "/a", 100, i);
		add_task(s, 2, "/b", 100, i);
		add_task(s, 3, "/c", 100, i);
		update(&m);
	}
	write_page(&m, METRICS_TEXT, &page);
	for (char *at = page.bytes; (at = strstr(at, "# TYPE ")); at++) {
		char name[128], again[160];
		assert_int_equal(sscanf(at, "# TYPE %127s", name), 1);
		snprintf(again, sizeof(again), "# TYPE %s ", name);
		assert_null(strstr(at + 1, again));
		heads++;
	}
	assert_true(heads > 40);
	assert_true(has_line(&page, "ksmscope_cgroup_page_faults_total{cgroup=\"other\"} 1"));
	text_free(&page);
	moments_end(&m);
}

static void test_documentation_has_every_family(void **state)
{
	struct moments m = { .series.most = 2 };
	struct text page = { 0 }, document = { 0 };
	(void)state;

	struct top_sample *s = next_sample(&m);
	for (int fact = 0; fact < TOP_FACTS; fact++)
		s->fact[fact] = value_of(1);
	add_task(s, 1, "/a", 100, 1);
	update(&m);
	write_page(&m, METRICS_TEXT, &page);
	metrics_document(&document);
	for (char *at = page.bytes; (at = strstr(at, "# TYPE ")); at++) {
		char name[128], row[160];
		assert_int_equal(sscanf(at, "# TYPE %127s", name), 1);
		if (!strncmp(name, "ksmscope_domain_", 16) || !strncmp(name, "ksmscope_unit_", 14))
			continue;	/* documented once, as cgroup */
		snprintf(row, sizeof(row), "| `%s` |", name);
		assert_non_null(strstr(document.bytes, row));
	}
	text_free(&page);
	text_free(&document);
	moments_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_openmetrics),
		cmocka_unit_test(test_label_values),
		cmocka_unit_test(test_long_label),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_no_number_no_sample),
		cmocka_unit_test(test_series_are_bounded),
		cmocka_unit_test(test_largest_have_places),
		cmocka_unit_test(test_increments_add_up),
		cmocka_unit_test(test_labels_are_unique),
		cmocka_unit_test(test_label_bytes_are_bounded),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_absent_is_not_there),
		cmocka_unit_test(test_families_are_whole),
		cmocka_unit_test(test_documentation_has_every_family),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
