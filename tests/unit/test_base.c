// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers, units, text, errors. */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "base/text.h"
#include "base/units.h"

static void test_whole_numbers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} cases[] = {
		{ "0", true, 0 }, { "18446744073709551615", true, UINT64_MAX }, { "7\n", true, 7 },
		{ "18446744073709551616", false, 0 }, { "", false, 0 }, { " 7", false, 0 }, { "7 ", false, 0 },
		{ "+7", false, 0 }, { "-7", false, 0 }, { "7x", false, 0 }, { "0x7", false, 0 }, { "\n", false, 0 },
		{ "99999999999999999999999", false, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 0;
		assert_int_equal(parse_u64(cases[i].text, &value), cases[i].ok);
		assert_true(value == cases[i].value);
	}
}

static void test_signed_numbers(void **state)
{
	int64_t v;
	(void)state;
	assert_true(parse_i64("-9223372036854775808\n", &v) && v == INT64_MIN);
	assert_true(parse_i64("9223372036854775807", &v) && v == INT64_MAX);
	assert_true(parse_i64("-0", &v) && v == 0);
	assert_true(parse_i64("-4096", &v) && v == -4096);
	assert_false(parse_i64("9223372036854775808", &v));
	assert_false(parse_i64("-9223372036854775809", &v));
	assert_false(parse_i64("--1", &v));
}

static void test_bytes_and_ratios(void **state)
{
	uint64_t b;
	double r;
	(void)state;
	assert_true(parse_bytes("16K", &b) && b == 16384);
	assert_true(parse_bytes("1.5GiB", &b) && b == 3ull << 29);
	assert_true(parse_bytes("4096", &b) && b == 4096);
	assert_false(parse_bytes("16k", &b));
	assert_false(parse_bytes("1.5", &b));
	assert_false(parse_bytes("K", &b));
	assert_false(parse_bytes("99999999999P", &b));
	assert_true(parse_ratio("1%", &r) && r == 0.01);
	assert_true(parse_ratio("0.5", &r) && r == 0.5);
	assert_true(parse_ratio("100%", &r) && r == 1);
	assert_true(parse_ratio("1/16", &r) && r == 1.0 / 16);
	assert_false(parse_ratio("1/0", &r));
	assert_false(parse_ratio("17/16", &r));
	assert_false(parse_ratio("1/", &r));
	assert_false(parse_ratio("1/16%", &r));
	assert_false(parse_ratio("101%", &r));
	assert_false(parse_ratio("nan", &r));
	assert_false(parse_ratio("1.%", &r));
	assert_true(parse_decimal("0.25", &r) && r == 0.25);
	assert_false(parse_decimal("1e3", &r));
	assert_false(parse_decimal("-1", &r));
	assert_false(parse_decimal("inf", &r));
	assert_true(parse_hex64("0xff", &b) && b == 255);
	assert_false(parse_hex64("0xg", &b));
}

static void test_units(void **state)
{
	(void)state;
	assert_string_equal(show_bytes(0).text, "0 B");
	assert_string_equal(show_bytes(-4096).text, "-4.00 KiB");
	assert_string_equal(show_bytes(1023).text, "1.00 KiB");
	assert_string_equal(show_bytes(1536ll << 20).text, "1.50 GiB");
	assert_string_equal(show_bytes(INT64_MIN).text, "-8.00 EiB");
	assert_string_equal(show_count(1234567).text, "1,234,567");
	assert_string_equal(show_count(999).text, "999");
	assert_string_equal(show_seconds(0.0004).text, "0 ms");
	assert_string_equal(show_seconds(59.6).text, "1 min 0 s");
	assert_string_equal(show_seconds(200).text, "3 min 20 s");
	assert_string_equal(show_seconds(3599.9).text, "1 h 0 min");
	assert_string_equal(show_seconds(-1).text, "unknown");
	assert_string_equal(show_share(1, 3).text, "33.3 %");
	assert_string_equal(show_share(0, 0).text, "-");
}

static void test_printable(void **state)
{
	char out[16];
	(void)state;
	printable(out, sizeof(out), "a\nb\x1b[1m\xc3\xa4\xff");
	assert_string_equal(out, "a?b?[1m\xc3\xa4?");
	printable(out, 4, "ab\xc3\xa4");	/* the last character does not fit whole */
	assert_string_equal(out, "ab");
	printable(out, sizeof(out), "\xc2\x85\xed\xa0\x80");	/* C1 control; a surrogate */
	assert_string_equal(out, "????");
}

static void test_text(void **state)
{
	scoped_text struct text t = { 0 };
	(void)state;
	for (int i = 0; i < 1000; i++)
		text_printf(&t, "%d,", i);
	assert_int_equal(t.length, 10 * 2 + 90 * 3 + 900 * 4);
	assert_string_equal(t.bytes + t.length - 4, "999,");
}

static void test_writing_to_a_full_disk(void **state)
{
	scoped_text struct text t = { 0 };
	struct error err;
	(void)state;
	text_puts(&t, "something");
	FILE *full = fopen("/dev/full", "w");
	assert_non_null(full);
	assert_int_equal(text_write(&t, full, &err), -EXIT_FAILED);
	assert_non_null(strstr(err.text, "No space left"));
	fclose(full);
}

static void test_errors(void **state)
{
	struct error err;
	(void)state;
	errno = EPERM;
	assert_int_equal(fail_errno(&err, "open", "/x", "be root"), -EXIT_NOT_PERMITTED);
	assert_string_equal(err.text, "open /x: Operation not permitted: be root");
	errno = ENOSYS;
	assert_int_equal(fail_errno(&err, "bpf", "it", NULL), -EXIT_KERNEL_CANNOT);
	errno = ENOENT;
	assert_int_equal(fail_errno(NULL, "open", "/x", NULL), -EXIT_FAILED);
	assert_int_equal(fail(&err, EXIT_USAGE, "%s", "no"), -EXIT_USAGE);
	assert_int_equal(err.status, EXIT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_numbers),	cmocka_unit_test(test_signed_numbers),
		cmocka_unit_test(test_bytes_and_ratios), cmocka_unit_test(test_units),
		cmocka_unit_test(test_printable),	cmocka_unit_test(test_text),
		cmocka_unit_test(test_writing_to_a_full_disk), cmocka_unit_test(test_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
