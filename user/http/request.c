// SPDX-License-Identifier: GPL-2.0-or-later
#include "http/request.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* ---- lists of things with their weights ---- */

/* An element of a header's list: "name; parameter=value; q=0.5". */
struct element {
	const char *at;
	size_t length;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct element trimmed(const char *at, size_t length)
{
	while (length && is_blank(*at)) {
		at++;
		length--;
	}
	while (length && is_blank(at[length - 1]))
		length--;
	return (struct element){ at, length };
}

/* The next part of `rest` up to `separator`; `rest` goes on behind it. False at the end. */
static bool next_part(const char **rest, size_t *left, char separator, struct element *ret)
{
	if (!*rest)
		return false;
	const char *end = memchr(*rest, separator, *left);
	size_t length = end ? (size_t)(end - *rest) : *left;
	*ret = trimmed(*rest, length);
	*left -= end ? length + 1 : length;
	*rest = end ? end + 1 : NULL;
	return true;
}

static bool is(struct element e, const char *word)
{
	return e.length == strlen(word) && !strncasecmp(e.at, word, e.length);
}

/* "0.75" in thousandths; what is no weight counts as 0. */
static unsigned int weight_of(struct element e)
{
	unsigned int weight = 0, unit = 1000;

	for (size_t i = 0; i < e.length && i < 5; i++) {
		if (i == 1 && e.at[i] == '.')
			continue;
		if (e.at[i] < '0' || e.at[i] > '9' || (i == 0 && e.at[i] > '1'))
			return 0;
		weight += unit * (unsigned int)(e.at[i] - '0');
		unit /= 10;
	}
	return weight > 1000 ? 1000 : weight;
}

/* An element taken apart. */
struct wanted {
	struct element name;
	struct element version;		/* length 0: none */
	unsigned int weight;		/* in thousandths */
};

static struct wanted take_apart(struct element e)
{
	struct wanted w = { .weight = 1000 };
	const char *rest = e.at;
	size_t left = e.length;
	struct element part;

	next_part(&rest, &left, ';', &w.name);
	while (next_part(&rest, &left, ';', &part)) {
		if (part.length >= 2 && !strncasecmp(part.at, "q=", 2))
			w.weight = weight_of(trimmed(part.at + 2, part.length - 2));
		else if (part.length >= 8 && !strncasecmp(part.at, "version=", 8))
			w.version = trimmed(part.at + 8, part.length - 8);
	}
	return w;
}

/* ---- what is asked for ---- */

static void heed(unsigned int *most, const struct wanted *w)
{
	if (w->weight > *most)
		*most = w->weight;
}

enum metric_format request_format(const char *accept)
{
	unsigned int text = 0, open = 0;
	size_t left = accept ? strlen(accept) : 0;
	struct element e;

	while (next_part(&accept, &left, ',', &e)) {
		struct wanted w = take_apart(e);
		if (is(w.name, "application/openmetrics-text") && (!w.version.length || is(w.version, "1.0.0")))
			heed(&open, &w);
		else if (is(w.name, "text/plain") && (!w.version.length || is(w.version, "0.0.4")))
			heed(&text, &w);
	}
	return open && open >= text ? METRICS_OPENMETRICS : METRICS_TEXT;
}

enum page_encoding request_encoding(const char *accept)
{
	size_t left = accept ? strlen(accept) : 0;
	bool named = false, any = false, gzip = false;
	struct element e;

	while (next_part(&accept, &left, ',', &e)) {
		struct wanted w = take_apart(e);
		if (is(w.name, "gzip") || is(w.name, "x-gzip")) {
			named = true;
			gzip |= w.weight > 0;
		} else if (is(w.name, "*")) {
			any |= w.weight > 0;
		}
	}
	return gzip || (any && !named) ? ENCODING_GZIP : ENCODING_IDENTITY;
}

enum request_target request_target(const char *path, const char *telemetry_path)
{
	if (!strcmp(path, telemetry_path))
		return TARGET_METRICS;
	if (!strcmp(path, "/"))
		return TARGET_LANDING;
	return !strcmp(path, "/healthz") ? TARGET_HEALTH : TARGET_NONE;
}

/* ---- user and password ---- */

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* Bytes decoded; -1 where it is no base64, or too much of it. */
static int base64_decode(const char *text, char *ret, size_t size)
{
	size_t length = strlen(text), used = 0, digits = 0;
	uint32_t bits = 0;

	if (length % 4)
		return -1;
	for (size_t i = 0; i < 2 && length && text[length - 1] == '='; i++)
		length--;
	for (size_t i = 0; i < length; i++) {
		int digit = base64_digit(text[i]);
		if (digit < 0)
			return -1;
		bits = bits << 6 | (uint32_t)digit;
		if (++digits % 4 == 1)
			continue;
		if (used == size)
			return -1;
		ret[used++] = (char)(bits >> (6 - 2 * ((digits - 1) % 4)) & 0xff);
	}
	return (int)used;
}

bool request_login(const char *authorization, struct login *ret)
{
	char decoded[2 * LOGIN_MAX];

	if (!authorization || strncasecmp(authorization, "Basic ", 6))
		return false;
	authorization += 6 + strspn(authorization + 6, " ");
	int length = base64_decode(authorization, decoded, sizeof(decoded));
	const char *colon = length > 0 ? memchr(decoded, ':', (size_t)length) : NULL;
	if (!colon || memchr(decoded, '\0', (size_t)length))
		return false;
	size_t user = (size_t)(colon - decoded), password = (size_t)length - user - 1;
	if (user >= LOGIN_MAX || password >= LOGIN_MAX)
		return false;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->user, decoded, user);
	memcpy(ret->password, colon + 1, password);
	return true;
}
