// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes for a top_sample: the quick reader where BPF is allowed, /proc
 * elsewhere; and what is too dear to be read of every process every time, in
 * turns, within a budget of CPU time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "core/model.h"
#include "gather/top_private.h"
#include "sys/host.h"
#include "sys/proc.h"
#include "sys/proc_tasks.h"

/* Share of one CPU for what is read in turns, and how much of it the first sample may have. */
#define TURNS_CPU 0.0005
#define TURNS_FIRST_SECONDS 0.25
/* What was read is good for so long, however much time there is. */
#define TURN_NS 10000000000ll
/* Unknown groups and users make us read the lists again, but not more often than so. */
#define LISTS_NS 5000000000ll

void top_tasks_open(struct top_tasks *t, const struct sysroot *root)
{
	*t = (struct top_tasks){ .credit_seconds = TURNS_FIRST_SECONDS };
	users_read(&t->users, root);
}

static void forget(struct remembered *r)
{
	free(r->vm);
	free(r->cgroup);
}

void top_tasks_close(struct top_tasks *t)
{
	for (size_t i = 0; i < t->count; i++)
		forget(&t->list[i]);
	free(t->list);
	cgroups_free(&t->cgroups);
	users_free(&t->users);
}

/* ---- reading ---- */

/* Kernel threads and zombies have no memory of their own. */
static bool is_process(const struct process_facts *p)
{
	return p->has_memory;
}

static struct value pages_as_bytes(struct value pages, uint64_t page_bytes)
{
	return value_times(pages, (int64_t)page_bytes);
}

/* /proc/PID/ksm_stat has the profit of one process since 6.4; from its parts it follows on any kernel. */
static struct value profit(const struct process_facts *p, uint64_t page_bytes)
{
	struct value pages = p->ksm_zero_pages.known == ABSENT ? p->ksm_merging_pages
							       : value_plus(p->ksm_merging_pages, p->ksm_zero_pages);
	return value_plus(pages_as_bytes(pages, page_bytes), value_times(p->ksm_rmap_items, -(int64_t)RMAP_ITEM_BYTES));
}

static void convert(struct top_task *t, const struct process_facts *p, uint64_t page_bytes)
{
	t->pid = p->pid;
	t->parent = p->parent;
	t->start_ticks = p->start_ticks;
	t->uid = p->uid;
	memcpy(t->comm, p->comm, sizeof(t->comm));
	struct value resident = value_plus(p->anon_pages, value_plus(p->file_pages, p->shmem_pages));
	task_set(t, TASK_ANON_BYTES, pages_as_bytes(p->anon_pages, page_bytes));
	task_set(t, TASK_RSS_BYTES, pages_as_bytes(resident, page_bytes));
	task_set(t, TASK_SWAP_BYTES, pages_as_bytes(p->swap_pages, page_bytes));
	task_set(t, TASK_MERGED_PAGES, p->ksm_merging_pages);
	task_set(t, TASK_ZERO_PAGES, p->ksm_zero_pages);
	task_set(t, TASK_TRACKED_PAGES, p->ksm_rmap_items);
	task_set(t, TASK_PROFIT_BYTES, profit(p, page_bytes));
	task_set(t, TASK_MERGE_ANY, p->merge_any);
	task_set(t, TASK_PAGE_FAULTS, value_plus(p->minor_faults, p->major_faults));
}

/* ---- remembering ---- */

/* Another process, or another program in it: what is remembered of the old one holds no more. */
static bool is_same(const struct remembered *r, const struct top_task *t)
{
	return r->pid == t->pid && r->start_ticks == t->start_ticks && !strcmp(r->comm, t->comm);
}

static char *guest_name(const struct sysroot *root, const struct top_task *t, char **ret_cgroup)
{
	struct sample names;
	struct task task;
	char *vm = NULL;

	sample_init(&names);
	if (proc_task(root, t->pid, &task, &names) == KNOWN) {
		vm = strdup(sample_string(&names, task.vm));
		if (!root->live)
			*ret_cgroup = strdup(sample_string(&names, task.cgroup));
	}
	sample_free(&names);
	return vm;
}

static struct remembered meet(const struct sysroot *root, const struct top_task *t)
{
	struct remembered r = { .pid = t->pid, .start_ticks = t->start_ticks };
	memcpy(r.comm, t->comm, sizeof(r.comm));
	if (!root->live || proc_is_guest(t->comm))
		r.vm = guest_name(root, t, &r.cgroup);
	return r;
}

/* Both lists ascend by pid: take over what is still there, meet what is new. */
static bool remember(struct top_tasks *t, const struct sysroot *root, const struct top_sample *s)
{
	struct remembered *list = calloc(s->tasks_count + 1, sizeof(*list));
	size_t old = 0;

	if (!list)
		return false;
	for (size_t i = 0; i < s->tasks_count; i++) {
		const struct top_task *task = &s->tasks[i];
		while (old < t->count && t->list[old].pid < task->pid)
			forget(&t->list[old++]);
		if (old < t->count && is_same(&t->list[old], task))
			list[i] = t->list[old++];
		else
			list[i] = meet(root, task);
	}
	while (old < t->count)
		forget(&t->list[old++]);
	free(t->list);
	t->list = list;
	t->count = s->tasks_count;
	return true;
}

/* ---- what is read in turns ---- */

static double cpu_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + now.tv_nsec / 1e9;
}

/* A file is absent of a process that has ended meanwhile, too. */
static struct value unless_gone(const struct sysroot *root, pid_t pid, struct value v)
{
	char comm[64];
	if (v.known == ABSENT && sysroot_read(root, comm, sizeof(comm), "proc/%d/comm", pid) != KNOWN)
		v.known = GONE;
	return v;
}

static struct value read_huge(const struct sysroot *root, pid_t pid)
{
	struct value kilobytes = { 0 };
	char path[64];
	const struct host_line lines[] = { { "AnonHugePages", &kilobytes }, { 0 } };

	snprintf(path, sizeof(path), "proc/%d/smaps_rollup", pid);
	host_lines(root, path, lines);
	return unless_gone(root, pid, value_times(kilobytes, 1024));
}

/* "ksm_mergeable: yes" of ksm_stat, since 6.18. */
static struct value read_mergeable(const struct sysroot *root, pid_t pid)
{
	char text[1024];
	enum known known = sysroot_read(root, text, sizeof(text), "proc/%d/ksm_stat", pid);
	const char *line = known == KNOWN ? strstr(text, "ksm_mergeable: ") : NULL;

	if (known != KNOWN)
		return unless_gone(root, pid, (struct value){ .known = known });
	return line ? value_of(line[strlen("ksm_mergeable: ")] == 'y') : (struct value){ .known = ABSENT };
}

/* What needs no reading because other facts decide it. */
static bool decide_huge(const struct top_tasks *t, const struct top_task *task, struct value *ret)
{
	struct value anon = task_value(task, TASK_ANON_BYTES);
	bool none = !t->pmd_bytes || (is_known(anon) && anon.number < (int64_t)t->pmd_bytes);
	if (none)
		*ret = value_of(0);
	return none;
}

static bool decide_mergeable(const struct top_task *task, struct value *ret)
{
	bool some = value_or(task_value(task, TASK_MERGE_ANY), 0) ||
		    value_or(task_value(task, TASK_TRACKED_PAGES), 0) > 0;
	if (some)
		*ret = value_of(1);
	return some;
}

static void take_turn(const struct top_tasks *t, const struct sysroot *root, const struct top_task *task,
		      struct remembered *r)
{
	if (!decide_huge(t, task, &r->huge_bytes))
		r->huge_bytes = read_huge(root, task->pid);
	if (!decide_mergeable(task, &r->mergeable))
		r->mergeable = read_mergeable(root, task->pid);
}

/* Those that were never read have theirs first. */
static bool is_due(const struct remembered *r, int64_t clock_ns, bool fresh_only)
{
	return !r->read_clock_ns || (!fresh_only && clock_ns - r->read_clock_ns >= TURN_NS);
}

/* Earn as time goes by; spend on one process after the other, each at most once. */
static void take_turns(struct top_tasks *t, const struct sysroot *root, const struct top_sample *s)
{
	double earned = t->credit_clock_ns ? (s->clock_ns - t->credit_clock_ns) / 1e9 * TURNS_CPU : 0;
	double most = t->credit_clock_ns ? TURNS_CPU * 10 : TURNS_FIRST_SECONDS, begin = cpu_seconds();

	t->credit_clock_ns = s->clock_ns;
	t->credit_seconds += earned;
	if (t->credit_seconds > most)
		t->credit_seconds = most;
	double credit = t->credit_seconds;
	for (size_t i = 0; i < 2 * t->count; i++) {
		struct remembered *r = &t->list[t->turn = t->turn + 1 < t->count ? t->turn + 1 : 0];
		if (!is_due(r, s->clock_ns, i < t->count))
			continue;
		if (cpu_seconds() - begin >= credit)
			break;
		take_turn(t, root, &s->tasks[t->turn], r);
		r->read_clock_ns = s->clock_ns;
	}
	t->credit_seconds -= cpu_seconds() - begin;
}

static void put_remembered(const struct top_tasks *t, struct top_sample *s)
{
	for (size_t i = 0; i < t->count; i++) {
		struct remembered *r = &t->list[i];
		struct top_task *task = &s->tasks[i];
		decide_huge(t, task, &r->huge_bytes);
		decide_mergeable(task, &r->mergeable);
		task_set(task, TASK_HUGE_BYTES, r->huge_bytes);
		task_set(task, TASK_MERGEABLE, r->mergeable);
		task->vm = names_add(&s->names, r->vm ? r->vm : "");
		if (r->cgroup)
			task->cgroup = names_add(&s->names, r->cgroup);
	}
}

/* ---- names ---- */

static bool cgroups_known(const struct top_tasks *t, const struct process_facts *facts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_process(&facts[i]) && facts[i].cgroup.number && !cgroups_path(&t->cgroups, facts[i].cgroup))
			return false;
	return true;
}

static void refresh_lists(struct top_tasks *t, const struct sysroot *root, int64_t clock_ns)
{
	struct cgroups fresh;
	struct error err;

	if (!root->live || (t->cgroups_clock_ns && clock_ns - t->cgroups_clock_ns < LISTS_NS))
		return;
	t->cgroups_clock_ns = clock_ns;
	if (cgroups_read(&fresh, root, &err))
		return;
	cgroups_free(&t->cgroups);
	t->cgroups = fresh;
	users_free(&t->users);
	users_read(&t->users, root);
}

static void put_names(const struct top_tasks *t, const struct process_facts *p, struct top_sample *s,
		      struct top_task *task)
{
	const char *cgroup = p->cgroup.number ? cgroups_path(&t->cgroups, p->cgroup) : NULL;
	const char *user = users_name(&t->users, p->uid);
	task->cgroup = names_add(&s->names, cgroup ? cgroup : "");
	task->user = names_add(&s->names, user ? user : "");
}

int top_tasks_read(struct top_tasks *t, const struct sysroot *root, const struct top_probes *probes, int64_t clock_ns,
		   struct process_facts **ret, size_t *ret_count, struct error *err)
{
	if (!t->cgroups_clock_ns)
		refresh_lists(t, root, clock_ns);
	int rc = -EXIT_FAILED;
	if (probes->tasks)
		rc = tasks_read(probes->tasks, ret, ret_count, err);
	if (rc)
		rc = proc_tasks_read(root, &t->cgroups, ret, ret_count, err);
	if (!rc && !cgroups_known(t, *ret, *ret_count))
		refresh_lists(t, root, clock_ns);
	return rc;
}

int top_tasks_take(struct top_tasks *t, const struct sysroot *root, const struct process_facts *facts, size_t count,
		   struct top_sample *s, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (!is_process(&facts[i]))
			continue;
		struct top_task *task = top_sample_add_task(s);
		if (!task)
			return fail(err, EXIT_FAILED, "out of memory reading processes");
		convert(task, &facts[i], s->page_bytes);
		put_names(t, &facts[i], s, task);
	}
	if (!remember(t, root, s))
		return fail(err, EXIT_FAILED, "out of memory reading processes");
	take_turns(t, root, s);
	put_remembered(t, s);
	return 0;
}
