/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measure on this machine what breaking, rebuilding, merging and page walks
 * cost, on memory of child processes of our own. Nobody else's memory is
 * looked at. Times are CPU time of the one who pays: others' load makes a
 * measurement longer, but hardly dearer.
 *
 * For merged pages and ksmd's work the engine has to run for some seconds: its
 * settings are changed through act/, journalled, and put back. Meanwhile it
 * also scans whatever else has opted in on this machine.
 */
#ifndef KSMSCOPE_MEASURE_CALIBRATE_H
#define KSMSCOPE_MEASURE_CALIBRATE_H

#include <signal.h>

#include "base/error.h"
#include "core/huge/calibration.h"
#include "sys/sysroot.h"

/* Less would leave too few values for an interval. */
#define CALIBRATE_LEAST_SECONDS 5

struct calibrate_options {
	double seconds;			/* about so long; what does not fit is left out and named */
	uint64_t memory_bytes;		/* most memory that is taken at a time; 0: a cautious default */
	bool no_writes;			/* leave the engine alone: nothing about merging is measured */
	const char *state_dir;		/* for the journal of the engine's settings */
	/* About ten times a second: the share that is done, and what is being measured. May be NULL. */
	void (*progress)(void *context, double share, const char *what);
	void *context;
	const volatile sig_atomic_t *stop;	/* non-zero: give up; may be NULL */
};

/*
 * 0 with a calibration in which each figure that could not be had says why; or
 * a negative exit status: interrupted, or not enough memory to measure with.
 */
int calibrate(struct calibration *ret, const struct sysroot *root, const struct calibrate_options *options,
	      struct error *err);

#endif
