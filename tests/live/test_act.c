// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carrying out, restoring and undoing on this kernel: made processes are opted
 * in, ksmd merges them, and everything is taken back, whoever is killed when.
 * Root. The tests run in a process of their own; the one that started it puts
 * the engine's settings back whatever became of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "act/apply.h"
#include "act/journal.h"
#include "base/cleanup.h"
#include "sys/ksm_read.h"
#include "sys/ksm_write.h"
#include "sys/proc.h"

#define LOCK_FILE "/run/lock/ksmscope-test.lock"
#define PAIRS 1009
#define PAGES (2 * PAIRS)
#define GROUND 0x200000000000u		/* far from everything else, sanitizers' memory too */
#define EXIT_SKIPPED 77
#define ROUNDS 10
#define MOST_STEPS 8
#define LONG 60				/* seconds; nothing here takes as long */

/* ---- results ---- */

struct test {
	struct sysroot root;
	char state[64];
	uint64_t page_bytes;
	const char *name;
	unsigned int failures;
};

__attribute__((format(printf, 3, 4)))
static bool check(struct test *t, bool good, const char *fmt, ...)
{
	char what[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	printf("%s - %s: %s\n", good ? "ok" : "not ok", t->name, what);
	fflush(stdout);
	t->failures += !good;
	return good;
}

static void skip(struct test *t, const char *why)
{
	printf("ok - %s # SKIP %s\n", t->name, why);
}

static void pause_ms(unsigned int ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };
	nanosleep(&time, NULL);
}

/* ---- the engine ---- */

struct settings {
	struct value knob[KNOB_COUNT];
};

static void settings_read(const struct sysroot *root, struct settings *ret)
{
	for (enum knob k = 0; k < KNOB_COUNT; k++)
		ret->knob[k] = knob_writable(k) ? ksm_knob_read(root, k) : (struct value){ 0 };
}

static void set(const struct sysroot *root, enum knob knob, int64_t value)
{
	struct error err;
	if (ksm_knob_write(root, knob, value, &err))
		printf("# %s\n", err.text);
}

/* The advisor off while pages_to_scan is set; run last. */
static void settings_write(const struct sysroot *root, const struct settings *s)
{
	struct settings now;
	settings_read(root, &now);
	if (value_or(now.knob[KNOB_ADVISOR_MODE], ADVISOR_NONE) != ADVISOR_NONE)
		set(root, KNOB_ADVISOR_MODE, ADVISOR_NONE);
	settings_read(root, &now);
	for (enum knob k = KNOB_COUNT; k-- > 0; )
		if (is_known(s->knob[k]) && k != KNOB_ADVISOR_MODE && s->knob[k].number != now.knob[k].number)
			set(root, k, k == KNOB_RUN && s->knob[k].number == 2 ? 0 : s->knob[k].number);
	if (value_or(s->knob[KNOB_ADVISOR_MODE], ADVISOR_NONE) != ADVISOR_NONE)
		set(root, KNOB_ADVISOR_MODE, s->knob[KNOB_ADVISOR_MODE].number);
}

/* What differs, as text; "" where nothing does. */
static const char *settings_differ(const struct sysroot *root, const struct settings *expected, char ret[256])
{
	struct settings now;
	size_t used = 0;
	ret[0] = '\0';
	settings_read(root, &now);
	for (enum knob k = 0; k < KNOB_COUNT; k++)
		if (now.knob[k].known != expected->knob[k].known || now.knob[k].number != expected->knob[k].number)
			used += snprintf(ret + used, used < 256 ? 256 - used : 0, " %s %" PRId64 "->%" PRId64,
					 knobs[k].name, expected->knob[k].number, now.knob[k].number);
	return ret;
}

/* Values that nobody has by chance. */
static void settings_odd(const struct test *t, struct settings *ret)
{
	static const struct { enum knob knob; int64_t value; } odd[] = {
		{ KNOB_ADVISOR_MODE, ADVISOR_NONE }, { KNOB_RUN, 0 }, { KNOB_PAGES_TO_SCAN, 137 },
		{ KNOB_SLEEP_MILLISECS, 23 }, { KNOB_SMART_SCAN, 1 }, { KNOB_USE_ZERO_PAGES, 0 },
	};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		if (is_known(ksm_knob_read(&t->root, odd[i].knob)))
			set(&t->root, odd[i].knob, odd[i].value);
	settings_read(&t->root, ret);
}

static int64_t sharing(const struct test *t)
{
	return value_or(ksm_knob_read(&t->root, KNOB_PAGES_SHARING), -1);
}

/* Counters lag: let ksmd look at what was unmerged or ended, until pages_sharing falls no more. Ends stopped. */
static int64_t drain(const struct test *t)
{
	struct settings found;
	int64_t last = -1, now = sharing(t);
	settings_read(&t->root, &found);
	set(&t->root, KNOB_PAGES_TO_SCAN, 5000);
	set(&t->root, KNOB_SLEEP_MILLISECS, 1);
	set(&t->root, KNOB_RUN, 1);
	for (int quiet = 0; quiet < 6; now = sharing(t)) {
		quiet = now == last ? quiet + 1 : 0;
		last = now;
		pause_ms(20);
	}
	set(&t->root, KNOB_RUN, 0);
	settings_write(&t->root, &found);
	return sharing(t);
}

/* ---- made processes ---- */

struct made {
	pid_t pid;
	uint64_t start_ticks, start, end;
	uint64_t sum;			/* of what is in it */
	int orders;			/* a byte makes it fork; closing it ends it */
	int answers;
};

struct filling {
	uint64_t start, pages, page_bytes;
	bool own_madvise, no_pairs;
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Pages i and i + pages/2 are equal, and equal to no other page of anybody. */
static uint64_t fill(const struct filling *f)
{
	char *at = (char *)(uintptr_t)f->start;
	size_t bytes = f->pages * f->page_bytes;
	uint64_t sum = 0, seed = (uint64_t)getpid() << 32 ^ f->start;
	void *got = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (got != at || madvise(at, bytes, MADV_NOHUGEPAGE))
		return 0;
	for (uint64_t page = 0; page < f->pages; page++) {
		uint64_t *words = (uint64_t *)(at + page * f->page_bytes);
		for (size_t i = 0; i < f->page_bytes / 8; i++)
			sum += words[i] = mix(seed + page % ((f->pages + 1) / 2) * f->page_bytes + i);
	}
	if (f->own_madvise)
		madvise(at, bytes, MADV_MERGEABLE);
	return sum;
}

static void be_child(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (;;)
		pause();
}

/* Two ranges: one the process opted in itself (only with `own`), and the one that is for us. */
__attribute__((noreturn))
static void be_made(const struct test *t, bool own, int orders, int answers)
{
	struct filling mine = { GROUND, PAGES, t->page_bytes, .own_madvise = false };
	struct filling its = { GROUND + (1u << 30), 2 * 23, t->page_bytes, .own_madvise = true };
	char order;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	uint64_t sum = fill(&mine);
	if (own && !fill(&its))
		_exit(1);
	if (write(answers, &sum, sizeof(sum)) != sizeof(sum))
		_exit(1);
	while (read(orders, &order, 1) == 1) {
		pid_t self = getpid(), child = fork();
		if (child == 0)
			be_child(self);
		if (write(answers, &child, sizeof(child)) != sizeof(child))
			_exit(1);
	}
	_exit(0);
}

static uint64_t start_ticks_of(const struct sysroot *root, pid_t pid)
{
	struct sample names;
	struct task task;
	sample_init(&names);
	enum known known = proc_task(root, pid, &task, &names);
	sample_free(&names);
	return known == KNOWN && task.state != 'Z' ? task.start_ticks : 0;
}

static struct made make(const struct test *t, bool own)
{
	struct made m = { .start = GROUND, .end = GROUND + PAGES * t->page_bytes };
	int orders[2], answers[2];
	if (pipe2(orders, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
		exit(1);
	fflush(stdout);
	m.pid = fork();
	if (m.pid == 0) {
		close(orders[1]);
		close(answers[0]);
		be_made(t, own, orders[0], answers[1]);
	}
	close(orders[0]);
	close(answers[1]);
	m.orders = orders[1];
	m.answers = answers[0];
	if (m.pid < 0 || read(m.answers, &m.sum, sizeof(m.sum)) != sizeof(m.sum) || !m.sum)
		exit(1);
	m.start_ticks = start_ticks_of(&t->root, m.pid);
	return m;
}

static pid_t fork_in(const struct made *m)
{
	pid_t child = 0;
	if (write(m->orders, "f", 1) != 1 || read(m->answers, &child, sizeof(child)) != sizeof(child))
		return 0;
	return child;
}

static void unmake(struct made *m)
{
	close(m->orders);
	close(m->answers);
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
}

/* What the process has in our range now, read by us. */
static uint64_t sum_of(const struct test *t, const struct made *m)
{
	uint64_t sum = 0, words[512];
	scoped_fd int fd = sysroot_openf(&t->root, "proc/%d/mem", m->pid);
	for (uint64_t at = m->start; at < m->end; at += sizeof(words)) {
		if (pread(fd, words, sizeof(words), (off_t)at) != sizeof(words))
			return 0;
		for (size_t i = 0; i < 512; i++)
			sum += words[i];
	}
	return sum;
}

/* Pages of mergeable mappings (VmFlags mg) of a process from `from` on, 1 GiB far; -1 where it is gone. */
static int64_t mergeable_pages(const struct test *t, pid_t pid, uint64_t from)
{
	struct sample s;
	int64_t pages = 0;
	sample_init(&s);
	s.machine.page_bytes = t->page_bytes;
	bool known = proc_areas(&t->root, pid, 0, &s) == KNOWN && s.areas_count;
	for (size_t i = 0; i < s.areas_count; i++)
		if ((s.areas[i].flags & AREA_MERGEABLE) && s.areas[i].start >= from &&
		    s.areas[i].end <= from + (1u << 30))
			pages += (s.areas[i].end - s.areas[i].start) / t->page_bytes;
	sample_free(&s);
	return known ? pages : -1;
}

static int64_t merge_any(const struct test *t, pid_t pid)
{
	struct sample names;
	struct task task;
	sample_init(&names);
	proc_task(&t->root, pid, &task, &names);
	sample_free(&names);
	return value_or(task.ksm.merge_any, -1);
}

/* ---- plans ---- */

struct steps {
	struct change changes[MOST_STEPS];
	struct plan plan;
};

static void add(struct steps *s, struct change change)
{
	s->changes[s->plan.count++] = change;
	s->plan.changes = s->changes;
}

static void add_knob(const struct test *t, struct steps *s, enum knob knob, int64_t after)
{
	add(s, (struct change){ .kind = CHANGE_KNOB, .knob = knob, .after = after,
				.before = value_or(ksm_knob_read(&t->root, knob), -1) });
}

static void add_madvise(struct steps *s, const struct made *m, uint64_t start, uint64_t end)
{
	add(s, (struct change){ .kind = CHANGE_MADVISE, .pid = m->pid, .start_ticks = m->start_ticks, .start = start,
				.end = end });
}

static void add_prctl(struct steps *s, const struct made *m)
{
	add(s, (struct change){ .kind = CHANGE_PRCTL, .pid = m->pid, .start_ticks = m->start_ticks });
}

static void add_engine(const struct test *t, struct steps *s)
{
	add_knob(t, s, KNOB_PAGES_TO_SCAN, 3001);
	add_knob(t, s, KNOB_SLEEP_MILLISECS, 2);
	add_knob(t, s, KNOB_RUN, 1);
}

/* ---- runs ---- */

static void count_report(void *context, const struct act_progress *progress)
{
	(void)progress;
	++*(unsigned int *)context;
}

static struct act *begin(struct test *t, const struct steps *s)
{
	struct error err = { 0 };
	struct act *act;
	int rc = act_begin(&act, &t->root, t->state, &s->plan, &err);
	if (rc) {
		check(t, false, "begin: %s", err.text);
		exit(1);
	}
	return act;
}

static bool carry_out(struct test *t, struct act *act)
{
	struct error err = { 0 };
	return check(t, !act_carry_out(act, NULL, &err), "carried out %s", err.text);
}

static void converge(struct test *t, struct act *act, int64_t pages)
{
	struct act_progress p;
	struct error err = { 0 };
	unsigned int reports = 0;
	int rc = act_wait(act, LONG, NULL, count_report, &reports, &p, &err);
	check(t, !rc && p.converged, "converged in %.1f s, %" PRId64 " scans, ksmd %.2f s %s", p.seconds, p.full_scans,
	      p.ksmd_seconds, err.text);
	check(t, p.gained_pages == pages, "gained %" PRId64 " of %" PRId64 " pages", p.gained_pages, pages);
	check(t, reports >= 1 && reports >= p.seconds * 2 && reports <= p.seconds * 5 + 2, "%u reports", reports);
	check(t, p.ksmd_seconds >= 0, "ksmd's CPU time is known");
}

static void finish(struct test *t, struct act *act, bool keep)
{
	struct error err = { 0 };
	check(t, !act_finish(act, keep, &err), "finished %s", err.text);
}

static void check_settings(struct test *t, const struct settings *expected)
{
	char differ[256];
	settings_differ(&t->root, expected, differ);
	check(t, !*differ, "the settings are as they were%s", differ);
}

static size_t journals(struct test *t)
{
	char (*names)[JOURNAL_NAME_BYTES];
	struct state_dir state;
	size_t count = 0;
	if (state_open(&state, t->state, 0, NULL))
		return SIZE_MAX;
	state_journals(&state, &names, &count, NULL);
	free(names);
	state_close(&state);
	return count;
}

static struct undo_report undo(struct test *t, pid_t pid)
{
	struct undo_report report, counts;
	struct error err = { 0 };
	if (act_undo(&t->root, t->state, pid ? &pid : NULL, pid != 0, &report, &err))
		check(t, false, "undo: %s", err.text);
	for (size_t i = 0; i < report.count; i++)
		printf("# %s: %s\n", change_outcome_name(report.lines[i].outcome), report.lines[i].text);
	counts = report;
	undo_report_free(&report);
	counts.lines = NULL;
	return counts;
}

static void check_outcome(struct test *t, const struct act *act, size_t change, enum change_outcome expected,
			  const char *text)
{
	const struct change_result *r = &act_results(act)[change];
	check(t, r->outcome == expected && strstr(r->text, text), "change %zu is %s: %s", change,
	      change_outcome_name(r->outcome), r->text);
}

static void check_untouched(struct test *t, const struct made *m)
{
	check(t, mergeable_pages(t, m->pid, GROUND) == 0, "the process is not opted in");
	check(t, sum_of(t, m) == m->sum, "its memory holds what it held");
}

/* ---- the tests ---- */

static void mappings(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false);
	int64_t before = drain(t);
	struct steps s = { 0 };
	add_madvise(&s, &m, m.start, m.end);
	add_engine(t, &s);
	struct act *act = begin(t, &s);
	carry_out(t, act);
	converge(t, act, PAIRS);
	finish(t, act, true);
	check_outcome(t, act, 0, CHANGE_DONE, "");
	check_outcome(t, act, 3, CHANGE_RESTORED, "put back to 0");
	act_free(act);
	check_settings(t, odd);
	check(t, journals(t) == 1, "the journal is kept");
	check(t, mergeable_pages(t, m.pid, GROUND) == PAGES, "the process stays opted in");
	check(t, drain(t) == before + PAIRS, "its pages stay merged");

	check(t, undo(t, m.pid + 1).count == 0, "undo for another process does nothing");
	struct undo_report report = undo(t, m.pid);
	check(t, report.restored == 1 && report.count == 1, "undo takes it back");
	check_untouched(t, &m);
	check(t, drain(t) == before, "pages_sharing is back");
	check(t, journals(t) == 0 && undo(t, 0).count == 0, "nothing is left to undo");
	check_settings(t, odd);
	unmake(&m);
}

/* A part is the process's own opt-in already, a part is unmapped, a part shared. */
static void parts(struct test *t, const struct settings *odd)
{
	struct made m = make(t, true);
	uint64_t own = GROUND + (1u << 30), page = t->page_bytes;
	struct steps s = { 0 };
	add_madvise(&s, &m, own, own + 23 * page);		/* 0: mergeable already */
	add_madvise(&s, &m, m.end - page, m.end + page);	/* 1: ends in a hole */
	add_madvise(&s, &m, m.start, m.start + 7 * page);	/* 2: good */
	add_madvise(&s, &m, m.start, m.start + 11 * page);	/* 3: goes over what 2 is about to take */
	struct act *act = begin(t, &s);
	carry_out(t, act);
	check_outcome(t, act, 0, CHANGE_DONE, "already");
	check_outcome(t, act, 1, CHANGE_REFUSED, "not all mapped");
	check_outcome(t, act, 2, CHANGE_DONE, "");
	check_outcome(t, act, 3, CHANGE_DONE, "");
	check(t, mergeable_pages(t, m.pid, GROUND) == 11, "11 pages are opted in");
	finish(t, act, false);
	act_free(act);
	check_untouched(t, &m);
	check(t, mergeable_pages(t, m.pid, own) == 2 * 23, "its own opt-in stays");
	check(t, journals(t) == 0, "no journal is left");
	check_settings(t, odd);
	unmake(&m);
}

/* 1 TiB that is only reserved: neither ksmd nor an unmerge would ever get through it. */
static void reserved_space(struct test *t, const struct settings *odd)
{
	uint64_t bytes = 1ull << 40;
	struct steps s = { 0 };
	char *reserved = mmap((void *)(uintptr_t)(GROUND + bytes), bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (!check(t, reserved != MAP_FAILED, "reserved 1 TiB"))
		return;
	madvise(reserved, bytes, MADV_NOHUGEPAGE);
	reserved[0] = 1;
	struct made big = make(t, false);		/* inherits it */
	munmap(reserved, bytes);
	add_madvise(&s, &big, (uintptr_t)reserved, (uintptr_t)reserved + bytes);
	add_prctl(&s, &big);
	add_madvise(&s, &big, big.start, big.end);
	struct act *act = begin(t, &s);
	carry_out(t, act);
	check_outcome(t, act, 0, CHANGE_REFUSED, "reserves");
	check_outcome(t, act, 1, CHANGE_REFUSED, "reserves");
	check_outcome(t, act, 2, CHANGE_DONE, "");
	finish(t, act, false);
	check_outcome(t, act, 0, CHANGE_REFUSED, "reserves");
	check_outcome(t, act, 2, CHANGE_RESTORED, "");
	act_free(act);
	check_untouched(t, &big);
	check_settings(t, odd);
	unmake(&big);
}

static void whole_process(struct test *t, const struct settings *odd)
{
	struct made m = make(t, true);
	int64_t before;
	struct steps s = { 0 };
	struct undo_report report;
	uint64_t own = GROUND + (1u << 30);
	add_prctl(&s, &m);
	add_engine(t, &s);
	before = drain(t);
	struct act *act = begin(t, &s);
	carry_out(t, act);
	if (act_results(act)[0].outcome == CHANGE_REFUSED) {
		/* before 6.4, or under AddressSanitizer, which reserves 16 TiB */
		skip(t, act_results(act)[0].text);
		act_free(act);
		check_settings(t, odd);
		unmake(&m);
		return;
	}
	check_outcome(t, act, 0, CHANGE_DONE, "");
	check(t, merge_any(t, m.pid) != 0, "the process is opted in as a whole");
	check(t, mergeable_pages(t, m.pid, GROUND) == PAGES, "with all its pages");
	pid_t child = fork_in(&m);
	check(t, child > 0 && mergeable_pages(t, child, GROUND) == PAGES, "a child inherits it");
	struct act_progress p;
	act_wait(act, LONG, NULL, NULL, NULL, &p, NULL);
	finish(t, act, true);
	act_free(act);
	check_settings(t, odd);

	report = undo(t, 0);
	check(t, report.restored == 1 && !report.failed, "undo takes it back");
	check_untouched(t, &m);
	check(t, merge_any(t, m.pid) <= 0, "the process is not opted in as a whole");
	check(t, mergeable_pages(t, m.pid, own) == 2 * 23, "its own opt-in is there again");
	check(t, mergeable_pages(t, child, GROUND) == 0 && merge_any(t, child) <= 0, "the child is taken back too");
	check(t, journals(t) == 0, "no journal is left");
	kill(child, SIGKILL);
	unmake(&m);
	check(t, drain(t) <= before, "pages_sharing is back");
}

/* Opted in twice, undone twice: each only once. */
static void twice(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false);
	for (int i = 0; i < 2; i++) {
		struct steps s = { 0 };
		add_madvise(&s, &m, m.start, m.end);
		struct act *act = begin(t, &s);
		carry_out(t, act);
		check_outcome(t, act, 0, CHANGE_DONE, i ? "already" : "");
		finish(t, act, true);
		act_free(act);
	}
	check(t, journals(t) == 1, "one journal holds it");
	check(t, undo(t, 0).restored == 1 && undo(t, 0).count == 0, "undone once");
	check_untouched(t, &m);
	check_settings(t, odd);
	unmake(&m);
}

static bool unlocked(const char *state)
{
	char path[96];
	snprintf(path, sizeof(path), "%s/lock", state);
	scoped_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 || !flock(fd, LOCK_EX | LOCK_NB);
}

/* The guardian has ended: it holds the lock until then. */
static bool wait_unlocked(const struct test *t)
{
	for (int i = 0; i < 2000; i++) {
		if (unlocked(t->state))
			return true;
		pause_ms(5);
	}
	return false;
}

/* A process that carries a plan out and waits. */
static pid_t start_applying(struct test *t, const struct steps *s)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid)
		return pid;
	struct act_progress p;
	struct act *act;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null, STDERR_FILENO);
	if (act_begin(&act, &t->root, t->state, &s->plan, NULL) || act_carry_out(act, NULL, NULL))
		_exit(1);
	act_wait(act, LONG, NULL, NULL, NULL, &p, NULL);
	pause();
	_exit(0);
}

/* NULL where all is as it was. */
static const char *what_stayed(struct test *t, const struct settings *odd, const struct made *a, const struct made *b,
			       char differ[256])
{
	if (!wait_unlocked(t))
		return "the guardian does not end";
	if (*settings_differ(&t->root, odd, differ))
		return differ;
	if (journals(t))
		return "a journal is left";
	if (mergeable_pages(t, a->pid, GROUND) || mergeable_pages(t, b->pid, GROUND) || merge_any(t, b->pid) > 0)
		return "still opted in";
	return sum_of(t, a) != a->sum || sum_of(t, b) != b->sum ? "memory was changed" : NULL;
}

static void killed_anywhere(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false), other = make(t, false);
	srand(PAIRS);
	for (int round = 0; round < ROUNDS; round++) {
		struct steps s = { 0 };
		char differ[256];
		/* carried out after some 6 ms; the last two rounds die while ksmd merges */
		unsigned int us = round < ROUNDS - 2 ? round * 1000 + rand() % 1000 : 150000 + rand() % 300000;
		add_madvise(&s, &m, m.start, m.end);
		add_prctl(&s, &other);
		add_engine(t, &s);
		pid_t pid = start_applying(t, &s);
		usleep(us);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		const char *wrong = what_stayed(t, odd, &m, &other, differ);
		check(t, !wrong, "kill -9 after %u us: %s", us, wrong ? wrong : "all is put back");
	}
	unmake(&m);
	unmake(&other);
}

/* The guardian of a process that was started by start_applying(). */
static pid_t guardian_of(const struct test *t, pid_t parent)
{
	struct sample names;
	pid_t *pids, found = 0;
	size_t count;
	if (proc_pids(&t->root, &pids, &count, NULL))
		return 0;
	sample_init(&names);
	for (size_t i = 0; i < count; i++) {
		struct task task;
		if (proc_task(&t->root, pids[i], &task, &names) == KNOWN && task.parent == parent &&
		    !strcmp(task.comm, "ksm-guardian"))
			found = pids[i];
	}
	sample_free(&names);
	free(pids);
	return found;
}

static void guardian_killed(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false);
	struct steps s = { 0 };
	add_madvise(&s, &m, m.start, m.end);
	add_engine(t, &s);
	struct act *act = begin(t, &s);
	carry_out(t, act);
	pid_t guardian = guardian_of(t, getpid());
	check(t, guardian > 0 && !kill(guardian, SIGKILL), "the guardian is killed");
	check(t, mergeable_pages(t, m.pid, GROUND) == PAGES, "everything is changed at that time");
	finish(t, act, false);
	check_outcome(t, act, 0, CHANGE_RESTORED, "");
	check_outcome(t, act, 3, CHANGE_RESTORED, "");
	act_free(act);
	check_settings(t, odd);
	check_untouched(t, &m);
	check(t, journals(t) == 0, "no journal is left");
	unmake(&m);
}

static bool wait_for_run(const struct test *t, int64_t run)
{
	for (int i = 0; i < 1000; i++) {
		if (value_or(ksm_knob_read(&t->root, KNOB_RUN), -1) == run)
			return true;
		pause_ms(5);
	}
	return false;
}

/* What a terminal or a service manager sends to everything does not end it, and an undo waits while it restores. */
static void guardian_apart(struct test *t, const struct settings *odd)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct made m = make(t, false);
	struct steps s = { 0 };
	add_madvise(&s, &m, m.start, m.end);
	add_engine(t, &s);
	pid_t pid = start_applying(t, &s);
	check(t, wait_for_run(t, 1), "it is carried out");
	pid_t guardian = guardian_of(t, pid);
	check(t, guardian > 0 && getsid(guardian) == guardian, "the guardian has a session of its own");
	for (size_t i = 0; guardian > 0 && i < sizeof(signals) / sizeof(signals[0]); i++)
		kill(guardian, signals[i]);
	pause_ms(20);
	check(t, start_ticks_of(&t->root, guardian) != 0, "signals do not end it");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	struct undo_report report = undo(t, 0);
	check(t, report.count == 0, "an undo waits for it, and finds nothing left to do");
	check_settings(t, odd);
	check_untouched(t, &m);
	check(t, journals(t) == 0, "no journal is left");
	unmake(&m);
}

static void both_killed(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false);
	struct steps s = { 0 };
	struct error err = { 0 };
	struct act *act;
	add_madvise(&s, &m, m.start, m.end);
	add_engine(t, &s);
	pid_t pid = start_applying(t, &s);
	check(t, wait_for_run(t, 1), "it is carried out");
	pid_t guardian = guardian_of(t, pid);
	kill(guardian, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check(t, guardian > 0 && wait_unlocked(t), "both are dead");
	check(t, value_or(ksm_knob_read(&t->root, KNOB_RUN), -1) == 1, "nothing is put back");
	int rc = act_begin(&act, &t->root, t->state, &s.plan, &err);
	check(t, rc == -EXIT_FAILED && strstr(err.text, "undo it first"),
	      "a new run is refused: %s", err.text);
	check(t, undo(t, 0).restored == 4, "undo by the journal alone");
	check_settings(t, odd);
	check_untouched(t, &m);
	check(t, journals(t) == 0, "no journal is left");
	unmake(&m);
}

static void foreign_change(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false);
	struct settings expected = *odd;
	struct steps s = { 0 };
	add_madvise(&s, &m, m.start, m.end);
	add_engine(t, &s);
	struct act *act = begin(t, &s);
	carry_out(t, act);
	set(&t->root, KNOB_PAGES_TO_SCAN, 4321);
	finish(t, act, false);
	check_outcome(t, act, 1, CHANGE_FOREIGN, "4321");
	check_outcome(t, act, 2, CHANGE_RESTORED, "");
	act_free(act);
	expected.knob[KNOB_PAGES_TO_SCAN].number = 4321;
	check_settings(t, &expected);
	check_untouched(t, &m);
	unmake(&m);
}

static void advisor(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false);
	struct steps on = { 0 }, off = { 0 }, blind = { 0 };
	struct error err = { 0 };
	if (!is_known(odd->knob[KNOB_ADVISOR_MODE])) {
		skip(t, "this kernel has no advisor");
		unmake(&m);
		return;
	}
	set(&t->root, KNOB_ADVISOR_MODE, ADVISOR_SCAN_TIME);
	add_engine(t, &blind);
	struct act *act = begin(t, &blind);
	check(t, act_carry_out(act, NULL, &err) < 0 && strstr(err.text, "advisor_mode"), "refused: %s", err.text);
	act_free(act);

	int64_t before = drain(t);
	set(&t->root, KNOB_ADVISOR_MODE, ADVISOR_SCAN_TIME);
	add_madvise(&off, &m, m.start, m.end);
	add_knob(t, &off, KNOB_ADVISOR_MODE, ADVISOR_NONE);
	add_engine(t, &off);
	act = begin(t, &off);
	carry_out(t, act);
	converge(t, act, PAIRS);
	finish(t, act, false);
	for (size_t i = 0; i < off.plan.count; i++)
		check_outcome(t, act, i, CHANGE_RESTORED, "");
	act_free(act);
	check(t, value_or(ksm_knob_read(&t->root, KNOB_ADVISOR_MODE), -1) == ADVISOR_SCAN_TIME,
	      "the advisor is on again");
	set(&t->root, KNOB_ADVISOR_MODE, ADVISOR_NONE);
	set(&t->root, KNOB_PAGES_TO_SCAN, odd->knob[KNOB_PAGES_TO_SCAN].number);
	check_settings(t, odd);
	check(t, drain(t) == before, "pages_sharing is back");

	add_knob(t, &on, KNOB_ADVISOR_MODE, ADVISOR_SCAN_TIME);
	act = begin(t, &on);
	carry_out(t, act);
	check(t, value_or(ksm_knob_read(&t->root, KNOB_PAGES_TO_SCAN), -1) != odd->knob[KNOB_PAGES_TO_SCAN].number,
	      "the advisor sets pages_to_scan");
	finish(t, act, false);
	act_free(act);
	check_settings(t, odd);
	unmake(&m);
}

/* A process that carries out, and on SIGINT takes back, as a program does. */
static volatile sig_atomic_t stop;

static void on_interrupt(int signal)
{
	(void)signal;
	stop = 1;
}

static pid_t start_interruptible(struct test *t, const struct steps *s)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid)
		return pid;
	const struct sigaction action = { .sa_handler = on_interrupt };
	struct act_progress p;
	struct act *act;
	setpgid(0, 0);
	sigaction(SIGINT, &action, NULL);
	if (act_begin(&act, &t->root, t->state, &s->plan, NULL) || act_carry_out(act, &stop, NULL))
		_exit(1);
	bool waited = !act_wait(act, LONG, &stop, NULL, NULL, &p, NULL);
	bool stopped = waited && stop && !p.converged && p.seconds < LONG / 2;
	int rc = act_finish(act, false, NULL);
	act_free(act);
	_exit(stopped && !rc ? 0 : 1);
}

static void interrupted(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false);
	struct steps s = { 0 };
	int status = -1;
	add_madvise(&s, &m, m.start, m.end);
	add_knob(t, &s, KNOB_SLEEP_MILLISECS, 60000);		/* no scan will end */
	add_knob(t, &s, KNOB_RUN, 1);
	pid_t pid = start_interruptible(t, &s);
	check(t, wait_for_run(t, 1), "it is carried out");
	pause_ms(100);
	kill(-pid, SIGINT);			/* the whole group, as a terminal does */
	waitpid(pid, &status, 0);
	check(t, WIFEXITED(status) && WEXITSTATUS(status) == 0, "SIGINT ends the wait (status 0x%x)", status);
	check_settings(t, odd);
	check_untouched(t, &m);
	check(t, journals(t) == 0, "no journal is left");
	unmake(&m);
}

static void ended_processes(struct test *t, const struct settings *odd)
{
	struct made before = make(t, false), after = make(t, false), stays = make(t, false), reused = stays;
	struct steps s = { 0 };
	reused.start_ticks--;			/* as if the PID were another process's now */
	add_madvise(&s, &before, before.start, before.end);
	add_madvise(&s, &reused, reused.start, reused.end);
	add_madvise(&s, &after, after.start, after.end);
	add_madvise(&s, &stays, stays.start, stays.end);
	add_engine(t, &s);
	struct act *act = begin(t, &s);
	unmake(&before);
	carry_out(t, act);
	check_outcome(t, act, 0, CHANGE_GONE, "ended");
	check_outcome(t, act, 1, CHANGE_GONE, "ended");
	check_outcome(t, act, 2, CHANGE_DONE, "");
	check_outcome(t, act, 3, CHANGE_DONE, "");
	unmake(&after);
	finish(t, act, false);
	check_outcome(t, act, 2, CHANGE_GONE, "ended");
	check_outcome(t, act, 3, CHANGE_RESTORED, "");
	act_free(act);
	check_untouched(t, &stays);
	check_settings(t, odd);
	check(t, journals(t) == 0, "no journal is left");
	unmake(&stays);
}

/* A process that exits between the journal and the call, many times over: whatever came of it, nothing stays. */
static void exits_midway(struct test *t, const struct settings *odd)
{
	unsigned int gone = 0, done = 0, wrong = 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct made m = make(t, false);
		struct steps s = { 0 };
		add_madvise(&s, &m, m.start, m.end);
		struct act *act = begin(t, &s);
		fflush(stdout);
		pid_t killer = fork();
		if (killer == 0) {
			usleep(rand() % 2000);
			kill(m.pid, SIGKILL);
			_exit(0);
		}
		wrong += act_carry_out(act, NULL, NULL) != 0;
		gone += act_results(act)[0].outcome == CHANGE_GONE;
		done += act_results(act)[0].outcome == CHANGE_DONE;
		wrong += act_finish(act, false, NULL) != 0;
		act_free(act);
		waitpid(killer, NULL, 0);
		unmake(&m);
	}
	check(t, gone + done == ROUNDS && !wrong, "%u gone before, %u after, %u wrong", gone, done, wrong);
	check(t, journals(t) == 0, "no journal is left");
	check_settings(t, odd);
}

/* An unmerge that would need more memory than there is: a /proc whose meminfo says so. */
static void no_memory(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false);
	char base[] = "/tmp/act-live.XXXXXX", path[160], text[160];
	struct undo_report report;
	struct sysroot poor = { .live = true };
	struct steps s = { 0 };
	add_madvise(&s, &m, m.start, m.end);
	add_engine(t, &s);
	struct act *act = begin(t, &s);
	carry_out(t, act);
	converge(t, act, PAIRS);
	finish(t, act, true);
	act_free(act);

	if (!mkdtemp(base))
		exit(1);
	snprintf(path, sizeof(path), "%s/proc", base);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/proc/%d", base, m.pid);
	snprintf(text, sizeof(text), "/proc/%d", m.pid);
	check(t, !symlink(text, path), "made a poor system");
	snprintf(path, sizeof(path), "%s/proc/sys", base);
	check(t, !symlink("/proc/sys", path), "with this boot");
	snprintf(path, sizeof(path), "%s/proc/meminfo", base);
	FILE *file = fopen(path, "w");
	fprintf(file, "MemTotal: 1000000 kB\nMemAvailable: %" PRIu64 " kB\n", 20000 + PAGES * t->page_bytes / 1024 - 4);
	fclose(file);
	poor.dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = act_undo(&poor, t->state, NULL, 0, &report, NULL);
	check(t, !rc && report.failed == 1 && report.count == 1 && strstr(report.lines[0].text, "available"),
	      "refused: %s", rc || !report.count ? "" : report.lines[0].text);
	undo_report_free(&report);
	check(t, mergeable_pages(t, m.pid, GROUND) == PAGES, "the process is left merged");
	close(poor.dir);
	snprintf(text, sizeof(text), "rm -r %s", base);
	check(t, !system(text), "removed it");

	check(t, undo(t, 0).restored == 1, "where there is memory it is taken back");
	check_untouched(t, &m);
	check_settings(t, odd);
	unmake(&m);
}

/* /sys mounted read-only, as in a container: in a mount namespace of its own. */
static int apply_read_only(struct test *t, const struct steps *s)
{
	struct error err = { 0 };
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("/sys", "/sys", NULL, MS_BIND, NULL) ||
	    mount("none", "/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
		return EXIT_SKIPPED;
	sysroot_close(&t->root);		/* it looks at the mounts from which it was opened */
	if (sysroot_open(&t->root, NULL, NULL))
		return EXIT_SKIPPED;
	struct act *act = begin(t, s);
	int rc = act_carry_out(act, NULL, &err);
	check(t, rc == -EXIT_NOT_PERMITTED && strstr(err.text, "read-only"), "refused: %s", err.text);
	check_outcome(t, act, 0, CHANGE_DONE, "");
	finish(t, act, true);
	act_free(act);
	return t->failures ? 1 : 0;
}

static void read_only(struct test *t, const struct settings *odd)
{
	struct made m = make(t, false);
	struct steps s = { 0 };
	int status;
	add_madvise(&s, &m, m.start, m.end);
	add_engine(t, &s);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		t->failures = 0;
		status = apply_read_only(t, &s);
		fflush(stdout);
		_exit(status);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		skip(t, "no mount namespace is to be had");
	} else {
		check(t, WIFEXITED(status) && WEXITSTATUS(status) == 0, "status 0x%x", status);
		check(t, undo(t, 0).restored == 1, "the opt-in that was made before is undone");
	}
	check_untouched(t, &m);
	check_settings(t, odd);
	unmake(&m);
}

static const struct {
	const char *name;
	void (*run)(struct test *t, const struct settings *odd);
} tests[] = {
	{ "mappings", mappings },
	{ "parts of ranges", parts },
	{ "whole process", whole_process },
	{ "reserved space", reserved_space },
	{ "twice", twice },
	{ "killed anywhere", killed_anywhere },
	{ "guardian killed", guardian_killed },
	{ "guardian apart", guardian_apart },
	{ "both killed", both_killed },
	{ "foreign change", foreign_change },
	{ "advisor", advisor },
	{ "interrupted", interrupted },
	{ "ended processes", ended_processes },
	{ "exits midway", exits_midway },
	{ "no memory to unmerge", no_memory },
	{ "read-only /sys", read_only },
};

/* `only`: run those with this in their name. */
static unsigned int run_tests(struct test *t, const char *only)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		struct settings odd;
		if (only && !strstr(tests[i].name, only))
			continue;
		t->name = tests[i].name;
		settings_odd(t, &odd);
		tests[i].run(t, &odd);
	}
	return t->failures;
}

int main(int argc, char **argv)
{
	struct test t = { .page_bytes = sysconf(_SC_PAGESIZE), .state = "/tmp/act-state.XXXXXX", .name = "act" };
	struct settings found;
	char command[96];
	int status = 1;
	scoped_fd int lock = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (geteuid() || sysroot_open(&t.root, NULL, NULL) || !is_known(ksm_knob_read(&t.root, KNOB_RUN)) ||
	    lock < 0 || flock(lock, LOCK_EX) || !mkdtemp(t.state)) {
		skip(&t, "needs root and KSM");
		return 0;
	}
	settings_read(&t.root, &found);
	fflush(stdout);
	signal(SIGINT, SIG_IGN);		/* the child's to die of; we restore */
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(run_tests(&t, argc > 1 ? argv[1] : NULL) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	settings_write(&t.root, &found);
	if (!WIFEXITED(status))
		check(&t, false, "the tests died of signal %d", WTERMSIG(status));
	snprintf(command, sizeof(command), "rm -rf %s", t.state);
	if (system(command))
		status = 1;
	sysroot_close(&t.root);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
