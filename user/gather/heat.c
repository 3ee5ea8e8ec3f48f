// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clear the accessed bits, let the targets run, see which are set. Exposures
 * climb a ladder from next to nothing to a sixteenth of the time, again and
 * again, so that fast pages and slow ones both find a step that tells them
 * apart.
 */
#include "gather/heat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/huge/heat.h"
#include "gather/heat_damon.h"
#include "probe/attach.h"
#include "probe/heat.h"
#include "sys/clear_refs.h"
#include "sys/proc.h"
#include "sys/referenced.h"
#include "sys/task_clock.h"

#define SHORTEST_SECONDS 3e-4
#define LONGEST_SHARE (1.0 / 16)
#define STEP 3.1622776601683795		/* half a factor of ten */
/* A look is at an exposure of at least so many times what clearing and reading take. */
#define EXPOSURE_OF_COST 2
/* As short as can be several times in a row: only these tell pages of 10,000 accesses a second and more apart. */
#define QUICK_LOOKS 8
/* Beyond so many a second the target would feel it. */
#define LOOKS_PER_SECOND 40
#define GOLDEN 0.6180339887498949

struct watched {
	uint32_t task;			/* index into sample.tasks */
	pid_t pid;
	int clear;			/* /proc/PID/clear_refs; negative: not watched (any more) */
	struct task_clock clock;	/* its processor time */
	size_t first, count;		/* of the regions */
	double begun, cleared;		/* that clock, at first and when its bits were cleared */
	struct task_modes modes;	/* at first */
	struct heat_totals totals;
	double clearing;		/* how long that took */
};

struct watch {
	const struct sysroot *root;
	struct heat_facts *facts;
	struct heat_probe *probe;	/* NULL: by whole mappings (HEAT_REFERENCED) */
	const volatile sig_atomic_t *stop;
	struct watched *tasks;
	size_t tasks_count;
	uint64_t *addresses;		/* one per region, each task's twice in a row: a look begins anywhere in it */
	unsigned int quick;		/* looks without any exposure so far, in a row */
	uint8_t *states;
	bool flush;
	double cost;			/* seconds that the last clearing and reading took */
};

static double clock_seconds(clockid_t clock)
{
	struct timespec now;
	return clock_gettime(clock, &now) ? 0 : now.tv_sec + now.tv_nsec * 1e-9;
}

static bool stopped(const struct watch *w)
{
	return w->stop && *w->stop;
}

static void sleep_until(const struct watch *w, double deadline)
{
	for (double left; !stopped(w) && (left = deadline - clock_seconds(CLOCK_MONOTONIC)) > 0;) {
		struct timespec slice = { .tv_nsec = (left < 0.05 ? left : 0.05) * 1e9 };
		nanosleep(&slice, NULL);
	}
}

static void give_up(struct watch *w, struct watched *t, enum known known, const char *why)
{
	w->facts->tasks[t->task].known = known;
	w->facts->tasks[t->task].why = why;
	if (t->clear >= 0) {
		close(t->clear);
		task_clock_close(&t->clock);
	}
	t->clear = -1;
}

/*
 * Bits are cleared in the first half, translations flushed at the end. Whether
 * accesses in between set bits depends on whether the TLB still has the page:
 * the exposure begins at any moment of it.
 */
static void note_clearing(const struct watch *w, struct watched *t, double before, double after)
{
	double from = w->flush ? before + (after - before) / 4 : before;

	t->cleared = (from + after) / 2;
	t->clearing = after - from;
}

static void clear_one(struct watch *w, struct watched *t)
{
	double before = task_clock_seconds(&t->clock);
	enum known known = clear_refs(t->clear, w->flush);

	if (known != KNOWN)
		give_up(w, t, known, known == GONE ? "it ended while we looked" : "its accessed bits may not be cleared");
	else
		note_clearing(w, t, before, task_clock_seconds(&t->clock));
}

static void note(struct heat_hits *hits, uint8_t state, size_t bin)
{
	hits->hits[bin] += state == HEAT_ACCESSED;
	hits->unseen += state == HEAT_UNSEEN;
	hits->broken += state == HEAT_BROKEN;
}

/* Was anything of its mapping accessed? Then each huge page may have been. */
static void look_by_mapping(struct watch *w, const struct watched *t, size_t first)
{
	struct referenced *list;
	size_t count;

	referenced_read(w->root, t->pid, &list, &count);
	for (size_t i = 0; i < t->count; i++) {
		const struct referenced *mapping = referenced_at(list, count, w->addresses[2 * t->first + first + i]);
		w->states[i] = !mapping ? HEAT_UNSEEN : mapping->kilobytes ? HEAT_ACCESSED : HEAT_IDLE;
	}
	free(list);
}

/* The state of region (first + i) mod count goes to states[i]. */
static int look_by_page(struct watch *w, const struct watched *t, size_t first, struct error *err)
{
	if (w->probe)
		return heat_look(w->probe, t->pid, w->addresses + 2 * t->first + first, t->count, w->states, err);
	look_by_mapping(w, t, first);
	return 0;
}

static size_t accessed_of(const struct watch *w, const struct watched *t)
{
	size_t ret = 0;

	for (size_t i = 0; i < t->count; i++)
		ret += w->states[i] == HEAT_ACCESSED;
	return ret;
}

static int look_at(struct watch *w, struct watched *t, struct error *err)
{
	struct heat_looks *looks = &w->facts->tasks[t->task].looks;
	double turn = w->facts->looks * GOLDEN;
	size_t first = (turn - floor(turn)) * t->count;	/* evenly spread, whatever the number of looks */
	double before = task_clock_seconds(&t->clock);
	int rc = look_by_page(w, t, first, err);
	double after = task_clock_seconds(&t->clock), exposure = (before + after) / 2 - t->cleared;
	size_t bin = after > 0 ? heat_bin(exposure) : HEAT_BINS;

	if (after > 0)
		w->facts->tasks[t->task].cpu_seconds = after - t->begun;
	if (rc || bin == HEAT_BINS || looks->count[bin] == UINT16_MAX)
		return rc;
	looks->count[bin]++;
	looks->seconds[bin] += exposure;
	looks->reading[bin] += after - before + t->clearing;
	size_t accessed = accessed_of(w, t);
	t->totals.hits[bin] += accessed;
	t->totals.none[bin] += !accessed;
	for (size_t i = 0; i < t->count; i++)
		note(&w->facts->hits[t->first + (first + i) % t->count], w->states[i], bin);
	return 0;
}

/* All targets: clear, wait, look. */
static int look_once(struct watch *w, double exposure, struct error *err)
{
	double start = clock_seconds(CLOCK_MONOTONIC);
	int rc = 0;

	for (size_t i = 0; i < w->tasks_count; i++)
		if (w->tasks[i].clear >= 0)
			clear_one(w, &w->tasks[i]);
	double cleared = clock_seconds(CLOCK_MONOTONIC);
	sleep_until(w, cleared + exposure);
	double woken = clock_seconds(CLOCK_MONOTONIC);
	for (size_t i = 0; !rc && i < w->tasks_count; i++)
		if (w->tasks[i].clear >= 0)
			rc = look_at(w, &w->tasks[i], err);
	w->cost = cleared - start + clock_seconds(CLOCK_MONOTONIC) - woken;
	w->facts->looks++;
	return rc;
}

/* After the longest comes none at all: what passes between clearing and reading. That several times, as far as it goes. */
static double next_exposure(struct watch *w, double last, double longest, double elapsed)
{
	double least = fmax(SHORTEST_SECONDS, EXPOSURE_OF_COST * w->cost);

	if (last * STEP > longest || (last == 0 && w->quick < QUICK_LOOKS &&
				      w->facts->looks < LOOKS_PER_SECOND * elapsed)) {
		w->quick++;
		return 0;
	}
	w->quick = 0;
	return last * STEP < least ? least : last * STEP;
}

static void finish_tasks(struct watch *w)
{
	struct task_modes now;

	for (size_t i = 0; i < w->tasks_count; i++) {
		heat_drop_dead(&w->facts->tasks[w->tasks[i].task].looks, &w->tasks[i].totals);
		if (w->tasks[i].clear >= 0 && task_modes_read(w->root, w->tasks[i].pid, &now))
			w->facts->tasks[w->tasks[i].task].user_share = task_modes_user_share(&w->tasks[i].modes, &now);
	}
}

static int look_for(struct watch *w, double seconds, struct error *err)
{
	double start = clock_seconds(CLOCK_MONOTONIC), longest = seconds * LONGEST_SHARE, exposure = 0;
	int rc = 0;

	while (!rc && !stopped(w) && clock_seconds(CLOCK_MONOTONIC) + exposure < start + seconds) {
		exposure = next_exposure(w, exposure, longest, clock_seconds(CLOCK_MONOTONIC) - start);
		rc = look_once(w, exposure, err);
	}
	w->facts->seconds = clock_seconds(CLOCK_MONOTONIC) - start;
	finish_tasks(w);
	return stopped(w) ? fail(err, EXIT_FAILED, "interrupted; nothing was changed but accessed bits") : rc;
}

/* Regions come by process: one entry for each run of them. */
static void watch_task(struct watch *w, const struct sysroot *root, const struct region *r, size_t i)
{
	struct watched *t = &w->tasks[w->tasks_count++];

	*t = (struct watched){ .task = r->task, .pid = r->pid, .first = i, .clear = -1 };
	w->facts->tasks[r->task].known = KNOWN;
	if (proc_has_guest(root, r->pid))
		give_up(w, t, ABSENT, "its guest's accesses are not in its own page tables");
	else if ((t->clear = clear_refs_open(root, r->pid)) < 0)
		give_up(w, t, known_of_errno(-t->clear), "its accessed bits may not be cleared");
	else if (!task_clock_open(&t->clock, root, r->pid))
		give_up(w, t, GONE, "it ended before we looked");
	else
		t->begun = task_clock_seconds(&t->clock);
	task_modes_read(root, r->pid, &t->modes);
}

static int watch_begin(struct watch *w, struct sample *s, const struct sysroot *root, const struct region *regions,
		       size_t count, struct error *err)
{
	w->facts = s->heat = heat_facts_new(s->tasks_count, count);
	w->tasks = calloc(s->tasks_count + 1, sizeof(*w->tasks));
	w->addresses = calloc(2 * count + 1, sizeof(*w->addresses));
	w->states = calloc(count + 1, sizeof(*w->states));
	if (!w->facts || !w->tasks || !w->addresses || !w->states)
		return fail(err, EXIT_FAILED, "out of memory: look at fewer processes at a time");
	for (size_t i = 0; i < count; i++) {
		if (!w->tasks_count || w->tasks[w->tasks_count - 1].task != regions[i].task)
			watch_task(w, root, &regions[i], i);
		w->tasks[w->tasks_count - 1].count++;
	}
	for (size_t t = 0; t < w->tasks_count; t++)
		for (size_t i = 0; i < 2 * w->tasks[t].count; i++)
			w->addresses[2 * w->tasks[t].first + i] = regions[w->tasks[t].first + i % w->tasks[t].count].address;
	w->facts->flushed = w->flush = clear_refs_can_flush(root, s->machine.page_bytes);
	return 0;
}

static void watch_end(struct watch *w)
{
	for (size_t i = 0; i < w->tasks_count; i++)
		if (w->tasks[i].clear >= 0) {
			close(w->tasks[i].clear);
			task_clock_close(&w->tasks[i].clock);
		}
	heat_close(w->probe);
	free(w->tasks);
	free(w->addresses);
	free(w->states);
}

/* Guests all of them, or gone: no bit of ours would tell anything. */
static bool nothing_to_clear(const struct watch *w)
{
	for (size_t i = 0; i < w->tasks_count; i++)
		if (w->tasks[i].clear >= 0)
			return false;
	return true;
}

/* Where nobody can be listened to, heat stays unknown. */
static int listen_to_damon(struct watch *w, struct sample *s, const struct region *regions, size_t count,
			   const struct gather_options *o, struct error *err)
{
	struct error why = { 0 };
	int rc = heat_by_damon(w->facts, s, w->root, regions, count, o, &why);

	if (rc == EXIT_FAILED || (!rc && stopped(w)))
		return fail(err, EXIT_FAILED, "%s", rc ? why.text : "interrupted; nothing was changed");
	if (rc)
		sample_lacks(s, "heat", attach_known(&why), "%s", why.text);
	w->facts->flushed = false;
	if (rc)
		w->facts->source = HEAT_NOT_LOOKED;
	return 0;
}

static int watch_regions(struct watch *w, struct sample *s, const struct sysroot *root,
			 const struct region *regions, size_t count, const struct gather_options *o,
			 struct error *err)
{
	struct error why = { 0 };
	int rc = watch_begin(w, s, root, regions, count, err);

	if (rc)
		return rc;
	if (o->heat_source == HEAT_DAMON || (o->heat_source == HEAT_NOT_LOOKED && nothing_to_clear(w)))
		return listen_to_damon(w, s, regions, count, o, err);
	if (o->heat_source == HEAT_REFERENCED)
		snprintf(w->facts->why, sizeof(w->facts->why), "it was asked for");
	else if (heat_open(&w->probe, root, &why))
		snprintf(w->facts->why, sizeof(w->facts->why), "%.*s", (int)sizeof(w->facts->why) - 1, why.text);
	w->facts->source = w->probe ? HEAT_PAGE_TABLES : HEAT_REFERENCED;
	double begun = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
	rc = look_for(w, o->heat_seconds, err);
	w->facts->cpu_seconds = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - begun;
	return rc;
}

int heat_watch(struct sample *s, const struct sysroot *root, const struct gather_options *o, struct error *err)
{
	struct watch w = { .root = root, .stop = o->stop };
	struct region *regions;
	size_t count;

	if (regions_list(s, &regions, &count))
		return fail(err, EXIT_FAILED, "out of memory: look at fewer processes at a time");
	int rc = count ? watch_regions(&w, s, root, regions, count, o, err) : 0;
	watch_end(&w);
	free(regions);
	return rc;
}
