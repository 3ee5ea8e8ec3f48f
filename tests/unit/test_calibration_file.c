// SPDX-License-Identifier: GPL-2.0-or-later
/* A calibration's file: what is written is read again; what is torn, foreign or made up is refused. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "gather/calibration.h"
#include "measure/store.h"
#include "out/calibration.h"
#include "sys/host.h"
#include "sys/proc.h"

static struct measured figure(double median)
{
	return (struct measured){ .known = KNOWN, .median = median, .low = median - 1, .high = median + 1, .count = 9 };
}

static void made(struct calibration *c)
{
	*c = (struct calibration){ .cpu = "a \"CPU\"", .release = "6.12.0", .version = "1", .seconds = 20.5,
				   .time_ns = 1700000000123000000, .page_bytes = 4096, .pmd_bytes = 2u << 20,
				   .left_out = "much", .accesses = 2, .scans = 1 };
	for (enum cost cost = 0; cost < COST_COUNT; cost++)
		c->cost[cost] = figure(1000.5 * (cost + 1));
	c->cost[COST_COW_BREAK] = (struct measured){ .known = DENIED, .why = "not root" };
	c->access[0] = (struct access_point){ 1u << 24, figure(-0.5), figure(80), { .known = ABSENT, .why = "no PMU" } };
	c->access[1] = (struct access_point){ 1u << 26, figure(20), figure(90), figure(0.25) };
	c->scan[0] = (struct scan_point){ 8192, figure(2000), { .known = NOT_READ, .why = "ended" } };
}

static void same_figure(const struct measured *a, const struct measured *b)
{
	assert_int_equal(a->known, b->known);
	assert_int_equal(a->count, b->count);
	assert_string_equal(a->why, b->why);
	assert_true(fabs(a->median - b->median) < 1e-3 && fabs(a->low - b->low) < 1e-3 && fabs(a->high - b->high) < 1e-3);
}

static void test_round_trip(void **state)
{
	scoped_text struct text out = { 0 };
	struct calibration a, b;
	struct error err;
	(void)state;
	made(&a);
	calibration_json(&out, &a);
	assert_int_equal(calibration_parse(&b, out.bytes, out.length, &err), 0);
	assert_string_equal(a.cpu, b.cpu);
	assert_string_equal(a.release, b.release);
	assert_string_equal(a.left_out, b.left_out);
	assert_true(llabs(a.time_ns - b.time_ns) < 1000000 && a.pmd_bytes == b.pmd_bytes && a.page_bytes == b.page_bytes);
	for (enum cost cost = 0; cost < COST_COUNT; cost++)
		same_figure(&a.cost[cost], &b.cost[cost]);
	assert_int_equal(b.accesses, 2);
	same_figure(&a.access[0].walk_share, &b.access[0].walk_share);
	same_figure(&a.access[1].extra_ns, &b.access[1].extra_ns);
	assert_int_equal(b.scans, 1);
	same_figure(&a.scan[0].visit_ns, &b.scan[0].visit_ns);
	same_figure(&a.scan[0].merge_ns, &b.scan[0].merge_ns);
}

/* Cut anywhere, it is refused; with any byte changed, it is refused or still makes sense. */
static void test_torn_and_changed(void **state)
{
	scoped_text struct text out = { 0 };
	struct calibration a, b;
	struct error err;
	(void)state;
	made(&a);
	calibration_json(&out, &a);
	for (size_t length = 0; length + 1 < out.length; length++)
		assert_int_not_equal(calibration_parse(&b, out.bytes, length, &err), 0);
	for (size_t at = 0; at < out.length; at++) {
		char byte = out.bytes[at];
		for (const char *other = "0-9e\"{}[],x\x80"; *other; other++) {
			out.bytes[at] = *other;
			if (calibration_parse(&b, out.bytes, out.length, &err))
				continue;
			for (enum cost cost = 0; cost < COST_COUNT; cost++)
				assert_true(b.cost[cost].known != KNOWN || (b.cost[cost].low <= b.cost[cost].median &&
					    b.cost[cost].median <= b.cost[cost].high));
			assert_true(b.accesses <= CALIBRATION_POINTS && b.scans <= CALIBRATION_POINTS);
		}
		out.bytes[at] = byte;
	}
}

static void replace(struct text *ret, const char *document, const char *old, const char *new)
{
	const char *at = strstr(document, old);
	assert_non_null(at);
	text_add(ret, document, at - document);
	text_puts(ret, new);
	text_puts(ret, at + strlen(old));
}

static void test_nonsense(void **state)
{
	static const struct { const char *old, *new; } cases[] = {
		{ "ksmscope-calibration/1", "ksmscope-calibration/2" },
		{ "\"median\": 1000.5", "\"median\": 5000" },		/* outside its interval */
		{ "\"count\": 9", "\"count\": 0" },
		{ "\"count\": 9", "\"count\": -9" },
		{ "\"page_bytes\": 4096", "\"page_bytes\": 4096.5" },
		{ "\"bytes\": 67108864", "\"bytes\": 16777216" },	/* not ascending */
		{ "\"state\": \"denied\"", "\"state\": \"known\"" },
		{ "\"cpu\": \"a", "\"cpu\": \"0123456789012345678901234567890123456789012345678901234567890123456789012345"
		  "678901234567890123456789012345" },
	};
	scoped_text struct text out = { 0 };
	struct calibration a, b;
	struct error err;
	(void)state;
	made(&a);
	calibration_json(&out, &a);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scoped_text struct text changed = { 0 };
		replace(&changed, out.bytes, cases[i].old, cases[i].new);
		assert_int_not_equal(calibration_parse(&b, changed.bytes, changed.length, &err), 0);
	}
}

/* Of this machine and now: what a store leaves is read, and what isn't of here or of now is not. */
static void test_file(void **state)
{
	char folder[] = "/tmp/ksmscope-unit-XXXXXX", path[64], why[256];
	struct calibration c, back;
	struct machine machine;
	struct sysroot root;
	struct error err;
	struct stat st;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/made/c.json", folder);
	assert_int_equal(sysroot_open(&root, NULL, &err), 0);
	assert_int_equal(calibration_read(&back, &root, path, why), ABSENT);
	assert_non_null(strstr(why, "--calibrate"));

	made(&c);
	proc_machine(&root, &machine);
	host_cpu_name(&root, c.cpu, sizeof(c.cpu));
	strcpy(c.release, machine.release);
	c.page_bytes = machine.page_bytes;
	c.pmd_bytes = machine.pmd_bytes;
	c.time_ns = time(NULL) * 1000000000ll;
	assert_int_equal(calibration_store(&c, path, &err), 0);
	assert_int_equal(calibration_read(&back, &root, path, why), KNOWN);
	same_figure(&c.cost[0], &back.cost[0]);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);

	c.time_ns -= (CALIBRATION_DAYS + 1) * 86400000000000ll;
	assert_int_equal(calibration_store(&c, path, &err), 0);
	assert_int_equal(calibration_read(&back, &root, path, why), ABSENT);
	assert_non_null(strstr(why, "days old"));
	strcat(c.release, "x");
	assert_int_equal(calibration_store(&c, path, &err), 0);
	assert_int_equal(calibration_read(&back, &root, path, why), ABSENT);
	assert_non_null(strstr(why, "kernel"));

	/* where it can't be written, the old one stays and nothing is left beside it */
	assert_int_not_equal(calibration_store(&c, "/proc/ksmscope/c.json", &err), 0);
	unlink(path);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(folder), 0);
	sysroot_close(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_torn_and_changed),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
