// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/potential.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "core/judge/build.h"
#include "core/trust/assign.h"
#include "gather/gather.h"

/* Of one CPU, on the average. */
#define SHARE_OF_CPU 0.005
#define SOONEST_NS (30 * 1000000000ll)

/* What the child writes: one of these for the host (pid 0), then one per process, ascending. */
struct measured {
	pid_t pid;
	uint64_t start_ticks;
	int64_t bytes;
};

struct potential {
	const struct sysroot *root;
	const struct domain_rules *domains;
	pid_t child;			/* 0: no look is under way */
	int pipe;
	char *incoming;
	size_t incoming_length, incoming_room;
	struct measured *list;		/* the last whole measurement; NULL: none yet */
	size_t count;
	int64_t next_ns;		/* CLOCK_MONOTONIC: when to look again */
	bool failed;
};

struct potential *potential_open(const struct sysroot *root, const struct domain_rules *domains)
{
	struct potential *p = calloc(1, sizeof(*p));
	if (p) {
		p->root = root;
		p->domains = domains;
		p->pipe = -1;
	}
	return p;
}

/* ---- the child ---- */

static bool put(int fd, pid_t pid, uint64_t start_ticks, double bytes)
{
	struct measured m = { .pid = pid, .start_ticks = start_ticks, .bytes = (int64_t)bytes };
	return write(fd, &m, sizeof(m)) == sizeof(m);
}

static bool measure(const struct sysroot *root, const struct domain_rules *domains, int fd)
{
	const struct gather_options options = { .target.all = true };
	struct sample s;
	struct model m;
	bool named_missing;

	if (gather_sample(&s, root, &options, &named_missing, NULL) || trust_assign(&s, domains) || model_build(&m, &s))
		return false;
	double page = s.machine.page_bytes;
	bool written = put(fd, 0, 0, m.duplicates.mergeable * page);
	for (size_t i = 0; written && i < s.tasks_count; i++)
		written = put(fd, s.tasks[i].pid, s.tasks[i].start_ticks, m.processes[i].attributed_frames * page);
	return written;
}

static _Noreturn void child_main(const struct sysroot *root, const struct domain_rules *domains, int fd)
{
	signal(SIGINT, SIG_IGN);	/* the terminal's; our parent ends us */
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, 19);
	_exit(measure(root, domains, fd) ? 0 : 1);
}

static void begin(struct potential *p)
{
	int ends[2];

	p->incoming_length = 0;
	if (pipe2(ends, O_CLOEXEC)) {
		p->failed = true;
		return;
	}
	p->child = fork();
	if (p->child == 0) {
		close(ends[0]);
		child_main(p->root, p->domains, ends[1]);
	}
	close(ends[1]);
	p->pipe = ends[0];
	fcntl(p->pipe, F_SETFL, O_NONBLOCK);
	if (p->child < 0) {
		p->child = 0;
		p->failed = true;
		close(p->pipe);
		p->pipe = -1;
	}
}

/* ---- its parent ---- */

static bool make_room(struct potential *p)
{
	if (p->incoming_length < p->incoming_room)
		return true;
	size_t room = p->incoming_room ? p->incoming_room * 2 : 4096;
	char *more = realloc(p->incoming, room);
	if (!more)
		return false;
	p->incoming = more;
	p->incoming_room = room;
	return true;
}

/* True at the end of what the child had to say. */
static bool read_on(struct potential *p)
{
	while (make_room(p)) {
		ssize_t n = read(p->pipe, p->incoming + p->incoming_length, p->incoming_room - p->incoming_length);
		if (n < 0)
			return errno != EAGAIN && errno != EINTR;
		if (n == 0)
			return true;
		p->incoming_length += n;
	}
	return true;
}

/* The child has ended, or is about to: keep a whole measurement, and plan the next by what this one took. */
static void finish(struct potential *p, int64_t now_ns)
{
	struct rusage use = { 0 };
	int status = -1;

	close(p->pipe);
	p->pipe = -1;
	while (wait4(p->child, &status, 0, &use) < 0 && errno == EINTR)
		;
	p->child = 0;
	double cpu = use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
	int64_t pause = cpu / SHARE_OF_CPU * 1e9;
	p->next_ns = now_ns + (pause > SOONEST_NS ? pause : SOONEST_NS);
	p->failed = !WIFEXITED(status) || WEXITSTATUS(status) || p->incoming_length < sizeof(struct measured);
	if (p->failed)
		return;
	free(p->list);
	p->list = (struct measured *)p->incoming;
	p->count = p->incoming_length / sizeof(struct measured);
	p->incoming = NULL;
	p->incoming_room = 0;
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct measured *)a)->pid, y = ((const struct measured *)b)->pid;
	return x < y ? -1 : x > y;
}

static void fill_tasks(const struct potential *p, struct top_sample *s)
{
	for (size_t i = 0; i < s->tasks_count; i++) {
		struct top_task *t = &s->tasks[i];
		struct measured key = { .pid = t->pid };
		const struct measured *m = bsearch(&key, p->list + 1, p->count - 1, sizeof(*m), by_pid);
		if (!m || m->start_ticks != t->start_ticks)
			continue;
		t->number[TASK_POTENTIAL_BYTES] = m->bytes;
		t->known[TASK_POTENTIAL_BYTES] = KNOWN;
	}
}

void potential_take(struct potential *p, struct top_sample *s)
{
	struct value anon = s->fact[FACT_ANON_BYTES];
	bool too_much = value_or(anon, 0) > POTENTIAL_MOST_BYTES;

	if (p->child && read_on(p))
		finish(p, s->clock_ns);
	if (!p->child && !too_much && s->clock_ns >= p->next_ns)
		begin(p);
	if (p->list) {
		s->fact[FACT_POTENTIAL_BYTES] = value_of(p->list[0].bytes);
		fill_tasks(p, s);
	} else if (too_much) {
		top_sample_missing(s, SOURCE_CONTENT, NOT_READ, "%s of anonymous memory is more than an exact look "
				   "may take (%s); ksm-advise measures it", show_bytes(anon.number).text,
				   show_bytes(POTENTIAL_MOST_BYTES).text);
	} else if (p->failed) {
		top_sample_missing(s, SOURCE_CONTENT, DENIED, "contents could not be looked at; ksm-advise --all says why");
	} else {
		top_sample_missing(s, SOURCE_CONTENT, NOT_READ, "the first look is under way");
	}
}

void potential_close(struct potential *p)
{
	if (!p)
		return;
	if (p->child) {
		kill(p->child, SIGKILL);
		waitpid(p->child, NULL, 0);
		close(p->pipe);
	}
	free(p->incoming);
	free(p->list);
	free(p);
}
