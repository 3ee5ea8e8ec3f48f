// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/task_clock.h"

#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_thread(pid_t thread)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
	};
	return (int)syscall(SYS_perf_event_open, &attr, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void close_threads(struct task_clock *c)
{
	while (c->count)
		close(c->threads[--c->count]);
}

/* All threads, or none: a part of them would tell too little. */
static void open_threads(struct task_clock *c, const struct sysroot *root, pid_t pid)
{
	char path[32];
	bool all = true;

	snprintf(path, sizeof(path), "proc/%d/task", pid);
	DIR *dir = sysroot_dir(root, path);
	for (struct dirent *entry; dir && all && (entry = readdir(dir));) {
		pid_t thread = atoi(entry->d_name);
		if (thread <= 0)
			continue;
		int fd = c->count < TASK_CLOCK_THREADS ? open_thread(thread) : -1;
		all = fd >= 0;
		if (all)
			c->threads[c->count++] = fd;
	}
	if (dir)
		closedir(dir);
	if (!all)
		close_threads(c);
}

bool task_clock_open(struct task_clock *c, const struct sysroot *root, pid_t pid)
{
	memset(c, 0, sizeof(*c));
	if (clock_getcpuclockid(pid, &c->process))
		return false;
	open_threads(c, root, pid);
	return true;
}

void task_clock_close(struct task_clock *c)
{
	close_threads(c);
}

double task_clock_seconds(const struct task_clock *c)
{
	struct timespec now;
	uint64_t sum = 0;

	for (int i = 0; i < c->count; i++) {
		uint64_t nanoseconds = 0;
		if (read(c->threads[i], &nanoseconds, sizeof(nanoseconds)) == sizeof(nanoseconds))
			sum += nanoseconds;
	}
	if (c->count)
		return sum * 1e-9;
	return clock_gettime(c->process, &now) ? 0 : now.tv_sec + now.tv_nsec * 1e-9;
}

bool task_modes_read(const struct sysroot *root, pid_t pid, struct task_modes *ret)
{
	char text[2048];

	if (sysroot_read(root, text, sizeof(text), "proc/%d/stat", pid) != KNOWN)
		return false;
	const char *end = strrchr(text, ')');	/* of the name, in which anything may stand */
	return end && sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &ret->user,
			     &ret->system) == 2;
}

double task_modes_user_share(const struct task_modes *before, const struct task_modes *after)
{
	uint64_t user = after->user - before->user, all = user + after->system - before->system;

	return after->user >= before->user && after->system >= before->system && all ? (double)user / all : 0;
}
