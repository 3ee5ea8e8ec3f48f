/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process with memory to look at: one content in ten twice, one in fifty full
 * of zeros, no two pages of the rest alike; half of it in huge pages where the
 * kernel gives them. It holds still until it is ended, or its parent ends.
 */
#ifndef KSMSCOPE_TESTS_HOLDER_H
#define KSMSCOPE_TESTS_HOLDER_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mix.h"

static inline void holder_fill(char *memory, size_t pages, size_t page_bytes)
{
	for (size_t page = 0; page < pages; page++) {
		uint64_t *words = (uint64_t *)(memory + page * page_bytes);
		uint64_t content = page % 10 == 1 ? page - 1 : page;
		for (size_t i = 0; page % 50 != 7 && i < page_bytes / sizeof(*words); i++)
			words[i] = mix64(content * 512 + i);
		words[0] += page % 50 == 7 ? 0 : 1;
	}
}

static inline _Noreturn void holder_run(size_t bytes, int ready)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "bench-memory");
	if (memory == MAP_FAILED)
		_exit(1);
	madvise(memory, bytes / 2, MADV_NOHUGEPAGE);
	madvise(memory + bytes / 2, bytes / 2, MADV_HUGEPAGE);
	holder_fill(memory, bytes / page_bytes, page_bytes);
	/* what its address is, for who looks at the pages alone */
	if (write(ready, &memory, sizeof(memory)) != sizeof(memory))
		_exit(1);
	for (;;)
		pause();
}

/* Its pid, once the memory is there, which begins at *ret_address; -1: it could not be had. */
static inline pid_t holder_start(size_t bytes, uint64_t *ret_address)
{
	int ready[2];
	char *memory = NULL;

	if (pipe(ready))
		return -1;
	pid_t pid = fork();
	if (!pid)
		holder_run(bytes, ready[1]);
	close(ready[1]);
	if (read(ready[0], &memory, sizeof(memory)) != sizeof(memory))
		pid = -1;
	close(ready[0]);
	*ret_address = (uintptr_t)memory;
	return pid;
}

static inline void holder_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
