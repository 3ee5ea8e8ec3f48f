/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes put together: by cgroup (a tree of paths), by user, by virtual
 * machine, or by trust domain. What sums over processes is summed; everything else is not known of
 * a group.
 */
#ifndef KSMSCOPE_CORE_TOP_GROUP_H
#define KSMSCOPE_CORE_TOP_GROUP_H

#include "core/live/top_model.h"

enum group_kind {
	GROUP_NONE,
	GROUP_CGROUP,
	GROUP_UID,
	GROUP_VM,
	GROUP_DOMAIN,
	GROUP_KINDS
};

#define GROUP_NO_PARENT UINT32_MAX

struct top_group {
	const char *name;		/* raw; a cgroup's path, a user, a guest; "" where there is none */
	size_t name_length;		/* a cgroup's path may go on behind it */
	uint32_t parent;		/* before its children; GROUP_NO_PARENT at the top */
	uint32_t depth;
	uint32_t processes;		/* children's included */
	struct quantity value[PROC_FIELDS];
};

struct top_groups {
	enum group_kind kind;
	struct top_group *groups;	/* by name, parents before their children */
	size_t count;
	uint32_t *of_row;		/* the group of each row of the model */
	char (*made_names)[16];		/* users without a name */
};

/*
 * Build from scratch. With `nested`, a cgroup's ancestors are groups too, with
 * their descendants' sums; without, each cgroup stands alone. 0 or -ENOMEM.
 */
int top_groups_build(struct top_groups *ret, const struct top_model *model, enum group_kind kind, bool nested);

/*
 * The same by names of the caller's, one per row of the model: NULL or ""
 * leaves the row in a group without a name. They must outlive the groups.
 */
int top_groups_build_named(struct top_groups *ret, const struct top_model *model, const char *const *names);
void top_groups_free(struct top_groups *groups);

/* "none", "cgroup", "uid", "vm", "domain"; NULL-terminated, by enum group_kind. */
extern const char *const group_kind_names[GROUP_KINDS + 1];

#endif
