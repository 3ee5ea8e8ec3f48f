// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/wait.h"

#include <time.h>
#include <unistd.h>

#include "act/apply.h"
#include "act/apply_private.h"
#include "act/converge.h"
#include "sys/ksm_read.h"

#define STEP_NS 250000000l		/* four looks a second */

/* Saved frames; kernels before 6.6 have no ksm_zero_pages, and then none are placed there uncounted. */
static struct value saved_pages(const struct sysroot *root, int64_t *ret_sharing)
{
	struct value sharing = ksm_knob_read(root, KNOB_PAGES_SHARING);
	struct value zero = ksm_knob_read(root, KNOB_KSM_ZERO_PAGES);
	*ret_sharing = sharing.number;
	sharing.number += value_or(zero, 0);
	return sharing;
}

void engine_start(struct engine_start *ret, const struct sysroot *root)
{
	int64_t sharing;
	ret->full_scans = ksm_knob_read(root, KNOB_FULL_SCANS);
	ret->saved_pages = saved_pages(root, &sharing);
	ret->ksmd = ksmd_find(root);
	ret->ksmd_ticks = ksmd_cpu_ticks(root, ret->ksmd);
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static double ksmd_seconds(const struct sysroot *root, const struct engine_start *start)
{
	struct value ticks = ksmd_cpu_ticks(root, start->ksmd);
	if (!is_known(ticks) || !is_known(start->ksmd_ticks))
		return -1;
	return (double)(ticks.number - start->ksmd_ticks.number) / (double)sysconf(_SC_CLK_TCK);
}

static int fail_counter(enum knob knob, enum known known, struct error *err)
{
	return fail(err, known == DENIED ? EXIT_NOT_PERMITTED : EXIT_KERNEL_CANNOT,
		    "can't watch the engine: %s can't be read (%s)", knobs[knob].name, known_name(known));
}

/* One look. full_scans first: a saving read after it can only be of that scan or a later one. */
static int look(const struct sysroot *root, const struct engine_start *start, struct convergence *c,
		struct act_progress *ret, struct error *err)
{
	struct value run = ksm_knob_read(root, KNOB_RUN);
	struct value scans = ksm_knob_read(root, KNOB_FULL_SCANS);
	struct value saved = saved_pages(root, &ret->pages_sharing);
	if (!is_known(scans))
		return fail_counter(KNOB_FULL_SCANS, scans.known, err);
	if (!is_known(saved))
		return fail_counter(KNOB_PAGES_SHARING, saved.known, err);
	if (is_known(run) && run.number != 1)
		return fail(err, EXIT_FAILED, "the engine is not running (run is %d): nothing will merge",
			    (int)run.number);
	ret->full_scans = scans.number - start->full_scans.number;
	ret->gained_pages = saved.number - start->saved_pages.number;
	ret->ksmd_seconds = ksmd_seconds(root, start);
	ret->converged = convergence_step(c, scans.number, saved.number);
	return 0;
}

int act_wait(struct act *act, double seconds, const volatile sig_atomic_t *stop,
	     void (*report)(void *context, const struct act_progress *progress), void *context,
	     struct act_progress *ret, struct error *err)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	struct convergence convergence;
	struct timespec began;
	int rc;

	*ret = (struct act_progress){ .ksmd_seconds = -1 };
	if (!is_known(act->start.full_scans))
		return fail_counter(KNOB_FULL_SCANS, act->start.full_scans.known, err);
	if (!is_known(act->start.saved_pages))
		return fail_counter(KNOB_PAGES_SHARING, act->start.saved_pages.known, err);
	/* counted from now: a scan that ran while the changes were made saw only some of them */
	convergence_start(&convergence, value_or(ksm_knob_read(act->root, KNOB_FULL_SCANS), 0),
			  act->start.saved_pages.number);
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (;;) {
		rc = look(act->root, &act->start, &convergence, ret, err);
		ret->seconds = seconds_since(&began);
		if (!rc && report)
			report(context, ret);
		if (rc || ret->converged || ret->seconds >= seconds || (stop && *stop))
			return rc;
		nanosleep(&step, NULL);		/* cut short by the signal that sets *stop */
	}
}
