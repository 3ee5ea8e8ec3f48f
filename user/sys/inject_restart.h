/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which blocking system calls survive a stop, and how to mend those that don't.
 *
 * Most calls that a stop interrupts the kernel restarts by itself, with the
 * time that is left. A few answer EINTR even though no handler ran (signal(7),
 * "Interruption of system calls and library functions by stop signals"). Such
 * a thread is made to restart its call, as long as the registers are all that
 * has to be changed for it.
 */
#ifndef KSMSCOPE_SYS_INJECT_RESTART_H
#define KSMSCOPE_SYS_INJECT_RESTART_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/inject_arch.h"
#include "sys/sysroot.h"

/* How well a thread bears being stopped in a system call; the lower the better. */
enum bearing {
	BEARS_STOP,		/* the kernel restarts the call, time and all */
	UNKNOWN_BEARING,	/* running, or a call that isn't known: it may come back with a part done */
	NEEDS_MENDING,		/* answers EINTR */
};

enum bearing call_bearing(long number);

/* How long a thread has slept, looked at before it was stopped. */
struct sleep_look {
	bool known;
	uint64_t slept_ns;	/* up to at_ns */
	uint64_t at_ns;		/* CLOCK_MONOTONIC */
	uint64_t switches;	/* voluntary context switches up to then */
};

/*
 * Look how long `thread` of `pid` has slept, if it waits in a call (`number`,
 * `arguments`) that needs this for its mending. Pins the calling process to
 * the CPU where the thread ran last: for a process of its own only.
 */
void sleep_look(const struct sysroot *root, pid_t pid, pid_t thread, long number, const uint64_t arguments[6],
		struct sleep_look *ret);

/*
 * In the registers of a thread that stands in a signal stop: where its call
 * was cut short with EINTR, have the kernel restart it. EINTR is left where
 * a timeout lies in memory or the time that has passed isn't known. True if the
 * call will be restarted with a changed timeout.
 */
bool mend_interrupted_call(const struct sysroot *root, pid_t pid, pid_t thread, const struct arch *arch,
			   const struct sleep_look *look, struct registers *registers);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t monotonic_ns(void);

#endif
