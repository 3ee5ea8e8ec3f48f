/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A streaming JSON writer that owns its separators, quoting and nesting, so
 * that no caller can write a broken document. `key` is NULL inside arrays and
 * at the top. Names from the system are passed raw; what is not UTF-8 becomes
 * U+FFFD.
 */
#ifndef KSMSCOPE_OUT_JSON_H
#define KSMSCOPE_OUT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "core/sample.h"

struct json {
	struct text *out;
	unsigned int depth;
	bool indented;		/* two blanks per level; else all on one line */
	bool follows;		/* the next item needs a comma before it */
};

void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
void json_end_object(struct json *json);
void json_end_array(struct json *json);

void json_string(struct json *json, const char *key, const char *value);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_i64(struct json *json, const char *key, int64_t value);
/* Six significant digits; what is not finite becomes null. */
void json_double(struct json *json, const char *key, double value);
/* A moment in seconds, to the millisecond. */
void json_time(struct json *json, const char *key, int64_t time_ns);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* The number, or null where it is not known: absent and denied are never 0. */
void json_value(struct json *json, const char *key, struct value value);
/* "missing": what was wanted and not had, the same list in every schema. */
void json_missing(struct json *json, const struct missing *missing, size_t count);

#endif
