// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/conf/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- refusing ---- */

static unsigned int column_of(const struct conf_reader *r, const char *at)
{
	unsigned int column = 1;
	for (const char *c = r->begin; c < at; c++)
		column += ((unsigned char)*c & 0xc0) != 0x80;
	return column;
}

int (conf_refuse)(const struct conf_reader *r, const char *at, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return fail(r->err, EXIT_USAGE, "%s:%u:%u: %s", r->file, r->line, column_of(r, at), text);
}

/* ---- pieces of a line ---- */

static const char *skip_blanks(const struct conf_reader *r, const char *at)
{
	while (at < r->end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-';
}

static struct conf_text take_name(const struct conf_reader *r, const char *at)
{
	struct conf_text name = { at, at };
	while (name.end < r->end && is_name_byte(*name.end))
		name.end++;
	return name;
}

bool conf_is(struct conf_text text, const char *word)
{
	size_t length = (size_t)(text.end - text.at);
	return strlen(word) == length && !memcmp(word, text.at, length);
}

char *conf_dup(struct conf_text text)
{
	return strndup(text.at, (size_t)(text.end - text.at));
}

/* ---- sections ---- */

/* "domain NAME]" or "engine]" … */
static int refuse_section(const struct conf_reader *r, const char *at)
{
	char known[200] = "";
	size_t used = 0;

	for (const struct conf_section *s = r->sections; s->word && used < sizeof(known); s++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s\"%s%s]\"",
					 s == r->sections ? "" : s[1].word ? ", " : " or ", s->word,
					 s->name ? " NAME" : "");
	return conf_refuse(r, at, "expected %s after \"[\"", known);
}

static int read_section(struct conf_reader *r, const char *at, struct conf_item *ret)
{
	struct conf_text word = take_name(r, skip_blanks(r, at + 1));
	const struct conf_section *s = r->sections;

	while (s->word && !conf_is(word, s->word))
		s++;
	if (!s->word)
		return refuse_section(r, word.at);
	ret->kind = CONF_SECTION;
	ret->section = (size_t)(s - r->sections);
	ret->name = (struct conf_text){ word.end, word.end };
	if (s->name) {
		ret->name = take_name(r, skip_blanks(r, word.end));
		if (ret->name.at == ret->name.end || ret->name.at == word.end)
			return conf_refuse(r, ret->name.at, "expected %s: letters, digits, \".\", \"_\" and \"-\"", s->name);
		if (ret->name.end - ret->name.at > CONF_NAME_MAX)
			return conf_refuse(r, ret->name.at, "%s is longer than %d characters", s->name, CONF_NAME_MAX);
	}
	const char *close = skip_blanks(r, ret->name.end);
	if (close == r->end || *close != ']')
		return conf_refuse(r, close, "expected \"]\" after %s", s->name ? s->name : "the section's word");
	close = skip_blanks(r, close + 1);
	return close == r->end ? 0 : conf_refuse(r, close, "nothing may follow \"]\"");
}

/* ---- entries ---- */

static int read_entry(struct conf_reader *r, const char *at, struct conf_item *ret)
{
	ret->kind = CONF_ENTRY;
	ret->key = take_name(r, at);
	if (ret->key.at == ret->key.end)
		return conf_refuse(r, at, "expected a \"[section]\", an entry \"key = value\", or a comment after \"#\"");
	const char *equals = skip_blanks(r, ret->key.end);
	if (equals == r->end || *equals != '=')
		return conf_refuse(r, equals, "expected \"=\" after \"%.*s\"", (int)(ret->key.end - ret->key.at), ret->key.at);
	ret->value = (struct conf_text){ skip_blanks(r, equals + 1), r->end };
	while (ret->value.end > ret->value.at && (ret->value.end[-1] == ' ' || ret->value.end[-1] == '\t'))
		ret->value.end--;
	if (ret->value.at == ret->value.end)
		return conf_refuse(r, ret->value.at, "expected a value after \"=\"");
	return 0;
}

/* ---- lines ---- */

static int check_line(const struct conf_reader *r)
{
	if (r->end - r->begin > CONF_LINE_MAX)
		return conf_refuse(r, r->begin, "a line longer than %d bytes", CONF_LINE_MAX);
	for (const char *c = r->begin; c < r->end; c++)
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return conf_refuse(r, c, "a control byte (0x%02x)", (unsigned char)*c);
	return 0;
}

int conf_next(struct conf_reader *r, struct conf_item *ret)
{
	*ret = (struct conf_item){ .kind = CONF_END };
	while (r->next < r->length) {
		const char *newline = memchr(r->text + r->next, '\n', r->length - r->next);
		r->line++;
		r->begin = r->text + r->next;
		r->end = newline ? newline : r->text + r->length;
		r->next = (size_t)(r->end - r->text) + 1;
		int rc = check_line(r);
		const char *at = skip_blanks(r, r->begin);
		if (rc)
			return rc;
		if (at == r->end || *at == '#' || *at == ';')
			continue;
		ret->line = r->line;
		return *at == '[' ? read_section(r, at, ret) : read_entry(r, at, ret);
	}
	return 0;
}
