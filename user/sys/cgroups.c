// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/cgroups.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* Groups nest as deep as their creators like; nobody needs more than this. */
#define MAX_DEPTH 32

static int compare(const void *a, const void *b)
{
	const struct cgroup_id *x = &((const struct cgroup_name *)a)->id, *y = &((const struct cgroup_name *)b)->id;
	if (x->hierarchy != y->hierarchy)
		return x->hierarchy < y->hierarchy ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool add(struct cgroups *cgroups, struct cgroup_id id, const char *path)
{
	if (cgroups->count == cgroups->room) {
		size_t room = cgroups->room ? cgroups->room * 2 : 64;
		struct cgroup_name *names = realloc(cgroups->names, room * sizeof(*names));
		if (!names)
			return false;
		cgroups->names = names;
		cgroups->room = room;
	}
	char *copy = strdup(path);
	if (copy)
		cgroups->names[cgroups->count++] = (struct cgroup_name){ .id = id, .path = copy };
	return copy;
}

/* A group and all below it. A directory that goes while we look is skipped. False: no memory. */
static bool add_tree(struct cgroups *cgroups, const struct sysroot *root, enum cgroup_hierarchy hierarchy,
		     const char *mount, const char *path, int depth)
{
	char name[4096];
	struct stat status;
	struct dirent *entry;

	snprintf(name, sizeof(name), "%s%s", mount, path);
	scoped_dir DIR *dir = sysroot_dir(root, name);
	if (!dir || fstat(dirfd(dir), &status))
		return true;
	if (!add(cgroups, (struct cgroup_id){ status.st_ino, hierarchy }, *path ? path : "/"))
		return false;
	while (depth < MAX_DEPTH && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || *entry->d_name == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= (int)sizeof(name))
			continue;
		if (!add_tree(cgroups, root, hierarchy, mount, name, depth + 1))
			return false;
	}
	return true;
}

/* Where the unified hierarchy is mounted: alone, or beside those of cgroup v1. */
static const char *unified_mount(const struct sysroot *root)
{
	char text[16];
	if (sysroot_read(root, text, sizeof(text), "sys/fs/cgroup/cgroup.procs") != ABSENT)
		return "sys/fs/cgroup";
	return "sys/fs/cgroup/unified";
}

int cgroups_read(struct cgroups *ret, const struct sysroot *root, struct error *err)
{
	memset(ret, 0, sizeof(*ret));
	if (!add_tree(ret, root, CGROUP_UNIFIED, unified_mount(root), "", 0) ||
	    !add_tree(ret, root, CGROUP_MEMORY, "sys/fs/cgroup/memory", "", 0)) {
		cgroups_free(ret);
		return fail(err, EXIT_FAILED, "out of memory listing control groups");
	}
	if (ret->count)
		qsort(ret->names, ret->count, sizeof(*ret->names), compare);
	return 0;
}

void cgroups_free(struct cgroups *cgroups)
{
	for (size_t i = 0; i < cgroups->count; i++)
		free(cgroups->names[i].path);
	free(cgroups->names);
	memset(cgroups, 0, sizeof(*cgroups));
}

const char *cgroups_path(const struct cgroups *cgroups, struct cgroup_id id)
{
	struct cgroup_name key = { .id = id };
	const struct cgroup_name *found = cgroups->count ?
		bsearch(&key, cgroups->names, cgroups->count, sizeof(key), compare) : NULL;
	return found ? found->path : NULL;
}

struct cgroup_id cgroups_find(const struct cgroups *cgroups, enum cgroup_hierarchy hierarchy, const char *path)
{
	for (size_t i = 0; i < cgroups->count; i++)
		if (cgroups->names[i].id.hierarchy == hierarchy && !strcmp(cgroups->names[i].path, path))
			return cgroups->names[i].id;
	return (struct cgroup_id){ 0, hierarchy };
}
