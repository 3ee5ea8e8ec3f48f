// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What strace can't inject, as a library to preload: memory that runs out at
 * the n-th request, reads and writes that do a part of the work, calls that a
 * signal interrupts, a wall clock that jumps, BPF maps that are soon full.
 * KSMSCOPE_FAULT says which:
 *
 *	malloc N	request N fails, and no other
 *	malloc N+	request N and all after it fail
 *	short		a read or write does 8 bytes at most, 5 where it is of no whole words
 *	eintr		every second read, write and wait is interrupted first
 *	clock		the wall clock jumps an hour back and forth at every look
 *	maps N		a BPF map of processes, or of what else comes and goes, has
 *			room for N entries at most
 *
 * With KSMSCOPE_FAULT_OWN only requests that the program itself makes count,
 * none of a library for itself: libbpf 1.1 does not survive all of them.
 * With KSMSCOPE_FAULT_COUNT=FILE the number of requests for memory is written
 * there at the end: how far a loop over N has to go.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

/* Set before main; what is asked for earlier is the loader's. */
static struct {
	bool ready, onwards, shortly, interrupt, clock, own;
	unsigned long fail, room;
} wanted;
static atomic_ulong requests, calls, looks;

__attribute__((constructor))
static void read_wish(void)
{
	const char *wish = getenv("KSMSCOPE_FAULT");
	char *end = "";
	if (wish && !strncmp(wish, "malloc ", 7))
		wanted.fail = strtoul(wish + 7, &end, 10);
	wanted.onwards = *end == '+';
	if (wish && !strncmp(wish, "maps ", 5))
		wanted.room = strtoul(wish + 5, NULL, 10);
	wanted.shortly = wish && !strcmp(wish, "short");
	wanted.interrupt = wish && !strcmp(wish, "eintr");
	wanted.clock = wish && !strcmp(wish, "clock");
	wanted.own = getenv("KSMSCOPE_FAULT_OWN");
	wanted.ready = true;
}

__attribute__((destructor))
static void tell(void)
{
	const char *path = getenv("KSMSCOPE_FAULT_COUNT");
	char text[32];
	wanted.ready = false;
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return;
	int length = snprintf(text, sizeof(text), "%lu\n", atomic_load(&requests));
	if (syscall(SYS_write, fd, text, length) != length)
		_exit(125);
	close(fd);
}

/* ---- maps: libbpf makes them by syscall() ---- */

static bool comes_and_goes(const union bpf_attr *map)
{
	return map->map_type == BPF_MAP_TYPE_HASH || map->map_type == BPF_MAP_TYPE_PERCPU_HASH ||
	       map->map_type == BPF_MAP_TYPE_LRU_HASH || map->map_type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long a[6];
	va_list arguments;

	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_bpf && a[0] == BPF_MAP_CREATE && wanted.room) {
		union bpf_attr *map = (union bpf_attr *)a[1];
		if (comes_and_goes(map) && map->max_entries > wanted.room)
			map->max_entries = (__u32)wanted.room;
	}
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- memory ---- */

static bool is_own(const void *caller)
{
	Dl_info where, program;
	return dladdr(caller, &where) && dladdr((const void *)getauxval(AT_ENTRY), &program) &&
	       where.dli_fbase == program.dli_fbase;
}

static bool runs_out(const void *caller)
{
	if (!wanted.ready || (wanted.own && !is_own(caller)))
		return false;
	unsigned long number = atomic_fetch_add(&requests, 1) + 1;
	bool out = wanted.fail && (number == wanted.fail || (wanted.onwards && number > wanted.fail));
	if (out)
		errno = ENOMEM;
	return out;
}

void *malloc(size_t size)
{
	return runs_out(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return runs_out(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return runs_out(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

/* ---- parts of the work ---- */

static size_t part_of(size_t size)
{
	if (!wanted.shortly)
		return size;
	/* pagemap and kpageflags refuse parts of words */
	return size % 8 == 0 ? (size < 8 ? size : 8) : size < 5 ? size : 5;
}

static bool is_interrupted(void)
{
	if (!wanted.interrupt || atomic_fetch_add(&calls, 1) % 2)
		return false;
	errno = EINTR;
	return true;
}

ssize_t read(int fd, void *ret, size_t size)
{
	return is_interrupted() ? -1 : syscall(SYS_read, fd, ret, part_of(size));
}

ssize_t pread(int fd, void *ret, size_t size, off_t offset)
{
	return is_interrupted() ? -1 : syscall(SYS_pread64, fd, ret, part_of(size), offset);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	return is_interrupted() ? -1 : syscall(SYS_write, fd, bytes, part_of(size));
}

pid_t waitpid(pid_t pid, int *ret_status, int options)
{
	return is_interrupted() ? -1 : (pid_t)syscall(SYS_wait4, pid, ret_status, options, NULL);
}

/* ---- the wall clock ---- */

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ret);
	if (!rc && wanted.clock && clock == CLOCK_REALTIME)
		ret->tv_sec += atomic_fetch_add(&looks, 1) % 2 ? 3600 : -3600;
	return rc;
}
