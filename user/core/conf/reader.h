/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a configuration file as sections and entries, each with its
 * place, so that whoever refuses something says where: FILE:LINE:COLUMN.
 *
 *	# a comment; so is a line that begins with ;
 *	[word name]
 *	key = value
 *
 * One item a line, blanks (space, tab) around words mean nothing, no quoting,
 * no continued lines, no comments behind a value. Strict: a line that is not
 * understood is refused, since a guess about a configuration is worse than
 * none. Columns count characters of UTF-8 from 1.
 *
 * It does not know what keys there are; which sections there are it is told.
 * Numbers and the like are value.h's.
 */
#ifndef KSMSCOPE_CORE_CONF_READER_H
#define KSMSCOPE_CORE_CONF_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define CONF_LINE_MAX 4096		/* bytes */
#define CONF_NAME_MAX 63

/* A section that may be there. */
struct conf_section {
	const char *word;
	const char *name;		/* what its name is called, "the domain's name"; NULL: it has none */
};

struct conf_reader {
	const char *file;		/* for messages */
	const char *text;
	size_t length;
	const struct conf_section *sections;	/* ends with a NULL word */
	struct error *err;

	size_t next;			/* the rest is the reader's: zero at the start */
	unsigned int line;
	const char *begin, *end;	/* of the line */
};

/* A piece of the line; not NUL-terminated. */
struct conf_text {
	const char *at, *end;
};

enum conf_kind { CONF_END, CONF_SECTION, CONF_ENTRY };

struct conf_item {
	enum conf_kind kind;
	unsigned int line;
	size_t section;			/* CONF_SECTION: index into `sections` */
	struct conf_text name;		/* of the section; at == end where it has none */
	struct conf_text key, value;	/* CONF_ENTRY; neither is empty */
};

/* The next item; CONF_END after the last. -EXIT_USAGE where it is not understood; not to be called again then. */
int conf_next(struct conf_reader *reader, struct conf_item *ret);

/* Refuse what stands at `at`, in the present line: -EXIT_USAGE with "FILE:LINE:COLUMN: …". */
__attribute__((format(printf, 3, 4)))
int conf_refuse(const struct conf_reader *reader, const char *at, const char *fmt, ...);
#ifdef __clang_analyzer__
#define conf_refuse(...) NEVER_ZERO(conf_refuse(__VA_ARGS__))
#endif

bool conf_is(struct conf_text text, const char *word);

/* NUL-terminated copy, to be freed; NULL when memory is out. */
char *conf_dup(struct conf_text text);

#endif
