// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does the sweep keep to its budget? It runs in a process of its own, whole
 * passes one after the other, and after each of them the kernel is asked what
 * that process has taken since it began: the scheduler's account
 * (/proc/PID/schedstat) and what ps(1) shows (utime and stime of
 * /proc/PID/stat), over the time that it has lived. Loading the programs is in
 * it, and so is what BPF programs do, since they run in the process that calls
 * them; how much of it they make is told apart (the kernel's own statistics of
 * each program). What kernel threads do for it is in no account of a process:
 * freeing programs and maps when it ends.
 *
 * A missed aim is said, but is no failure: it depends on the machine. Root.
 *
 *	bench_budget [PERCENT [PASSES [MIB]]]	1, 4 and 1024
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "gather/sweep.h"
#include "tests/bench/holder.h"

/* More than the budget that may be missing from what was promised, as a share of it. */
#define AIM_OVER 0.2
#define MOST_FDS 256

static double seconds_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct account {
	double lived;			/* seconds since the process was made */
	double scheduled, stat;		/* CPU seconds */
	double bpf;			/* of them, in BPF programs */
};

static bool read_text(const char *path, char *ret, size_t bytes)
{
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, ret, bytes - 1) : -1;

	ret[got > 0 ? got : 0] = '\0';
	return got > 0;
}

/* Run time of all programs that this process has open, in nanoseconds. */
static double bpf_nanoseconds(void)
{
	double sum = 0;

	for (int fd = 0; fd < MOST_FDS; fd++) {
		struct bpf_prog_info info = { 0 };
		unsigned int length = sizeof(info);
		char path[64], what[64] = "";
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t got = readlink(path, what, sizeof(what) - 1);
		if (got > 0 && strstr(what, "bpf-prog") && !bpf_obj_get_info_by_fd(fd, &info, &length))
			sum += (double)info.run_time_ns;
	}
	return sum;
}

static bool take_account(struct account *ret, double began)
{
	char text[1024];
	unsigned long user, system;
	unsigned long long run;

	ret->lived = seconds_of(CLOCK_MONOTONIC) - began;
	if (!read_text("/proc/self/schedstat", text, sizeof(text)) || sscanf(text, "%llu", &run) != 1 ||
	    !read_text("/proc/self/stat", text, sizeof(text)))
		return false;
	const char *behind_name = strrchr(text, ')');
	if (!behind_name || sscanf(behind_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return false;
	ret->scheduled = (double)run * 1e-9;
	ret->stat = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	ret->bpf = bpf_nanoseconds() * 1e-9;
	return true;
}

static void print_account(const struct account *a, const struct sweep_pass *pass, double budget)
{
	double share = a->scheduled / a->lived;

	printf("%6u %10.1f s %9.2f %% %9.2f %% %11.0f %% %12.0f ns  %s\n", pass->passes, a->lived, 100 * share,
	       100 * a->stat / a->lived, 100 * a->bpf / a->scheduled,
	       1e9 * pass->cpu_seconds / (double)(pass->frames + 1), share <= budget * (1 + AIM_OVER) ? "" : "MISSED");
}

/* In a process of its own. */
static int sweep_within(pid_t pid, double budget, uint64_t passes, double began)
{
	const struct sweep_options options = { .target = { .pids = &pid, .pids_count = 1 }, .budget = { .cpu = budget } };
	struct sysroot root;
	struct sweep *sweep;
	struct sweep_pass pass;
	struct account account;
	struct error err;
	int rc = sysroot_open(&root, NULL, &err);

	if (!rc)
		rc = sweep_open(&sweep, &root, &options, &err);
	if (rc)
		return error_print("bench_budget", &err);
	printf("%6s %12s %11s %11s %13s %15s\n", "passes", "lived", "schedstat", "stat", "of it in BPF", "a page, CPU");
	for (uint64_t i = 0; !rc && i < passes; i++) {
		rc = sweep_pass(sweep, &pass, &err);
		if (!rc && take_account(&account, began))
			print_account(&account, &pass, budget);
	}
	sweep_close(sweep);
	sysroot_close(&root);
	return rc ? error_print("bench_budget", &err) : EXIT_DONE;
}

int main(int argc, char **argv)
{
	uint64_t percent = 1, passes = 4, mib = 1024, address;
	int status = 1;

	if ((argc > 1 && !parse_u64(argv[1], &percent)) || (argc > 2 && !parse_u64(argv[2], &passes)) ||
	    (argc > 3 && !parse_u64(argv[3], &mib)) || argc > 4 || !percent || percent > 100 || !passes || mib < 4) {
		fprintf(stderr, "bench_budget [PERCENT [PASSES [MIB]]]\n");
		return EXIT_USAGE;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	scoped_fd int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);	/* for as long as this is open */
	pid_t pid = holder_start(mib << 20, &address);
	printf("a sweep at a budget of %u %% of one CPU, over %u MiB  (aim: at most %.2g %%)%s\n", (unsigned int)percent,
	       (unsigned int)mib, (double)percent * (1 + AIM_OVER), stats < 0 ? "  without statistics of BPF programs" : "");
	double began = seconds_of(CLOCK_MONOTONIC);
	pid_t child = pid > 0 ? fork() : -1;
	if (!child)
		_exit(sweep_within(pid, (double)percent / 100, passes, began));
	if (child > 0)
		waitpid(child, &status, 0);
	holder_end(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}
