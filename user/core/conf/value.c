// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/conf/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/units.h"

#define NUMBER_BYTES 64

/* Numbers are short; a longer text is none. NUL-terminated, "" where it does not fit. */
static const char *short_text(struct conf_text value, char ret[NUMBER_BYTES])
{
	size_t length = (size_t)(value.end - value.at);
	if (length >= NUMBER_BYTES || memchr(value.at, '\0', length))
		length = 0;
	memcpy(ret, value.at, length);
	ret[length] = '\0';
	return ret;
}

int conf_bool(const struct conf_reader *r, struct conf_text value, bool *ret)
{
	static const char *const words[] = { "no", "yes", NULL };
	int choice;
	int rc = conf_choice(r, value, words, &choice);
	if (!rc)
		*ret = choice == 1;
	return rc;
}

int conf_choice(const struct conf_reader *r, struct conf_text value, const char *const *words, int *ret)
{
	char known[200] = "";
	size_t used = 0;

	for (int i = 0; words[i]; i++)
		if (conf_is(value, words[i])) {
			*ret = i;
			return 0;
		}
	for (int i = 0; words[i] && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s\"%s\"",
					 i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
	return conf_refuse(r, value.at, "expected %s", known);
}

int conf_count(const struct conf_reader *r, struct conf_text value, uint64_t low, uint64_t high, uint64_t *ret)
{
	char text[NUMBER_BYTES];
	if (!parse_u64(short_text(value, text), ret) || *ret < low || *ret > high)
		return conf_refuse(r, value.at, "expected a number from %" PRIu64 " to %" PRIu64, low, high);
	return 0;
}

int conf_bytes(const struct conf_reader *r, struct conf_text value, uint64_t low, uint64_t high, uint64_t *ret)
{
	char text[NUMBER_BYTES];
	if (!parse_bytes(short_text(value, text), ret) || *ret < low || *ret > high)
		return conf_refuse(r, value.at, "expected bytes as 64M or 1.5G, from %s to %s", show_bytes((int64_t)low).text,
				   show_bytes((int64_t)high).text);
	return 0;
}

/* "400%" is no ratio of a whole, hence not parse_ratio(). */
static bool parse_share(const char *text, double *ret)
{
	char number[NUMBER_BYTES];
	size_t length = strlen(text);
	if (!length || text[length - 1] != '%')
		return parse_decimal(text, ret) && *ret <= 1;
	memcpy(number, text, length - 1);
	number[length - 1] = '\0';
	if (!parse_decimal(number, ret))
		return false;
	*ret /= 100;
	return true;
}

int conf_share(const struct conf_reader *r, struct conf_text value, double low, double high, double *ret)
{
	char text[NUMBER_BYTES];
	if (!parse_share(short_text(value, text), ret) || *ret < low || *ret > high)
		return conf_refuse(r, value.at, "expected a share as 25%%, from %g%% to %g%%", low * 100, high * 100);
	return 0;
}

static bool parse_duration(const char *text, double *ret_ns)
{
	static const struct { const char *unit; double ns; } units[] = {
		{ "", 1e9 }, { "ms", 1e6 }, { "s", 1e9 }, { "min", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 },
	};
	char number[NUMBER_BYTES];
	size_t digits = strspn(text, "0123456789."), unit = 0;

	while (unit < sizeof(units) / sizeof(units[0]) && strcmp(units[unit].unit, text + digits))
		unit++;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (unit == sizeof(units) / sizeof(units[0]) || !parse_decimal(number, ret_ns))
		return false;
	*ret_ns *= units[unit].ns;
	return true;
}

int conf_duration(const struct conf_reader *r, struct conf_text value, int64_t low_ns, int64_t high_ns,
		  int64_t *ret_ns)
{
	char text[NUMBER_BYTES];
	double ns;
	if (!parse_duration(short_text(value, text), &ns) || ns < (double)low_ns || ns > (double)high_ns)
		return conf_refuse(r, value.at, "expected a time as 30s, 5min or 1h, from %s to %s",
				   show_seconds((double)low_ns / 1e9).text, show_seconds((double)high_ns / 1e9).text);
	*ret_ns = (int64_t)ns;
	return 0;
}

int conf_decimal(const struct conf_reader *r, struct conf_text value, double low, double high, double *ret)
{
	char text[NUMBER_BYTES];
	if (!parse_decimal(short_text(value, text), ret) || *ret < low || *ret > high)
		return conf_refuse(r, value.at, "expected a number from %g to %g", low, high);
	return 0;
}
