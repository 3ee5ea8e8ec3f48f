// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

const char options_exit_statuses[] =
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 this kernel cannot, 4 not permitted.\n";

/* ---- help ---- */

static void help_row(struct text *out, const struct option_row *row)
{
	char left[64], letter[8] = "    ";
	if (!row->help) {
		text_printf(out, "\n%s:\n", row->name);
		return;
	}
	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
		 row->argument ? row->argument : "");
	text_printf(out, "  %-28s %s\n", left, row->help);
}

/* One line per option for the makers of completions: name, letter, argument, choices, help; tab-separated. */
static void table_row(struct text *out, const struct option_row *row)
{
	if (!row->help)
		return;
	text_printf(out, "%s\t%c\t%s\t", row->name, row->letter ? row->letter : '-', row->argument ? row->argument : "-");
	for (size_t i = 0; row->choices && row->choices[i]; i++)
		text_printf(out, "%s%s", i ? "|" : "", row->choices[i]);
	text_printf(out, "%s\t%s\n", row->choices ? "" : "-", row->help);
}

static const struct option_row common_rows[] = {
	{ .name = "help", .letter = 'h', .help = "show this and exit" },
	{ .name = "version", .letter = 'V', .help = "show the version and exit" },
	{ 0 },
};

static void each_row(struct text *out, const struct program *p, void (*print)(struct text *, const struct option_row *))
{
	for (const struct option_row *row = p->options; row->name; row++)
		print(out, row);
	for (const struct option_row *row = common_rows; row->name; row++)
		print(out, row);
}

static int help(const struct program *p, struct error *err)
{
	scoped_text struct text out = { 0 };
	text_printf(&out, "%s: %s\n\nUsage: %s %s\n", p->name, p->summary, p->name, p->usage);
	if (p->options->name && p->options->help)
		text_puts(&out, "\n");
	each_row(&out, p, help_row);
	text_printf(&out, "\n%s%s", p->epilogue ? p->epilogue : "", options_exit_statuses);
	return text_write(&out, stdout, err);
}

static int table(const struct program *p, struct error *err)
{
	scoped_text struct text out = { 0 };
	each_row(&out, p, table_row);
	return text_write(&out, stdout, err);
}

static int version(const struct program *p, struct error *err)
{
	scoped_text struct text out = { 0 };
	text_printf(&out, "%s (ksmscope) %s\n", p->name, KSMSCOPE_VERSION);
	return text_write(&out, stdout, err);
}

/* ---- values ---- */

static bool add_pids(struct pid_option *ret, const char *value)
{
	while (true) {
		size_t n = strcspn(value, ",");
		char one[16];
		uint64_t pid;
		if (n >= sizeof(one))
			return false;
		memcpy(one, value, n);
		one[n] = '\0';
		if (!parse_u64(one, &pid) || pid == 0 || pid > INT32_MAX)
			return false;
		if ((ret->count & (ret->count - 1)) == 0) {	/* room doubles at powers of two */
			pid_t *more = realloc(ret->pids, (ret->count ? ret->count * 2 : 1) * sizeof(pid_t));
			if (!more)
				return false;
			ret->pids = more;
		}
		ret->pids[ret->count++] = pid;
		if (!value[n])
			return true;
		value += n + 1;
	}
}

static bool add_word(struct words_option *ret, const char *value)
{
	if ((ret->count & (ret->count - 1)) == 0) {	/* room doubles at powers of two */
		const char **more = realloc(ret->words, (ret->count ? ret->count * 2 : 1) * sizeof(*more));
		if (!more)
			return false;
		ret->words = more;
	}
	ret->words[ret->count++] = value;
	return *value;
}

static bool choose(const struct option_row *row, const char *value)
{
	for (int i = 0; row->choice && row->choices[i]; i++) {
		if (!strcmp(row->choices[i], value)) {
			*row->choice = i;
			return true;
		}
	}
	return false;
}

static bool accept(const struct option_row *row, const char *value)
{
	if (row->string) {
		*row->string = value;
		return *value;
	}
	if (row->words)
		return add_word(row->words, value);
	if (row->number)
		return parse_u64(value, row->number);
	if (row->seconds)
		return parse_decimal(value, row->seconds);
	if (row->bytes)
		return parse_bytes(value, row->bytes);
	if (row->ratio)
		return parse_ratio(value, row->ratio);
	if (row->pids)
		return add_pids(row->pids, value);
	return choose(row, value);
}

/* What the option takes, for a message about what it got. */
static void expected(const struct option_row *row, char *ret, size_t size)
{
	const char *what = row->string || row->words ? "a word that is not empty" : row->number ? "a whole number, 0 or more"
			 : row->seconds ? "seconds, as 10 or 1.5" : row->bytes ? "bytes, as 4096, 16K or 1.5G"
			 : row->ratio ? "a share of at most 100%, as 5%, 0.05 or 1/20" : row->pids ? "process IDs, as 12 or 12,34" : NULL;
	if (what) {
		snprintf(ret, size, "%s", what);
		return;
	}
	size_t used = snprintf(ret, size, "one of");
	for (int i = 0; row->choices[i] && used < size; i++)
		used += snprintf(ret + used, size - used, "%s %s", i ? "," : "", row->choices[i]);
}

static int take(const struct program *p, const struct option_row *row, const char *value, struct error *err)
{
	char what[128];
	if (!value)
		return fail(err, EXIT_USAGE, "--%s needs an argument: %s; see %s --help", row->name, row->argument, p->name);
	if (accept(row, value))
		return 0;
	expected(row, what, sizeof(what));
	return fail(err, EXIT_USAGE, "--%s \"%s\": it takes %s", row->name, value, what);
}

/* ---- the command line ---- */

struct parser {
	const struct program *program;
	char **argv;
	int argc, at;
	enum parsed result;
	struct error *err;
};

static bool is(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && !strncmp(word, name, length);
}

static int answered(struct parser *p, int rc)
{
	p->result = PARSED_DONE;
	return rc;
}

/* The row, with destinations in the struct that is filled in. */
static struct option_row placed(const struct program *p, const struct option_row *in_shape)
{
	struct option_row row = *in_shape;
	ptrdiff_t distance = p->shape ? (char *)p->to - (const char *)p->shape : 0;

#define MOVE(destination) row.destination = row.destination ? (void *)((char *)row.destination + distance) : NULL
	MOVE(flag);
	MOVE(string);
	MOVE(words);
	MOVE(number);
	MOVE(seconds);
	MOVE(bytes);
	MOVE(ratio);
	MOVE(pids);
	MOVE(choice);
	MOVE(given);
#undef MOVE
	if (row.given)
		*row.given = true;
	return row;
}

/* `value` is what stood behind "=", NULL for nothing. */
static int take_flag(struct parser *p, const struct option_row *row, const char *value)
{
	*row->flag = true;
	if (value && !row->seconds)
		return fail(p->err, EXIT_USAGE, "--%s takes no argument", row->name);
	if (!value && row->seconds && p->at + 1 < p->argc && isdigit((unsigned char)p->argv[p->at + 1][0]))
		value = p->argv[++p->at];
	return value ? take(p->program, row, value, p->err) : 0;
}

static int parse_long(struct parser *p, const char *word)
{
	size_t length = strcspn(word, "=");
	const char *value = word[length] ? word + length + 1 : NULL;

	if (is(word, length, "help"))
		return answered(p, help(p->program, p->err));
	if (is(word, length, "version"))
		return answered(p, version(p->program, p->err));
	if (is(word, length, "print-options"))
		return answered(p, table(p->program, p->err));
	for (const struct option_row *row = p->program->options; row->name; row++) {
		if (!row->help || !is(word, length, row->name))
			continue;
		struct option_row found = placed(p->program, row);
		if (found.flag)
			return take_flag(p, &found, value);
		if (!value && p->at + 1 < p->argc)
			value = p->argv[++p->at];
		return take(p->program, &found, value, p->err);
	}
	return fail(p->err, EXIT_USAGE, "unknown option --%.*s; see %s --help", (int)length, word, p->program->name);
}

static int parse_letters(struct parser *p, const char *letters)
{
	for (; *letters; letters++) {
		const struct option_row *row = p->program->options;
		if (*letters == 'h')
			return answered(p, help(p->program, p->err));
		if (*letters == 'V')
			return answered(p, version(p->program, p->err));
		while (row->name && (!row->help || row->letter != *letters))
			row++;
		if (!row->name)
			return fail(p->err, EXIT_USAGE, "unknown option -%c; see %s --help", *letters, p->program->name);
		struct option_row found = placed(p->program, row);
		if (found.flag) {
			*found.flag = true;
			continue;
		}
		const char *value = letters[1] ? letters + 1 : p->at + 1 < p->argc ? p->argv[++p->at] : NULL;
		return take(p->program, &found, value, p->err);
	}
	return 0;
}

/* Move the operand at `from` down to `to`, keeping the order of what is between. */
static void move_word(char **argv, int from, int to)
{
	char *word = argv[from];
	memmove(argv + to + 1, argv + to, (from - to) * sizeof(*argv));
	argv[to] = word;
}

int options_parse(const struct program *program, int argc, char **argv, enum parsed *ret, int *ret_operand,
		  struct error *err)
{
	struct parser p = { .program = program, .argv = argv, .argc = argc, .err = err };
	int options_end = 1, rc = 0;	/* argv[1 … options_end) are options and their arguments */

	for (p.at = 1; p.at < argc && p.result == PARSED_GO && !rc; p.at++) {
		int first = p.at;
		char *word = argv[p.at];
		if (!strcmp(word, "--")) {
			move_word(argv, p.at, options_end++);
			break;
		}
		if (word[0] != '-' || !word[1]) {
			if (!program->operands)
				return fail(err, EXIT_USAGE, "unexpected word \"%s\"; see %s --help", word, program->name);
			if (program->stop_at_operand)
				break;
			continue;
		}
		rc = word[1] == '-' ? parse_long(&p, word + 2) : parse_letters(&p, word + 1);
		for (int i = first; i <= p.at; i++)
			move_word(argv, i, options_end++);
	}
	if (!rc && p.result == PARSED_GO && !program->operands && options_end < argc)
		rc = fail(err, EXIT_USAGE, "unexpected word \"%s\"; see %s --help", argv[options_end], program->name);
	*ret = p.result;
	*ret_operand = options_end;
	return rc;
}
