// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A workload for `make bench-policy`: like processes that answer requests, with
 * memory of four kinds each
 *
 *	equal		the same content in every process, huge pages, hardly touched
 *	cold		content of its own, huge pages, hardly touched
 *	hot		content of its own, huge pages; a request reads it at random
 *	volatile	rewritten all the time with content that never comes again
 *
 * One line of JSON at the end: what was saved (the processes' own ksm_stat) and
 * when, huge pages left, requests per CPU-second and their latency. How much
 * is saved at most is known: it is made so.
 *
 *	policy_load PROCESSES EQUAL COLD HOT VOLATILE SECONDS [merge]		MiB of each kind per process
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/mix.h"

#define MOST_PROCESSES 64
#define MIB (1ul << 20)
#define REQUEST_READS 2000
#define REQUEST_PAUSE_NS 5000000
#define REWRITE_SECONDS 0.25
#define LATENCIES 65536
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

struct kinds {
	size_t equal, cold, hot, fleeting;	/* bytes */
};

/* Shared between the processes. */
struct board {
	volatile int ready;
	volatile int stop;
	struct done {
		uint64_t requests;
		double cpu_seconds;
		uint32_t count;
		float latency_us[LATENCIES];
	} done[MOST_PROCESSES];
};

static double seconds_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char *take(size_t bytes, bool huge)
{
	size_t align = 2 * MIB, room = bytes + align;
	if (!bytes)
		return NULL;
	char *at = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		_exit(77);
	at += (align - (uintptr_t)at % align) % align;
	madvise(at, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return at;
}

static void fill(char *at, size_t bytes, uint64_t seed)
{
	uint64_t *word = (uint64_t *)at;
	for (size_t i = 0; i < bytes / 8; i++)
		word[i] = mix64(seed + i);
}

/* ---- a process ---- */

static volatile uint64_t sink;

static void request(const char *hot, size_t bytes, uint64_t *random)
{
	uint64_t sum = 0;
	for (int i = 0; i < REQUEST_READS && bytes; i++) {
		uint64_t r = random64(random) + sum;	/* the next address depends on what was read */
		sum += *(const uint64_t *)(hot + r % (bytes / 64) * 64) & 1;
	}
	sink = sum;
}

static void rewrite(char *at, size_t bytes, size_t *next, size_t count, uint64_t *value)
{
	for (; count-- && bytes; *next = (*next + 4096) % bytes)
		*(uint64_t *)(at + *next) = ++*value;
}

static _Noreturn void serve(struct board *board, const struct kinds *k, int number, bool merge)
{
	struct done *done = &board->done[number];
	uint64_t random = 1000 + (uint64_t)number, value = (uint64_t)number << 48;
	struct timespec pause = { .tv_nsec = REQUEST_PAUSE_NS };
	size_t next = 0, rewrites = (size_t)((double)k->fleeting / 4096 * REQUEST_PAUSE_NS / 1e9 / REWRITE_SECONDS);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "qemu-system-x86");	/* by which ksmtuned knows whom to count */
	if (merge && prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		_exit(77);
	char *equal = take(k->equal, true), *cold = take(k->cold, true), *hot = take(k->hot, true);
	char *fleeting = take(k->fleeting, false);
	fill(equal, k->equal, 1);
	fill(cold, k->cold, (uint64_t)(number + 1) << 40);
	fill(hot, k->hot, (uint64_t)(number + 1001) << 40);
	rewrite(fleeting, k->fleeting, &next, k->fleeting / 4096, &value);
	__atomic_add_fetch(&board->ready, 1, __ATOMIC_SEQ_CST);
	double begun = seconds_of(CLOCK_THREAD_CPUTIME_ID);
	while (!board->stop) {
		double start = seconds_of(CLOCK_MONOTONIC);
		request(hot, k->hot, &random);
		rewrite(fleeting, k->fleeting, &next, rewrites, &value);
		done->latency_us[done->count++ % LATENCIES] = (float)((seconds_of(CLOCK_MONOTONIC) - start) * 1e6);
		done->requests++;
		nanosleep(&pause, NULL);
	}
	done->cpu_seconds = seconds_of(CLOCK_THREAD_CPUTIME_ID) - begun;
	_exit(0);
}

/* ---- who watches them ---- */

static uint64_t number_in(pid_t pid, const char *file, const char *key)
{
	char path[64], text[8192];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return 0;
	text[n] = '\0';
	const char *at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static uint64_t sum_of(const pid_t *pids, int count, const char *file, const char *key)
{
	uint64_t sum = 0;
	for (int i = 0; i < count; i++)
		sum += number_in(pids[i], file, key);
	return sum;
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return x < y ? -1 : x > y;
}

static float percentile99(const struct board *board, int count)
{
	float *all = malloc(sizeof(float) * LATENCIES * (size_t)count);
	size_t n = 0;
	for (int i = 0; all && i < count; i++)
		for (uint32_t k = 0; k < board->done[i].count && k < LATENCIES; k++)
			all[n++] = board->done[i].latency_us[k];
	if (!n)
		return 0;
	qsort(all, n, sizeof(*all), by_size);
	float result = all[n * 99 / 100];
	free(all);
	return result;
}

/* Mappings of a merged frame of the equal part are as many as there are processes. */
static void watch(struct board *board, const pid_t *pids, int count, const struct kinds *k, double seconds)
{
	double most = (double)k->equal * (count - 1), start = seconds_of(CLOCK_MONOTONIC), reached = -1, saved = 0;
	double half = 0, integral = 0, before = start;
	struct timespec nap = { .tv_nsec = 50000000 };

	for (double now = start; now - start < seconds; now = seconds_of(CLOCK_MONOTONIC)) {
		saved = (double)sum_of(pids, count, "ksm_stat", "ksm_merging_pages ") * 4096 * (count - 1) / count;
		integral += saved * (now - before);
		before = now;
		if (reached < 0 && most > 0 && saved >= 0.8 * most)
			reached = now - start;
		if (now - start < seconds / 2)
			half = saved;
		nanosleep(&nap, NULL);
	}
	uint64_t huge = sum_of(pids, count, "smaps_rollup", "AnonHugePages:") >> 10;
	board->stop = 1;
	while (wait(NULL) > 0)
		;
	double cpu = 0, requests = 0;
	for (int i = 0; i < count; i++) {
		cpu += board->done[i].cpu_seconds;
		requests += (double)board->done[i].requests;
	}
	printf("{\"most_mib\":%.0f,\"saved_mib\":%.1f,\"saved_at_half_mib\":%.1f,\"mean_saved_mib\":%.1f,\"seconds_to_80\":%.1f,"
	       "\"huge_mib\":%llu,\"requests\":%.0f,\"requests_per_cpu_second\":%.1f,\"p99_us\":%.0f}\n", most / MIB, saved / MIB,
	       half / MIB, integral / seconds / MIB, reached, (unsigned long long)huge, requests, requests / cpu,
	       (double)percentile99(board, count));
}

int main(int argc, char **argv)
{
	pid_t pids[MOST_PROCESSES];
	if (argc < 7)
		return 2;
	int count = atoi(argv[1]);
	const struct kinds k = { strtoul(argv[2], NULL, 10) * MIB, strtoul(argv[3], NULL, 10) * MIB,
				 strtoul(argv[4], NULL, 10) * MIB, strtoul(argv[5], NULL, 10) * MIB };
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (count < 1 || count > MOST_PROCESSES || board == MAP_FAILED)
		return 2;
	for (int i = 0; i < count; i++) {
		pids[i] = fork();
		if (!pids[i])
			serve(board, &k, i, argc > 7);
	}
	for (int i = 0; i < 600 && board->ready < count; i++)
		usleep(50000);
	if (board->ready < count)
		return 77;
	fprintf(stderr, "ready\n");
	watch(board, pids, count, &k, atof(argv[6]));
	return 0;
}
