// SPDX-License-Identifier: GPL-2.0-or-later
#include "measure/calibrate.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "act/apply.h"
#include "base/units.h"
#include "measure/bench.h"
#include "sys/host.h"
#include "sys/ksm_read.h"
#include "sys/proc.h"

#define DEFAULT_MEMORY (768ull << 20)
#define LEAST_MEMORY (64ull << 20)
#define AVAILABLE_PART 4		/* of the available memory is the most that is taken */
#define SHAPE_PART 0.15			/* of the time */
#define ACCESS_PART 0.45
#define MERGING_PART 0.40
#define FIRST_PATIENCE 3
#define CHILD_NICE 10

/* Pages that are tracked at a time; four times as many in each. */
static const uint64_t merging_pages[MERGING_SIZES] = { 8192, 32768, 131072 };

/* Shared with the children, which leave what they found in it. */
struct shared {
	struct calibration found;
	struct merging_values merging;
	double share;
};

struct calibrating {
	const struct sysroot *root;
	const struct calibrate_options *options;
	struct shared *shared;
	uint64_t memory_bytes;
	double done;			/* share of the whole before this part */
};

static bool stopped(const struct calibrating *c)
{
	return c->options->stop && *c->options->stop;
}

/* ---- children ---- */

__attribute__((noreturn))
static void be_child(struct bench *b, void (*part)(struct bench *), pid_t parent)
{
	static const int defaults[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		signal(defaults[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "ksm-calibrate");
	if (getppid() != parent || (nice(CHILD_NICE) == -1 && errno == EPERM))
		_exit(EXIT_FAILED);
	b->kpageflags = kpageflags_open(b->root);
	if (pagemap_open(&b->map, b->root, getpid(), b->found->page_bytes) == KNOWN)
		part(b);
	_exit(EXIT_DONE);
}

/* Wait for the child's end; end it where it takes thrice its time, or the user has had enough. */
static void watch(const struct calibrating *c, pid_t child, const struct bench *b, double part, const char *what)
{
	static const struct timespec nap = { .tv_nsec = 50000000 };
	while (waitpid(child, NULL, WNOHANG) == 0) {
		double share = *b->share < 1 ? *b->share : 1;
		if (stopped(c) || bench_over(b) > 3) {
			kill(child, SIGKILL);
			waitpid(child, NULL, 0);
			return;
		}
		if (c->options->progress)
			c->options->progress(c->options->context, c->done + part * share, what);
		nanosleep(&nap, NULL);
	}
}

/* `b` says what the part needs; `share` of the whole time is its. */
static int run_part(struct calibrating *c, struct bench *b, void (*part)(struct bench *), double share,
		    const char *what, struct error *err)
{
	b->root = c->root;
	b->found = &c->shared->found;
	b->merging = &c->shared->merging;
	b->share = &c->shared->share;
	b->memory_bytes = c->memory_bytes;
	b->started = bench_clock();
	c->shared->share = 0;
	pid_t parent = getpid(), child = fork();
	if (child < 0)
		return fail_errno(err, "start", "a process to measure in", NULL);
	if (child == 0)
		be_child(b, part, parent);
	watch(c, child, b, share, what);
	return stopped(c) ? fail(err, EXIT_FAILED, "interrupted: nothing is stored, and the engine is as it was") : 0;
}

/* ---- the engine ---- */

static uint64_t now_and_then(const struct calibrating *c, unsigned int cycle)
{
	/* each size once, then the smaller ones again while there is time: 0 1 2 0 1 0 1 … */
	unsigned int size = cycle < MERGING_SIZES ? cycle : (cycle - MERGING_SIZES) % (MERGING_SIZES - 1);
	return merging_pages[size] * c->shared->found.page_bytes <= c->memory_bytes ? size : 0;
}

/* One child after the other, while the engine runs. */
static int run_merging(struct calibrating *c, struct error *err)
{
	double limit = MERGING_PART * c->options->seconds, started = bench_clock(), per_page = 0;
	int rc = 0;
	for (unsigned int cycle = 0; !rc; cycle++) {
		struct bench b = { .size = now_and_then(c, cycle) };
		double begin = bench_clock(), left = started + limit - begin;
		b.pages = merging_pages[b.size];
		b.seconds = cycle ? limit : FIRST_PATIENCE * limit;	/* without it there would be nothing */
		if (cycle > 1 && per_page * b.pages > left) {
			if (b.size == 0)
				break;
			continue;
		}
		c->shared->merging.why[0] = '\0';
		rc = run_part(c, &b, bench_merging, 0, "merging pages, breaking them again", err);
		per_page = (bench_clock() - begin) / b.pages;
		c->done = SHAPE_PART + ACCESS_PART + MERGING_PART * (bench_clock() - started) / limit;
		if (c->shared->merging.why[0])
			break;
	}
	return rc;
}

/*
 * How many pages there were, counts others' as well. Sizes that this brings
 * close to each other are one: a line through both would be guesswork.
 */
static void add_scan_point(struct calibration *c, struct merging_values *v, size_t size, const char *why)
{
	struct scan_point *p = &c->scan[c->scans];
	uint64_t last = c->scans ? p[-1].pages : 0;
	p->pages = v->tracked[size] > merging_pages[size] ? v->tracked[size] : merging_pages[size];
	if (size && (p->pages < last + last / 2 || (!v->visit[size].count && !v->merge[size].count)))
		return;
	bench_figure(&p->visit_ns, &v->visit[size], "%s", why);
	bench_figure(&p->merge_ns, &v->merge[size], "%s", v->visit[size].count ?
		     "others have opted in, and their pages were visited in between" : why);
	c->scans++;
}

static void fill_merging(struct calibrating *c, enum known known, const char *why)
{
	struct calibration *found = &c->shared->found;
	struct merging_values *v = &c->shared->merging;
	struct values *costs[] = { &v->cow, &v->fault, &v->extra };
	const char *reason = v->why[0] ? v->why : why;

	for (int i = 0; i < 3; i++) {
		bench_figure(&found->cost[COST_COW_BREAK + i], costs[i], "%s", reason);
		if (found->cost[COST_COW_BREAK + i].known != KNOWN)
			found->cost[COST_COW_BREAK + i].known = known;
	}
	for (size_t i = 0; i < MERGING_SIZES; i++)
		add_scan_point(found, v, i, reason);
}

/* The engine has to pass by once more to forget a process that ended. */
static void let_forget(void)
{
	static const struct timespec nap = { .tv_nsec = 300000000 };
	nanosleep(&nap, NULL);
}

static int with_engine(struct calibrating *c, struct act *act, struct error *err)
{
	struct error finish_error;
	int rc = act_carry_out(act, c->options->stop, err);
	if (!rc)
		rc = run_merging(c, err);
	let_forget();
	if (act_finish(act, false, &finish_error))
		rc = fail(err, finish_error.status, "%s", finish_error.text);
	return rc;
}

/* Why nothing can be known of merging; NULL where it can. */
static const char *cannot_merge(const struct calibrating *c, const struct engine *engine)
{
	if (c->options->no_writes)
		return "it needs the engine to run for a moment, and nothing may be written (--no-writes)";
	if (engine->knob[KNOB_RUN].known == ABSENT)
		return "this kernel has no KSM";
	return ksmd_find(c->root) ? NULL : "ksmd can't be seen from here (another PID namespace?)";
}

static int measure_merging(struct calibrating *c, struct error *err)
{
	struct engine engine = { 0 };
	struct act *act = NULL;
	struct plan plan;
	struct error why = { 0 };

	ksm_read(c->root, &engine);
	const char *cannot = cannot_merge(c, &engine);
	if (cannot) {
		fill_merging(c, ABSENT, cannot);
		return 0;
	}
	if (plan_measuring(&plan, &engine))
		return fail(err, EXIT_FAILED, "out of memory making the plan");
	int rc = act_begin(&act, c->root, c->options->state_dir, &plan, &why);
	if (!rc)
		rc = with_engine(c, act, &why);
	if (rc && (stopped(c) || act))
		*err = why;
	else if (rc)
		rc = 0;		/* the engine may not be touched: the other figures hold */
	fill_merging(c, why.status == EXIT_NOT_PERMITTED ? DENIED : ABSENT, act ? "no time was left for it" : why.text);
	act_free(act);
	plan_free(&plan);
	return rc;
}

/* ---- all of it ---- */

static void no_huge_pages(struct calibration *c)
{
	for (enum cost cost = COST_SPLIT_FULL; cost <= COST_COLLAPSE; cost++)
		bench_absent(&c->cost[cost], ABSENT, "this kernel has no transparent huge pages");
}

static int measure_huge(struct calibrating *c, struct error *err)
{
	struct bench shape = { .seconds = SHAPE_PART * c->options->seconds };
	double access_part = c->options->no_writes ? ACCESS_PART + MERGING_PART : ACCESS_PART;
	struct bench access = { .seconds = access_part * c->options->seconds };
	if (!c->shared->found.pmd_bytes) {
		no_huge_pages(&c->shared->found);
		return 0;
	}
	int rc = run_part(c, &shape, bench_shape, SHAPE_PART, "breaking and rebuilding huge pages", err);
	c->done = SHAPE_PART;
	if (!rc)
		rc = run_part(c, &access, bench_access, access_part, "random accesses with base and huge pages", err);
	c->done = SHAPE_PART + access_part;
	return rc;
}

/* What may be taken: what was asked for, or a cautious share of what is available. */
static int choose_memory(struct calibrating *c, const struct machine *machine, struct error *err)
{
	uint64_t most = value_or(machine->available_bytes, 0) / AVAILABLE_PART;
	uint64_t wanted = c->options->memory_bytes;
	c->memory_bytes = wanted ? wanted : most < DEFAULT_MEMORY ? most : DEFAULT_MEMORY;
	if (c->memory_bytes > most)
		return fail(err, EXIT_FAILED, "calibrate: %s is more than a quarter of the available memory (%s)",
			    show_bytes(wanted).text, show_bytes(value_or(machine->available_bytes, 0)).text);
	if (c->memory_bytes < LEAST_MEMORY)
		return fail(err, EXIT_FAILED, "calibrate: it takes %s of memory at least, and a quarter of what is "
			    "available is %s", show_bytes(LEAST_MEMORY).text, show_bytes(most).text);
	return 0;
}

static void describe(struct calibration *ret, const struct sysroot *root, const struct machine *machine)
{
	host_cpu_name(root, ret->cpu, sizeof(ret->cpu));
	memcpy(ret->release, machine->release, sizeof(ret->release));
	snprintf(ret->version, sizeof(ret->version), "%s", KSMSCOPE_VERSION);
	ret->page_bytes = machine->page_bytes;
	ret->pmd_bytes = machine->pmd_bytes;
}

/* A child that was ended, or died, has left figures out without a word. */
static void explain_unread(struct calibration *c)
{
	for (enum cost cost = 0; cost < COST_COUNT; cost++)
		if (c->cost[cost].known == NOT_READ)
			bench_absent(&c->cost[cost], NOT_READ, "the process that measured it ended early");
}

static int measure(struct calibration *ret, struct calibrating *c, const struct machine *machine, struct error *err)
{
	struct timespec now;
	double started = bench_clock();
	describe(&c->shared->found, c->root, machine);
	int rc = measure_huge(c, err);
	if (!rc)
		rc = measure_merging(c, err);
	explain_unread(&c->shared->found);
	clock_gettime(CLOCK_REALTIME, &now);
	*ret = c->shared->found;
	ret->time_ns = now.tv_sec * 1000000000ll + now.tv_nsec;
	ret->seconds = bench_clock() - started;
	return rc;
}

int calibrate(struct calibration *ret, const struct sysroot *root, const struct calibrate_options *options,
	      struct error *err)
{
	struct calibrating c = { .root = root, .options = options };
	struct machine machine = { 0 };

	proc_machine(root, &machine);
	int rc = choose_memory(&c, &machine, err);
	if (rc)
		return rc;
	c.shared = mmap(NULL, sizeof(*c.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c.shared == MAP_FAILED)
		return fail_errno(err, "map", "memory for the results", NULL);
	rc = measure(ret, &c, &machine, err);
	munmap(c.shared, sizeof(*c.shared));
	return rc;
}
