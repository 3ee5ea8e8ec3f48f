// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/pace.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/number.h"

#define SLICE_NS 50000000	/* a signal is heeded so soon */

/* ---- what was asked for ---- */

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), n = strlen(end);
	return length > n && !strcmp(text + length - n, end);
}

/* "200MB/s": powers of ten with a B, as disks and buses are sold; what parse_bytes() knows besides. */
static bool parse_rate(const char *word, double *ret)
{
	static const struct {
		const char *unit;
		double bytes;
	} decimal[] = { { "kB", 1e3 }, { "KB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 }, { "TB", 1e12 } };
	char text[64];
	uint64_t bytes;

	snprintf(text, sizeof(text), "%.*s", (int)(strlen(word) - 2), word);
	for (size_t i = 0; i < sizeof(decimal) / sizeof(decimal[0]); i++) {
		if (!ends_in(text, decimal[i].unit))
			continue;
		text[strlen(text) - 2] = '\0';
		if (!parse_decimal(text, ret))
			return false;
		*ret *= decimal[i].bytes;
		return *ret >= 1;
	}
	if (!parse_bytes(text, &bytes))
		return false;
	*ret = (double)bytes;
	return bytes > 0;
}

static bool parse_word(const char *word, struct budget *ret)
{
	if (ends_in(word, "/s"))
		return ret->bytes_per_second <= 0 && parse_rate(word, &ret->bytes_per_second);
	return ret->cpu <= 0 && parse_ratio(word, &ret->cpu) && ret->cpu > 0 && ret->cpu <= 1;
}

int budget_parse(const char *option, const char *text, struct budget *ret, struct error *err)
{
	const char *word = text;
	bool good = true;

	*ret = (struct budget){ 0 };
	while (good && word) {
		const char *comma = strchr(word, ',');
		char one[48];
		int length = comma ? (int)(comma - word) : (int)strlen(word);
		good = length > 0 && length < (int)sizeof(one);
		snprintf(one, sizeof(one), "%.*s", good ? length : 0, word);
		good = good && parse_word(one, ret);
		word = comma ? comma + 1 : NULL;
	}
	if (good)
		return 0;
	return fail(err, EXIT_USAGE, "%s %s: it takes a share of one CPU above 0 and at most 100%%, bytes a second, "
		    "or both: 1%%, 200MB/s or 1%%,200MB/s", option, text);
}

/* ---- keeping to it ---- */

static double seconds_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

struct pace pace_begin(struct budget budget)
{
	return (struct pace){ .budget = budget, .began = seconds_of(CLOCK_MONOTONIC) };
}

double pace_due(struct budget budget, double cpu, uint64_t bytes)
{
	double by_cpu = budget.cpu > 0 ? cpu / budget.cpu : 0;
	double by_bytes = budget.bytes_per_second > 0 ? (double)bytes / budget.bytes_per_second : 0;
	return by_cpu > by_bytes ? by_cpu : by_bytes;
}

void pace_wait(const struct pace *p, uint64_t bytes, const volatile sig_atomic_t *stop)
{
	double due = p->began + pace_due(p->budget, seconds_of(CLOCK_PROCESS_CPUTIME_ID), bytes);

	for (double left; !(stop && *stop) && (left = due - seconds_of(CLOCK_MONOTONIC)) > 0;) {
		double slice = left < SLICE_NS * 1e-9 ? left : SLICE_NS * 1e-9;
		struct timespec nap = { .tv_nsec = (long)(slice * 1e9) };
		nanosleep(&nap, NULL);
	}
}
