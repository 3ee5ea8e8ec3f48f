// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What does watching cost those who are watched, and the watcher? A program
 * that does nothing but touch fresh pages runs unwatched, watched by windows
 * (the default) and watched all the time, in turns within each round, so that
 * what else the machine does hits all of them. Its own CPU time per page
 * counts; ratios are medians over the rounds. Then one pass over 2,000
 * processes is timed, by the iterator and by /proc.
 *
 * A missed aim is said, but is no failure: it depends on the machine. Root.
 *
 *	bench_probe [ROUNDS [SECONDS]]	per turn; 12 and 2
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "probe/fault.h"
#include "probe/tasks.h"

#define TOUCHED 4096		/* pages per round of the touching program */
#define PROCESSES 2000
#define MOST_ROUNDS 1000

struct toucher {
	pid_t pid;
	volatile uint64_t *pages;	/* touched so far, shared */
	clockid_t cpu;
};

static double seconds_of(clockid_t clock)
{
	struct timespec t = {};
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The last CPU: where there are two, what watches does not have to share one with what is watched. */
static void keep_to_last_cpu(void)
{
	cpu_set_t set;
	long cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void touch_for_ever(volatile uint64_t *pages)
{
	size_t page_bytes = sysconf(_SC_PAGESIZE);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	keep_to_last_cpu();
	for (;;) {
		char *memory = mmap(NULL, TOUCHED * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				    -1, 0);
		if (memory == MAP_FAILED)
			_exit(1);
		madvise(memory, TOUCHED * page_bytes, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < TOUCHED; i++)
			((volatile char *)memory)[i * page_bytes] = 1;
		munmap(memory, TOUCHED * page_bytes);
		*pages += TOUCHED;
	}
}

static bool toucher_start(struct toucher *t)
{
	t->pages = mmap(NULL, sizeof(*t->pages), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->pages == MAP_FAILED)
		return false;
	t->pid = fork();
	if (!t->pid)
		touch_for_ever(t->pages);
	return t->pid > 0 && !clock_getcpuclockid(t->pid, &t->cpu);
}

static void pause_until(double end)
{
	double wait = end - seconds_of(CLOCK_MONOTONIC);
	struct timespec time = { .tv_sec = (time_t)wait, .tv_nsec = (long)((wait - (double)(time_t)wait) * 1e9) };
	if (wait > 0)
		nanosleep(&time, NULL);
}

static void watch_until(struct fault_probe *probe, double end)
{
	int64_t next_ns;

	while (!fault_tick(probe, &next_ns, NULL) && seconds_of(CLOCK_MONOTONIC) < end) {
		double next = (double)next_ns * 1e-9;
		pause_until(next < end ? next : end);
	}
}

enum way { UNWATCHED, BY_WINDOWS, ALL_THE_TIME, WAYS };

struct turn {
	double ns_per_page;
	double own_cpu;		/* of the watcher: CPU seconds per second */
};

static bool take_turn(const struct toucher *t, enum way way, const struct sysroot *root, double seconds,
		      struct turn *ret)
{
	struct fault_options options = fault_defaults();
	struct fault_probe *probe = NULL;
	struct error err;

	options.precise = way == ALL_THE_TIME;
	if (way != UNWATCHED && fault_open(&probe, &options, root, &err)) {
		printf("%s\n", err.text);
		return false;
	}
	double begin = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(t->cpu), pages = (double)*t->pages;
	double own = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	if (probe)
		watch_until(probe, begin + seconds);
	else
		pause_until(begin + seconds);
	ret->own_cpu = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - own) / (seconds_of(CLOCK_MONOTONIC) - begin);
	ret->ns_per_page = (seconds_of(t->cpu) - cpu) / ((double)*t->pages - pages) * 1e9;
	fault_close(probe);
	return true;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), ascending);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static void aim(const char *what, double is, double most, const char *unit)
{
	printf("%-44s %8.2f %s  (aim: at most %g) %s\n", what, is, unit, most, is <= most ? "" : "MISSED");
}

static bool bench_faults(const struct sysroot *root, size_t rounds, double seconds)
{
	static double plain[MOST_ROUNDS], slower[WAYS][MOST_ROUNDS], own[MOST_ROUNDS];
	struct toucher t;
	bool ok = toucher_start(&t);

	for (size_t r = 0; ok && r < rounds; r++) {
		struct turn turns[WAYS];
		for (int i = 0; ok && i < WAYS; i++) {
			enum way way = (i + r) % WAYS;
			ok = take_turn(&t, way, root, seconds, &turns[way]);
		}
		plain[r] = turns[UNWATCHED].ns_per_page;
		for (int way = 0; way < WAYS; way++)
			slower[way][r] = 100 * (turns[way].ns_per_page / turns[UNWATCHED].ns_per_page - 1);
		own[r] = 100 * turns[BY_WINDOWS].own_cpu;
	}
	if (t.pid > 0) {
		kill(t.pid, SIGKILL);
		waitpid(t.pid, NULL, 0);
	}
	if (!ok)
		return false;
	printf("a fresh page unwatched %38.0f ns\n", median(plain, rounds));
	aim("slower while watched by windows (default)", median(slower[BY_WINDOWS], rounds), 2, "%");
	printf("%-44s %8.2f %%\n", "slower while watched all the time (precise)", median(slower[ALL_THE_TIME], rounds));
	aim("the windows' own CPU", median(own, rounds), 1, "%");
	return true;
}

static pid_t processes[PROCESSES];

static size_t start_processes(void)
{
	for (size_t i = 0; i < PROCESSES; i++) {
		processes[i] = fork();
		if (!processes[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		if (processes[i] < 0)
			return i;
	}
	return PROCESSES;
}

static void bench_tasks(const struct sysroot *root, size_t rounds)
{
	static double quick[MOST_ROUNDS], slow[MOST_ROUNDS];
	struct tasks_probe *probe;
	struct error err;
	size_t started = start_processes(), count = 0;

	if (tasks_open(&probe, &err)) {
		printf("%s\n", err.text);
		rounds = 0;
	}
	for (size_t r = 0; r < rounds; r++) {
		struct process_facts *list = NULL;
		double begin = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
		tasks_read(probe, &list, &count, &err);
		double middle = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
		free(list);
		proc_tasks_read(root, NULL, &list, &count, &err);
		slow[r] = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - middle) * 1e3;
		quick[r] = (middle - begin) * 1e3;
		free(list);
	}
	for (size_t i = 0; i < started; i++)
		kill(processes[i], SIGKILL);
	for (size_t i = 0; i < started; i++)
		waitpid(processes[i], NULL, 0);
	if (!rounds)
		return;
	printf("one pass over %zu processes, CPU time:\n", count);
	printf("  %-42s %8.2f ms\n", "by the iterator", median(quick, rounds));
	printf("  %-42s %8.2f ms\n", "by /proc", median(slow, rounds));
	aim("  by the iterator, each process", median(quick, rounds) / (double)count * 1e3, 5, "µs");
	tasks_close(probe);
}

int main(int argc, char **argv)
{
	uint64_t rounds = 12, seconds = 2;
	struct sysroot root;
	struct error err;

	if ((argc > 1 && !parse_u64(argv[1], &rounds)) || (argc > 2 && !parse_u64(argv[2], &seconds)) || argc > 3 ||
	    !rounds || rounds > MOST_ROUNDS || !seconds) {
		fprintf(stderr, "bench_probe [ROUNDS [SECONDS]]\n");
		return EXIT_USAGE;
	}
	if (sysroot_open(&root, NULL, &err))
		return error_print("bench_probe", &err);
	setvbuf(stdout, NULL, _IOLBF, 0);
	bool ok = bench_faults(&root, rounds, (double)seconds);
	bench_tasks(&root, rounds);
	sysroot_close(&root);
	return ok ? EXIT_DONE : EXIT_FAILED;
}
