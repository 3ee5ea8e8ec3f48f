// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/number.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool at_end(const char *p)
{
	return *p == '\0' || (*p == '\n' && p[1] == '\0');
}

static bool digits_u64(const char **at, unsigned int base, uint64_t *ret)
{
	const char *p = *at;
	uint64_t value = 0;

	for (;; p++) {
		unsigned int digit;
		if (*p >= '0' && *p <= '9')
			digit = *p - '0';
		else if (base == 16 && isxdigit((unsigned char)*p))
			digit = tolower((unsigned char)*p) - 'a' + 10;
		else
			break;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return false;
	}
	if (p == *at)
		return false;
	*at = p;
	*ret = value;
	return true;
}

bool parse_u64(const char *text, uint64_t *ret)
{
	uint64_t value;
	if (!digits_u64(&text, 10, &value) || !at_end(text))
		return false;
	*ret = value;
	return true;
}

bool parse_hex64(const char *text, uint64_t *ret)
{
	uint64_t value;
	if (text[0] == '0' && text[1] == 'x')
		text += 2;
	if (!digits_u64(&text, 16, &value) || !at_end(text))
		return false;
	*ret = value;
	return true;
}

bool parse_i64(const char *text, int64_t *ret)
{
	bool negative = *text == '-';
	uint64_t value, limit = (uint64_t)INT64_MAX + negative;

	text += negative;
	if (!digits_u64(&text, 10, &value) || !at_end(text) || value > limit)
		return false;
	*ret = negative ? -(int64_t)(value - 1) - 1 : (int64_t)value;
	return true;
}

/* Digits with at most one point; `*ret_end` is where they stop. */
static bool leading_decimal(const char *text, double *ret, const char **ret_end)
{
	size_t n = strspn(text, "0123456789");
	size_t whole = n;
	if (text[n] == '.')
		n += 1 + strspn(text + n + 1, "0123456789");
	if (!whole || text[n - 1] == '.' || n > 40)
		return false;
	char copy[48];
	memcpy(copy, text, n);
	copy[n] = '\0';
	*ret = strtod(copy, NULL);
	*ret_end = text + n;
	return true;
}

bool parse_decimal(const char *text, double *ret)
{
	const char *end;
	double value;
	if (!leading_decimal(text, &value, &end) || !at_end(end))
		return false;
	*ret = value;
	return true;
}

bool parse_bytes(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGTP";
	uint64_t exact;
	if (parse_u64(text, &exact)) {
		*ret = exact;
		return true;
	}
	const char *end;
	double value;
	if (!leading_decimal(text, &value, &end) || !*end)
		return false;
	const char *unit = strchr(units, *end);
	if (!unit)
		return false;
	end++;
	if (end[0] == 'i' && end[1] == 'B')
		end += 2;
	for (int i = 0; i <= unit - units; i++)
		value *= 1024;
	if (!at_end(end) || value >= 0x1p64)
		return false;
	*ret = (uint64_t)value;
	return true;
}

bool parse_ratio(const char *text, double *ret)
{
	const char *end;
	double value, parts;
	if (!leading_decimal(text, &value, &end))
		return false;
	if (*end == '%') {
		value /= 100;
		end++;
	} else if (*end == '/') {
		if (!leading_decimal(end + 1, &parts, &end) || parts <= 0)
			return false;
		value /= parts;
	}
	if (!at_end(end) || value > 1)
		return false;
	*ret = value;
	return true;
}
