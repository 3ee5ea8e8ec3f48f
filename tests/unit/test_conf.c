// SPDX-License-Identifier: GPL-2.0-or-later
/* Configurations: sections and entries with their places, values with units, and what is refused where. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/conf/value.h"

static const struct conf_section sections[] = { { "engine", NULL }, { "state", "the state's name" }, { 0 } };

static struct conf_reader reader_of(const char *text, struct error *err)
{
	*err = (struct error){ 0 };
	return (struct conf_reader){ .file = "x.conf", .text = text, .length = strlen(text), .sections = sections,
				     .err = err };
}

static void test_items_have_places(void **state)
{
	(void)state;
	struct error err;
	struct conf_reader r = reader_of("# a\n\n[ engine ]\n key\t= some value \n;x\n[state soft]\nk=v", &err);
	struct conf_item item;

	assert_int_equal(conf_next(&r, &item), 0);
	assert_true(item.kind == CONF_SECTION && item.section == 0 && item.line == 3 && item.name.at == item.name.end);
	assert_int_equal(conf_next(&r, &item), 0);
	assert_true(item.kind == CONF_ENTRY && item.line == 4 && conf_is(item.key, "key") &&
		    conf_is(item.value, "some value"));
	assert_int_equal(conf_refuse(&r, item.value.at, "no %s", "such"), -EXIT_USAGE);
	assert_string_equal(err.text, "x.conf:4:8: no such");
	assert_int_equal(conf_next(&r, &item), 0);
	assert_true(item.kind == CONF_SECTION && item.section == 1 && conf_is(item.name, "soft"));
	assert_int_equal(conf_next(&r, &item), 0);
	assert_true(item.kind == CONF_ENTRY && item.line == 7 && conf_is(item.value, "v"));
	assert_int_equal(conf_next(&r, &item), 0);
	assert_int_equal(item.kind, CONF_END);
	assert_int_equal(conf_next(&r, &item), 0);
	assert_int_equal(item.kind, CONF_END);
}

static void test_what_is_refused(void **state)
{
	(void)state;
	static const struct { const char *text, *says; } cases[] = {
		{ "[engines]", "x.conf:1:2: expected \"engine]\" or \"state NAME]\" after \"[\"" },
		{ "[engine x]", "x.conf:1:9: expected \"]\" after the section's word" },
		{ "[state]", "x.conf:1:7: expected the state's name: letters, digits, \".\", \"_\" and \"-\"" },
		{ "\n = 1", "x.conf:2:2: expected a \"[section]\", an entry \"key = value\", or a comment after \"#\"" },
		{ "key 1", "x.conf:1:5: expected \"=\" after \"key\"" },
		{ "key =", "x.conf:1:6: expected a value after \"=\"" },
		{ "key = \x7f", "x.conf:1:7: a control byte (0x7f)" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err;
		struct conf_reader r = reader_of(cases[i].text, &err);
		struct conf_item item;
		assert_int_equal(conf_next(&r, &item), -EXIT_USAGE);
		assert_string_equal(err.text, cases[i].says);
	}
}

/* Read one value by each reader; what it is, or the refusal. */
static const char *as_duration(const char *value, struct error *err, char ret[32])
{
	char line[200];
	struct conf_item item;
	int64_t ns;

	snprintf(line, sizeof(line), "k = %s", value);
	struct conf_reader r = reader_of(line, err);
	assert_int_equal(conf_next(&r, &item), 0);
	if (conf_duration(&r, item.value, 0, 86400000000000, &ns))
		return err->text;
	snprintf(ret, 32, "%lld", (long long)ns);
	return ret;
}

static void test_durations(void **state)
{
	(void)state;
	struct error err;
	char text[32];
	assert_string_equal(as_duration("30s", &err, text), "30000000000");
	assert_string_equal(as_duration("2", &err, text), "2000000000");
	assert_string_equal(as_duration("500ms", &err, text), "500000000");
	assert_string_equal(as_duration("1.5h", &err, text), "5400000000000");
	assert_string_equal(as_duration("1d", &err, text), "86400000000000");
	assert_non_null(strstr(as_duration("2d", &err, text), "x.conf:1:5: expected a time"));
	assert_non_null(strstr(as_duration("3 s", &err, text), "x.conf:1:5: expected a time"));
	assert_non_null(strstr(as_duration("s", &err, text), "x.conf:1:5: expected a time"));
	assert_non_null(strstr(as_duration("-1", &err, text), "x.conf:1:5: expected a time"));
	assert_non_null(strstr(as_duration("111111111111111111111111111111111111111111111111111111111111111111", &err, text),
			       "x.conf:1:5: expected a time"));
}

static void test_values(void **state)
{
	(void)state;
	static const char *const words[] = { "auto", "direct", NULL };
	struct error err;
	struct conf_reader r = reader_of("a = 400%\nb = 0.5\nc = 64M\nd = yes\ne = direct\nf = 7\ng = 1.5\n", &err);
	struct conf_item item;
	double share;
	uint64_t number;
	bool flag;
	int choice;

	assert_int_equal(conf_next(&r, &item), 0);
	assert_int_equal(conf_share(&r, item.value, 0, 10, &share), 0);
	assert_float_equal(share, 4, 1e-9);
	assert_int_equal(conf_share(&r, item.value, 0, 1, &share), -EXIT_USAGE);
	assert_string_equal(err.text, "x.conf:1:5: expected a share as 25%, from 0% to 100%");
	assert_int_equal(conf_bool(&r, item.value, &flag), -EXIT_USAGE);
	assert_string_equal(err.text, "x.conf:1:5: expected \"no\" or \"yes\"");
	assert_int_equal(conf_next(&r, &item), 0);
	assert_int_equal(conf_share(&r, item.value, 0, 10, &share), 0);
	assert_float_equal(share, 0.5, 1e-9);
	assert_int_equal(conf_next(&r, &item), 0);
	assert_int_equal(conf_bytes(&r, item.value, 0, 1 << 30, &number), 0);
	assert_int_equal(number, 64 << 20);
	assert_int_equal(conf_bytes(&r, item.value, 0, 1 << 20, &number), -EXIT_USAGE);
	assert_int_equal(conf_next(&r, &item), 0);
	assert_int_equal(conf_bool(&r, item.value, &flag), 0);
	assert_true(flag);
	assert_int_equal(conf_next(&r, &item), 0);
	assert_int_equal(conf_choice(&r, item.value, words, &choice), 0);
	assert_int_equal(choice, 1);
	assert_int_equal(conf_next(&r, &item), 0);
	assert_int_equal(conf_count(&r, item.value, 1, 9, &number), 0);
	assert_int_equal(number, 7);
	assert_int_equal(conf_count(&r, item.value, 8, 9, &number), -EXIT_USAGE);
	assert_string_equal(err.text, "x.conf:6:5: expected a number from 8 to 9");
	assert_int_equal(conf_next(&r, &item), 0);
	assert_int_equal(conf_share(&r, item.value, 0, 10, &share), -EXIT_USAGE);
	assert_int_equal(conf_decimal(&r, item.value, 0, 10, &share), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_have_places),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
