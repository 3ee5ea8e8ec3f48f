// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/select.h"

#include <string.h>

static bool has_pid(const struct pid_option *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->count; i++)
		if (pids->pids[i] == pid)
			return true;
	return false;
}

/* The group itself or one below it; the path may be given with or without its first '/'. */
static bool is_below(const char *path, const char *group)
{
	path += *path == '/';
	group += *group == '/';
	size_t length = strlen(group);
	while (length && group[length - 1] == '/')
		length--;
	return !strncmp(path, group, length) && (!length || !path[length] || path[length] == '/');
}

static bool is_wanted(const struct top_sample *s, const struct top_task *t, const struct top_settings *set)
{
	return has_pid(&set->pids, t->pid) || (set->comm && !strcmp(t->comm, set->comm)) ||
	       (set->by_uid && t->uid == set->uid) || (set->cgroup && is_below(top_name(s, t->cgroup), set->cgroup));
}

void top_select(struct top_sample *s, const struct top_settings *set)
{
	if (!set->pids.count && !set->comm && !set->by_uid && !set->cgroup)
		return;
	for (size_t i = 0; i < s->tasks_count; i++)
		s->tasks[i].left_out = !is_wanted(s, &s->tasks[i], set);
}
