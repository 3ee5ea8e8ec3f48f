// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct text *text, size_t more)
{
	if (text->failed)
		return false;
	if (text->length + more < text->capacity)
		return true;
	size_t capacity = text->capacity ? text->capacity : 1024;
	while (capacity <= text->length + more)
		capacity *= 2;
	char *bytes = realloc(text->bytes, capacity);
	if (!bytes) {
		text->failed = true;
		return false;
	}
	text->bytes = bytes;
	text->capacity = capacity;
	return true;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
	if (!reserve(text, length))
		return;
	if (length)		/* of nothing there may be no address */
		memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

void text_puts(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

void text_printf(struct text *text, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || !reserve(text, n)) {
		text->failed = true;
		return;
	}
	va_start(args, fmt);
	vsnprintf(text->bytes + text->length, n + 1, fmt, args);
	va_end(args);
	text->length += n;
}

void text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){ 0 };
}

int text_write(const struct text *text, FILE *out, struct error *err)
{
	if (text->failed)
		return fail(err, EXIT_FAILED, "the answer does not fit into memory");
	errno = 0;
	if (fwrite(text->bytes, 1, text->length, out) != text->length || fflush(out))
		return fail_errno(err, "write", "the answer", NULL);
	return 0;
}

size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0)))
		return 0;	/* overlong, surrogate */
	if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90)))
		return 0;	/* overlong, past U+10FFFF */
	return n;
}

void text_add_valid(struct text *text, const char *bytes, size_t length)
{
	size_t at = 0;

	while (at < length) {
		size_t begin = at, n;
		while (at < length && (n = utf8_length((const unsigned char *)bytes + at)) && at + n <= length)
			at += n;
		text_add(text, bytes + begin, at - begin);
		if (at < length)
			text_printf(text, "\\x%02x", (unsigned char)bytes[at++]);
	}
}

void printable(char *ret, size_t size, const char *name)
{
	const unsigned char *s = (const unsigned char *)name;
	size_t used = 0;

	while (*s) {
		size_t n = utf8_length(s);
		bool control = *s < 0x20 || *s == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
		if (used + (n ? n : 1) >= size)
			break;
		if (!n || control) {
			ret[used++] = '?';
			s += n ? n : 1;
			continue;
		}
		memcpy(ret + used, s, n);
		used += n;
		s += n;
	}
	ret[used] = '\0';
}
