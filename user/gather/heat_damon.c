// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/heat_damon.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/search.h"
#include "core/huge/heat.h"
#include "core/sort.h"
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
	uint64_t *physical;		/* by region: physical address of its middle; UINT64_MAX: not there */
	uint32_t *order;		/* regions by that */
	uint32_t *checks, *accessed;	/* by region: DAMON's samples, and those that found it accessed */
};

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
		l->order[i] = i;
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
	sort_by_key(l->order, l->count, l->physical);
}

/* The first region in order whose place is not below `physical`. */
static size_t first_from(const struct listening *l, uint64_t physical)
{
	return partition_point(l->count, i, l->physical[l->order[i]] < physical);
}

static void hear(struct listening *l, const struct damon_event *e)
{
	uint32_t samples = l->damon.aggregation_us / l->damon.sample_us;

	for (size_t k = first_from(l, e->start); k < l->count && l->physical[l->order[k]] < e->end; k++) {
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
		if (bin < HEAT_BINS && l->checks[i] > t->looks.count[bin]) {
			t->looks.count[bin] = l->checks[i];
			t->looks.seconds[bin] = l->checks[i] * interval * t->cpu_seconds / f->seconds;
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

static int listen(struct listening *l, const struct sysroot *root, const struct gather_options *o, struct error *err)
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
	locate(l, root);
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

int heat_by_damon(struct heat_facts *facts, const struct sample *s, const struct sysroot *root,
		  const struct region *regions, size_t count, const struct gather_options *o, struct error *err)
{
	struct listening l = { .facts = facts, .sample = s, .regions = regions, .count = count };

	if (damon_running(root, &l.damon) != KNOWN)
		return fail(err, EXIT_KERNEL_CANNOT, "no DAMON runs here that watches physical memory alone");
	l.physical = calloc(count + 1, sizeof(*l.physical));
	l.order = calloc(count + 1, sizeof(*l.order));
	l.checks = calloc(count + 1, sizeof(*l.checks));
	l.accessed = calloc(count + 1, sizeof(*l.accessed));
	int rc = l.physical && l.order && l.checks && l.accessed ? listen(&l, root, o, err)
								  : fail(err, EXIT_FAILED, "out of memory");
	free(l.physical);
	free(l.order);
	free(l.checks);
	free(l.accessed);
	return rc;
}
