/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growing text. One buffer collects a whole answer, which is then written in
 * one go, so that a half-printed report can't look like a whole one. Running
 * out of memory is sticky: later calls do nothing and text_write() reports it.
 */
#ifndef KSMSCOPE_BASE_TEXT_H
#define KSMSCOPE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

struct text {
	char *bytes;		/* always NUL-terminated once something was added */
	size_t length;
	size_t capacity;
	bool failed;
};

void text_add(struct text *text, const char *bytes, size_t length);
void text_puts(struct text *text, const char *string);
__attribute__((format(printf, 2, 3)))
void text_printf(struct text *text, const char *fmt, ...);
void text_free(struct text *text);

/* Write all of it and flush; a full disk or a closed pipe is an error. */
int text_write(const struct text *text, FILE *out, struct error *err);

#define scoped_text __attribute__((cleanup(text_free)))

/* Bytes of the well-formed UTF-8 character at `s`, 0 where there is none. */
size_t utf8_length(const unsigned char *s);

/*
 * Add a name that came from somebody else, so that it stays told from others:
 * well-formed UTF-8 as it is, every other byte as \xHH. The bytes end in a NUL
 * somewhere, at `length` or behind it.
 */
void text_add_valid(struct text *text, const char *bytes, size_t length);

/*
 * Copy a name that came from somebody else (comm, a mapping's path) so that it
 * can be shown: control bytes and what is not UTF-8 become '?'. Always
 * terminates; truncates on a character's boundary.
 */
void printable(char *ret, size_t size, const char *name);

#endif
