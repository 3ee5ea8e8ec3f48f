// SPDX-License-Identifier: GPL-2.0-or-later
#include "screen/format.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

__attribute__((format(printf, 1, 2)))
static struct brief made(const char *fmt, ...)
{
	struct brief out;
	va_list args;
	va_start(args, fmt);
	vsnprintf(out.text, sizeof(out.text), fmt, args);
	va_end(args);
	return out;
}

/* Three significant digits with the multiplier that fits; `step` is 1000 or 1024. */
static struct brief scaled(double number, double step, const char *units)
{
	double size = fabs(number);
	unsigned int unit = 0;

	while (size >= 999.5 && units[unit + 1]) {
		size /= step;
		unit++;
	}
	int digits = unit == 0 ? 0 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
	if (size >= 99999.5)
		return made("%s>99999%c", number < 0 ? "-" : "", units[unit]);
	struct brief out = made("%s%.*f%c", number < 0 ? "-" : "", digits, size, units[unit]);
	if (unit == 0)
		out.text[strlen(out.text) - 1] = '\0';
	return out;
}

struct brief brief_count(double number)
{
	return scaled(number, 1000, " kMGTPE");
}

/* Rates below ten keep a digit behind the point: 0.4 per second is something, 0 is nothing. */
static struct brief brief_rate(double number)
{
	if (number > 0 && number < 0.05)
		return made("<0.1");
	return number > 0 && number < 9.95 ? made("%.1f", number) : brief_count(number);
}

static struct brief brief_ratio(double ratio)
{
	double percent = ratio * 100;
	if (percent > 0 && percent < 0.05)
		return made("<0.1%%");
	return percent < 99.95 ? made("%.1f%%", percent) : percent < 1e5 ? made("%.0f%%", percent) : made(">99999%%");
}

static struct brief brief_seconds(double seconds)
{
	return seconds < 9.95 ? made("%.1fs", seconds) : seconds < 99999.5 ? made("%.0fs", seconds) : made(">99999s");
}

static struct brief unknown(enum known known)
{
	return made("%s", known == NOT_READ ? "." : known == DENIED ? "!" : "-");
}

bool quantity_uncertain(struct quantity q, double share)
{
	return q.known == KNOWN && q.high - q.low > 2 * share * fabs(q.value) && q.high - q.low > 1e-9;
}

static struct brief brief_number(enum field f, double value)
{
	switch (fields[f].unit) {
	case UNIT_BYTES:
		return scaled(value, 1024, " KMGTPE");
	case UNIT_PAGES:
		return brief_count(value);
	case UNIT_PER_SECOND:
		return brief_rate(value);
	case UNIT_RATIO:
		return brief_ratio(value);
	case UNIT_SECONDS:
		return brief_seconds(value);
	case UNIT_FLAG:
		return made("%s", value ? "yes" : "no");
	case UNIT_CHOICE:
		return made("%s", field_choice(f, value));
	default:
		return f == PROC_PID || f == PROC_UID ? made("%.0f", value) : brief_count(value);
	}
}

struct brief brief_column(enum field f, struct quantity q)
{
	if (q.known != KNOWN)
		return unknown(q.known);
	struct brief number = brief_number(f, q.value);
	bool about = quantity_uncertain(q, 0.1) && q.value > 0 && !q.partial;
	return made("%s%.30s%s", about ? "~" : "", number.text, q.partial ? "+" : "");
}

struct brief brief_meter(enum field f, struct quantity q)
{
	if (q.known != KNOWN)
		return made("-");
	switch (fields[f].unit) {
	case UNIT_BYTES:
		return made("%s", show_bytes(q.value).text);
	case UNIT_PER_SECOND:
		return made("%.20s/s", brief_rate(q.value).text);
	case UNIT_RATIO:
		return q.value > 0 && q.value < 0.0005 ? made("< 0.1 %%") : made("%.1f %%", q.value * 100);
	case UNIT_SECONDS:
		return made("%s", show_seconds(q.value).text);
	case UNIT_MILLISECONDS:
		return made("%.0f ms", q.value);
	case UNIT_FLAG:
		return made("%s", q.value ? "on" : "off");
	default:
		return brief_number(f, q.value);
	}
}

struct brief brief_interval(enum field f, struct quantity q)
{
	if (!quantity_uncertain(q, 0.0005))
		return made("%s", "");
	struct brief low = brief_number(f, q.low);
	if (!isfinite(q.high))
		return made("at least %s", low.text);
	return made("%.15s to %.15s", low.text, brief_number(f, q.high).text);
}
