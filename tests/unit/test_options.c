// SPDX-License-Identifier: GPL-2.0-or-later
/* Command lines: what is taken, what is refused, and with which words. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

static const char *const colours[] = { "red", "green", NULL };

struct got {
	bool flag, given, operands, stop, perhaps;
	const char *string;
	uint64_t number, bytes;
	double seconds, ratio, perhaps_seconds;
	struct pid_option pids;
	int choice;
	int operand;
	enum parsed parsed;
	struct error err;
	char *argv[24];
};

/* Parse the words (NULL-terminated). */
static int parse(struct got *g, ...)
{
	const struct option_row rows[] = {
		{ .name = "A heading" },
		{ "flag", 'f', NULL, "a flag", .flag = &g->flag },
		{ "string", 's', "WORD", "a string", .string = &g->string, .given = &g->given },
		{ "number", 'n', "N", "a number", .number = &g->number },
		{ "bytes", 0, "B", "bytes", .bytes = &g->bytes },
		{ "seconds", 0, "S", "seconds", .seconds = &g->seconds },
		{ "ratio", 0, "R", "a ratio", .ratio = &g->ratio },
		{ "pid", 'p', "N", "PIDs", .pids = &g->pids },
		{ "perhaps", 0, "[S]", "perhaps seconds", .flag = &g->perhaps, .seconds = &g->perhaps_seconds },
		{ "colour", 0, "C", "a choice", .choice = &g->choice, .choices = colours },
		{ 0 },
	};
	const struct program program = { .name = "prog", .summary = "s", .usage = "u", .options = rows,
					 .operands = g->operands, .stop_at_operand = g->stop };
	int argc = 1;
	va_list words;
	g->argv[0] = "prog";
	va_start(words, g);
	while ((g->argv[argc] = va_arg(words, char *)))
		argc++;
	va_end(words);
	return options_parse(&program, argc, g->argv, &g->parsed, &g->operand, &g->err);
}

struct into {
	bool flag, given;
	uint64_t number;
	struct pid_option pids;
	int choice;
};

/* A constant table, whose rows point into a shape: what is filled in is another struct, and the shape stays as it is. */
static void test_constant_table(void **state)
{
	static const struct into shape;
#define TO(member) OPTION_TO(struct into, shape, member)
	static const struct option_row rows[] = {
		{ "flag", 'f', NULL, "a flag", .flag = TO(flag) },
		{ "number", 'n', "N", "a number", .number = TO(number), .given = TO(given) },
		{ "pid", 'p', "N", "PIDs", .pids = TO(pids) },
		{ "colour", 0, "C", "a choice", .choice = TO(choice), .choices = colours },
		{ 0 },
	};
#undef TO
	struct into into = { .choice = 7 };
	const struct program program = { .name = "prog", .options = rows, .shape = &shape, .to = &into };
	char *argv[] = { "prog", "-f", "-n", "12", "--pid=3,4", "--colour", "green", NULL };
	enum parsed parsed;
	struct error err;
	int operand;
	(void)state;

	assert_int_equal(options_parse(&program, 7, argv, &parsed, &operand, &err), 0);
	assert_true(into.flag && into.given && into.number == 12 && into.choice == 1);
	assert_int_equal(into.pids.count, 2);
	assert_true(!shape.flag && !shape.given && !shape.number && !shape.choice && !shape.pids.count);
	free(into.pids.pids);
}

/* A flag with an argument that may be left out takes what begins as a number does, and nothing else. */
static void test_optional_seconds(void **state)
{
	struct got with = { 0 }, joined = { 0 }, without = { 0 }, word = { .operands = true }, wrong = { 0 };
	(void)state;
	assert_int_equal(parse(&with, "--perhaps", "2.5", "-f", NULL), 0);
	assert_true(with.perhaps && with.flag && with.perhaps_seconds == 2.5);
	assert_int_equal(parse(&joined, "--perhaps=3", NULL), 0);
	assert_true(joined.perhaps && joined.perhaps_seconds == 3);
	assert_int_equal(parse(&without, "--perhaps", "-f", NULL), 0);
	assert_true(without.perhaps && without.flag && without.perhaps_seconds == 0);
	assert_int_equal(parse(&word, "--perhaps", "word", NULL), 0);
	assert_string_equal(word.argv[word.operand], "word");
	assert_int_equal(parse(&wrong, "--perhaps", "2x", NULL), -EXIT_USAGE);
}

static void test_each_type(void **state)
{
	struct got g = { 0 };
	(void)state;
	assert_int_equal(parse(&g, "-f", "--string=x", "-n7", "--bytes", "16K", "--seconds", "1.5", "--ratio=5%",
			       "--pid", "3,1", "-p", "2", "--colour", "green", NULL), 0);
	assert_true(g.flag && g.given);
	assert_string_equal(g.string, "x");
	assert_int_equal(g.number, 7);
	assert_int_equal(g.bytes, 16384);
	assert_true(g.seconds == 1.5 && g.ratio == 0.05);
	assert_int_equal(g.pids.count, 3);
	assert_int_equal(g.pids.pids[0], 3);
	assert_int_equal(g.pids.pids[2], 2);
	assert_int_equal(g.choice, 1);
	free(g.pids.pids);
}

static void test_refused(void **state)
{
	static const struct {
		const char *word, *argument, *says;
	} cases[] = {
		{ "--nothing", NULL, "unknown option --nothing" },
		{ "--fla", NULL, "unknown option --fla" },
		{ "-x", NULL, "unknown option -x" },
		{ "--flag=1", NULL, "takes no argument" },
		{ "--number", NULL, "needs an argument" },
		{ "--number", "-1", "whole number" },
		{ "--number", "1x", "whole number" },
		{ "--string=", NULL, "not empty" },
		{ "--pid", "0", "process IDs" },
		{ "--pid", "1,,2", "process IDs" },
		{ "--pid", "1,", "process IDs" },
		{ "--pid", "99999999999", "process IDs" },
		{ "--pid", "99999999999999999999999999999", "process IDs" },
		{ "--colour", "blue", "one of red, green" },
		{ "--ratio", "200%", "a share" },
		{ "--seconds", "soon", "seconds" },
		{ "word", NULL, "unexpected word \"word\"" },
		{ "--", "word", "unexpected word \"word\"" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct got g = { 0 };
		assert_int_equal(parse(&g, cases[i].word, cases[i].argument, NULL), -EXIT_USAGE);
		print_message("%s\n", g.err.text);
		assert_non_null(strstr(g.err.text, cases[i].says));
		free(g.pids.pids);
	}
}

static void test_operands(void **state)
{
	struct got g = { .operands = true };
	(void)state;
	assert_int_equal(parse(&g, "a", "-f", "b", "--", "-n", NULL), 0);
	assert_int_equal(g.operand, 3);
	assert_string_equal(g.argv[3], "a");
	assert_string_equal(g.argv[4], "b");
	assert_string_equal(g.argv[5], "-n");
}

static void test_a_command_keeps_its_options(void **state)
{
	struct got g = { .operands = true, .stop = true };
	(void)state;
	assert_int_equal(parse(&g, "-f", "cmd", "-n", "x", NULL), 0);
	assert_int_equal(g.operand, 2);
	assert_string_equal(g.argv[2], "cmd");
	assert_string_equal(g.argv[3], "-n");
	assert_int_equal(g.number, 0);
}

static void test_many_pids(void **state)
{
	struct got g = { 0 };
	static char list[40000];
	(void)state;
	size_t used = 0;
	for (int i = 1; i <= 5000; i++)
		used += sprintf(list + used, "%s%d", i > 1 ? "," : "", i);
	assert_int_equal(parse(&g, "--pid", list, NULL), 0);
	assert_int_equal(g.pids.count, 5000);
	assert_int_equal(g.pids.pids[4999], 5000);
	free(g.pids.pids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_type),
		cmocka_unit_test(test_constant_table),
		cmocka_unit_test(test_optional_seconds), cmocka_unit_test(test_refused), cmocka_unit_test(test_operands),
		cmocka_unit_test(test_a_command_keeps_its_options), cmocka_unit_test(test_many_pids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
