// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes to pages at a steady rate: page_breaker PAGES RATE [fresh].
 *
 * Makes PAGES pages in pairs of equal contents, opted in to merging, prints
 * "ready PID", waits for SIGUSR1 (until they are merged), and then writes to RATE of
 * them every second until they are used up. With "fresh" it touches new
 * pages instead, which nobody has opted in. Then: "done WRITES SECONDS FAULTS",
 * by its own count, its clock, and getrusage.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long faults(void)
{
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	return use.ru_minflt;
}

/* Page i and page i + pages / 2 are equal, and like no others. */
static void fill(char *memory, size_t pages, size_t page_bytes)
{
	for (size_t i = 0; i < pages; i++) {
		uint64_t value = (i % (pages / 2) + 1) * 0x9e3779b97f4a7c15ull ^ (uint64_t)getpid();
		for (size_t at = 0; at < page_bytes; at += sizeof(value)) {
			value = value * 6364136223846793005ull + 1442695040888963407ull;
			memcpy(memory + i * page_bytes + at, &value, sizeof(value));
		}
	}
}

/* One write after the other, each when its time has come. */
static size_t write_steadily(char *memory, size_t pages, size_t page_bytes, double rate)
{
	double begin = seconds();
	for (size_t i = 0; i < pages; i++) {
		double wait = begin + (double)i / rate - seconds();
		if (wait > 0.0002)
			usleep((useconds_t)(wait * 1e6));
		memory[i * page_bytes] ^= 1;
	}
	return pages;
}

int main(int argc, char **argv)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), pages = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	double rate = argc > 2 ? strtod(argv[2], NULL) : 0;
	bool fresh = argc > 3;
	sigset_t go;
	int number;

	if (!pages || !(rate > 0))
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	sigprocmask(SIG_BLOCK, &go, NULL);
	char *memory = mmap(NULL, pages * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	madvise(memory, pages * page_bytes, MADV_NOHUGEPAGE);
	if (!fresh) {
		fill(memory, pages, page_bytes);
		madvise(memory, pages * page_bytes, MADV_MERGEABLE);
	}
	printf("ready %d\n", getpid());
	fflush(stdout);
	sigwait(&go, &number);
	long faults_before = faults();
	double begin = seconds();
	size_t written = write_steadily(memory, pages, page_bytes, rate);
	printf("done %zu %.6f %ld\n", written, seconds() - begin, faults() - faults_before);
	fflush(stdout);
	pause();
	return 0;
}
