// SPDX-License-Identifier: GPL-2.0-or-later
#include "out/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void new_line(struct json *j)
{
	if (!j->indented)
		return;
	text_puts(j->out, "\n");
	for (unsigned int i = 0; i < j->depth; i++)
		text_puts(j->out, "  ");
}

static void quoted(struct text *out, const char *value)
{
	text_puts(out, "\"");
	for (const unsigned char *s = (const unsigned char *)value; *s; ) {
		size_t n = utf8_length(s);
		if (*s == '"' || *s == '\\')
			text_printf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			text_printf(out, "\\u%04x", *s);
		else if (n)
			text_add(out, (const char *)s, n);
		else
			text_puts(out, "\xef\xbf\xbd");
		s += n ? n : 1;
	}
	text_puts(out, "\"");
}

/* What stands before any item: comma, line, key. */
static void item(struct json *j, const char *key)
{
	if (j->follows)
		text_puts(j->out, ",");
	if (j->depth)
		new_line(j);
	if (key) {
		quoted(j->out, key);
		text_puts(j->out, j->indented ? ": " : ":");
	}
	j->follows = true;
}

static void open_level(struct json *j, const char *key, const char *bracket)
{
	item(j, key);
	text_puts(j->out, bracket);
	j->depth++;
	j->follows = false;
}

static void close_level(struct json *j, const char *bracket)
{
	bool empty = !j->follows;
	j->depth--;
	if (!empty)
		new_line(j);
	text_puts(j->out, bracket);
	j->follows = true;
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, "{");
}

void json_array(struct json *j, const char *key)
{
	open_level(j, key, "[");
}

void json_end_object(struct json *j)
{
	close_level(j, "}");
}

void json_end_array(struct json *j)
{
	close_level(j, "]");
}

void json_string(struct json *j, const char *key, const char *value)
{
	item(j, key);
	quoted(j->out, value);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	item(j, key);
	text_printf(j->out, "%" PRIu64, value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	item(j, key);
	text_printf(j->out, "%" PRId64, value);
}

void json_double(struct json *j, const char *key, double value)
{
	if (!isfinite(value)) {
		json_null(j, key);
		return;
	}
	item(j, key);
	text_printf(j->out, "%.6g", value);
}

void json_time(struct json *j, const char *key, int64_t time_ns)
{
	int64_t milliseconds = time_ns / 1000000;
	item(j, key);
	text_printf(j->out, "%" PRId64 ".%03d", milliseconds / 1000, (int)(milliseconds % 1000));
}

void json_bool(struct json *j, const char *key, bool value)
{
	item(j, key);
	text_puts(j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	item(j, key);
	text_puts(j->out, "null");
}

void json_value(struct json *j, const char *key, struct value value)
{
	if (is_known(value))
		json_i64(j, key, value.number);
	else
		json_null(j, key);
}

void json_missing(struct json *j, const struct missing *missing, size_t count)
{
	json_array(j, "missing");
	for (size_t i = 0; i < count; i++) {
		json_object(j, NULL);
		json_string(j, "what", missing[i].what);
		json_string(j, "state", known_name(missing[i].state));
		json_string(j, "why", missing[i].why);
		json_end_object(j);
	}
	json_end_array(j);
}
