// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What does a pass of the sweep cost? Against hashing every page of the same
 * memory, in turns within each round: CPU time of this process by the kernel's
 * account, so that BPF programs are in it; ratios are medians over the rounds.
 * A process of a made mix of contents is looked at; half of it lies in huge
 * pages where the kernel gives them.
 *
 * A missed aim is said, but is no failure: it depends on the machine. Root.
 *
 *	bench_sweep [ROUNDS [MIB]]	9 and 1024
 */
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
#include "core/mix.h"
#include "gather/gather.h"
#include "gather/sweep.h"

#define MOST_ROUNDS 1000

enum way { EXACT, LOOK, PASS, WAYS };

static const char *const names[WAYS] = { "an exact look", "a look by a sample", "a pass of a sweep" };

static double cpu_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* One content in ten twice, one in fifty full of zeros; no two pages of the rest are alike. */
static void fill(char *memory, size_t pages, size_t page_bytes)
{
	for (size_t page = 0; page < pages; page++) {
		uint64_t *words = (uint64_t *)(memory + page * page_bytes);
		uint64_t content = page % 10 == 1 ? page - 1 : page;
		for (size_t i = 0; page % 50 != 7 && i < page_bytes / sizeof(*words); i++)
			words[i] = mix64(content * 512 + i);
		words[0] += page % 50 == 7 ? 0 : 1;
	}
}

static _Noreturn void hold_memory(size_t bytes, int ready)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "bench-memory");
	if (memory == MAP_FAILED)
		_exit(1);
	madvise(memory, bytes / 2, MADV_NOHUGEPAGE);
	madvise(memory + bytes / 2, bytes / 2, MADV_HUGEPAGE);
	fill(memory, bytes / page_bytes, page_bytes);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static pid_t start_holder(size_t bytes)
{
	int ready[2];
	char byte;

	if (pipe(ready))
		return -1;
	pid_t pid = fork();
	if (!pid)
		hold_memory(bytes, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

struct bench {
	const struct sysroot *root;
	struct target target;
	struct sweep *sweep;
	double seconds[WAYS][MOST_ROUNDS];
};

static bool look(struct bench *b, enum look_mode mode, double *ret)
{
	const struct gather_options options = { .target = b->target, .mode = mode };
	struct sample s;
	struct error err;
	bool named_missing, ok = !gather_sample(&s, b->root, &options, &named_missing, &err);

	*ret = s.cpu_seconds;		/* without loading the reader, which a sweep does once */
	if (!ok)
		printf("%s\n", err.text);
	sample_free(&s);
	return ok;
}

static bool sweep_once(struct bench *b, double *ret)
{
	double began = cpu_seconds();
	struct sweep_pass pass;
	struct error err;
	bool ok = !sweep_pass(b->sweep, &pass, &err);

	*ret = cpu_seconds() - began;
	if (!ok)
		printf("%s\n", err.text);
	return ok;
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

static void report(struct bench *b, size_t rounds, double pages)
{
	static double ratio[MOST_ROUNDS];

	for (int way = LOOK; way < WAYS; way++) {
		for (size_t r = 0; r < rounds; r++)
			ratio[r] = b->seconds[way][r] / b->seconds[EXACT][r];
		double is = median(ratio, rounds);
		printf("%-20s %8.2f of an exact look  (aim: at most 0.5)%s\n", names[way], is, is <= 0.5 ? "" : "  MISSED");
	}
	for (int way = 0; way < WAYS; way++)
		printf("%-20s %8.0f ns a page\n", names[way], median(b->seconds[way], rounds) / pages * 1e9);
}

static bool run(struct bench *b, size_t rounds)
{
	const struct sweep_options options = { .target = b->target, .theta = LOOK_THETA };
	struct error err;
	double first;

	if (sweep_open(&b->sweep, b->root, &options, &err)) {
		printf("%s\n", err.text);
		return false;
	}
	bool ok = sweep_once(b, &first);	/* this one has to find out what is frequent */
	for (size_t r = 0; ok && r < rounds; r++)
		for (int i = 0; ok && i < WAYS; i++) {
			enum way way = (i + r) % WAYS;
			double *ret = &b->seconds[way][r];
			ok = way == PASS ? sweep_once(b, ret) : look(b, way == EXACT ? LOOK_EXACT : LOOK_SAMPLED, ret);
		}
	sweep_close(b->sweep);
	return ok;
}

int main(int argc, char **argv)
{
	static struct bench b;
	uint64_t rounds = 9, mib = 1024;
	struct sysroot root;
	struct error err;

	if ((argc > 1 && !parse_u64(argv[1], &rounds)) || (argc > 2 && !parse_u64(argv[2], &mib)) || argc > 3 || !rounds ||
	    rounds > MOST_ROUNDS || mib < 4) {
		fprintf(stderr, "bench_sweep [ROUNDS [MIB]]\n");
		return EXIT_USAGE;
	}
	if (sysroot_open(&root, NULL, &err))
		return error_print("bench_sweep", &err);
	setvbuf(stdout, NULL, _IOLBF, 0);
	pid_t pid = start_holder(mib << 20);
	b.root = &root;
	b.target = (struct target){ .pids = &pid, .pids_count = 1 };
	bool ok = pid > 0 && run(&b, rounds);
	if (ok)
		report(&b, rounds, (double)(mib << 20) / (double)sysconf(_SC_PAGESIZE));
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	sysroot_close(&root);
	return ok ? EXIT_DONE : EXIT_FAILED;
}
