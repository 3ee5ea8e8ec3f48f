/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines as tables. A program describes each option once, in a row;
 * parsing, --help, --version and the completions are made from the rows.
 *
 * Exactly one destination of a row is set; its type is the option's type. A
 * flag may have `seconds` beside it: an argument that need not be there, and is
 * recognised by its first digit.
 */
#ifndef KSMSCOPE_CLI_OPTIONS_H
#define KSMSCOPE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* PIDs of one or more "--pid N[,N…]". */
struct pid_option {
	pid_t *pids;
	size_t count;
};

/* Words of an option that may be there several times, in their order. */
struct words_option {
	const char **words;
	size_t count;
};

/*
 * One option. A table can be constant: then its destinations are members of a
 * constant struct, the shape, which stands for the one that is filled in.
 */
struct option_row {
	const char *name;		/* long name without dashes; NULL ends the table */
	char letter;			/* short name, 0: none */
	const char *argument;		/* what to call the argument in --help; NULL for flags */
	const char *help;		/* NULL: a heading instead, its text in `name` */

	bool *flag;			/* set to true */
	const char **string;
	struct words_option *words;
	uint64_t *number;		/* decimal, ≥ 0 */
	double *seconds;		/* decimal, ≥ 0; with `flag`: may be left out */
	uint64_t *bytes;		/* with K, M, G … */
	double *ratio;			/* "1%" or "0.01" */
	struct pid_option *pids;
	int *choice;			/* index into choices */
	const char *const *choices;	/* NULL-terminated */
	bool *given;			/* set to true when the option was there; may be NULL */
};

/* As a destination: a member of the shape. */
#define OPTION_TO(TYPE, SHAPE, MEMBER) ((typeof(((TYPE *)0)->MEMBER) *)&(SHAPE).MEMBER)

struct program {
	const char *name;
	const char *summary;		/* one line */
	const char *usage;		/* "[OPTION]… --pid N" */
	const struct option_row *options;
	const void *shape;		/* NULL: the rows' destinations are those themselves */
	void *to;			/* with `shape`: the struct that is filled in */
	const char *epilogue;		/* shown after the options; may be NULL */
	bool operands;			/* takes words that are no options */
	bool stop_at_operand;		/* as `env` does: what follows the first word is not ours */
};

enum parsed {
	PARSED_GO,			/* go on with the program */
	PARSED_DONE,			/* --help or --version was answered: exit 0 */
};

/*
 * Parse argv into the rows' destinations. *ret_operand is the index of the
 * first operand; operands are moved behind the options. Negative: EXIT_USAGE
 * with a message that names the option and says what it takes.
 */
int options_parse(const struct program *program, int argc, char **argv, enum parsed *ret, int *ret_operand,
		  struct error *err);

/* Exit statuses, the same for all programs: for --help and the man pages. */
extern const char options_exit_statuses[];

#endif
