// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/targets.h"

#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "sys/proc.h"

static int by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
	return x < y ? -1 : x > y;
}

struct pid_list {
	pid_t *pids;
	size_t count, room;
};

static bool pid_list_add(struct pid_list *list, pid_t pid)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		pid_t *more = realloc(list->pids, room * sizeof(pid_t));
		if (!more)
			return false;
		list->pids = more;
		list->room = room;
	}
	list->pids[list->count++] = pid;
	return true;
}

static bool pid_list_has(const struct pid_list *list, pid_t pid)
{
	return list->count && bsearch(&pid, list->pids, list->count, sizeof(pid_t), by_pid);
}

/* ---- cgroups ---- */

static bool read_procs(const char *directory, struct pid_list *ret)
{
	char path[PATH_MAX], line[32];
	uint64_t pid;
	if (snprintf(path, sizeof(path), "%s/cgroup.procs", directory) >= (int)sizeof(path))
		return true;
	scoped_file FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (parse_u64(line, &pid) && !pid_list_add(ret, pid))
			return false;
	return true;
}

/* PATH itself where it is a directory, else below the mount points where Linux distributions put cgroups. */
static bool find_cgroup(const char *path, char *ret, size_t size)
{
	static const char *const roots[] = { "", "/sys/fs/cgroup/", "/sys/fs/cgroup/unified/", "/sys/fs/cgroup/memory/",
					     "/sys/fs/cgroup/systemd/" };
	struct stat stat_buffer;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		const char *relative = i ? path + strspn(path, "/") : path;
		char procs[PATH_MAX];
		snprintf(ret, size, "%s%s", roots[i], relative);
		if (snprintf(procs, sizeof(procs), "%s/cgroup.procs", ret) < (int)sizeof(procs) &&
		    !stat(procs, &stat_buffer))
			return true;
	}
	return false;
}

static int cgroup_pids(const char *path, struct pid_list *ret, struct error *err)
{
	char found[PATH_MAX];
	if (!find_cgroup(path, found, sizeof(found)))
		return fail(err, EXIT_FAILED, "cgroup %s: no such cgroup: give its path, as in /proc/PID/cgroup or below /sys/fs/cgroup", path);
	char *const paths[] = { found, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOSTAT, NULL);
	FTSENT *entry;
	bool stored = walk != NULL;
	while (stored && (entry = fts_read(walk)))
		if (entry->fts_info == FTS_D)
			stored = read_procs(entry->fts_path, ret);
	if (walk)
		fts_close(walk);
	if (!stored)
		return fail(err, EXIT_FAILED, "out of memory listing cgroup %s", path);
	if (ret->count)
		qsort(ret->pids, ret->count, sizeof(pid_t), by_pid);
	return 0;
}

/* ---- choosing ---- */

/* Why a process can't be a target; NULL where it can. *ret_state is what is then said of its memory. */
static const char *unfit(enum known known, const struct task *task, bool live, enum known *ret_state)
{
	*ret_state = known == DENIED ? DENIED : GONE;
	if (known == DENIED)
		return "permission denied";
	if (known != KNOWN)
		return "no such process";
	if (task->state == 'Z' || task->state == 'X')
		return "a zombie: it has ended and has no memory any more";
	*ret_state = ABSENT;
	if (live && task->pid == getpid())
		return "that is ourselves";
	if (task->kernel_thread)
		return "a kernel thread has no memory of its own";
	return NULL;
}

struct choice {
	const struct target *target;
	const struct sysroot *root;
	struct pid_list named, in_cgroup;
};

/* A captured system has no cgroup.procs to walk: there the path in /proc/PID/cgroup decides. */
static bool in_captured_cgroup(const struct choice *c, const struct task *task, const struct sample *s)
{
	const char *wanted = c->target->cgroup, *path = sample_string(s, task->cgroup);
	if (c->root->live || !wanted)
		return false;
	size_t n = strlen(wanted);
	while (n > 1 && wanted[n - 1] == '/')
		n--;
	return !strncmp(path, wanted, n) && (n == 1 || path[n] == '/' || path[n] == '\0');
}

static bool fits(const struct choice *c, const struct task *task, const struct sample *s)
{
	const struct target *t = c->target;
	const char *vm = sample_string(s, task->vm);
	return t->all || (t->vm && *vm && !strcmp(vm, t->vm)) || (t->comm && !strcmp(task->comm, t->comm)) || (t->by_uid && task->uid == t->uid) ||
	       pid_list_has(&c->in_cgroup, task->pid) || in_captured_cgroup(c, task, s);
}

/* Look at one PID; add it when it is a target. */
static int consider(struct sample *s, const struct choice *c, pid_t pid, bool *ret_named_missing, struct error *err)
{
	struct task task;
	bool named = pid_list_has(&c->named, pid);
	enum known known = proc_task(c->root, pid, &task, s), state;
	const char *why = unfit(known, &task, c->root->live, &state);

	if (why && named) {
		char what[64];
		snprintf(what, sizeof(what), "process %d", pid);
		sample_missing(s, what, state, "%s", why);
		*ret_named_missing = true;
	}
	if (why || (!named && !fits(c, &task, s)))
		return 0;
	struct task *added = sample_add_task(s);
	if (!added)
		return fail(err, EXIT_FAILED, "out of memory listing processes");
	*added = task;
	return 0;
}

static bool only_named(const struct target *t)
{
	return !t->all && !t->comm && !t->by_uid && !t->cgroup && !t->vm;
}

/* The PIDs to consider: the named ones alone, or all of the system. Ascending, no PID twice. */
static int list_pids(const struct choice *c, struct pid_list *ret, struct error *err)
{
	int rc = only_named(c->target) ? 0 : proc_pids(c->root, &ret->pids, &ret->count, err);
	ret->room = ret->count;
	for (size_t i = 0; !rc && i < c->named.count; i++)
		if (!pid_list_add(ret, c->named.pids[i]))
			rc = fail(err, EXIT_FAILED, "out of memory listing processes");
	if (rc)
		return rc;
	if (ret->count)
		qsort(ret->pids, ret->count, sizeof(pid_t), by_pid);
	size_t kept = 0;
	for (size_t i = 0; i < ret->count; i++)
		if (i == 0 || ret->pids[i] != ret->pids[i - 1])
			ret->pids[kept++] = ret->pids[i];
	ret->count = kept;
	return 0;
}

static int choose(struct sample *s, struct choice *c, struct pid_list *pids, bool *ret_named_missing,
		  struct error *err)
{
	const struct target *t = c->target;
	int rc = t->cgroup && c->root->live ? cgroup_pids(t->cgroup, &c->in_cgroup, err) : 0;

	for (size_t i = 0; !rc && i < t->pids_count; i++)
		if (!pid_list_add(&c->named, t->pids[i]))
			rc = fail(err, EXIT_FAILED, "out of memory listing processes");
	if (c->named.count)
		qsort(c->named.pids, c->named.count, sizeof(pid_t), by_pid);
	if (!rc)
		rc = list_pids(c, pids, err);
	for (size_t i = 0; !rc && i < pids->count; i++)
		rc = consider(s, c, pids->pids[i], ret_named_missing, err);
	if (rc || s->tasks_count || t->maybe_none)
		return rc;
	for (size_t i = 0; i < s->missing_count; i++)
		if (!s->missing[i].harmless)
			return fail(err, s->missing[i].state == DENIED ? EXIT_NOT_PERMITTED : EXIT_FAILED, "%s: %s",
				    s->missing[i].what, s->missing[i].why);
	return fail(err, EXIT_FAILED, "no process fits what was asked for");
}

int targets_find(struct sample *s, const struct sysroot *root, const struct target *target, bool *ret_named_missing,
		 struct error *err)
{
	struct choice c = { .target = target, .root = root };
	struct pid_list pids = { 0 };

	*ret_named_missing = false;
	int rc = choose(s, &c, &pids, ret_named_missing, err);
	free(pids.pids);
	free(c.named.pids);
	free(c.in_cgroup.pids);
	return rc;
}
