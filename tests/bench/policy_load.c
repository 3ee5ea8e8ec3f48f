// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A workload for `make bench-policy`: like processes that answer requests, with
 * memory of four kinds each
 *
 *	equal		the same content in every process, huge pages, hardly touched
 *	cold		content of its own, huge pages, hardly touched
 *	hot		huge pages, read at random by requests; content of its own, but for
 *			one page in 64, which is the same in every process
 *	volatile	rewritten all the time with content that never comes again
 *
 * One line of JSON at the end: huge pages left, requests per CPU-second and
 * their latency, and, second by second, what was saved (the processes' own
 * ksm_stat), the engine's passes and COW breaks, and CPU time of ksmd and of
 * who drives it. How much can be saved at most is known: it is made so.
 *
 * "ready" on standard error when the memory is there and the time begins.
 *
 *	policy_load [-m] [-k KSMD] [-d FILE] PROCESSES EQUAL COLD HOT VOLATILE SECONDS
 *
 *	EQUAL … VOLATILE	MiB of each kind per process
 *	-m			they opt in by themselves, as a whole
 *	-k KSMD			its PID: whose CPU time is wanted
 *	-d FILE			holds the PID of who drives the engine; he may come and go
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
#define HOT_ALIKE 64			/* of so many hot pages one is alike everywhere */
#define LOOK_NS 100000000
#define MOST_POINTS 1024		/* one a second */
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
		volatile uint64_t requests;
		volatile double cpu_seconds;
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

static void rewrite(char *at, size_t bytes, size_t page, size_t *next, size_t count, uint64_t *value)
{
	for (; count-- && bytes; *next = (*next + page) % bytes)
		*(uint64_t *)(at + *next) = ++*value;
}

static _Noreturn void serve(struct board *board, const struct kinds *k, int number, bool merge)
{
	struct done *done = &board->done[number];
	uint64_t random = 1000 + (uint64_t)number, value = (uint64_t)number << 48;
	struct timespec pause = { .tv_nsec = REQUEST_PAUSE_NS };
	size_t page = (size_t)sysconf(_SC_PAGESIZE), next = 0;
	size_t rewrites = (size_t)((double)(k->fleeting / page) * REQUEST_PAUSE_NS / 1e9 / REWRITE_SECONDS);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "qemu-system-x86");	/* by which ksmtuned knows whom to count */
	if (merge && prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		_exit(77);
	char *equal = take(k->equal, true), *cold = take(k->cold, true), *hot = take(k->hot, true);
	char *fleeting = take(k->fleeting, false);
	fill(equal, k->equal, 1);
	fill(cold, k->cold, (uint64_t)(number + 1) << 40);
	fill(hot, k->hot, (uint64_t)(number + 1001) << 40);
	for (size_t at = 0; at < k->hot; at += HOT_ALIKE * page)
		fill(hot + at, page, UINT64_C(1) << 60 | at);
	rewrite(fleeting, k->fleeting, page, &next, k->fleeting / page, &value);
	__atomic_add_fetch(&board->ready, 1, __ATOMIC_SEQ_CST);
	double begun = seconds_of(CLOCK_THREAD_CPUTIME_ID);
	while (!board->stop) {
		double start = seconds_of(CLOCK_MONOTONIC);
		request(hot, k->hot, &random);
		rewrite(fleeting, k->fleeting, page, &next, rewrites, &value);
		done->latency_us[done->count++ % LATENCIES] = (float)((seconds_of(CLOCK_MONOTONIC) - start) * 1e6);
		done->requests++;
		done->cpu_seconds = seconds_of(CLOCK_THREAD_CPUTIME_ID) - begun;
		nanosleep(&pause, NULL);
	}
	_exit(0);
}

/* ---- who watches them ---- */

static bool read_text(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);
	if (fd >= 0)
		close(fd);
	ret[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static uint64_t number_in(const char *path, const char *key)
{
	char text[32768];
	const char *at = read_text(path, text, sizeof(text)) ? strstr(text, key) : NULL;
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static uint64_t sum_of(const pid_t *pids, int count, const char *file, const char *key)
{
	uint64_t sum = 0;
	for (int i = 0; i < count; i++) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/%d/%s", pids[i], file);
		sum += number_in(path, key);
	}
	return sum;
}

/* Its own, and that of its children that it waited for. */
static double cpu_seconds_of(pid_t pid)
{
	unsigned long user = 0, system = 0, children_user = 0, children_system = 0;
	char path[64], text[1024];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (pid <= 0 || !read_text(path, text, sizeof(text)) || !(at = strrchr(text, ')')))
		return 0;
	sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &user, &system, &children_user,
	       &children_system);
	return (double)(user + system + children_user + children_system) / (double)sysconf(_SC_CLK_TCK);
}

static double ksmd_seconds(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	return pid > 0 ? (double)number_in(path, "") / 1e9 : 0;
}

/* A moment. What the driver took before the load was there is its own affair, too. */
struct point {
	double seconds, saved_bytes, ksmd, driver, load;
	uint64_t passes, cow, requests;
	bool runs, driven;
};

struct watching {
	pid_t pids[MOST_PROCESSES], ksmd;
	const char *driver;		/* file */
	int count;
	const struct board *board;
	struct point first, points[MOST_POINTS];
	int points_count;
};

static struct point look(const struct watching *w, double now)
{
	uint64_t pages = sum_of(w->pids, w->count, "ksm_stat", "ksm_merging_pages ");
	pid_t driver = w->driver ? (pid_t)number_in(w->driver, "") : 0;
	struct point p = {
		.seconds = now, .saved_bytes = (double)pages * (double)sysconf(_SC_PAGESIZE) * (w->count - 1) / w->count,
		.ksmd = ksmd_seconds(w->ksmd), .driver = cpu_seconds_of(driver), .driven = driver,
		.passes = number_in("/sys/kernel/mm/ksm/full_scans", ""), .cow = number_in("/proc/vmstat", "cow_ksm "),
		.runs = number_in("/sys/kernel/mm/ksm/run", "") == 1,
	};
	for (int i = 0; i < w->count; i++) {
		p.load += w->board->done[i].cpu_seconds;
		p.requests += w->board->done[i].requests;
	}
	return p;
}

/* The time at which `target` is saved for the first time is returned; -1: never. */
static double watch(struct watching *w, double seconds, double target)
{
	struct timespec nap = { .tv_nsec = LOOK_NS };
	double reached = -1;

	w->first = look(w, seconds_of(CLOCK_MONOTONIC));
	for (struct point p = w->first; p.seconds - w->first.seconds < seconds; nanosleep(&nap, NULL)) {
		p = look(w, seconds_of(CLOCK_MONOTONIC));
		double at = p.seconds - w->first.seconds;
		if (reached < 0 && target > 0 && p.saved_bytes >= target)
			reached = at;
		if (at >= w->points_count && w->points_count < MOST_POINTS)
			w->points[w->points_count++] = p;
	}
	return reached;
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

static void print_series(const struct watching *w)
{
	printf("\"series\":[");
	for (int i = 0; i < w->points_count; i++) {
		const struct point *p = &w->points[i], *first = &w->first;
		printf("%s{\"at\":%.1f,\"saved_mib\":%.1f,\"ksmd_seconds\":%.3f,\"own_seconds\":%.2f,\"passes\":%llu,"
		       "\"cow_breaks\":%llu,\"runs\":%d,\"driven\":%d,\"requests\":%llu,\"load_seconds\":%.4f}", i ? "," : "",
		       p->seconds - first->seconds, p->saved_bytes / MIB, p->ksmd - first->ksmd, p->driver,
		       (unsigned long long)(p->passes - first->passes), (unsigned long long)(p->cow - first->cow), p->runs,
		       p->driven, (unsigned long long)p->requests, p->load);
	}
	printf("]}\n");
}

static void report(const struct watching *w, double most, double reached, uint64_t huge_kib)
{
	struct point end = look(w, 0);

	printf("{\"most_mib\":%.1f,\"seconds_to_80\":%.1f,\"huge_mib\":%llu,\"requests\":%llu,"
	       "\"requests_per_cpu_second\":%.1f,\"p99_us\":%.0f,", most / MIB, reached, (unsigned long long)huge_kib >> 10,
	       (unsigned long long)end.requests, (double)end.requests / end.load, (double)percentile99(w->board, w->count));
	print_series(w);
}

static int parse(int argc, char **argv, struct watching *w, bool *ret_merge)
{
	int option;

	while ((option = getopt(argc, argv, "mk:d:")) != -1) {
		if (option == 'm')
			*ret_merge = true;
		else if (option == 'k')
			w->ksmd = atoi(optarg);
		else if (option == 'd')
			w->driver = optarg;
		else
			return 2;
	}
	w->count = argc - optind == 6 ? atoi(argv[optind]) : 0;
	return w->count < 1 || w->count > MOST_PROCESSES ? 2 : 0;
}

static size_t mib(const char *word)
{
	return strtoul(word, NULL, 10) * MIB;
}

int main(int argc, char **argv)
{
	static struct watching w;
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool merge = false;

	if (parse(argc, argv, &w, &merge) || board == MAP_FAILED)
		return 2;
	w.board = board;
	char **word = argv + optind;
	const struct kinds k = { mib(word[1]), mib(word[2]), mib(word[3]), mib(word[4]) };
	for (int i = 0; i < w.count; i++) {
		w.pids[i] = fork();
		if (!w.pids[i])
			serve(board, &k, i, merge);
	}
	for (int i = 0; i < 600 && board->ready < w.count; i++)
		usleep(50000);
	if (board->ready < w.count)
		return 77;
	fprintf(stderr, "ready\n");
	double most = (double)(k.equal + k.hot / HOT_ALIKE) * (w.count - 1);
	double reached = watch(&w, atof(word[5]), 0.8 * most);
	uint64_t huge_kib = sum_of(w.pids, w.count, "smaps_rollup", "AnonHugePages:");
	board->stop = 1;
	while (wait(NULL) > 0)
		;
	report(&w, most, reached, huge_kib);
	return 0;
}
