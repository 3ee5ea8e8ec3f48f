// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The levers on huge pages on this kernel: chosen ones of a made process are
 * broken, rebuilt, opted in and opted out, with THP always, madvise and never;
 * the process exits, forks, unmaps and remaps under our hands; the program is
 * killed. Root. A process that started the tests puts all settings back.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "act/apply.h"
#include "base/cleanup.h"
#include "sys/ksm_read.h"
#include "sys/pagemap.h"
#include "sys/proc.h"

#define LOCK_FILE "/run/lock/ksmscope-test.lock"
#define THP_FILE "/sys/kernel/mm/transparent_hugepage/enabled"
#define GROUND 0x200000000000u
#define REGIONS 8
#define MOST_CHANGES 8
#define LONG 60

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct test {
	struct sysroot root;
	struct machine machine;
	char state[64];
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

/* ---- made processes ---- */

struct made {
	pid_t pid;
	uint64_t start_ticks, start, end, pmd, page, sum;
	int orders, answers;
};

/* What a made process does when it is told to: an order and a region. */
enum order { FORK = 'f', UNMAP = 'u', GIVE_BACK = 'g', REMAP = 'r', FORBID = 'n', SUM = 's', END_CHILD = 'e' };

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	return x ^ (x >> 27);
}

/* Region 2k and 2k + 1 are equal page by page, and equal to nothing else; some sub-pages are zero. */
static void fill_region(const struct made *m, uint64_t region)
{
	uint64_t *words = (uint64_t *)(uintptr_t)(m->start + region * m->pmd), seed = (uint64_t)getpid() << 40;
	for (uint64_t i = 0; i < m->pmd / 8; i++) {
		uint64_t page = i * 8 / m->page;
		words[i] = page % 8 == 7 ? 0 : mix(seed + region / 2 * m->pmd + i);
	}
}

static uint64_t sum_of(const struct made *m, const bool gone[REGIONS])
{
	uint64_t sum = 0;
	for (uint64_t r = 0; r < REGIONS; r++)
		for (uint64_t i = 0; !gone[r] && i < m->pmd / 8; i++)
			sum += ((const uint64_t *)(uintptr_t)(m->start + r * m->pmd))[i] * (i + 1);
	return sum;
}

static pid_t fork_idle(void)
{
	pid_t parent = getpid(), pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent)
		pause();
	_exit(0);
}

static void obey(const struct made *m, enum order order, uint64_t region, pid_t *child, bool gone[REGIONS])
{
	char *at = (char *)(uintptr_t)(m->start + region * m->pmd);
	switch (order) {
	case FORK:
		*child = fork_idle();
		break;
	case END_CHILD:
		kill(*child, SIGKILL);
		waitpid(*child, NULL, 0);
		break;
	case UNMAP:
		gone[region] = munmap(at, m->pmd) == 0;
		break;
	case GIVE_BACK:
		gone[region] = madvise(at + m->pmd / 2, m->pmd / 2, MADV_DONTNEED) == 0;	/* reading would fill it */
		break;
	case REMAP:
		gone[region] = mremap(at, m->pmd, m->pmd, MREMAP_MAYMOVE | MREMAP_FIXED, at + (1ull << 32)) != MAP_FAILED;
		break;
	case FORBID:
		madvise(at, m->pmd, MADV_NOHUGEPAGE);
		break;
	case SUM:
		break;
	}
}

__attribute__((noreturn))
static void be_made(struct made *m, bool mergeable, int orders, int answers)
{
	bool gone[REGIONS] = { false };
	unsigned char order[2];
	pid_t child = 0;
	char *at = (char *)(uintptr_t)m->start;
	size_t bytes = REGIONS * m->pmd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
		_exit(1);
	madvise(at, bytes, MADV_HUGEPAGE);
	for (uint64_t r = 0; r < REGIONS; r++)
		fill_region(m, r);
	madvise(at, bytes, MADV_COLLAPSE);	/* where THP is never */
	if (mergeable && madvise(at, bytes, MADV_MERGEABLE))
		_exit(1);
	do {
		uint64_t sum = sum_of(m, gone);
		if (write(answers, &sum, sizeof(sum)) != sizeof(sum) || read(orders, order, 2) != 2)
			_exit(0);
		obey(m, order[0], order[1], &child, gone);
	} while (true);
}

static bool make(struct test *t, struct made *ret, bool mergeable)
{
	int orders[2], answers[2];
	struct task task;
	struct sample names;
	*ret = (struct made){ .start = GROUND, .pmd = t->machine.pmd_bytes, .page = t->machine.page_bytes };
	ret->end = ret->start + REGIONS * ret->pmd;
	if (pipe2(orders, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
		return false;
	fflush(stdout);
	ret->pid = fork();
	if (ret->pid == 0) {
		close(orders[1]);
		close(answers[0]);
		be_made(ret, mergeable, orders[0], answers[1]);
	}
	close(orders[0]);
	close(answers[1]);
	ret->orders = orders[1];
	ret->answers = answers[0];
	if (read(ret->answers, &ret->sum, sizeof(ret->sum)) != sizeof(ret->sum))
		return check(t, false, "the made process is there");
	sample_init(&names);
	proc_task(&t->root, ret->pid, &task, &names);
	ret->start_ticks = task.start_ticks;
	sample_free(&names);
	return true;
}

static uint64_t tell(const struct made *m, enum order order, unsigned char region)
{
	const unsigned char words[2] = { order, region };
	uint64_t sum = 0;
	if (write(m->orders, words, 2) != 2 || read(m->answers, &sum, sizeof(sum)) != sizeof(sum))
		return 0;
	return sum;
}

static void unmake(struct made *m)
{
	close(m->orders);
	close(m->answers);
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
}

/* One letter per region: H a huge page, . none. */
static const char *shape(struct test *t, const struct made *m, char ret[REGIONS + 1])
{
	struct pagemap map;
	int kpageflags = kpageflags_open(&t->root);
	memset(ret, '?', REGIONS);
	ret[REGIONS] = '\0';
	if (pagemap_open(&map, &t->root, m->pid, m->page) == KNOWN) {
		for (uint64_t r = 0; r < REGIONS; r++)
			ret[r] = pagemap_is_huge(&map, kpageflags, m->start + r * m->pmd, m->pmd) ? 'H' : '.';
		pagemap_close(&map);
	}
	close(kpageflags);
	return ret;
}

static void check_shape(struct test *t, const struct made *m, const char *expected, const char *when)
{
	char now[REGIONS + 1];
	check(t, !strcmp(shape(t, m, now), expected), "%s: %s, expected %s", when, now, expected);
}

static void check_sum(struct test *t, const struct made *m)
{
	check(t, tell(m, SUM, 0) == m->sum, "what is in it is what was in it");
}

/* One letter per region: m mergeable, - not. */
static const char *opted(struct test *t, const struct made *m, char ret[REGIONS + 1])
{
	struct sample s;
	sample_init(&s);
	s.machine.page_bytes = m->page;
	memset(ret, '?', REGIONS);
	ret[REGIONS] = '\0';
	proc_areas(&t->root, m->pid, 0, &s);
	for (size_t i = 0; i < s.areas_count; i++)
		for (uint64_t r = 0; r < REGIONS; r++)
			if (s.areas[i].start <= m->start + r * m->pmd && m->start + r * m->pmd < s.areas[i].end)
				ret[r] = s.areas[i].flags & AREA_MERGEABLE ? 'm' : '-';
	sample_free(&s);
	return ret;
}

static void check_opted(struct test *t, const struct made *m, const char *expected, const char *when)
{
	char now[REGIONS + 1];
	check(t, !strcmp(opted(t, m, now), expected), "%s: %s, expected %s", when, now, expected);
}

/* ---- plans and runs ---- */

struct steps {
	struct plan plan;
	struct change changes[MOST_CHANGES];
};

/* Regions [first, end) of a made process. */
static void add(struct steps *s, enum change_kind kind, const struct made *m, uint64_t first, uint64_t end)
{
	s->plan.changes = s->changes;
	s->changes[s->plan.count++] = (struct change){ .kind = kind, .pid = m->pid, .start_ticks = m->start_ticks,
						       .start = m->start + first * m->pmd,
						       .end = m->start + end * m->pmd };
}

static void add_knob(struct test *t, struct steps *s, enum knob knob, int64_t value)
{
	struct value found = ksm_knob_read(&t->root, knob);
	s->plan.changes = s->changes;
	if (is_known(found))
		s->changes[s->plan.count++] = (struct change){ .kind = CHANGE_KNOB, .knob = knob,
							       .before = found.number, .after = value };
}

/* Carried out, and left to be finished. */
static struct act *run(struct test *t, struct steps *s)
{
	struct act *act = NULL;
	struct error err = { 0 };
	int rc = act_begin(&act, &t->root, t->state, &s->plan, &err);
	if (!rc)
		rc = act_carry_out(act, NULL, &err);
	check(t, !rc, "carried out %s", err.text);
	return rc ? NULL : act;
}

static void finish(struct test *t, struct act *act, bool keep)
{
	struct error err = { 0 };
	check(t, act && !act_finish(act, keep, &err), "finished %s", err.text);
	act_free(act);
}

static void check_outcome(struct test *t, const struct act *act, size_t change, enum change_outcome expected,
			  const char *text)
{
	const struct change_result *r = act ? &act_results(act)[change] : NULL;
	if (r)
		check(t, r->outcome == expected && strstr(r->text, text), "change %zu is %s: %s", change,
		      change_outcome_name(r->outcome), r->text);
}

static void check_undo(struct test *t, unsigned int restored, unsigned int foreign, unsigned int gone)
{
	struct undo_report report;
	struct error err = { 0 };
	int rc = act_undo(&t->root, t->state, NULL, 0, &report, &err);
	for (size_t i = 0; i < report.count; i++)
		printf("# %s\n", report.lines[i].text);
	check(t, !rc && report.restored == restored && report.foreign == foreign && report.gone == gone && !report.failed,
	      "undone: %u restored, %u foreign, %u gone, %u failed %s", report.restored, report.foreign, report.gone,
	      report.failed, err.text);
	undo_report_free(&report);
}

/* ---- the tests ---- */

static void break_chosen(struct test *t)
{
	struct steps s = { 0 };
	struct made m;
	if (!make(t, &m, false))
		return;
	check_shape(t, &m, "HHHHHHHH", "at first");
	add(&s, CHANGE_BREAK, &m, 1, 2);
	add(&s, CHANGE_BREAK, &m, 3, 5);
	struct act *act = run(t, &s);
	check_shape(t, &m, "H.H..HHH", "broken");
	check_outcome(t, act, 0, CHANGE_DONE, "1 broken");
	check_outcome(t, act, 1, CHANGE_DONE, "2 broken");
	finish(t, act, true);
	check_shape(t, &m, "H.H..HHH", "kept");
	check_sum(t, &m);
	check_undo(t, 2, 0, 0);
	check_shape(t, &m, "HHHHHHHH", "undone");
	check_undo(t, 0, 0, 0);
	act = run(t, &s);
	check_shape(t, &m, "H.H..HHH", "broken again");
	finish(t, act, false);
	check_shape(t, &m, "HHHHHHHH", "not kept");
	check_sum(t, &m);
	unmake(&m);
}

static void rebuild(struct test *t)
{
	struct steps broken = { 0 }, whole = { 0 };
	struct made m;
	if (!make(t, &m, false))
		return;
	add(&broken, CHANGE_BREAK, &m, 0, REGIONS);
	add(&whole, CHANGE_REBUILD, &m, 2, 4);
	finish(t, run(t, &broken), true);
	check_shape(t, &m, "........", "broken");
	struct act *act = run(t, &whole);
	check_shape(t, &m, "..HH....", "two rebuilt");
	check_outcome(t, act, 0, CHANGE_DONE, "2 rebuilt");
	finish(t, act, false);
	check_shape(t, &m, "........", "taken back");
	check_sum(t, &m);
	check_undo(t, 1, 0, 0);
	check_shape(t, &m, "HHHHHHHH", "undone");
	check_sum(t, &m);
	unmake(&m);
}

static void keep_ksmd_off(struct test *t)
{
	struct steps s = { 0 };
	struct made m;
	if (!make(t, &m, true))
		return;
	add(&s, CHANGE_OPT_OUT, &m, 0, 3);
	add(&s, CHANGE_OPT_OUT, &m, 5, 6);
	struct act *act = run(t, &s);
	check_opted(t, &m, "---mm-mm", "taken out");
	check_outcome(t, act, 0, CHANGE_DONE, "");
	finish(t, act, true);
	check_sum(t, &m);
	check_undo(t, 2, 0, 0);
	check_opted(t, &m, "mmmmmmmm", "undone");
	unmake(&m);
}

/* Broken, opted in and merged, then everything taken back: huge pages that were merged are whole again. */
static void merge_chosen(struct test *t)
{
	struct act_progress progress;
	struct error err = { 0 };
	struct steps s = { 0 };
	struct made m;
	if (!make(t, &m, false))
		return;
	add(&s, CHANGE_BREAK, &m, 2, 4);
	add(&s, CHANGE_MADVISE, &m, 2, 4);
	add_knob(t, &s, KNOB_ADVISOR_MODE, ADVISOR_NONE);
	add_knob(t, &s, KNOB_PAGES_TO_SCAN, 20000);
	add_knob(t, &s, KNOB_SLEEP_MILLISECS, 1);
	add_knob(t, &s, KNOB_SMART_SCAN, 0);
	add_knob(t, &s, KNOB_RUN, 1);
	struct act *act = run(t, &s);
	check(t, act && !act_wait(act, LONG, NULL, NULL, NULL, &progress, &err), "waited %s", err.text);
	uint64_t pages = m.pmd / m.page;
	struct value merged = sysroot_number(&t->root, "proc/%d/ksm_merging_pages", m.pid);
	check(t, value_or(merged, 0) >= (int64_t)(2 * pages * 7 / 8), "%" PRId64 " pages merged, of %" PRIu64,
	      merged.number, 2 * pages * 7 / 8);
	check_shape(t, &m, "HH..HHHH", "the others are whole");
	finish(t, act, true);
	check_sum(t, &m);
	check_undo(t, 2, 0, 0);
	check_shape(t, &m, "HHHHHHHH", "undone");
	check_opted(t, &m, "--------", "undone");
	check_sum(t, &m);
	unmake(&m);
}

/* A huge page that a child maps, too, stays whole, and that is said. */
static void forked_before(struct test *t)
{
	struct steps s = { 0 };
	struct made m;
	if (!make(t, &m, false))
		return;
	tell(&m, FORK, 0);
	add(&s, CHANGE_BREAK, &m, 0, 2);
	struct act *act = run(t, &s);
	check_shape(t, &m, "HHHHHHHH", "shared with a child");
	check_outcome(t, act, 0, CHANGE_REFUSED, "other processes map it");
	finish(t, act, true);
	check_undo(t, 0, 0, 0);
	check_sum(t, &m);
	unmake(&m);
}

static void forked_after(struct test *t)
{
	struct steps s = { 0 };
	struct made m;
	if (!make(t, &m, false))
		return;
	add(&s, CHANGE_BREAK, &m, 0, 2);
	finish(t, run(t, &s), true);
	tell(&m, FORK, 0);
	check_undo(t, 1, 0, 0);
	check_shape(t, &m, "HHHHHHHH", "undone beside a child");
	check_sum(t, &m);
	tell(&m, END_CHILD, 0);
	check_sum(t, &m);
	unmake(&m);
}

/* What the process has done with a region since is its own business; the others are put back. */
static void changed_since(struct test *t)
{
	struct steps s = { 0 };
	struct made m;
	if (!make(t, &m, false))
		return;
	for (uint64_t region = 0; region < 5; region++)
		add(&s, CHANGE_BREAK, &m, region, region + 1);
	finish(t, run(t, &s), true);
	check_shape(t, &m, ".....HHH", "broken");
	tell(&m, UNMAP, 0);
	tell(&m, GIVE_BACK, 1);
	tell(&m, REMAP, 2);
	tell(&m, FORBID, 3);
	uint64_t sum = tell(&m, SUM, 0);
	check_undo(t, 5, 0, 0);
	check_shape(t, &m, "....HHHH", "undone");
	check(t, tell(&m, SUM, 0) == sum, "what is in it is what was in it");
	unmake(&m);
}

/* All that was broken is another's business now: nothing was restored, and it says so. */
static void all_changed_since(struct test *t)
{
	struct steps s = { 0 };
	struct made m;
	if (!make(t, &m, false))
		return;
	add(&s, CHANGE_BREAK, &m, 1, 2);
	finish(t, run(t, &s), true);
	tell(&m, UNMAP, 1);
	check_undo(t, 0, 1, 0);
	unmake(&m);
}

static void ended(struct test *t)
{
	struct steps s = { 0 };
	struct made m;
	if (!make(t, &m, true))
		return;
	add(&s, CHANGE_OPT_OUT, &m, 0, 2);
	add(&s, CHANGE_BREAK, &m, 0, 2);
	finish(t, run(t, &s), true);
	unmake(&m);
	check_undo(t, 0, 0, 2);
	struct act *act = run(t, &s);
	check_outcome(t, act, 0, CHANGE_GONE, "ended");
	check_outcome(t, act, 1, CHANGE_GONE, "ended");
	finish(t, act, true);
	check_undo(t, 0, 0, 0);
}

/* It ends at some moment while it is worked on: said, and nothing is left behind. */
static void ends_midway(struct test *t)
{
	for (unsigned int us = 0; us < 4000; us += 400) {
		struct steps s = { 0 };
		struct made m;
		struct error err = { 0 };
		struct act *act;
		if (!make(t, &m, true))
			return;
		add(&s, CHANGE_OPT_OUT, &m, 0, 4);
		add(&s, CHANGE_BREAK, &m, 0, REGIONS);
		if (act_begin(&act, &t->root, t->state, &s.plan, &err)) {
			check(t, false, "begun: %s", err.text);
			unmake(&m);
			return;
		}
		pid_t killer = fork();
		if (killer == 0) {
			usleep(us);
			kill(m.pid, SIGKILL);
			_exit(0);
		}
		int rc = act_carry_out(act, NULL, &err);
		waitpid(killer, NULL, 0);
		unmake(&m);
		rc = rc ? rc : act_finish(act, true, &err);
		act_free(act);
		check(t, !rc, "killed after %u us %s", us, err.text);
		struct undo_report report = { 0 };
		act_undo(&t->root, t->state, NULL, 0, &report, &err);
		check(t, !report.restored && !report.failed, "%u restored, %u gone, %u failed", report.restored,
		      report.gone, report.failed);
		undo_report_free(&report);
	}
}

/* The program is killed between breaking and finishing; the guardian, and where it is killed too, undo puts back. */
static void killed(struct test *t, bool guardian_too)
{
	struct steps s = { 0 };
	struct made m;
	char now[REGIONS + 1];
	int ready[2], pid_of_guardian = 0;
	if (!make(t, &m, true) || pipe2(ready, O_CLOEXEC))
		return;
	add(&s, CHANGE_OPT_OUT, &m, 4, 6);
	add(&s, CHANGE_BREAK, &m, 4, 7);
	fflush(stdout);
	pid_t program = fork();
	if (program == 0) {
		struct act *act;
		char children[64] = "";
		if (act_begin(&act, &t->root, t->state, &s.plan, NULL) || act_carry_out(act, NULL, NULL))
			_exit(1);
		int fd = open("/proc/thread-self/children", O_RDONLY);
		if (fd >= 0 && read(fd, children, sizeof(children) - 1) > 0)
			pid_of_guardian = atoi(children);
		if (write(ready[1], &pid_of_guardian, sizeof(pid_of_guardian)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	bool begun = read(ready[0], &pid_of_guardian, sizeof(pid_of_guardian)) == sizeof(pid_of_guardian);
	check(t, begun && pid_of_guardian, "begun, with a guardian");
	check_shape(t, &m, "HHHH...H", "broken");
	check_opted(t, &m, "mmmm--mm", "taken out");
	if (guardian_too && pid_of_guardian)
		kill(pid_of_guardian, SIGKILL);
	kill(program, SIGKILL);
	waitpid(program, NULL, 0);
	close(ready[0]);
	for (unsigned int i = 0; !guardian_too && i < 500 && strcmp(shape(t, &m, now), "HHHHHHHH"); i++)
		pause_ms(20);
	if (guardian_too)
		check_undo(t, 2, 0, 0);
	else
		check_undo(t, 0, 0, 0);
	check_shape(t, &m, "HHHHHHHH", "put back");
	check_opted(t, &m, "mmmmmmmm", "put back");
	check_sum(t, &m);
	unmake(&m);
}

static void program_killed(struct test *t)
{
	killed(t, false);
}

static void both_killed(struct test *t)
{
	killed(t, true);
}

/* Breaking and rebuilding go on whatever THP is set to meanwhile. */
static void with_mode(struct test *t, const char *mode)
{
	scoped_fd int fd = open(THP_FILE, O_WRONLY | O_CLOEXEC);
	if (check(t, fd >= 0 && write(fd, mode, strlen(mode)) > 0, "THP is set to %s", mode))
		break_chosen(t);
}

static void thp_always(struct test *t)
{
	with_mode(t, "always");
}

static void thp_never(struct test *t)
{
	with_mode(t, "never");
}

static const struct {
	const char *name;
	void (*run)(struct test *t);
} tests[] = {
	{ "break chosen", break_chosen },
	{ "rebuild", rebuild },
	{ "keep ksmd off", keep_ksmd_off },
	{ "merge chosen", merge_chosen },
	{ "forked before", forked_before },
	{ "forked after", forked_after },
	{ "changed since", changed_since },
	{ "all changed since", all_changed_since },
	{ "ended", ended },
	{ "ends midway", ends_midway },
	{ "program killed", program_killed },
	{ "both killed", both_killed },
	{ "THP always", thp_always },
	{ "THP never", thp_never },
};

static unsigned int run_tests(struct test *t, const char *only)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		t->name = tests[i].name;
		if (!only || strstr(tests[i].name, only))
			tests[i].run(t);
	}
	return t->failures;
}

/* ---- settings ---- */

/* The word in brackets. */
static bool read_mode(char ret[32])
{
	char text[96] = "";
	scoped_fd int fd = open(THP_FILE, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	return sscanf(text, "%*[^[][%31[^]]", ret) == 1 || sscanf(text, "[%31[^]]", ret) == 1;
}

static void restore_mode(const char *mode)
{
	scoped_fd int fd = open(THP_FILE, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, mode, strlen(mode)) < 0)
		printf("# THP could not be set back to %s\n", mode);
}

int main(int argc, char **argv)
{
	struct test t = { .state = "/tmp/levers-state.XXXXXX", .name = "levers" };
	char mode[32], command[96];
	int status = 1;
	scoped_fd int lock = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (geteuid() || sysroot_open(&t.root, NULL, NULL) || !is_known(ksm_knob_read(&t.root, KNOB_RUN)) ||
	    !read_mode(mode) || lock < 0 || flock(lock, LOCK_EX) || !mkdtemp(t.state)) {
		skip(&t, "needs root, KSM and THP");
		return 0;
	}
	proc_machine(&t.root, &t.machine);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		restore_mode("madvise");
		exit(run_tests(&t, argc > 1 ? argv[1] : NULL) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	restore_mode(mode);
	if (!WIFEXITED(status))
		check(&t, false, "the tests died of signal %d", WTERMSIG(status));
	snprintf(command, sizeof(command), "rm -rf %s", t.state);
	if (system(command))
		status = 1;
	sysroot_close(&t.root);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
