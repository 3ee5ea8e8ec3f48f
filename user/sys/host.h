/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the machine as a whole counts: vmstat, meminfo, memory pressure, and
 * what ksmd and we ourselves have cost. Knows nothing of single processes.
 */
#ifndef KSMSCOPE_SYS_HOST_H
#define KSMSCOPE_SYS_HOST_H

#include <sys/types.h>

#include "core/known.h"
#include "sys/sysroot.h"

/* A line "name number" of a file such as proc/vmstat or proc/meminfo ("name:   number kB", in kB). */
struct host_line {
	const char *name;
	struct value *ret;
};

/* Read the lines that are asked for; a line that is not there is ABSENT. `lines` ends with a NULL name. */
void host_lines(const struct sysroot *root, const char *path, const struct host_line *lines);

/* proc/pressure/memory; totals in microseconds, averages in hundredths of a per cent. */
struct host_pressure {
	struct value some_total_us, full_total_us;
	struct value some_avg10, full_avg10;
};

void host_pressure(const struct sysroot *root, struct host_pressure *ret);

/* "model name" of proc/cpuinfo, or what arm64 has instead (implementer, part, revision); "" where neither is told. */
void host_cpu_name(const struct sysroot *root, char *ret, size_t size);

/* CPU time of a task in nanoseconds: schedstat where the kernel has it, else stat's ticks. */
struct value host_task_cpu_ns(const struct sysroot *root, pid_t pid);

/* Our own: all threads, and resident bytes. Always of the live system. */
struct value host_own_cpu_ns(void);
struct value host_own_rss(void);

#endif
