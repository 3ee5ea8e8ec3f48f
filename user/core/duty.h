/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From looking a part of the time to rates, with their intervals.
 *
 * A counter that is expensive to keep runs in windows at random times. What it
 * would have counted in the whole interval follows by a ratio estimate
 * (Cochran, Sampling Techniques, chapter 6): the counted thing y against an
 * auxiliary x that was seen in the same windows and whose total is known,
 *
 *	Y = X · Σy / Σx,   var Y = (1 − f) · n/(n − 1) · (X/Σx)² · Σ(y − (Σy/Σx)·x)²
 *
 * over n windows that saw a share f. Time always serves as x. Better ones are
 * what the kernel counts exactly anyway: a process's own page faults, and the
 * machine's COW breaks of merged pages. Where y follows x closely, hardly any
 * error is left, however bursty both are.
 *
 * An auxiliary is believed only when its own estimate by time agrees with its
 * known total: faults that no window could have seen (guest memory that KVM
 * faults in) would inflate everything else.
 *
 * The sums of two intervals add up to the sums of both together.
 */
#ifndef KSMSCOPE_CORE_DUTY_H
#define KSMSCOPE_CORE_DUTY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/known.h"

/* When to look: windows of this length, their beginnings on average one period apart. */
struct duty_plan {
	int64_t window_ns;
	int64_t period_ns;
};

/*
 * When the window after one that began at `begin_ns` begins: half a period to
 * one and a half later, evenly drawn, so that nothing periodic can hide from
 * the windows or run along with them. `random`: 64 random bits.
 */
int64_t duty_next(const struct duty_plan *plan, int64_t begin_ns, uint64_t random);

#define DUTY_KINDS 8

/* One window: how long it was, and what the machine-wide auxiliary counted in it. */
struct duty_window {
	double seconds;
	double machine;
};

/* Sums over all windows of an interval. */
struct duty_total {
	uint32_t windows;
	double t, tt;		/* seconds */
	double m, mm, mt;	/* the machine-wide auxiliary */
};

/* Sums over those windows in which a process had any event. */
struct duty_process {
	uint32_t active;	/* how many these were */
	double x, xx, xt;	/* all its events */
	struct duty_kind {
		double y, yy, yx, yt, ym;
	} kind[DUTY_KINDS];
};

void duty_add_window(struct duty_total *total, const struct duty_window *window);
/* `counts`: events by kind in that window. A process without any need not be added. */
void duty_add_counts(struct duty_process *process, const struct duty_window *window,
		     const uint64_t counts[DUTY_KINDS]);

/* What is known of the whole interval. */
struct duty_known {
	double seconds;		/* its length */
	struct value faults;	/* all events of the process, counted by others */
	struct value machine;	/* total of the machine-wide auxiliary */
	int machine_kind;	/* the kind that the machine-wide auxiliary counts; -1: there is none */
};

enum duty_basis {
	DUTY_NOTHING,		/* no window: nothing is known */
	DUTY_EXACT,		/* looked all the time */
	DUTY_TIME,
	DUTY_FAULTS,
	DUTY_MACHINE,
};

/* Events in the whole interval, with a 95 % interval. */
struct duty_estimate {
	double count, low, high;
	enum duty_basis basis;
};

struct duty_estimate duty_estimate(const struct duty_process *process, const struct duty_total *total, int kind,
				   const struct duty_known *known);

/*
 * A share of a sample: `hits` of `trials`, with Wilson's 95 % interval
 * (JASA 22, 1927). Of nothing: anything from 0 to 1.
 */
struct duty_estimate duty_share(double hits, double trials);

#endif
