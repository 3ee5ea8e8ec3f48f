// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does the collector of ksm-exporter grow, or the child that looks at contents?
 * Both do in seconds what they do in hours otherwise: samples and passes one
 * after the other, without a pause, while processes come and go, with more
 * memory and with less. Measured is what is resident of their own (RssAnon)
 * and what is taken from malloc: neither may end above where it was after the
 * first tenth. Root.
 *
 *   growth collector|sweep ROUNDS
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/life.h"
#include "core/mix.h"
#include "exporter/collector.h"
#include "gather/sweep.h"

#define PROCESSES 60
/* Rounds in which there is more and more memory, and then less. */
#define CYCLE 8
/* What a round may differ by: a page of this and that, a name that is longer. */
#define BOUND_BYTES (512 << 10)
/*
 * What is resident goes up and down by 2.3 MiB with where malloc finds room for the tables of a pass, without a trend
 * over 300 rounds; what is taken from malloc does not.
 */
#define SWEEP_RESIDENT_BOUND_BYTES (2560 << 10)

static int failures;
static uint64_t seed;

static uint64_t number(void)
{
	return mix64(++seed);
}

static void result(const char *name, bool ok, const char *why)
{
	if (ok)
		printf("ok - %s\n", name);
	else
		printf("not ok - %s: %s\n", name, why);
	failures += !ok;
}

/* ---- processes that come and go ---- */

static size_t page_bytes;

static _Noreturn void live(size_t pages, uint64_t content)
{
	uint64_t *memory = mmap(NULL, pages * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; memory != MAP_FAILED && i < pages; i++)
		memory[i * page_bytes / sizeof(*memory)] = mix64(content + i);
	for (;;)
		pause();
}

static size_t pages_of_round(unsigned int round)
{
	unsigned int phase = round % CYCLE;
	return 64u << (phase < CYCLE / 2 ? phase : CYCLE - 1 - phase);
}

static void replace(pid_t *pids, unsigned int share, size_t pages)
{
	for (unsigned int i = 0; i < PROCESSES; i++) {
		if (pids[i] && number() % share)
			continue;
		if (pids[i]) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
		pids[i] = fork();
		if (!pids[i])
			live(pages + number() % pages, number());
	}
}

static void end_all(pid_t *pids)
{
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (pids[i] > 0) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
}

/* ---- what is measured ---- */

struct use {
	size_t resident, taken;
};

static struct use use_now(void)
{
	struct mallinfo2 info = mallinfo2();
	struct use use = { .taken = info.uordblks + info.hblkhd };
	FILE *file = fopen("/proc/self/status", "re");
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %zu", &use.resident) == 1)
			use.resident *= 1024;
	if (file)
		fclose(file);
	return use;
}

static size_t largest(const size_t *bytes)
{
	size_t most = 0;
	for (unsigned int i = 0; i < CYCLE; i++)
		most = bytes[i] > most ? bytes[i] : most;
	return most;
}

/* A whole cycle after the first tenth, when all is loaded, and the last one. */
static void judge(const char *name, const size_t *bytes, unsigned int count, size_t bound)
{
	size_t before = largest(bytes + count / 10), after = largest(bytes + count - CYCLE);
	char why[128];

	printf("# %s: %zu KiB, then %zu KiB\n", name, before >> 10, after >> 10);
	snprintf(why, sizeof(why), "from %zu KiB to %zu KiB", before >> 10, after >> 10);
	result(name, after < before + bound, why);
}

/* ---- both ---- */

struct watched {
	const char *name;
	bool (*step)(void *context);
	void *context;
	unsigned int rounds;
	size_t resident_bound;		/* bytes */
};

static void watch(const struct watched *w)
{
	size_t *resident = calloc(w->rounds, sizeof(*resident)), *taken = calloc(w->rounds, sizeof(*taken));
	pid_t pids[PROCESSES] = { 0 };
	unsigned int done = 0;
	char name[128];

	for (bool good = true; good && done < w->rounds; done++) {
		replace(pids, 3, pages_of_round(done));
		good = w->step(w->context);
		struct use use = use_now();
		resident[done] = use.resident;
		taken[done] = use.taken;
		if (getenv("GROWTH_VERBOSE"))
			printf("# %s %u: %zu KiB resident, %zu KiB taken\n", w->name, done, use.resident >> 10, use.taken >> 10);
	}
	end_all(pids);
	snprintf(name, sizeof(name), "%s: %u rounds", w->name, w->rounds);
	result(name, done == w->rounds, "a round failed");
	snprintf(name, sizeof(name), "%s: resident memory stays", w->name);
	judge(name, resident, w->rounds, w->resident_bound);
	snprintf(name, sizeof(name), "%s: what is taken from malloc stays", w->name);
	judge(name, taken, w->rounds, BOUND_BYTES);
	free(resident);
	free(taken);
}

static bool one_sample(void *context)
{
	struct collector *collector = context;
	struct error err;

	if (collector_sample(collector, &err))
		return false;
	for (enum metric_format format = 0; format < METRIC_FORMATS; format++) {
		scoped_text struct text page = { 0 };
		collector_write(collector, format, NULL, &page);
		if (page.failed)
			return false;
	}
	return true;
}

static bool one_pass(void *context)
{
	struct sweep_pass pass;
	struct error err;
	return !sweep_pass(context, &pass, &err);
}

static void watch_collector(unsigned int rounds)
{
	static const struct exporter_settings settings = { .interval_seconds = 5, .top = 20, .no_potential = true };
	struct collector *collector;
	struct error err;

	if (collector_open(&collector, &settings, &err)) {
		result("the collector", false, err.text);
		return;
	}
	watch(&(struct watched){ "the collector", one_sample, collector, rounds, BOUND_BYTES });
	collector_close(collector);
}

static void watch_sweep(unsigned int rounds)
{
	const struct sweep_options options = { .target.all = true };
	struct sysroot root;
	struct sweep *sweep;
	struct error err;

	if (sysroot_open(&root, NULL, &err) || sweep_open(&sweep, &root, &options, &err)) {
		result("the sweep", false, err.text);
		return;
	}
	watch(&(struct watched){ "the sweep", one_pass, sweep, rounds, SWEEP_RESIDENT_BOUND_BYTES });
	sweep_close(sweep);
	sysroot_close(&root);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc == 3 ? (unsigned int)atoi(argv[2]) : 0;
	bool collector = argc == 3 && !strcmp(argv[1], "collector"), sweep = argc == 3 && !strcmp(argv[1], "sweep");

	if ((!collector && !sweep) || rounds < 20) {
		fprintf(stderr, "usage: growth collector|sweep ROUNDS (20 or more)\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	life_keep_memory();
	if (collector)
		watch_collector(rounds);
	else
		watch_sweep(rounds);
	return failures ? 1 : 0;
}
