// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Do the probes of faults, the engine, huge pages and tasks count what really
 * happens? Made processes do a known number of things; what the kernel counts
 * itself (getrusage, vmstat, sysfs, /proc) has to agree. Root. The tests run in
 * a process of their own; the one that started it puts the settings back.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/capability.h>

#include "base/cleanup.h"
#include "bpf/abi.h"
#include "bpf/engine.skel.h"
#include "probe/engine.h"
#include "probe/fault.h"
#include "probe/hugepage.h"
#include "probe/tasks.h"
#include "sys/ksm_read.h"

#define LOCK_FILE "/run/lock/ksmscope-test.lock"
#define BREAKS 997		/* K */
#define ZERO_PAGES 101
#define SECONDS 10

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct test {
	struct sysroot root;
	size_t page_bytes;
	const char *name;
	unsigned int failures;
	bool counts_zero;	/* the kernel counts merges with the zero page (6.6), and marks them */
};

__attribute__((format(printf, 3, 4)))
static bool check(struct test *t, bool good, const char *fmt, ...)
{
	va_list args;

	printf("%s - %s: ", good ? "ok" : "not ok", t->name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	t->failures += !good;
	return good;
}

static void skip(struct test *t, const char *why)
{
	printf("ok - %s # SKIP %s\n", t->name, why);
	fflush(stdout);
}

static bool near(double have, double want, double share)
{
	return fabs(have - want) <= share * want;
}

/* ---- settings ---- */

/* Which are changed here, in the order in which they can be put back. */
static const char *const settings[] = {
	"ksm/advisor_mode",
	"ksm/run",
	"ksm/pages_to_scan",
	"ksm/sleep_millisecs",
	"ksm/smart_scan",
	"ksm/use_zero_pages",
	"transparent_hugepage/enabled",
	"transparent_hugepage/khugepaged/scan_sleep_millisecs",
	"transparent_hugepage/khugepaged/alloc_sleep_millisecs",
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

struct saved {
	char text[SETTINGS][128];
};

static void set(const char *name, const char *value)
{
	char path[256];
	snprintf(path, sizeof(path), "/sys/kernel/mm/%s", name);
	scoped_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		printf("# %s = %s: %s\n", name, value, strerror(errno));
}

/* A choice is shown as "always [madvise] never". */
static void chosen(char *text)
{
	char *open = strchr(text, '['), *close = strchr(text, ']');
	if (open && close > open) {
		*close = '\0';
		memmove(text, open + 1, strlen(open));
	}
}

static void settings_save(const struct sysroot *root, struct saved *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < SETTINGS; i++)
		if (sysroot_read(root, ret->text[i], sizeof(ret->text[i]), "sys/kernel/mm/%s", settings[i]) == KNOWN)
			chosen(ret->text[i]);
}

static void settings_restore(const struct saved *saved)
{
	set("ksm/run", "2");	/* what was merged here */
	for (size_t i = 0; i < SETTINGS; i++)
		if (*saved->text[i])
			set(settings[i], saved->text[i]);
}

static int64_t knob(const struct test *t, enum knob which)
{
	return value_or(ksm_knob_read(&t->root, which), 0);
}

static int64_t merged_pages(const struct test *t)
{
	return knob(t, KNOB_PAGES_SHARING) + knob(t, KNOB_PAGES_SHARED);
}

static struct value vmstat(const struct test *t, const char *name)
{
	char text[16384], line[64];

	if (sysroot_read(&t->root, text, sizeof(text), "proc/vmstat") != KNOWN)
		return (struct value){ .known = DENIED };
	snprintf(line, sizeof(line), "\n%s ", name);
	const char *at = strstr(text, line);
	return at ? value_of(strtoll(at + strlen(line), NULL, 10)) : (struct value){ .known = ABSENT };
}

static void pause_ms(unsigned int ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };
	nanosleep(&time, NULL);
}

/* ksmd as fast as it goes, from an engine that has merged nothing. */
static void engine_fresh(const char *zero_pages)
{
	set("ksm/advisor_mode", "none");
	set("ksm/run", "2");
	set("ksm/run", "0");
	set("ksm/smart_scan", "0");
	set("ksm/sleep_millisecs", "0");
	set("ksm/pages_to_scan", "20000");
	set("ksm/use_zero_pages", zero_pages);
}

/* Let ksmd run until so many more pages are merged, or it takes too long. */
static bool merge_until(const struct test *t, int64_t pages, int64_t zero_pages)
{
	bool done = false;
	set("ksm/run", "1");
	for (int i = 0; i < 400 && !done; i++) {
		pause_ms(25);
		done = merged_pages(t) >= pages && knob(t, KNOB_KSM_ZERO_PAGES) >= zero_pages;
	}
	set("ksm/run", "0");
	return done;
}

/* ---- made processes ---- */

/* A process that does one thing when told to, and says when it is done. */
struct made {
	pid_t pid;
	int tell, hear;
};

typedef void (*deed)(int step, void *memory, void *context);

struct plan {
	void *(*prepare)(void *context);
	deed act;
	int steps;
	void *context;
};

static struct made make(const struct plan *plan)
{
	int down[2], up[2];
	struct made made = { .pid = -1 };
	char byte = 0;

	if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
		return made;
	made.pid = fork();
	if (!made.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		close(up[0]);
		void *memory = plan->prepare(plan->context);
		for (int step = 0; write(up[1], &byte, 1) == 1 && read(down[0], &byte, 1) == 1; step++)
			if (step < plan->steps)
				plan->act(step, memory, plan->context);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	made.tell = down[1];
	made.hear = up[0];
	if (read(made.hear, &byte, 1) != 1)
		made.pid = -1;
	return made;
}

static void begin(const struct made *made)
{
	char byte = 1;
	if (write(made->tell, &byte, 1) != 1)
		perror("# made process");
}

static void wait_done(const struct made *made)
{
	char byte;
	if (read(made->hear, &byte, 1) != 1)
		perror("# made process");
}

static void unmake(struct made *made)
{
	if (made->pid <= 0)
		return;
	kill(made->pid, SIGKILL);
	waitpid(made->pid, NULL, 0);
	close(made->tell);
	close(made->hear);
	made->pid = -1;
}

static char *map_pages(size_t pages, size_t page_bytes)
{
	char *memory = mmap(NULL, pages * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		_exit(99);
	madvise(memory, pages * page_bytes, MADV_NOHUGEPAGE);
	return memory;
}

static void fill(char *page, size_t page_bytes, uint64_t content)
{
	for (size_t i = 0; i < page_bytes / sizeof(uint64_t); i++) {
		uint64_t word = (content + 1) * 0x9e3779b97f4a7c15ull + i * 0xd1342543de82ef95ull;
		memcpy(page + i * sizeof(word), &word, sizeof(word));
	}
}

/* ---- reading the fault probe ---- */

struct watch {
	struct fault_probe *probe;
	struct tasks_probe *tasks;
	const struct test *test;
};

static bool watch_open(struct test *t, struct watch *w, const struct fault_options *options)
{
	struct error err = {};

	*w = (struct watch){ .test = t };
	if (!tasks_open(&w->tasks, &err) && !fault_open(&w->probe, options, &t->root, &err))
		return true;
	/* page_fault_user is a tracepoint of x86 */
	if (err.status == EXIT_KERNEL_CANNOT && strstr(err.text, "no tracepoint"))
		skip(t, err.text);
	else
		check(t, false, "open: %s", err.text);
	return false;
}

static void watch_close(struct watch *w)
{
	fault_close(w->probe);
	tasks_close(w->tasks);
}

static bool watch_read(const struct watch *w, struct fault_interval *ret)
{
	struct fault_known known = { .faults = vmstat(w->test, "pgfault"), .cow_ksm = vmstat(w->test, "cow_ksm") };
	struct process_facts *processes = NULL;
	struct error err = {};

	bool ok = !tasks_read(w->tasks, &processes, &known.count, &err);
	known.processes = processes;
	ok = ok && !fault_read(w->probe, &known, ret, &err);
	if (!ok)
		printf("# %s\n", err.text);
	free(processes);
	return ok;
}

static const struct fault_process *find_process(const struct fault_interval *interval, pid_t pid)
{
	for (size_t i = 0; i < interval->count; i++)
		if (interval->processes[i].pid == pid)
			return &interval->processes[i];
	return NULL;
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* Let the probe do its windows until then. */
static void watch_until(const struct watch *w, int64_t end_ns)
{
	int64_t next_ns, now;

	while (!fault_tick(w->probe, &next_ns, NULL) && (now = now_ns()) < end_ns) {
		int64_t wait = (next_ns < end_ns ? next_ns : end_ns) - now;
		struct timespec time = { .tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000 };
		if (wait > 0)
			nanosleep(&time, NULL);
	}
}

/* Opens the window of a precise probe, and makes now the beginning of the next interval. */
static void watch_begin(const struct watch *w)
{
	struct fault_interval interval;
	int64_t next_ns;

	fault_tick(w->probe, &next_ns, NULL);
	if (watch_read(w, &interval))
		fault_interval_free(&interval);
}

static void check_loss(struct test *t, const struct fault_probe *probe)
{
	struct fault_loss loss;
	struct error err = {};
	int64_t other = 0;

	if (fault_loss(probe, &loss, &err)) {
		check(t, false, "loss: %s", err.text);
		return;
	}
	/* a precise probe goes on counting between the two readings */
	other = (int64_t)(loss.totals.produced - loss.totals.lost - loss.consumed);
	check(t, loss.consumed > 0 && other >= 0 && other <= (int64_t)loss.totals.produced / 100 + 2000,
	      "%" PRIu64 " events = %" PRIu64 " read + %" PRIu64 " lost + %" PRId64 " since",
	      (uint64_t)loss.totals.produced, loss.consumed, (uint64_t)loss.totals.lost, other);
	uint64_t ended = loss.hashed + loss.totals.unread + loss.totals.abandoned + loss.waiting;
	check(t, ended <= loss.totals.armed && ended + 100 >= loss.totals.armed,
	      "%" PRIu64 " arrivals chosen = %" PRIu64 " looked at, unread, abandoned or waiting",
	      (uint64_t)loss.totals.armed, ended);
}

/* ---- merges, and their breaking ---- */

struct pairs {
	size_t page_bytes;
	size_t pages;		/* 0 … pages-1 and their twins behind them */
	size_t zero_pages;	/* behind the twins */
	size_t per_step;
};

static void *prepare_pairs(void *context)
{
	const struct pairs *p = context;
	char *memory = map_pages(2 * p->pages + p->zero_pages, p->page_bytes);

	for (size_t i = 0; i < 2 * p->pages; i++)
		fill(memory + i * p->page_bytes, p->page_bytes, i % p->pages);
	for (size_t i = 2 * p->pages; i < 2 * p->pages + p->zero_pages; i++)
		memset(memory + i * p->page_bytes, 0, p->page_bytes);
	madvise(memory, (2 * p->pages + p->zero_pages) * p->page_bytes, MADV_MERGEABLE);
	return memory;
}

static void write_page(const struct pairs *p, char *memory, size_t page)
{
	((volatile char *)memory)[page * p->page_bytes] = 1;
}

/* All of a step at once: first the merged pages, then those merged with the zero page. */
static void break_at_once(int step, void *memory, void *context)
{
	const struct pairs *p = context;
	size_t first = step ? 2 * p->pages : 0, count = step ? p->zero_pages : p->per_step;

	for (size_t i = 0; i < count; i++)
		write_page(p, memory, first + i);
}

/* For SECONDS and some, `per_step` a second: evenly. */
static void break_evenly(int step, void *memory, void *context)
{
	const struct pairs *p = context;
	int64_t start = now_ns();

	(void)step;
	for (size_t i = 0; i < p->pages; i++) {
		int64_t due = start + (int64_t)(i * (1000000000 / p->per_step));
		struct timespec time = { .tv_sec = due / 1000000000, .tv_nsec = due % 1000000000 };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
		write_page(p, memory, i);
	}
}

/* The same number, all in one moment of each second. */
static void break_in_bursts(int step, void *memory, void *context)
{
	const struct pairs *p = context;
	int64_t start = now_ns() + 500000000;

	(void)step;
	for (size_t i = 0; i < p->pages; i++) {
		int64_t due = start + (int64_t)(i / p->per_step) * 1000000000;
		struct timespec time = { .tv_sec = due / 1000000000, .tv_nsec = due % 1000000000 };
		if (i % p->per_step == 0)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
		write_page(p, memory, i);
	}
}

/*
 * The engine's tracepoints, *ret NULL where the kernel has none (before 6.4).
 * False when they can't be had for another reason.
 */
static bool open_engine(struct test *t, struct engine_probe **ret)
{
	struct error err = {};

	if (!engine_open(ret, 0, &err))
		return true;
	if (err.status == EXIT_KERNEL_CANNOT && strstr(err.text, "no tracepoint"))
		return true;
	return check(t, false, "open the engine's tracepoints: %s", err.text);
}

static struct merge_record merges_of(const struct engine_probe *engine)
{
	return engine ? engine_merges(engine) : MERGE_RECORD_NONE;
}

/* What this kernel refused, for whoever reads why a check failed. */
static void say_refused(const struct attachment *attachment)
{
	for (size_t i = 0; i < attachment->count; i++)
		if (attachment->programs[i].state != KNOWN)
			printf("# %s: %s\n", attachment->programs[i].name, attachment->programs[i].why);
}

static uint64_t sum_buckets(const struct merge_lifetimes *lifetimes)
{
	uint64_t sum = 0;
	for (int i = 0; i < LIFETIME_BUCKETS; i++)
		sum += lifetimes->bucket[i];
	return sum;
}

static struct engine_counts engine_counts_of(const struct engine_probe *engine, pid_t pid)
{
	struct engine_process *list;
	size_t count;
	struct engine_counts ret = {};

	if (engine_processes(engine, &list, &count, NULL))
		return ret;
	for (size_t i = 0; i < count; i++)
		if (list[i].pid == pid)
			ret = list[i].counts;
	free(list);
	return ret;
}

static void test_merges(struct test *t, struct engine_probe *engine, const struct made *made, const struct pairs *p)
{
	struct engine_totals before, after;
	int64_t merged = merged_pages(t), zero = knob(t, KNOB_KSM_ZERO_PAGES), scans = knob(t, KNOB_FULL_SCANS);

	if (!engine) {
		check(t, merge_until(t, merged + 2 * (int64_t)p->pages, 0), "ksmd merges all");
		skip(t, "no ksm tracepoints");
		return;
	}
	engine_read(engine, &before);
	if (!check(t, merge_until(t, merged + 2 * (int64_t)p->pages, zero + (int64_t)p->zero_pages), "ksmd merges all"))
		return;
	engine_read(engine, &after);
	merged = merged_pages(t) - merged;
	zero = knob(t, KNOB_KSM_ZERO_PAGES) - zero;
	check(t, (int64_t)(after.merges - after.undone - before.merges) == merged,
	      "%" PRId64 " merges seen, pages_sharing + pages_shared rose by %" PRId64,
	      (int64_t)(after.merges - before.merges), merged);
	/* both are the machine's: whoever else has opted in may merge a page, too; ours are counted exactly below */
	check(t, (int64_t)(after.zero_merges - before.zero_merges) == zero && zero >= (int64_t)p->zero_pages,
	      "%" PRIu64 " merges with the zero page seen, ksm_zero_pages rose by %" PRId64,
	      (uint64_t)after.zero_merges, zero);
	struct engine_counts counts = engine_counts_of(engine, made->pid);
	check(t, counts.merges == 2 * p->pages && counts.zero_merges == p->zero_pages,
	      "by process: %" PRIu64 " and %" PRIu64, (uint64_t)counts.merges, (uint64_t)counts.zero_merges);
	scans = knob(t, KNOB_FULL_SCANS) - scans;
	check(t,
	      after.passes > 0 && (int64_t)after.passes >= scans - 1 && (int64_t)after.passes <= scans + 1 &&
		  after.pass_last_ns > 0 && after.pass_rmap_items >= 2 * p->pages,
	      "%" PRIu64 " passes of %" PRId64 ", the last took %.1f ms and tracked %" PRIu64 " pages",
	      (uint64_t)after.passes, scans, (double)after.pass_last_ns / 1e6, (uint64_t)after.pass_rmap_items);
}

static void test_breaks(struct test *t, const struct watch *w, const struct made *made, const struct pairs *p,
			bool tells_lifetimes)
{
	struct value cow = vmstat(t, "cow_ksm");
	struct merge_lifetimes lifetimes;
	struct fault_interval interval;
	const struct fault_process *process;

	watch_begin(w);
	for (int step = 0; step < 2; step++) {
		begin(made);
		wait_done(made);
	}
	int64_t counted = vmstat(t, "cow_ksm").number - cow.number;
	if (!watch_read(w, &interval))
		return;
	process = find_process(&interval, made->pid);
	if (check(t, process, "the process is seen")) {
		struct duty_estimate merged = fault_estimate(&interval, process, FAULT_COW_MERGED);
		struct duty_estimate zero = fault_estimate(&interval, process, FAULT_COW_ZERO);
		check(t, near(merged.count, BREAKS, 0.03), "%d merged pages broken, %.0f counted", BREAKS,
		      merged.count);
		check(t, near(merged.count, (double)counted, 0.03), "vmstat cow_ksm says %" PRId64, counted);
		check(t, near(zero.count, (double)p->zero_pages, 0.03),
		      "%zu pages merged with the zero page, %.0f counted", p->zero_pages, zero.count);
		check(t, merged.basis == DUTY_EXACT, "the count is exact, not estimated");
	}
	fault_lifetimes(w->probe, &lifetimes);
	uint64_t told = sum_buckets(&lifetimes);
	check(t, near((double)(tells_lifetimes ? told : lifetimes.unseen), BREAKS, 0.03),
	      "%" PRIu64 " lifetimes of merges, %" PRIu64 " unseen", told, (uint64_t)lifetimes.unseen);
	check_loss(t, w->probe);
	fault_interval_free(&interval);
}

static void test_merge_and_break(struct test *t)
{
	struct pairs p = { .page_bytes = t->page_bytes, .pages = BREAKS, .per_step = BREAKS };
	struct plan plan = { prepare_pairs, break_at_once, 2, &p };
	struct fault_options options = fault_defaults();
	struct engine_probe *engine = NULL;
	struct watch w;
	const char *why;

	t->name = "merges and breaks";
	engine_fresh("1");
	if (!open_engine(t, &engine))
		return;
	if (engine)
		say_refused(engine_attachment(engine));
	p.zero_pages = t->counts_zero ? ZERO_PAGES : 0;
	struct made made = make(&plan);
	options.precise = true;
	options.merges = merges_of(engine);
	test_merges(t, engine, &made, &p);
	if (watch_open(t, &w, &options)) {
		enum known tells = fault_tells_merged(w.probe, &why);
		check(t, tells == KNOWN, "merged pages are told apart %s", why);
		test_breaks(t, &w, &made, &p, engine);
	}
	watch_close(&w);
	unmake(&made);
	engine_close(engine);
}

/* ---- rates by windows ---- */

static void test_rate(struct test *t, const char *name, deed act)
{
	struct pairs p = { .page_bytes = t->page_bytes, .pages = BREAKS * (SECONDS + 2), .per_step = BREAKS };
	struct plan plan = { prepare_pairs, act, 1, &p };
	struct fault_options options = fault_defaults();
	struct watch w;
	double count = 0, low = 0, high = 0, looked = 0, truth = 0;

	t->name = name;
	engine_fresh("0");
	struct made made = make(&plan);
	if (!check(t, merge_until(t, merged_pages(t) + 2 * (int64_t)p.pages, 0), "ksmd merges all")) {
		unmake(&made);
		return;
	}
	options.merged = true;
	if (watch_open(t, &w, &options)) {
		watch_begin(&w);
		begin(&made);
		for (int s = 1; s <= SECONDS; s++) {
			struct fault_interval interval;
			watch_until(&w, now_ns() + 1000000000);
			if (!watch_read(&w, &interval))
				break;
			const struct fault_process *process = find_process(&interval, made.pid);
			struct duty_estimate e = process ? fault_estimate(&interval, process, FAULT_COW_MERGED) :
				(struct duty_estimate){};
			count += e.count;
			low += e.low;
			high += e.high;
			looked += interval.now.t;
			truth += interval.now.machine;
			fault_interval_free(&interval);
		}
		if (getenv("KSMSCOPE_EMULATED")) {
			skip(t, "emulated: what happens in a second is up to the emulator");
		} else {
			check(t, near(count / SECONDS, BREAKS, 0.1), "%d a second, %.1f estimated, between %.1f and %.1f",
			      BREAKS, count / SECONDS, low / SECONDS, high / SECONDS);
			/* the counters are read one after another: two events a second may lie in between */
			check(t, low <= truth + 2 * SECONDS && truth - 2 * SECONDS <= high,
			      "the interval has the true %.1f in it", truth / SECONDS);
		}
		check(t, looked < 0.4 * SECONDS, "looked %.0f %% of the time", 100 * looked / SECONDS);
		check_loss(t, w.probe);
	}
	watch_close(&w);
	unmake(&made);
}

/* ---- faults against getrusage ---- */

struct toucher {
	size_t page_bytes;
	size_t pages;
	int report;		/* a pipe: minor + major faults of the step */
};

static void *prepare_toucher(void *context)
{
	(void)context;
	return NULL;
}

static int64_t own_faults(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void touch(int step, void *memory, void *context)
{
	const struct toucher *c = context;
	int64_t before = own_faults();

	(void)step;
	(void)memory;
	for (int round = 0; round < 10; round++) {
		char *pages = map_pages(c->pages / 10, c->page_bytes);
		for (size_t i = 0; i < c->pages / 10; i++)
			((volatile char *)pages)[i * c->page_bytes] = 1;
		munmap(pages, c->pages / 10 * c->page_bytes);
	}
	before = own_faults() - before;
	if (write(c->report, &before, sizeof(before)) < 0)
		_exit(98);
}

static void test_faults(struct test *t)
{
	struct toucher c = { .page_bytes = t->page_bytes, .pages = 200000 };
	struct plan plan = { prepare_toucher, touch, 1, &c };
	struct fault_options options = fault_defaults();
	struct fault_interval interval;
	int64_t counted = 0;
	int ends[2];
	struct watch w;

	t->name = "faults of a fault-bound program";
	if (pipe2(ends, O_CLOEXEC))
		return;
	c.report = ends[1];
	struct made made = make(&plan);
	options.precise = true;
	if (watch_open(t, &w, &options)) {
		watch_begin(&w);
		begin(&made);
		wait_done(&made);
		if (watch_read(&w, &interval)) {
			const struct fault_process *process = find_process(&interval, made.pid);
			double seen = process ? process->now.x : 0;
			double first = process ? fault_estimate(&interval, process, FAULT_FIRST_WRITE).count : 0;
			if (read(ends[0], &counted, sizeof(counted)) != sizeof(counted))
				counted = -1;
			check(t, near(seen, (double)counted, 0.01), "getrusage says %" PRId64 ", %.0f seen", counted,
			      seen);
			check(t, near(first, (double)c.pages, 0.01), "%zu pages touched first, %.0f seen", c.pages,
			      first);
			check(t, process && near(process->now.all, (double)counted, 0.01),
			      "the tasks' counters say %.0f", process ? process->now.all : 0);
			fault_interval_free(&interval);
		}
		check_loss(t, w.probe);
	}
	watch_close(&w);
	unmake(&made);
	close(ends[0]);
	close(ends[1]);
}

/* ---- what arrives ---- */

#define KNOWN_CONTENTS 16
#define KNOWN_OF_TEN 4		/* of ten pages: with one of the known contents */
#define ZERO_OF_TEN 1

static void write_known_share(int step, void *memory, void *context)
{
	const struct toucher *c = context;
	static uint64_t unique = 1000;

	(void)step;
	(void)memory;
	char *pages = map_pages(c->pages, c->page_bytes);
	for (size_t i = 0; i < c->pages; i++) {
		char *page = pages + i * c->page_bytes;
		uint64_t draw = (i * 0x9e3779b97f4a7c15ull) >> 32;
		if (draw % 10 < KNOWN_OF_TEN)
			fill(page, c->page_bytes, draw / 10 % KNOWN_CONTENTS);
		else if (draw % 10 < KNOWN_OF_TEN + ZERO_OF_TEN)
			memset(page, 0, c->page_bytes);
		else
			fill(page, c->page_bytes, unique++);
	}
	munmap(pages, c->pages * c->page_bytes);
}

static void test_arrivals(struct test *t)
{
	struct toucher c = { .page_bytes = t->page_bytes, .pages = 60000 };
	struct plan plan = { prepare_toucher, write_known_share, 1, &c };
	struct fault_options options = fault_defaults();
	struct fault_interval interval;
	struct watch w;

	t->name = "duplicates that arrive";
	struct made made = make(&plan);
	options.precise = true;
	options.sample_every = 16;
	if (watch_open(t, &w, &options)) {
		watch_begin(&w);
		begin(&made);
		wait_done(&made);
		if (watch_read(&w, &interval)) {
			const struct fault_process *p = find_process(&interval, made.pid);
			struct fault_arrivals a = p ? p->arrivals : (struct fault_arrivals){};
			double hashed = fmax(1, (double)a.hashed);
			double duplicates = p ? fault_duplicates(&interval, p).count : 0;
			check(t, near((double)a.hashed, (double)c.pages / 16, 0.1),
			      "%" PRIu64 " of %zu pages looked at", (uint64_t)a.hashed, c.pages);
			/* four standard errors of a share of some 3,750 */
			check(t, fabs((double)a.duplicate / hashed - KNOWN_OF_TEN / 10.0) < 0.035,
			      "%.1f %% were duplicates", 100 * (double)a.duplicate / hashed);
			check(t, fabs((double)a.zero / hashed - ZERO_OF_TEN / 10.0) < 0.02, "%.1f %% were zero",
			      100 * (double)a.zero / hashed);
			check(t, near(duplicates, (double)c.pages * KNOWN_OF_TEN / 10, 0.1), "%.0f new duplicates",
			      duplicates);
			fault_interval_free(&interval);
		}
		check_loss(t, w.probe);
	}
	watch_close(&w);
	unmake(&made);
}

/* ---- huge pages ---- */

#define UNDONE 100

struct region {
	size_t page_bytes;
	size_t duplicates;	/* of its pages, each with a twin elsewhere */
	bool same;		/* all with one content: the range maps a merged page twice */
	bool huge;		/* begins as a huge page */
	size_t step;		/* every so many-th page is one, counted from the end; 1: the last page is one */
};

/* What a huge page has; where the kernel has none, any size does. */
static size_t huge_bytes(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");
	size_t bytes = 0;

	if (file && fscanf(file, "%zu", &bytes) != 1)
		bytes = 0;
	if (file)
		fclose(file);
	return bytes ? bytes : 2 << 20;
}

static char *map_region(const struct region *r)
{
	size_t bytes = huge_bytes();
	char *memory = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		_exit(99);
	memory = (char *)(((uintptr_t)memory + bytes - 1) & ~(bytes - 1));
	madvise(memory, bytes, r->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return memory;
}

static void *prepare_region(void *context)
{
	const struct region *r = context;
	char *memory = map_region(r), *twins = map_pages(r->duplicates, r->page_bytes);
	size_t pages = huge_bytes() / r->page_bytes;

	for (size_t i = 0; i < pages; i++)
		fill(memory + i * r->page_bytes, r->page_bytes, 5000 + i);
	for (size_t i = 0; i < r->duplicates; i++) {
		size_t page = pages - r->step * (i + 1);
		fill(memory + page * r->page_bytes, r->page_bytes, r->same ? 7 : 9000 + i);
		fill(twins + i * r->page_bytes, r->page_bytes, r->same ? 7 : 9000 + i);
	}
	madvise(memory, huge_bytes(), MADV_MERGEABLE);
	madvise(twins, r->duplicates * r->page_bytes, MADV_MERGEABLE);
	return memory;
}

static void collapse(int step, void *memory, void *context)
{
	(void)step;
	(void)context;
	madvise(memory, huge_bytes(), MADV_HUGEPAGE);
	madvise(memory, huge_bytes(), MADV_COLLAPSE);
}

/* khugepaged is to do it. */
static void let_collapse(int step, void *memory, void *context)
{
	(void)step;
	(void)context;
	madvise(memory, huge_bytes(), MADV_HUGEPAGE);
}

struct outcome {
	uint64_t good, bad;
};

static struct outcome outcome_of(const struct hugepage_probe *probe, pid_t pid)
{
	struct collapse_count *list;
	struct outcome ret = {};
	size_t count;

	if (hugepage_collapses(probe, &list, &count, NULL))
		return ret;
	for (size_t i = 0; i < count; i++) {
		if ((pid_t)list[i].key.tgid != pid || list[i].key.step != COLLAPSE_COPY)
			continue;
		bool good = !strcmp(collapse_result_name(probe, list[i].key.result), "succeed");
		*(good ? &ret.good : &ret.bad) += list[i].count;
	}
	free(list);
	return ret;
}

/* khugepaged takes its time. */
static struct outcome wait_outcome(const struct hugepage_probe *probe, pid_t pid)
{
	struct outcome outcome = {};
	for (int i = 0; i < 400 && !outcome.good && !outcome.bad; i++) {
		outcome = outcome_of(probe, pid);
		pause_ms(25);
	}
	return outcome;
}

static struct hugepage_process process_of(const struct hugepage_probe *probe, pid_t pid)
{
	struct hugepage_process *list, ret = {};
	size_t count;

	if (hugepage_processes(probe, &list, &count, NULL))
		return ret;
	for (size_t i = 0; i < count; i++)
		if (list[i].pid == pid)
			ret = list[i];
	free(list);
	return ret;
}

static void try_collapse(struct test *t, const char *name, struct region r, deed act, bool succeeds)
{
	struct engine_probe *engine = NULL;
	struct hugepage_probe *probe = NULL;
	struct plan plan = { prepare_region, act, 1, &r };
	struct hugepage_facts facts;
	struct error err = {};

	t->name = name;
	engine_fresh("0");
	set("transparent_hugepage/enabled", "madvise");
	set("transparent_hugepage/khugepaged/scan_sleep_millisecs", "20");
	set("transparent_hugepage/khugepaged/alloc_sleep_millisecs", "20");
	struct made made = make(&plan);
	if (!open_engine(t, &engine)) {
		unmake(&made);
		return;
	}
	if (hugepage_open(&probe, &(struct hugepage_options){ .merges = merges_of(engine) }, &t->root, &err)) {
		check(t, false, "open: %s", err.text);
	} else if (check(t, merge_until(t, merged_pages(t) + 2 * (int64_t)r.duplicates - r.same, 0),
			 "ksmd merges all")) {
		begin(&made);
		wait_done(&made);
		struct outcome outcome = wait_outcome(probe, made.pid);
		struct hugepage_process process = process_of(probe, made.pid);
		hugepage_read(probe, &facts);
		check(t, succeeds ? outcome.good == 1 : !outcome.good && outcome.bad,
		      "%" PRIu64 " collapses succeeded, %" PRIu64 " failed", outcome.good, outcome.bad);
		check(t, !succeeds || facts.totals.located >= 1, "%" PRIu64 " of %" PRIu64 " collapses located",
		      (uint64_t)facts.totals.located, (uint64_t)facts.totals.collapses);
		check(t, process.counts.merges_undone == (succeeds && engine ? r.duplicates : 0),
		      "%" PRIu64 " merges undone", (uint64_t)process.counts.merges_undone);
		check(t, facts.totals.produced > 0 && !facts.totals.lost, "%" PRIu64 " steps, none lost",
		      (uint64_t)facts.totals.produced);
	}
	unmake(&made);
	hugepage_close(probe);
	engine_close(engine);
}

static void test_collapses(struct test *t)
{
	struct region r = { .page_bytes = t->page_bytes, .duplicates = UNDONE, .step = 3 };

	if (!is_known(sysroot_number(&t->root, "sys/kernel/mm/transparent_hugepage/hpage_pmd_size"))) {
		t->name = "collapses";
		skip(t, "no transparent huge pages");
		return;
	}
	try_collapse(t, "collapse by madvise", r, collapse, true);
	r.step = 1;
	try_collapse(t, "collapse, the last page merged", r, collapse, true);
	try_collapse(t, "collapse by khugepaged", r, let_collapse, true);
	r.same = true;
	try_collapse(t, "collapse of a page merged twice", r, collapse, false);
}

static void test_splits(struct test *t)
{
	struct region r = { .page_bytes = t->page_bytes, .duplicates = UNDONE, .step = 3, .huge = true };
	struct plan plan = { prepare_region, collapse, 1, &r };
	struct hugepage_probe *probe = NULL;
	struct hugepage_facts facts;
	struct error err = {};
	struct value split = vmstat(t, "thp_split_page");

	t->name = "splits by ksmd";
	engine_fresh("0");
	set("transparent_hugepage/enabled", "madvise");
	struct made made = make(&plan);
	if (hugepage_open(&probe, &(struct hugepage_options){.merges = MERGE_RECORD_NONE, .splits = true}, &t->root,
			  &err)) {
		check(t, false, "open: %s", err.text);
	} else if (check(t, merge_until(t, merged_pages(t) + 2 * (int64_t)r.duplicates, 0), "ksmd merges all")) {
		hugepage_read(probe, &facts);
		int64_t counted = vmstat(t, "thp_split_page").number - split.number;
		check(t, facts.tells_splits == KNOWN && (int64_t)facts.splits.produced == counted && counted > 0,
		      "%" PRIu64 " splits by ksmd seen, vmstat says %" PRId64, (uint64_t)facts.splits.produced,
		      counted);
		uint64_t account = process_of(probe, made.pid).ksmd_splits;
		check(t, account == facts.splits.produced - facts.splits.waiting,
		      "%" PRIu64 " on the account of their process", account);
	}
	unmake(&made);
	hugepage_close(probe);
}

/* ---- tasks ---- */

struct lists {
	struct process_facts *list[3];	/* iterator, /proc, iterator again */
	size_t count[3];
};

static const struct process_facts *find_facts(const struct lists *l, int which, const struct process_facts *like)
{
	for (size_t i = 0; i < l->count[which]; i++)
		if (l->list[which][i].pid == like->pid && l->list[which][i].start_ticks == like->start_ticks)
			return &l->list[which][i];
	return NULL;
}

/* A number that the iterator gave before and after may lie in between in /proc: the process was running. */
static bool between(struct value before, struct value proc, struct value after)
{
	if (before.known != proc.known)
		return proc.known == ABSENT;	/* the iterator sees what /proc does not show: merge_any before 6.18 */
	return (proc.number >= before.number && proc.number <= after.number) ||
		(proc.number <= before.number && proc.number >= after.number);
}

/* The first thing that differs; NULL if nothing does. */
static const char *differs(const struct process_facts *a, const struct process_facts *p, const struct process_facts *b)
{
#define NUMBER(field) if (!between(a->field, p->field, b->field)) return #field
#define SAME(field) if (a->field != p->field && b->field != p->field) return #field
	SAME(parent);
	SAME(uid);
	SAME(threads);
	SAME(kernel_thread);
	SAME(has_memory);
	/* /proc can't number a group that was removed, and shows the root for a zombie's under cgroup v1 */
	if (p->cgroup.number && (p->has_memory || p->kernel_thread)) {
		SAME(cgroup.number);
		SAME(cgroup.hierarchy);
	}
	if (!p->kernel_thread && strcmp(a->comm, p->comm) && strcmp(b->comm, p->comm))
		return "comm";
	NUMBER(file_pages);
	NUMBER(anon_pages);
	NUMBER(swap_pages);
	NUMBER(shmem_pages);
	NUMBER(minor_faults);
	NUMBER(major_faults);
	NUMBER(ksm_merging_pages);
	NUMBER(ksm_rmap_items);
	NUMBER(ksm_zero_pages);
	NUMBER(merge_any);
#undef NUMBER
#undef SAME
	return NULL;
}

/* /proc is read while everything runs: what is between two passes of the iterator counts as equal. */
static bool compare_tasks(struct test *t, struct tasks_probe *probe, size_t *ret_compared)
{
	struct lists l = {};
	struct cgroups cgroups;
	struct error err = {};
	size_t differing = 0;

	if (cgroups_read(&cgroups, &t->root, &err))
		return false;
	bool ok = !tasks_read(probe, &l.list[0], &l.count[0], &err) &&
		!proc_tasks_read(&t->root, &cgroups, &l.list[1], &l.count[1], &err) &&
		!tasks_read(probe, &l.list[2], &l.count[2], &err);
	for (size_t i = 0; ok && i < l.count[1]; i++) {
		const struct process_facts *proc = &l.list[1][i];
		const struct process_facts *before = find_facts(&l, 0, proc), *after = find_facts(&l, 2, proc);
		const char *what = before && after ? differs(before, proc, after) : NULL;
		*ret_compared += before && after;
		differing += what != NULL;
		if (what)
			printf("# %d (%s): %s\n", proc->pid, proc->comm, what);
	}
	cgroups_free(&cgroups);
	for (int i = 0; i < 3; i++)
		free(l.list[i]);
	return ok && !differing;
}

static void *prepare_merge_any(void *context)
{
	prctl(67 /* PR_SET_MEMORY_MERGE */, 1, 0, 0, 0);
	return prepare_pairs(context);
}

static void test_tasks(struct test *t)
{
	struct pairs p = { .page_bytes = t->page_bytes, .pages = 307 };
	struct plan plan = { prepare_merge_any, break_at_once, 1, &p };
	struct tasks_probe *probe = NULL;
	struct error err = {};
	size_t compared = 0;
	bool same = false, has_prctl = prctl(68 /* PR_GET_MEMORY_MERGE */, 0, 0, 0, 0) >= 0;

	t->name = "tasks";
	engine_fresh("0");
	struct made made = make(&plan);
	merge_until(t, merged_pages(t) + 2 * (int64_t)p.pages, 0);
	if (check(t, !tasks_open(&probe, &err), "open the iterator %s", err.text)) {
		/* a busy machine has processes that change back and forth meanwhile */
		for (int i = 0; i < 20 && !same; i++) {
			compared = 0;
			same = compare_tasks(t, probe, &compared);
		}
		check(t, same && compared > 20, "the iterator and /proc agree about %zu processes", compared);
		struct process_facts *list = NULL;
		size_t count = 0;
		int64_t merging = 0, any = -1;
		if (!tasks_read(probe, &list, &count, &err))
			for (size_t i = 0; i < count; i++)
				if (list[i].pid == made.pid) {
					merging = list[i].ksm_merging_pages.number;
					any = value_or(list[i].merge_any, -1);
				}
		free(list);
		check(t, merging >= 2 * (int64_t)p.pages && any == (has_prctl ? 1 : -1),
		      "%" PRId64 " merged pages, prctl is %s", merging,
		      any < 0 ? "absent"
		      : any   ? "on"
			      : "off");
	}
	tasks_close(probe);
	unmake(&made);
}

/* ---- refusals ---- */

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = {};
	if (syscall(SYS_capset, &header, none))
		_exit(97);
}

static void test_denied(struct test *t)
{
	int status = 0;

	t->name = "without capabilities";
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		struct engine_probe *engine = NULL;
		struct tasks_probe *tasks = NULL;
		struct fault_probe *fault = NULL;
		struct hugepage_probe *huge = NULL;
		struct fault_options options = fault_defaults();
		struct error err[4] = {};

		drop_capabilities();
		int rc[] = { engine_open(&engine, 0, &err[0]), tasks_open(&tasks, &err[1]),
			     fault_open(&fault, &options, &t->root, &err[2]),
			     hugepage_open(&huge, &(struct hugepage_options){ .merges = MERGE_RECORD_NONE }, &t->root,
					   &err[3]) };
		for (int i = 0; i < 4; i++)
			check(t, (rc[i] == -EXIT_NOT_PERMITTED && attach_known(&err[i]) == DENIED &&
				  strstr(err[i].text, "CAP_BPF")) ||
			      (rc[i] == -EXIT_KERNEL_CANNOT && strstr(err[i].text, "no tracepoint")),
			      "denied or absent, and says why: %s", err[i].text);
		fflush(stdout);
		_exit(t->failures ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	t->failures += !WIFEXITED(status) || WEXITSTATUS(status);
}

/* One program of a type that may not do what it does. */
static void *open_with_stranger(const void *options)
{
	struct engine_bpf *skeleton = engine_bpf__open();

	(void)options;
	if (skeleton)
		bpf_program__set_type(skeleton->progs.advisor, BPF_PROG_TYPE_SOCKET_FILTER);
	return skeleton;
}

static void test_refused_program(struct test *t)
{
	struct attachment attachment;
	struct error err = {};
	size_t attached = 0;

	t->name = "one program refused";
	if (!is_known(ksm_knob_read(&t->root, KNOB_GENERAL_PROFIT))) {
		skip(t, "no ksm tracepoints");	/* they are as old */
		return;
	}
	if (!check(t, !attach_load(&attachment, open_with_stranger, NULL, &err), "the others are loaded %s", err.text))
		return;
	attach_start_all(&attachment);
	for (size_t i = 0; i < attachment.count; i++)
		attached += attachment.programs[i].link != NULL;
	const struct attach_program *refused = attach_find(&attachment, "advisor");
	check(t, attached == attachment.count - 1, "%zu of %zu attached", attached, attachment.count);
	check(t, refused->state == ABSENT && *refused->why, "the other says why: %s", refused->why);
	attach_free(&attachment);
}

static void test_costs(struct test *t)
{
	struct engine_probe *engine = NULL;
	struct pairs p = { .page_bytes = t->page_bytes, .pages = 211 };
	struct plan plan = { prepare_pairs, break_at_once, 1, &p };
	struct program_cost cost = {};

	t->name = "cost of programs";
	engine_fresh("0");
	struct made made = make(&plan);
	int measuring = program_costs_measure();
	if (measuring < 0 || !open_engine(t, &engine) || !engine) {
		skip(t, measuring < 0 ? "the kernel does not measure programs" : "no ksm tracepoints");
	} else {
		merge_until(t, merged_pages(t) + 2 * (int64_t)p.pages, 0);
		bool ok = program_cost(attach_find(engine_attachment(engine), "merge"), &cost);
		check(t, ok && cost.runs >= 2 * p.pages && cost.nanoseconds > 0, "%" PRIu64 " runs took %" PRIu64 " ns",
		      cost.runs, cost.nanoseconds);
	}
	if (measuring >= 0)
		close(measuring);
	engine_close(engine);
	unmake(&made);
}

static int run_tests(struct test *t)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	test_merge_and_break(t);
	test_rate(t, "breaks, evenly", break_evenly);
	test_rate(t, "breaks, in bursts", break_in_bursts);
	test_faults(t);
	test_arrivals(t);
	test_collapses(t);
	test_splits(t);
	test_tasks(t);
	test_costs(t);
	test_refused_program(t);
	test_denied(t);
	return t->failures ? 1 : 0;
}

int main(void)
{
	struct test t = { .page_bytes = (size_t)sysconf(_SC_PAGESIZE) };
	struct saved saved;
	int status;

	t.name = "probes";
	scoped_fd int lock = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (geteuid() || lock < 0 || flock(lock, LOCK_EX) || sysroot_open(&t.root, NULL, NULL)) {
		skip(&t, "needs root");
		return 0;
	}
	t.counts_zero = is_known(ksm_knob_read(&t.root, KNOB_KSM_ZERO_PAGES));
	settings_save(&t.root, &saved);
	pid_t pid = fork();
	if (!pid)
		_exit(run_tests(&t));
	waitpid(pid, &status, 0);
	settings_restore(&saved);
	sysroot_close(&t.root);
	if (!WIFEXITED(status))
		printf("not ok - probes: the tests died\n");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
