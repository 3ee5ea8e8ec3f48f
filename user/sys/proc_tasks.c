// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/proc_tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/proc.h"

#define PF_KTHREAD 0x00200000	/* include/linux/sched.h, field 9 of /proc/PID/stat */

/* The number after `name` at the beginning of a line. */
static struct value number_after(const char *text, const char *name, enum known whole)
{
	size_t length = strlen(name);

	if (whole != KNOWN)
		return (struct value){ .known = whole };
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, name, length))
			return value_of(strtoll(line + length, NULL, 10));
	return (struct value){ .known = ABSENT };
}

/* "pid (comm) state ppid …": comm may hold anything, ')' and blanks too. */
static bool read_stat(const struct sysroot *root, pid_t pid, struct process_facts *ret)
{
	char text[2048];
	unsigned int flags;
	unsigned long long minor, major, start;

	if (sysroot_read(root, text, sizeof(text), "proc/%d/stat", pid) != KNOWN)
		return false;
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close || sscanf(close + 1, " %*c %d %*d %*d %*d %*d %u %llu %*u %llu %*u %*u %*u %*d %*d %*d %*d"
				      " %u %*d %llu", &ret->parent, &flags, &minor, &major, &ret->threads, &start) != 6)
		return false;
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", (int)(close - open - 1), open + 1);
	ret->kernel_thread = flags & PF_KTHREAD;
	ret->start_ticks = start;
	ret->minor_faults = value_of(minor);
	ret->major_faults = value_of(major);
	return true;
}

static struct value pages_after(const char *text, const char *name)
{
	struct value bytes = value_times(number_after(text, name, KNOWN), 1024);
	bytes.number /= sysconf(_SC_PAGESIZE);
	return bytes;
}

static bool read_status(const struct sysroot *root, pid_t pid, struct process_facts *ret)
{
	char text[8192];
	const char *uid;

	if (sysroot_read(root, text, sizeof(text), "proc/%d/status", pid) != KNOWN)
		return false;
	uid = strstr(text, "\nUid:");
	if (!uid || sscanf(uid, "\nUid: %*u %u", &ret->uid) != 1)
		return false;
	ret->has_memory = strstr(text, "\nVmRSS:") && !ret->kernel_thread;
	if (!ret->has_memory)
		return true;
	ret->file_pages = pages_after(text, "RssFile:");
	ret->anon_pages = pages_after(text, "RssAnon:");
	ret->shmem_pages = pages_after(text, "RssShmem:");
	ret->swap_pages = pages_after(text, "VmSwap:");
	return true;
}

static void read_ksm(const struct sysroot *root, pid_t pid, struct process_facts *ret)
{
	char text[1024];
	enum known whole = sysroot_read(root, text, sizeof(text), "proc/%d/ksm_stat", pid);
	const char *any = whole == KNOWN ? strstr(text, "ksm_merge_any:") : NULL;

	ret->ksm_rmap_items = number_after(text, "ksm_rmap_items", whole);
	ret->ksm_zero_pages = number_after(text, "ksm_zero_pages", whole);
	ret->ksm_merging_pages = number_after(text, "ksm_merging_pages", whole);
	if (ret->ksm_merging_pages.known == ABSENT)	/* a file of its own from 5.19 on, in ksm_stat since 6.4 */
		ret->ksm_merging_pages = sysroot_number(root, "proc/%d/ksm_merging_pages", pid);
	ret->merge_any = any ? value_of(!strncmp(any, "ksm_merge_any: yes", 18)) :
		(struct value){ .known = whole == KNOWN ? ABSENT : whole };
}

static void nothing(struct process_facts *ret)
{
	ret->file_pages = ret->anon_pages = ret->shmem_pages = ret->swap_pages = value_of(0);
	ret->ksm_rmap_items = ret->ksm_zero_pages = ret->ksm_merging_pages = ret->merge_any = value_of(0);
}

/* The path in the hierarchy whose line begins so: "0::" or, in the second field, "memory". */
static bool cgroup_line(const char *text, enum cgroup_hierarchy hierarchy, char *ret, size_t size)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *controllers = strchr(line, ':');
		const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		bool unified = !strncmp(line, "0::", 3), memory = !strncmp(controllers, ":memory:", 8);
		if (hierarchy == CGROUP_UNIFIED ? !unified : !memory)
			continue;
		snprintf(ret, size, "%.*s", (int)strcspn(path + 1, "\n"), path + 1);
		return true;
	}
	return false;
}

static struct cgroup_id read_cgroup(const struct sysroot *root, pid_t pid, const struct cgroups *cgroups)
{
	char text[8192], path[4096];
	uint64_t number[CGROUP_HIERARCHIES] = {};

	if (!cgroups || sysroot_read(root, text, sizeof(text), "proc/%d/cgroup", pid) != KNOWN)
		return (struct cgroup_id){};
	for (int hierarchy = 0; hierarchy < CGROUP_HIERARCHIES; hierarchy++)
		if (cgroup_line(text, hierarchy, path, sizeof(path)))
			number[hierarchy] = cgroups_find(cgroups, hierarchy, path).number;
	return cgroup_of(number[CGROUP_UNIFIED], number[CGROUP_MEMORY]);
}

static bool read_process(const struct sysroot *root, pid_t pid, const struct cgroups *cgroups,
			 struct process_facts *ret)
{
	*ret = (struct process_facts){ .pid = pid };
	if (!read_stat(root, pid, ret) || !read_status(root, pid, ret))
		return false;
	if (ret->has_memory)
		read_ksm(root, pid, ret);
	else
		nothing(ret);
	ret->cgroup = read_cgroup(root, pid, cgroups);
	return true;
}

int proc_tasks_read(const struct sysroot *root, const struct cgroups *cgroups, struct process_facts **ret,
		    size_t *ret_count, struct error *err)
{
	pid_t *pids;
	size_t count;
	int rc = proc_pids(root, &pids, &count, err);

	*ret = NULL;
	*ret_count = 0;
	if (rc)
		return rc;
	*ret = calloc(count ? count : 1, sizeof(**ret));
	for (size_t i = 0; *ret && i < count; i++)
		*ret_count += read_process(root, pids[i], cgroups, &(*ret)[*ret_count]);
	free(pids);
	return *ret ? 0 : fail(err, EXIT_FAILED, "out of memory reading processes");
}
