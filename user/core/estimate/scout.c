// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/scout.h"

#include <stdlib.h>

#include "core/mix.h"

void scout_init(struct scout *s, uint64_t seed)
{
	s->count = 0;
	s->stride = 1;
	s->skip = 0;
	s->random = seed;
}

/* Half of the pages, taken at random, make room; from here on half as many come in. */
static void scout_halve(struct scout *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->count; i++)
		if (random64(&s->random) >> 63)
			s->probes[kept++] = s->probes[i];
	s->count = kept;
	s->stride *= 2;
}

void scout_take(struct scout *s, uint64_t probe)
{
	if (s->count == SCOUT_PAGES)
		scout_halve(s);
	s->probes[s->count++] = probe;
	/* 0 … 2 stride - 2, so stride - 1 on average between two that are taken. */
	s->skip = random64(&s->random) % (2 * s->stride - 1);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

struct met {
	uint64_t probe;
	uint32_t hits;
};

static int by_hits(const void *a, const void *b)
{
	const struct met *x = a, *y = b;
	if (x->hits != y->hits)
		return x->hits < y->hits ? 1 : -1;
	/* Not by the probe: the smaller ones are those that the sketch keeps. */
	uint64_t x_mixed = mix64(x->probe), y_mixed = mix64(y->probe);
	return by_value(&x_mixed, &y_mixed);
}

uint32_t scout_frequent(struct scout *s, uint64_t *ret, uint32_t max, double max_share)
{
	struct met met[SCOUT_PAGES / SCOUT_HITS];
	uint32_t count = 0, run = 0;

	qsort(s->probes, s->count, sizeof(*s->probes), by_value);
	for (uint32_t i = 0; i < s->count; i += run) {
		for (run = 1; i + run < s->count && s->probes[i + run] == s->probes[i]; run++)
			;
		if (run >= SCOUT_HITS)
			met[count++] = (struct met){ .probe = s->probes[i], .hits = run };
	}
	qsort(met, count, sizeof(*met), by_hits);

	double left = max_share * s->count, always = SCOUT_ALWAYS * s->count;
	uint32_t taken = 0;
	for (uint32_t i = 0; i < count && taken < max; i++) {
		if (met[i].hits > left && met[i].hits < always)
			continue;
		left -= met[i].hits;
		ret[taken++] = met[i].probe;
	}
	return taken;
}
