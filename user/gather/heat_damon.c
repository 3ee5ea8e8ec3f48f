// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/heat_damon.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/search.h"
#include "core/huge/heat.h"
#include "core/sort.h"
#include "gather/own_damon.h"
#include "probe/damon.h"
#include "sys/damon.h"
#include "sys/pagemap.h"

#define AGGREGATIONS 2

struct listening {
	struct heat_facts *facts;
	const struct sample *sample;
	const struct region *regions;
	size_t count;
	struct damon_running damon;
	struct plan plan;		/* of a DAMON of our own */
	uint64_t *physical;		/* by region: physical address of its middle; UINT64_MAX: not there */
	uint64_t *places;		/* by region: place() of its middle */
	uint32_t *order;		/* regions by that */
	uint32_t *checks, *accessed;	/* by region: DAMON's samples, and those that found it accessed */
};

/* An address of the DAMON's target: physical memory is target 0. */
#define TARGET_SHIFT 46
static uint64_t place(const struct listening *l, uint64_t target, uint64_t address)
{
	return target << TARGET_SHIFT | address / l->sample->machine.page_bytes;
}

static double now_seconds(clockid_t clock)
{
	struct timespec now;
	return clock_gettime(clock, &now) ? 0 : now.tv_sec + now.tv_nsec * 1e-9;
}

/* A huge page's frames lie side by side, so its middle stands for it. */
static void locate(struct listening *l, const struct sysroot *root)
{
	struct pagemap map;
	pid_t open = 0;
	uint64_t entry, page = l->sample->machine.page_bytes, half = l->sample->machine.pmd_bytes / 2;

	for (size_t i = 0; i < l->count; i++) {
		l->physical[i] = UINT64_MAX;
		if (open != l->regions[i].pid) {
			if (open)
				pagemap_close(&map);
			open = l->regions[i].pid;
			if (pagemap_open(&map, root, open, page) != KNOWN)
				open = 0;
		}
		if (open && pagemap_read(&map, l->regions[i].address + half, &entry, 1) == 1 && entry & PAGEMAP_PRESENT)
			l->physical[i] = (entry & PAGEMAP_PFN_MASK) * page;
	}
	if (open)
		pagemap_close(&map);
}

/* Where DAMON's events are to be looked for. */
static void put_in_order(struct listening *l)
{
	uint64_t target = 0, half = l->sample->machine.pmd_bytes / 2;

	for (size_t i = 0; i < l->count; i++) {
		target += i && l->regions[i].task != l->regions[i - 1].task;
		if (l->damon.by_process)
			l->places[i] = place(l, target, l->regions[i].address + half);
		else
			l->places[i] = l->physical[i] == UINT64_MAX ? UINT64_MAX : place(l, 0, l->physical[i]);
		l->order[i] = i;
	}
	sort_by_key(l->order, l->count, l->places);
}

/* The first region in order whose place is not below that. */
static size_t first_from(const struct listening *l, uint64_t from)
{
	return partition_point(l->count, i, l->places[l->order[i]] < from);
}

static void hear(struct listening *l, const struct damon_event *e)
{
	uint32_t samples = l->damon.aggregation_us / l->damon.sample_us;
	uint64_t target = l->damon.by_process ? e->target : 0, end = place(l, target, e->end);

	for (size_t k = first_from(l, place(l, target, e->start)); k < l->count && l->places[l->order[k]] < end; k++) {
		l->checks[l->order[k]] += samples;
		l->accessed[l->order[k]] += e->accesses < samples ? e->accesses : samples;
	}
}

/* Exposures are in processor time of the target; a region that was heard of less often is scaled up. */
static void conclude(struct listening *l, const double *begun)
{
	struct heat_facts *f = l->facts;
	double interval = l->damon.sample_us * 1e-6;

	for (size_t i = 0; i < l->count; i++) {
		struct heat_task *t = &f->tasks[l->regions[i].task];
		clockid_t clock;
		t->known = KNOWN;
		if (!clock_getcpuclockid(l->regions[i].pid, &clock) && now_seconds(clock) > begun[l->regions[i].task])
			t->cpu_seconds = now_seconds(clock) - begun[l->regions[i].task];
		size_t bin = heat_bin(interval * t->cpu_seconds / f->seconds);
		uint32_t checks = l->checks[i] < UINT16_MAX ? l->checks[i] : UINT16_MAX;	/* hits are counted so far */
		if (bin < HEAT_BINS && checks > t->looks.count[bin]) {
			t->looks.count[bin] = checks;
			t->looks.seconds[bin] = checks * interval * t->cpu_seconds / f->seconds;
		}
	}
	for (size_t i = 0; i < l->count; i++) {
		struct heat_task *t = &f->tasks[l->regions[i].task];
		f->looks = l->checks[i] > f->looks ? l->checks[i] : f->looks;
		for (size_t bin = 0; bin < HEAT_BINS; bin++)
			if (t->looks.count[bin] && l->checks[i])
				f->hits[i].hits[bin] = (uint16_t)lround((double)l->accessed[i] * t->looks.count[bin] / l->checks[i]);
		f->hits[i].unseen = l->checks[i] ? 0 : UINT16_MAX;
	}
}

static int listen(struct listening *l, const struct gather_options *o, struct error *err)
{
	struct damon_probe *probe = NULL;
	double *begun = calloc(l->sample->tasks_count + 1, sizeof(*begun));
	double least = (AGGREGATIONS + 0.5) * l->damon.aggregation_us * 1e-6, start = now_seconds(CLOCK_MONOTONIC);
	double seconds = o->heat_seconds > least ? o->heat_seconds : least;
	size_t heard = 0;

	int rc = begun ? damon_open(&probe, err) : fail(err, EXIT_FAILED, "out of memory");
	for (size_t i = 0; !rc && i < l->count; i++) {
		clockid_t clock;
		if (!clock_getcpuclockid(l->regions[i].pid, &clock))
			begun[l->regions[i].task] = now_seconds(clock);
	}
	if (!rc)
		put_in_order(l);
	while (!rc && !(o->stop && *o->stop) && now_seconds(CLOCK_MONOTONIC) < start + seconds)
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	l->facts->seconds = now_seconds(CLOCK_MONOTONIC) - start;
	const struct damon_event *events = rc ? NULL : damon_heard(probe, &heard);
	for (size_t i = 0; i < heard; i++)
		hear(l, &events[i]);
	if (!rc && !heard)
		rc = fail(err, EXIT_KERNEL_CANNOT, "the DAMON that runs said nothing in %.0f s", seconds);
	if (!rc)
		conclude(l, begun);
	damon_close(probe);
	free(begun);
	return rc;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static int plan_of_ranges(struct listening *l)
{
	uint64_t bytes = l->sample->machine.pmd_bytes;

	for (size_t i = 0; i < l->count; i++)
		l->places[i] = l->physical[i] == UINT64_MAX ? UINT64_MAX : l->physical[i] - bytes / 2;
	qsort(l->places, l->count, sizeof(*l->places), by_number);
	return own_damon_ranges(&l->plan, l->places, l->count, bytes);
}

/* Of processes, which tells most of them; where the kernel monitors none, of physical memory. */
static int begin_own(struct listening *l, const struct gather_options *o, struct error *err)
{
	int rc = -EXIT_KERNEL_CANNOT;

	for (int kind = 0; rc == -EXIT_KERNEL_CANNOT && kind < 2; kind++) {
		plan_free(&l->plan);
		rc = kind == 0 ? own_damon_processes(&l->plan, l->sample, l->regions, l->count) : plan_of_ranges(l);
		if (rc)
			return fail(err, EXIT_FAILED, "%s", rc == -ENOENT ? "where its memory lies is not known" : "out of memory");
		rc = o->lender->begin(o->lender, &l->plan, err);
	}
	return rc;
}

/* Begun, it is ended whatever becomes of listening. */
static int by_our_own(struct listening *l, const struct sysroot *root, const struct gather_options *o, struct error *err)
{
	struct error end;
	int rc = damon_of_our_own(root, &l->damon) == KNOWN ? listen(l, o, err)
		 : fail(err, EXIT_KERNEL_CANNOT, "the DAMON that was started for us ended");

	if (o->lender->end(o->lender, &end))
		rc = fail(err, EXIT_FAILED, "%s", end.text);
	l->facts->source = HEAT_OWN_DAMON;
	return rc;
}

static int by_any(struct listening *l, const struct sysroot *root, const struct gather_options *o, struct error *err)
{
	struct error why = { 0 };
	const char *taken = !o->lender ? "none is started here" : damon_taken(root);

	locate(l, root);
	if (!taken && !begin_own(l, o, &why))
		return by_our_own(l, root, o, err);
	if (!taken)
		taken = why.text;
	if (damon_running(root, &l->damon) != KNOWN)
		return fail(err, EXIT_KERNEL_CANNOT, "no DAMON runs here that watches physical memory alone, and no own one: %.300s",
			    taken);
	snprintf(l->facts->why, sizeof(l->facts->why), "%.*s", (int)sizeof(l->facts->why) - 1, taken);
	l->facts->source = HEAT_DAMON;
	return listen(l, o, err);
}

int heat_by_damon(struct heat_facts *facts, const struct sample *s, const struct sysroot *root,
		  const struct region *regions, size_t count, const struct gather_options *o, struct error *err)
{
	struct listening l = { .facts = facts, .sample = s, .regions = regions, .count = count };

	l.physical = calloc(count + 1, sizeof(*l.physical));
	l.places = calloc(count + 1, sizeof(*l.places));
	l.order = calloc(count + 1, sizeof(*l.order));
	l.checks = calloc(count + 1, sizeof(*l.checks));
	l.accessed = calloc(count + 1, sizeof(*l.accessed));
	int rc = l.physical && l.places && l.order && l.checks && l.accessed ? by_any(&l, root, o, err)
									      : fail(err, EXIT_FAILED, "out of memory");
	plan_free(&l.plan);
	free(l.physical);
	free(l.places);
	free(l.order);
	free(l.checks);
	free(l.accessed);
	return rc;
}
