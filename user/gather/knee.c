// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/knee.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/huge/frontier.h"
#include "core/judge/build.h"
#include "core/trust/assign.h"
#include "gather/calibration.h"
#include "gather/errand.h"
#include "gather/gather.h"

/* Between the two looks at a page: what changed is no duplicate. */
#define SETTLE_SECONDS 1

/* A point of the curve. */
struct point_told {
	uint64_t regions, saved_bytes;
	int64_t slowdown_ppb;
};

/* What the child says: one of these. */
struct told {
	bool failed;
	char failure[160];		/* when it failed */
	uint64_t regions;		/* huge pages that are mapped whole */
	bool has_knee, has_slowdown;
	struct point_told knee, all;
	double seconds;			/* of the look */
	int64_t clock_ns;		/* when it ended, CLOCK_REALTIME */
};

struct knee {
	const struct sysroot *root;
	struct knee_options options;
	struct errand errand;
	struct told told;		/* the last look; clock_ns 0: there was none */
	uint64_t looks;
	double cpu_seconds;		/* of all looks */
	int64_t next_ns;		/* CLOCK_MONOTONIC: not before that does the next look begin */
	enum known known;		/* why there is none */
	char why[200];
};

struct knee *knee_open(const struct sysroot *root, const struct knee_options *options)
{
	struct knee *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->root = root;
	k->options = *options;
	if (!(k->options.budget.cpu > 0) && !(k->options.budget.bytes_per_second > 0))
		k->options.budget.cpu = KNEE_CPU;
	if (!k->options.most_bytes)
		k->options.most_bytes = KNEE_BYTES;
	if (!k->options.calibration)
		k->options.calibration = CALIBRATION_FILE;
	return k;
}

void knee_close(struct knee *k)
{
	if (!k)
		return;
	errand_end(&k->errand);
	free(k);
}

/* ---- the child ---- */

static struct point_told point(const struct frontier_point *p)
{
	return (struct point_told){ p->regions_broken, p->saved_bytes,
				    isnan(p->slowdown) ? 0 : llround(fmin(p->slowdown, 1e3) * 1e9) };
}

static void describe(struct told *told, const struct huge *h)
{
	told->regions = h->count;
	told->has_knee = h->knee_kind != KNEE_NONE;
	told->has_slowdown = h->calibrated;
	told->knee = point(&h->frontier[h->knee]);
	told->all = point(&h->frontier[h->worth]);
}

static int draw_frontier(struct told *told, const struct knee *k, struct error *err)
{
	struct pace pace = pace_begin(k->options.budget);
	const struct gather_options options = {
		.target = { .all = true, .maybe_none = true }, .mode = LOOK_EXACT, .settle_seconds = SETTLE_SECONDS,
		.budget = k->options.budget, .paced_by = &pace, .calibration = k->options.calibration,
	};
	struct sample s;
	struct model m;
	bool named_missing;
	if (k->options.budget.cpu > 0)
		pace.began -= KNEE_BURST_SECONDS / k->options.budget.cpu;
	int rc = gather_sample(&s, k->root, &options, &named_missing, err);

	if (rc)
		return rc;
	const struct frontier_options frontier = { .calibration = s.calibration };
	if (trust_assign(&s, k->options.domains) || model_build(&m, &s))
		return fail(err, EXIT_FAILED, "out of memory drawing the frontier");
	if (huge_build(&m.huge, &s, &frontier))
		return fail(err, EXIT_FAILED, "out of memory drawing the frontier");
	if (m.huge)
		describe(told, m.huge);
	told->seconds = s.seconds;
	return 0;
}

/* Its memory goes with it. */
static bool look(void *context, struct errand_voice *voice)
{
	struct told told = { 0 };
	struct timespec now;
	struct error err;

	if (draw_frontier(&told, context, &err)) {
		told.failed = true;
		snprintf(told.failure, sizeof(told.failure), "%.159s", err.text);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	told.clock_ns = now.tv_sec * 1000000000ll + now.tv_nsec;
	text_add(&voice->text, (const char *)&told, sizeof(told));
	return true;
}

/* ---- its parent ---- */

__attribute__((format(printf, 3, 4)))
static void lack(struct knee *k, enum known known, const char *why, ...)
{
	va_list args;

	k->known = known;
	k->told = (struct told){ 0 };
	va_start(args, why);
	vsnprintf(k->why, sizeof(k->why), why, args);
	va_end(args);
}

static void listen_to(struct knee *k)
{
	double cpu_seconds = 0;
	enum errand_state state = errand_look(&k->errand, &cpu_seconds);

	if (state == ERRAND_UNDER_WAY)
		return;
	k->looks++;
	k->cpu_seconds += cpu_seconds;
	if (state != ERRAND_DONE || k->errand.result.length != sizeof(k->told)) {
		lack(k, GONE, "the look was ended from outside; the next one comes");
		return;
	}
	struct told told;
	memcpy(&told, k->errand.result.bytes, sizeof(told));
	if (told.failed)
		lack(k, DENIED, "%s", told.failure);
	else
		k->told = told;
}

static void begin(struct knee *k, const struct top_sample *s)
{
	int64_t anon = value_or(s->fact[FACT_ANON_BYTES], 0);

	k->next_ns = s->clock_ns + (int64_t)(k->options.interval_seconds * 1e9);
	if ((uint64_t)anon > k->options.most_bytes)
		lack(k, NOT_READ, "%lld MiB of anonymous memory are more than a look at every page may hold (%llu MiB)",
		     (long long)anon >> 20, (unsigned long long)k->options.most_bytes >> 20);
	else if (!errand_begin(&k->errand, ERRAND_NICE_LAST, look, k))
		lack(k, DENIED, "no process can be begun to look at huge pages: %s", strerror(errno));
	else if (!k->told.clock_ns && !k->why[0])
		lack(k, NOT_READ, "the first look is under way");
}

static void put_point(struct top_sample *s, enum top_fact first, const struct point_told *p, bool has_slowdown)
{
	s->fact[first] = value_of((int64_t)p->regions);
	s->fact[first + 1] = value_of((int64_t)p->saved_bytes);
	s->fact[first + 2] = has_slowdown ? value_of(p->slowdown_ppb) : (struct value){ .known = ABSENT };
}

static void put(const struct knee *k, struct top_sample *s)
{
	const struct told *told = &k->told;

	s->fact[FACT_FRONTIER_TIME_NS] = value_of(told->clock_ns);
	s->fact[FACT_FRONTIER_LOOK_NS] = value_of((int64_t)(told->seconds * 1e9));
	s->fact[FACT_FRONTIER_HUGE_PAGES] = value_of((int64_t)told->regions);
	put_point(s, FACT_FRONTIER_ALL_PAGES, &told->all, told->has_slowdown);
	if (told->has_knee)
		put_point(s, FACT_KNEE_PAGES, &told->knee, told->has_slowdown);
	else
		top_sample_missing(s, "knee", ABSENT, "the frontier has none: %s", told->all.saved_bytes ?
				   "all huge pages are alike" : "breaking huge pages frees nothing");
	if (!told->has_slowdown)
		top_sample_missing(s, "slow-down", ABSENT, "this machine is not calibrated (ksm-advise --calibrate)");
}

void knee_take(struct knee *k, struct top_sample *s)
{
	if (k->errand.child)
		listen_to(k);
	if (!k->errand.child && s->clock_ns >= k->next_ns)
		begin(k, s);
	s->fact[FACT_FRONTIER_LOOKS] = value_of((int64_t)k->looks);
	s->fact[FACT_FRONTIER_CPU_NS] = value_of((int64_t)(k->cpu_seconds * 1e9));
	if (k->told.clock_ns)
		put(k, s);
	else
		top_sample_missing(s, SOURCE_LEDGER, k->known, "%s", k->why);
}
