// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Break or rebuild huge pages of a process from outside: huge_shape PID
 * break|rebuild, with the addresses on standard input, one on a line. Nothing
 * else of it changes, so how fast it is before and after tells what these huge
 * pages are worth. Writes how many the kernel took; 1 where it took none.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_COLD
#define MADV_COLD 20			/* 5.4 */
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25		/* 6.1 */
#endif

static size_t huge_page_bytes(void)
{
	size_t bytes = 0;
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "r");
	if (file && fscanf(file, "%zu", &bytes) != 1)
		bytes = 0;
	if (file)
		fclose(file);
	return bytes;
}

int main(int argc, char **argv)
{
	size_t huge_bytes = huge_page_bytes(), page_bytes = sysconf(_SC_PAGESIZE), taken = 0;
	uint64_t address;

	if (argc != 3 || !huge_bytes)
		return 2;
	bool rebuild = !strcmp(argv[2], "rebuild");
	int process = (int)syscall(SYS_pidfd_open, (pid_t)strtol(argv[1], NULL, 10), 0);
	if (process < 0) {
		perror(argv[1]);
		return 1;
	}
	while (scanf("%li", (long *)&address) == 1) {
		/* advice on a part of a huge page breaks it */
		struct iovec range = { (void *)address, rebuild ? huge_bytes : page_bytes };
		taken += syscall(SYS_process_madvise, process, &range, 1, rebuild ? MADV_COLLAPSE : MADV_COLD, 0) >= 0;
	}
	printf("%zu\n", taken);
	return !taken;
}
