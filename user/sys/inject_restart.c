// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mends the calls that answer EINTR after a mere stop, by the answer with which
 * the kernel restarts others: -ERESTARTNOHAND, restart unless a handler runs.
 *
 * epoll_wait() and epoll_pwait() carry their timeout in a register, so the time
 * that is left has to be put there. What has passed is in no interface of its
 * own; the scheduler's se.exec_start (/proc/PID/task/TID/sched) says when the
 * thread last ran, which is when it fell asleep. It counts in the time of the
 * run queue, so it is compared with our own exec_start on the same CPU.
 *
 * What this doesn't do: a timeout in the target's memory (epoll_pwait2,
 * rt_sigtimedwait, semtimedop, io_getevents, SO_RCVTIMEO) can't be shortened,
 * since nothing is written there. Those calls answer EINTR, as after SIGSTOP
 * and SIGCONT. After a shortened epoll_wait() the register of its timeout holds
 * the shortened value; C's calling convention lets a callee change it.
 */
#include "sys/inject_restart.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define ERESTARTNOHAND 514	/* include/linux/errno.h, never seen by the program itself */
#define NS_PER_MS 1000000ull
#define NS_PER_SECOND 1000000000ull

enum timeout {
	KERNEL_KEEPS_IT,	/* no mending needed */
	NO_TIMEOUT,
	TIMEOUT_MS,		/* an int in a register, negative: for ever */
	TIMEOUT_IN_MEMORY,	/* a pointer, NULL: for ever */
};

struct waiting_call {
	long number;
	enum timeout timeout;
	unsigned int argument;	/* which one is the timeout */
};

static const struct waiting_call waiting_calls[] = {
#ifdef SYS_epoll_wait
	{ SYS_epoll_wait, TIMEOUT_MS, 3 },
#endif
	{ SYS_epoll_pwait, TIMEOUT_MS, 3 },
#ifdef SYS_epoll_pwait2
	{ SYS_epoll_pwait2, TIMEOUT_IN_MEMORY, 3 },
#endif
	{ SYS_rt_sigtimedwait, TIMEOUT_IN_MEMORY, 2 },
	{ SYS_semop, NO_TIMEOUT, 0 },
	{ SYS_semtimedop, TIMEOUT_IN_MEMORY, 3 },
	{ SYS_io_getevents, TIMEOUT_IN_MEMORY, 4 },
#ifdef SYS_poll
	{ SYS_poll, KERNEL_KEEPS_IT, 0 },
	{ SYS_select, KERNEL_KEEPS_IT, 0 },
	{ SYS_pause, KERNEL_KEEPS_IT, 0 },
#endif
	{ SYS_ppoll, KERNEL_KEEPS_IT, 0 },
	{ SYS_pselect6, KERNEL_KEEPS_IT, 0 },
	{ SYS_nanosleep, KERNEL_KEEPS_IT, 0 },
	{ SYS_clock_nanosleep, KERNEL_KEEPS_IT, 0 },
	{ SYS_restart_syscall, KERNEL_KEEPS_IT, 0 },
	{ SYS_futex, KERNEL_KEEPS_IT, 0 },
	{ SYS_wait4, KERNEL_KEEPS_IT, 0 },
	{ SYS_waitid, KERNEL_KEEPS_IT, 0 },
	{ SYS_rt_sigsuspend, KERNEL_KEEPS_IT, 0 },
};

uint64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static const struct waiting_call *find_call(long number)
{
	for (size_t i = 0; i < sizeof(waiting_calls) / sizeof(waiting_calls[0]); i++)
		if (waiting_calls[i].number == number)
			return &waiting_calls[i];
	return NULL;
}

enum bearing call_bearing(long number)
{
	const struct waiting_call *call = find_call(number);
	if (!call)
		return UNKNOWN_BEARING;
	return call->timeout == KERNEL_KEEPS_IT ? BEARS_STOP : NEEDS_MENDING;
}

struct sched_file {
	uint64_t exec_start_ns;
	uint64_t switches;
};

/* The number after "name" and a colon in /proc/PID/sched, fraction cut off into `ret_fraction` (six digits). */
static bool sched_value(const char *text, const char *name, unsigned long long *ret, unsigned long long *ret_fraction)
{
	const char *at = strstr(text, name);
	*ret_fraction = 0;
	return at && sscanf(at + strlen(name), " : %llu.%6llu", ret, ret_fraction) >= 1;
}

/* `thread` 0: the calling process. */
static bool read_sched(const struct sysroot *root, pid_t pid, pid_t thread, struct sched_file *ret)
{
	char text[4096];	/* what is needed is in the first few lines */
	unsigned long long ms, ns, switches, none;
	enum known known = thread ? sysroot_read(root, text, sizeof(text), "proc/%d/task/%d/sched", pid, thread)
				  : sysroot_read(root, text, sizeof(text), "proc/self/sched");

	if (known != KNOWN || !sched_value(text, "\nse.exec_start", &ms, &ns) ||
	    !sched_value(text, "\nnr_voluntary_switches", &switches, &none))
		return false;
	ret->exec_start_ns = ms * NS_PER_MS + ns;
	ret->switches = switches;
	return true;
}

/* The CPU on which a thread ran last: field 39 of its stat, the 37th after the name. */
static int last_cpu(const struct sysroot *root, pid_t pid, pid_t thread)
{
	char text[1024];
	int cpu = -1;
	if (sysroot_read(root, text, sizeof(text), "proc/%d/task/%d/stat", pid, thread) != KNOWN)
		return -1;
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < 39; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, " %d", &cpu) == 1 ? cpu : -1;
}

/* Make our own exec_start be now, in the time of the run queue of `cpu`: sleep shortly there, and be woken. */
static bool run_on(int cpu)
{
	cpu_set_t set;
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return false;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return false;
	nanosleep(&(struct timespec){ .tv_nsec = 1000 }, NULL);
	return true;
}

void sleep_look(const struct sysroot *root, pid_t pid, pid_t thread, long number, const uint64_t arguments[6],
		struct sleep_look *ret)
{
	const struct waiting_call *call = find_call(number);
	struct sched_file theirs, ours;

	*ret = (struct sleep_look){ 0 };
	if (!call || call->timeout != TIMEOUT_MS || (int)arguments[call->argument] <= 0)
		return;
	if (!read_sched(root, pid, thread, &theirs) || !run_on(last_cpu(root, pid, thread)))
		return;
	if (!read_sched(root, pid, 0, &ours) || ours.exec_start_ns < theirs.exec_start_ns)
		return;
	ret->at_ns = monotonic_ns();	/* not before, or a timeout would end early by the time in between */
	ret->slept_ns = ours.exec_start_ns - theirs.exec_start_ns;
	ret->switches = theirs.switches;
	ret->known = true;
}

/*
 * What is left of a timeout, rounded up, so that the call never ends early. The sleep that was looked at is the one
 * that was interrupted if the thread has since then only switched to its stop; if it switched more often, the
 * interrupted sleep began after the look and counts as just begun.
 */
static int timeout_left(const struct sysroot *root, pid_t pid, pid_t thread, const struct sleep_look *look, int timeout)
{
	struct sched_file now;
	if (!read_sched(root, pid, thread, &now) || now.switches != look->switches + 1)
		return timeout;
	uint64_t passed = look->slept_ns + (monotonic_ns() - look->at_ns);
	uint64_t whole = (uint64_t)timeout * NS_PER_MS;
	return passed >= whole ? 0 : (int)((whole - passed + NS_PER_MS - 1) / NS_PER_MS);
}

bool mend_interrupted_call(const struct sysroot *root, pid_t pid, pid_t thread, const struct arch *arch,
			   const struct sleep_look *look, struct registers *registers)
{
	uint64_t *slot = registers->slot;
	if ((int64_t)slot[arch->interrupted] < 0 || (int64_t)slot[arch->result] != -EINTR)
		return false;
	const struct waiting_call *call = find_call((long)slot[arch->interrupted]);
	if (!call || call->timeout == KERNEL_KEEPS_IT)
		return false;

	uint64_t *timeout = &slot[arch->argument[call->argument]];
	bool shorten = call->timeout == TIMEOUT_MS && (int)*timeout > 0;
	if ((shorten && !look->known) || (call->timeout == TIMEOUT_IN_MEMORY && *timeout))
		return false;
	if (shorten)
		*timeout = (uint64_t)timeout_left(root, pid, thread, look, (int)*timeout);
	slot[arch->result] = (uint64_t)-ERESTARTNOHAND;
	return shorten;
}
