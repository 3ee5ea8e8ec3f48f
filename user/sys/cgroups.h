/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control groups by the number that the kernel has for them: the inode number
 * of the group's directory. Two hierarchies matter: the unified one and, where
 * cgroup v1 is still used, the memory controller's; their numbers overlap.
 */
#ifndef KSMSCOPE_SYS_CGROUPS_H
#define KSMSCOPE_SYS_CGROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sys/sysroot.h"

enum cgroup_hierarchy {
	CGROUP_UNIFIED,
	CGROUP_MEMORY,
	CGROUP_HIERARCHIES
};

/* The root of every hierarchy. */
#define CGROUP_ROOT_ID 1

struct cgroup_id {
	uint64_t number;	/* 0: unknown */
	enum cgroup_hierarchy hierarchy;
};

struct cgroup_name {
	struct cgroup_id id;
	char *path;		/* as in /proc/PID/cgroup: "/", "/system.slice/x.service" */
};

struct cgroups {
	struct cgroup_name *names;	/* ascending hierarchy and number */
	size_t count;
	size_t room;
};

/* All groups that there are now. A hierarchy that is not mounted has none; that is no error. */
int cgroups_read(struct cgroups *ret, const struct sysroot *root, struct error *err);
void cgroups_free(struct cgroups *cgroups);

/* NULL for a group that is not (or no more) there. */
const char *cgroups_path(const struct cgroups *cgroups, struct cgroup_id id);

/* Number 0 where there is no such group. */
struct cgroup_id cgroups_find(const struct cgroups *cgroups, enum cgroup_hierarchy hierarchy, const char *path);

/*
 * The group that counts for a process: its unified one where that says
 * something, else its memory controller's under cgroup v1.
 */
static inline struct cgroup_id cgroup_of(uint64_t unified, uint64_t memory)
{
	if (unified > CGROUP_ROOT_ID || memory <= CGROUP_ROOT_ID)
		return (struct cgroup_id){ unified, CGROUP_UNIFIED };
	return (struct cgroup_id){ memory, CGROUP_MEMORY };
}

#endif
