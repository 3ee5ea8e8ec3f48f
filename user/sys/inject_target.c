// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers from /proc alone, without stopping anything: may this process be
 * injected into, and where. It is a look, not a lock: the tracer checks again,
 * once the thread stands, whatever could have changed.
 */
#include "sys/inject_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"

#define PF_IO_WORKER 0x00000010		/* include/linux/sched.h */
#define PF_USER_WORKER 0x00004000	/* vhost, since 6.4 */
#define PF_KTHREAD 0x00200000
#define PF_NOT_OF_THE_PROGRAM (PF_IO_WORKER | PF_USER_WORKER | PF_KTHREAD)
#define THREADS_LOOKED_AT 64		/* enough to find one that sleeps well, and bounded */
#define SCAN_BYTES 65536		/* of each executable mapping */

struct stat_file {
	char state;
	unsigned int flags;
	unsigned long long start_ticks;
};

static bool parse_stat(const char *text, struct stat_file *ret)
{
	const char *rest = strrchr(text, ')');	/* the name may hold anything */
	return rest && sscanf(rest, ") %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u "
			      "%*d %*d %*d %*d %*d %*d %llu", &ret->state, &ret->flags, &ret->start_ticks) == 3;
}

/* The number after "Name:" in a status file, -1 where there is none. */
static int64_t status_number(const char *text, const char *name)
{
	long long number = -1;
	const char *at = strstr(text, name);
	return at && sscanf(at + strlen(name), "%lld", &number) == 1 ? number : -1;
}

static int fail_gone(pid_t pid, struct error *err)
{
	return fail(err, EXIT_FAILED, "process %d: it does not exist (any more)", pid);
}

static int fail_unreadable(enum known known, pid_t pid, const char *file, struct error *err)
{
	if (known != DENIED)
		return fail_gone(pid, err);
	return fail(err, EXIT_NOT_PERMITTED, "read /proc/%d/%s: not permitted: run as root", pid, file);
}

static int refuse_by_status(const char *text, pid_t pid, struct error *err)
{
	int64_t tracer = status_number(text, "\nTracerPid:"), group = status_number(text, "\nTgid:");
	if (group != pid)
		return fail(err, EXIT_FAILED, "process %d: it is a thread of process %lld: name that one", pid,
			    (long long)group);
	if (tracer > 0)
		return fail(err, EXIT_FAILED, "process %d: it is already traced, by process %lld: end that first", pid,
			    (long long)tracer);
	return 0;
}

int target_verify(const struct sysroot *root, const struct inject_target *target, struct error *err)
{
	char text[4096];
	struct stat_file stat;
	enum known known = sysroot_read(root, text, sizeof(text), "proc/%d/stat", target->pid);
	if (known != KNOWN)
		return fail_unreadable(known, target->pid, "stat", err);
	if (!parse_stat(text, &stat))
		return fail(err, EXIT_KERNEL_CANNOT, "read /proc/%d/stat: not understood", target->pid);
	if (target->start_ticks && stat.start_ticks != target->start_ticks)
		return fail(err, EXIT_FAILED, "process %d: it ended, and another one has its number now", target->pid);
	if (stat.flags & PF_KTHREAD)
		return fail(err, EXIT_FAILED, "process %d: it is a kernel thread: nothing can be run in it",
			    target->pid);
	if (target->thread &&
	    sysroot_read(root, text, sizeof(text), "proc/%d/task/%d/stat", target->pid, target->thread) != KNOWN)
		return fail_gone(target->pid, err);
	return 0;
}

bool target_is_filtered(const struct sysroot *root, const struct inject_target *target)
{
	char text[4096];
	if (sysroot_read(root, text, sizeof(text), "proc/%d/task/%d/status", target->pid, target->thread) != KNOWN)
		return true;
	return status_number(text, "\nSeccomp:") != 0;
}

bool target_has_ended(const struct sysroot *root, const struct inject_target *target)
{
	char text[1024];
	struct stat_file stat;
	return sysroot_read(root, text, sizeof(text), "proc/%d/task/%d/stat", target->pid, target->thread) != KNOWN ||
	       !parse_stat(text, &stat) || strchr("ZX", stat.state);
}

/* The call that a thread waits in, with its arguments; -1: in none, or not readable. */
static long waiting_in(const struct sysroot *root, pid_t pid, pid_t thread, uint64_t arguments[6])
{
	char text[256];
	long number = -1;
	unsigned long long a[6];
	if (sysroot_read(root, text, sizeof(text), "proc/%d/task/%d/syscall", pid, thread) != KNOWN ||
	    sscanf(text, "%ld %llx %llx %llx %llx %llx %llx", &number, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5]) != 7)
		return -1;
	for (int i = 0; i < 6; i++)
		arguments[i] = a[i];
	return number;
}

/* How badly a thread would bear a stop; 0 is best, negative: it can't be used. */
static int thread_cost(const struct sysroot *root, pid_t pid, pid_t thread)
{
	char text[1024];
	struct stat_file stat;
	uint64_t arguments[6];
	if (sysroot_read(root, text, sizeof(text), "proc/%d/task/%d/stat", pid, thread) != KNOWN ||
	    !parse_stat(text, &stat) || strchr("ZX", stat.state) || (stat.flags & PF_NOT_OF_THE_PROGRAM))
		return -1;
	if (strchr("DtP", stat.state))
		return NEEDS_MENDING + 1;	/* may not stop in time */
	return call_bearing(waiting_in(root, pid, thread, arguments));
}

static int choose_thread(const struct sysroot *root, struct inject_target *target, struct error *err)
{
	char path[64];
	int best = INT32_MAX;
	uint64_t thread;
	struct dirent *entry;

	snprintf(path, sizeof(path), "proc/%d/task", target->pid);
	scoped_dir DIR *dir = sysroot_dir(root, path);
	if (!dir)
		return fail_errno(err, "list threads of process", path + 5, NULL);
	for (int looked = 0; best > 0 && looked < THREADS_LOOKED_AT && (entry = readdir(dir));) {
		if (!parse_u64(entry->d_name, &thread))
			continue;
		looked++;
		int cost = thread_cost(root, target->pid, (pid_t)thread);
		if (cost >= 0 && cost < best) {
			best = cost;
			target->thread = (pid_t)thread;
		}
	}
	if (best == INT32_MAX)
		return fail(err, EXIT_FAILED, "process %d: it has ended and waits for its parent (a zombie)",
			    target->pid);
	return 0;
}

/* As much as can be read in a row, whatever parts it comes in. */
static size_t read_memory(int memory, uint8_t *ret, size_t size, uint64_t start)
{
	size_t got = 0;
	ssize_t n = 1;

	while (got < size && n > 0) {
		n = pread(memory, ret + got, size - got, (off_t)(start + got));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			got += (size_t)n;
	}
	return got;
}

/* Where the instruction lies in [start, end) of the target, 0 where it doesn't. */
static uint64_t scan(int memory, const struct arch *arch, uint64_t start, uint64_t end)
{
	scoped_free uint8_t *bytes = malloc(SCAN_BYTES);
	if (!bytes)
		return 0;
	size_t size = end - start < SCAN_BYTES ? end - start : SCAN_BYTES;
	size_t got = read_memory(memory, bytes, size, start);
	const uint8_t *found = memmem(bytes, got, arch->instruction, arch->instruction_bytes);
	return found ? start + (uint64_t)(found - bytes) : 0;
}

/*
 * The vDSO is preferred: it has the instruction on every kernel and is never paged out. Writable mappings may change
 * under us and are left out. By the thread, since a leader that ended before its threads shows no mappings.
 */
static uint64_t find_instruction(const struct sysroot *root, const struct arch *arch,
				 const struct inject_target *target)
{
	int maps = sysroot_openf(root, "proc/%d/task/%d/maps", target->pid, target->thread);
	scoped_file FILE *file = maps < 0 ? NULL : fdopen(maps, "r");
	scoped_fd int memory = sysroot_openf(root, "proc/%d/task/%d/mem", target->pid, target->thread);
	char line[512], permissions[5];
	unsigned long long start, end;
	uint64_t found = 0;

	if (!file || memory < 0)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx-%llx %4s", &start, &end, permissions) != 3 || strcmp(permissions, "r-xp"))
			continue;
		bool vdso = strstr(line, "[vdso]") != NULL;
		if (vdso || !found)
			found = scan(memory, arch, start, end) ?: found;
		if (vdso && found)
			break;
	}
	return found;
}

int target_check(const struct sysroot *root, const struct inject_target *target, struct error *err)
{
	char text[4096];
	int rc = target_verify(root, target, err);
	if (rc)
		return rc;
	enum known known = sysroot_read(root, text, sizeof(text), "proc/%d/status", target->pid);
	if (known != KNOWN)
		return fail_unreadable(known, target->pid, "status", err);
	return refuse_by_status(text, target->pid, err);
}

int target_look(const struct sysroot *root, const struct arch *arch, struct inject_target *target, struct error *err)
{
	uint64_t arguments[6];
	target->thread = 0;
	int rc = target_check(root, target, err);
	if (!rc)
		rc = choose_thread(root, target, err);
	if (rc)
		return rc;
	target->instruction = find_instruction(root, arch, target);
	long number = waiting_in(root, target->pid, target->thread, arguments);
	sleep_look(root, target->pid, target->thread, number, arguments, &target->sleep);
	return 0;
}
