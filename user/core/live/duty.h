/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From looking a part of the time to rates, with their intervals.
 *
 * A counter that is expensive to keep runs in windows at random times. What it
 * would have counted all the time follows by a ratio estimate (Cochran,
 * Sampling Techniques, chapter 6): the counted thing y against an auxiliary x
 * that is seen in the same windows and whose total X is known. What was seen is
 * certain; the rest is predicted,
 *
 *	Y = y + (X − x) · Σy' / Σx'
 *
 * where the sums with a dash go over a longer past, the horizon, so that what
 * happens in bursts between the windows of one second is told by those of the
 * last ten. With r = Σy'/Σx', n' windows in the horizon, s² = Σ(y' − r·x')² /
 * (n' − 1) and N the number of windows that would fit into the time not seen,
 *
 *	var Y = N · s² · (1 + N / n'),
 *
 * which is Cochran's formula where interval and horizon are the same.
 *
 * Time always serves as x. Better ones are what the kernel counts exactly
 * anyway: a process's own page faults, and the machine's COW breaks of merged
 * pages. Where y follows x closely, hardly any error is left, however bursty
 * both are. An auxiliary is believed only while its own estimate by time agrees
 * with its known total: faults that no window could have seen (guest memory
 * that KVM faults in) would inflate everything else.
 *
 * Sums of several intervals add up to the sums of all of them together.
 */
#ifndef KSMSCOPE_CORE_DUTY_H
#define KSMSCOPE_CORE_DUTY_H

#include <stdbool.h>
#include <stdint.h>

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

/* One window: how long it was, and how many events of the machine-wide kind it saw. */
struct duty_window {
	double seconds;
	double machine;
};

/* An interval, and the sums over its windows. */
struct duty_total {
	double seconds;		/* its length */
	double machine;		/* events of the machine-wide kind in it, counted by others; below 0: unknown */
	uint32_t windows;
	double t, tt;		/* seconds */
	uint32_t machine_active;	/* windows that had events of the machine-wide kind */
	double m, mm, mt;	/* these events */
};

/* A process in an interval, and the sums over those windows in which it had any event. */
struct duty_process {
	double all;		/* all its events in the interval, counted by others; below 0: unknown */
	uint32_t active;	/* windows */
	double x, xx, xt;	/* all its events seen */
	struct duty_kind {
		double y, yy, yx, yt, ym;
	} kind[DUTY_KINDS];
};

void duty_add_window(struct duty_total *total, const struct duty_window *window);
/* `counts`: events by kind in that window. A process without any need not be added. */
void duty_add_counts(struct duty_process *process, const struct duty_window *window,
		     const uint64_t counts[DUTY_KINDS]);

/* Append an interval. A total that is unknown in one part is unknown in the whole. */
void duty_total_add(struct duty_total *total, const struct duty_total *more);
void duty_process_add(struct duty_process *process, const struct duty_process *more);

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

/* A process in an interval and in a horizon, which includes the interval. */
struct duty_case {
	const struct duty_process *now, *horizon;
	const struct duty_total *now_total, *horizon_total;
	int machine_kind;	/* the kind that is counted machine-wide; -1: none */
};

struct duty_estimate duty_estimate(const struct duty_case *c, int kind);

/*
 * A share of a sample: `hits` of `trials`, with Wilson's 95 % interval
 * (JASA 22, 1927). Of nothing: anything from 0 to 1.
 */
struct duty_estimate duty_share(double hits, double trials);

/* When a long window was last asked for, and how long to wait with the next. Zeroed at first. */
struct duty_patience {
	int64_t next_ns, pause_ns;
};

/*
 * Is it time for a window of DUTY_LONG_NS? Yes, when the windows of the horizon
 * miss events that the machine-wide counter has: these come in bursts between
 * the windows, or where no window can see them. So the pause to the next one
 * doubles until windows see their share again.
 */
#define DUTY_LONG_NS 1100000000
bool duty_wants_long(struct duty_patience *patience, int64_t now_ns, const struct duty_total *horizon);

#endif
