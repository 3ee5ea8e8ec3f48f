/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processor time of another process, to the microsecond. Its CPU clock
 * (clock_getcpuclockid(3)) lags by up to a tick of the scheduler: the kernel
 * brings it up to date for its own threads only (thread_group_cputime() in
 * kernel/sched/cputime.c). perf's task clock does not lag, by thread; threads
 * that begin later are missed. With many threads, or where perf is refused, it
 * is the CPU clock all the same.
 */
#ifndef KSMSCOPE_SYS_TASK_CLOCK_H
#define KSMSCOPE_SYS_TASK_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "sys/sysroot.h"

#define TASK_CLOCK_THREADS 64

struct task_clock {
	int threads[TASK_CLOCK_THREADS];	/* perf events */
	int count;				/* 0: by `process` */
	clockid_t process;
};

/* False: no such process. */
bool task_clock_open(struct task_clock *ret, const struct sysroot *root, pid_t pid);
void task_clock_close(struct task_clock *clock);

/* Seconds, from some begin; 0 when the process has ended and nothing is known any more. */
double task_clock_seconds(const struct task_clock *clock);

/* Processor time of a process by /proc/PID/stat, in clock ticks. */
struct task_modes {
	uint64_t user, system;
};

/* False: it can't be read. */
bool task_modes_read(const struct sysroot *root, pid_t pid, struct task_modes *ret);

/* The share of the time between two readings in user mode; 0 where there is none. */
double task_modes_user_share(const struct task_modes *before, const struct task_modes *after);

#endif
