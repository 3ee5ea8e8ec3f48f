// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/huge/heat.h"

#include <math.h>
#include <stdlib.h>

#define SHORTEST_SECONDS 1e-5
#define BINS_PER_DECADE 4
/* Rates below and above are out of reach of any looks. */
#define LOWEST_RATE 1e-4
#define HIGHEST_RATE 1e8
#define BISECTIONS 40
#define GRID 60
/* Half the 95 % quantile of χ² with one degree of freedom. */
#define WILKS_DROP 1.9207

const char *heat_source_name(enum heat_source source)
{
	static const char *const names[HEAT_SOURCES] = { "none", "page-tables", "damon", "referenced", "own-damon" };
	return names[source];
}

size_t heat_bin(double exposure)
{
	if (!(exposure > 0))
		return HEAT_BINS;
	double bin = floor(log10(exposure / SHORTEST_SECONDS) * BINS_PER_DECADE);
	return bin < 0 ? 0 : bin < HEAT_BINS - 1 ? (size_t)bin : HEAT_BINS - 1;
}

void heat_drop_dead(struct heat_looks *looks, const struct heat_totals *totals)
{
	bool busy = false;

	for (size_t b = 0; b < HEAT_BINS; b++) {
		busy |= looks->count[b] && totals->hits[b] / looks->count[b] >= HEAT_DEAD_FEWEST;
		looks->count[b] -= busy ? totals->none[b] : 0;
	}
}

/* The mean of exp(−λt) over exposures t from x − w/2 to x + w/2. */
static double idle_share(double rate, double x, double w)
{
	if (w > 2 * x)
		w = 2 * x;
	double within = rate * w > 1e-9 ? -expm1(-rate * w) / (rate * w) : 1;
	return exp(-rate * (x - w / 2)) * within;
}

/* A look finds the page accessed with probability (1 − ε)(1 − exp(−λx)). */
static double log_likelihood(const struct heat_looks *looks, const struct heat_hits *hits, double rate)
{
	double sum = 0;
	for (size_t b = 0; b < HEAT_BINS; b++) {
		if (!looks->count[b])
			continue;
		double x = looks->seconds[b] / looks->count[b], w = looks->reading[b] / looks->count[b];
		double h = hits->hits[b], hit = (1 - idle_share(rate, x, w)) * (1 - HEAT_DEAD_LOOKS);
		sum += (looks->count[b] - h) * log1p(-hit) + (h ? h * log(hit) : 0);
	}
	return sum;
}

/* With dead looks in it the likelihood may have more than one top: the highest of a grid, then its surroundings. */
static double most_likely(const struct heat_looks *looks, const struct heat_hits *hits)
{
	double low = log(LOWEST_RATE), step = (log(HIGHEST_RATE) - low) / GRID, best = low, most = -INFINITY;

	for (int i = 0; i <= GRID; i++) {
		double here = log_likelihood(looks, hits, exp(low + i * step));
		if (here > most) {
			most = here;
			best = low + i * step;
		}
	}
	double from = best - step, to = best + step;
	for (int i = 0; i < BISECTIONS; i++) {
		double a = from + (to - from) / 3, b = to - (to - from) / 3;
		if (log_likelihood(looks, hits, exp(a)) < log_likelihood(looks, hits, exp(b)))
			from = a;
		else
			to = b;
	}
	return exp((from + to) / 2);
}

/* Between `inside`, which is likely enough, and `outside`, which is not: the border. */
static double border(const struct heat_looks *looks, const struct heat_hits *hits, double least, double inside,
		     double outside)
{
	double in = log(inside), out = log(outside);
	for (int i = 0; i < BISECTIONS; i++) {
		double middle = (in + out) / 2;
		if (log_likelihood(looks, hits, exp(middle)) >= least)
			in = middle;
		else
			out = middle;
	}
	return exp(in);
}

/* Without a hit the likelihood is greatest at no rate at all; where it does not fall to the end, nothing bounds it. */
static void fill_rate(struct heat *ret, const struct heat_looks *looks, const struct heat_hits *hits)
{
	double rate = ret->hits ? most_likely(looks, hits) : LOWEST_RATE;
	double least = (ret->hits ? log_likelihood(looks, hits, rate) : 0) - WILKS_DROP;

	ret->saturated = ret->hits && log_likelihood(looks, hits, HIGHEST_RATE) >= least;
	ret->low = ret->hits ? border(looks, hits, least, rate, LOWEST_RATE) : 0;
	ret->high = ret->saturated ? INFINITY : border(looks, hits, least, rate, HIGHEST_RATE);
	ret->per_second = ret->saturated ? ret->low : ret->hits ? rate : 0;
}

struct heat heat_estimate(const struct heat_looks *looks, const struct heat_hits *hits)
{
	struct heat ret = { 0 };

	for (size_t b = 0; b < HEAT_BINS; b++) {
		ret.looks += looks->count[b];
		ret.hits += hits->hits[b];
	}
	ret.broken = hits->broken > ret.looks / 2;
	ret.known = !ret.looks ? NOT_READ : hits->unseen > ret.looks / 2 ? GONE : KNOWN;
	if (ret.known == KNOWN)
		fill_rate(&ret, looks, hits);
	return ret;
}

struct heat_facts *heat_facts_new(size_t tasks, size_t regions)
{
	struct heat_facts *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->tasks = calloc(tasks + 1, sizeof(*f->tasks));
	f->hits = calloc(regions + 1, sizeof(*f->hits));
	f->tasks_count = tasks;
	f->regions = regions;
	if (f->tasks && f->hits)
		return f;
	heat_facts_free(f);
	return NULL;
}

void heat_facts_free(struct heat_facts *f)
{
	if (!f)
		return;
	free(f->tasks);
	free(f->hits);
	free(f);
}

/* From processor seconds of the target to seconds of the clock. */
static struct heat per_wall_second(struct heat heat, double share)
{
	heat.per_second *= share;
	heat.low *= share;
	heat.high = heat.saturated ? INFINITY : heat.high * share;
	return heat;
}

/* A process that did not run accessed nothing, as long as we looked. */
static struct heat heat_asleep(double seconds)
{
	return (struct heat){ .known = KNOWN, .high = WILKS_DROP / seconds };
}

void heat_fill(const struct sample *s, struct region *regions, size_t count)
{
	const struct heat_facts *f = s->heat;

	if (!f || f->regions != count || f->seconds <= 0)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct heat_task *t = &f->tasks[regions[i].task];
		if (t->known != KNOWN)
			regions[i].heat = (struct heat){ .known = t->known };
		else if (t->cpu_seconds <= 0)
			regions[i].heat = heat_asleep(f->seconds);
		else
			regions[i].heat = per_wall_second(heat_estimate(&t->looks, &f->hits[i]),
							  t->cpu_seconds / f->seconds);
	}
}

double heat_utilization(const struct sample *s)
{
	double sum = 0;

	if (!s->heat || !(s->heat->seconds > 0))
		return 0;
	for (size_t i = 0; i < s->heat->tasks_count; i++)
		sum += s->heat->tasks[i].cpu_seconds;
	return sum / s->heat->seconds;
}

double heat_user_share(const struct sample *s)
{
	double user = 0, all = 0;

	for (size_t i = 0; s->heat && i < s->heat->tasks_count; i++) {
		const struct heat_task *t = &s->heat->tasks[i];
		all += t->cpu_seconds;
		user += t->cpu_seconds * (t->user_share > 0 ? t->user_share : 1);
	}
	return all > 0 ? user / all : 1;
}

double heat_disturbance(const struct sample *s, double walk_ns)
{
	const struct heat_facts *f = s->heat;
	double hits = 0, seconds = 0;

	if (!f || f->source != HEAT_PAGE_TABLES || walk_ns <= 0)
		return NAN;
	for (size_t i = 0; i < f->regions; i++)
		for (size_t b = 0; b < HEAT_BINS; b++)
			hits += f->hits[i].hits[b];
	for (size_t i = 0; i < f->tasks_count; i++)
		seconds += f->tasks[i].cpu_seconds;
	return seconds > 0 ? hits * walk_ns * 1e-9 / seconds : NAN;
}
