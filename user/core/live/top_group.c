// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/top_group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const group_kind_names[GROUP_KINDS + 1] = { "none", "cgroup", "uid", "vm", "domain", NULL };

/* A row and the name of its group, to be sorted by name. */
struct member {
	const char *name;
	uint32_t row;
};

static const char *name_of(const struct top_model *m, const struct top_row *row, enum group_kind kind, char made[16])
{
	static const enum field names[GROUP_KINDS] = {
		[GROUP_CGROUP] = PROC_CGROUP, [GROUP_UID] = PROC_USER, [GROUP_VM] = PROC_VM, [GROUP_DOMAIN] = PROC_DOMAIN,
	};
	return field_text(m->sample, row->task, names[kind], made);
}

/* Paths in tree order: a '/' comes before everything else, so that children follow their parent at once. */
static int compare_names(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	unsigned int x = *a == '/' ? 1 : *a ? (unsigned char)*a + 1u : 0;
	unsigned int y = *b == '/' ? 1 : *b ? (unsigned char)*b + 1u : 0;
	return x < y ? -1 : x > y;
}

static int by_name(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = x->name == y->name ? 0 : compare_names(x->name, y->name);
	return order ? order : x->row < y->row ? -1 : x->row > y->row;
}

static struct top_group *add_group(struct top_groups *g, const char *name, size_t length, uint32_t parent)
{
	if ((g->count & (g->count - 1)) == 0) {		/* room doubles at powers of two */
		struct top_group *more = realloc(g->groups, (g->count ? g->count * 2 : 1) * sizeof(*more));
		if (!more)
			return NULL;
		g->groups = more;
	}
	struct top_group *group = &g->groups[g->count++];
	*group = (struct top_group){ .name = name, .name_length = length, .parent = parent };
	group->depth = parent == GROUP_NO_PARENT ? 0 : g->groups[parent].depth + 1;
	return group;
}

static bool is_named(const struct top_group *group, const char *name, size_t length)
{
	return group->name_length == length && !memcmp(group->name, name, length);
}

/* Is `group` the path `name` itself or an ancestor of it? "/" is everybody's. */
static bool leads_to(const struct top_group *group, const char *name)
{
	size_t n = group->name_length;
	if (!n || strncmp(group->name, name, n))
		return !n && !*name;
	return !name[n] || name[n] == '/' || (n == 1 && name[0] == '/');
}

/* The end of the path's next component behind `from`; "/" is the first one. */
static size_t next_component(const char *name, size_t from)
{
	if (from == 0 && name[0] == '/')
		return 1;
	return from + (name[from] == '/') + strcspn(name + from + (name[from] == '/'), "/");
}

/*
 * The group of `name`, made with its ancestors where they are new. Names come
 * in tree order: what they have in common with `last` exists already.
 */
static uint32_t group_of(struct top_groups *g, const char *name, uint32_t last, bool nested)
{
	size_t length = strlen(name), at = 0;
	uint32_t parent = last;

	if (!nested)
		parent = last != GROUP_NO_PARENT && is_named(&g->groups[last], name, length) ? last : GROUP_NO_PARENT;
	while (nested && parent != GROUP_NO_PARENT && !leads_to(&g->groups[parent], name))
		parent = g->groups[parent].parent;
	if (parent != GROUP_NO_PARENT)
		at = g->groups[parent].name_length;
	if (parent != GROUP_NO_PARENT && at == length)
		return parent;
	do {
		at = nested ? next_component(name, at) : length;
		if (!add_group(g, name, at, parent))
			return GROUP_NO_PARENT;
		parent = g->count - 1;
	} while (at < length);
	return parent;
}

/*
 * A rate that is not known yet, of a process that has just come, takes nothing
 * from a sum; a value that was not read does.
 */
static bool leaves_out(enum field f, struct quantity q)
{
	bool rate = fields[f].unit == UNIT_PER_SECOND;
	return rate && q.known == NOT_READ;
}

static void add_values(struct top_group *group, const struct quantity *value, bool first)
{
	for (size_t i = 0; i < PROC_FIELDS; i++) {
		struct quantity *sum = &group->value[i];
		if (!fields[HOST_FIELDS + i].sums)
			continue;
		if (first || leaves_out(HOST_FIELDS + i, *sum))
			*sum = value[i];
		else if (!leaves_out(HOST_FIELDS + i, value[i]))
			*sum = quantity_sum(*sum, value[i]);
	}
}

static void add_row(struct top_groups *g, uint32_t group, const struct top_row *row)
{
	for (; group != GROUP_NO_PARENT; group = g->groups[group].parent) {
		add_values(&g->groups[group], row->value, g->groups[group].processes == 0);
		g->groups[group].processes++;
	}
}

static int fill(struct top_groups *g, const struct top_model *m, const struct member *members, bool nested)
{
	uint32_t last = GROUP_NO_PARENT;
	for (size_t i = 0; i < m->count; i++) {
		last = group_of(g, members[i].name, last, nested);
		if (last == GROUP_NO_PARENT)
			return -ENOMEM;
		g->of_row[members[i].row] = last;
	}
	for (size_t i = 0; i < m->count; i++)
		add_row(g, g->of_row[i], &m->rows[i]);
	return 0;
}

/* What was estimated of a group as one is better than a sum: errors of parts of one sample go together. */
static void take_shares(struct top_groups *g, const struct top_model *m, bool nested)
{
	static const enum share_kind kinds[GROUP_KINDS] = {
		[GROUP_CGROUP] = SHARE_CGROUP, [GROUP_UID] = SHARE_UID, [GROUP_VM] = SHARE_VM, [GROUP_DOMAIN] = SHARE_DOMAIN,
	};
	enum share_kind kind = kinds[g->kind];

	for (size_t row = 0; row < m->count; row++) {
		uint32_t group = g->of_row[row];
		uid_t uid = kind == SHARE_UID ? m->rows[row].task->uid : 0;
		for (bool leaf = true; group != GROUP_NO_PARENT; group = g->groups[group].parent, leaf = false) {
			struct top_group *at = &g->groups[group];
			size_t length = kind == SHARE_UID ? 0 : at->name_length;
			const struct top_share *share = nested && kind == SHARE_CGROUP
				? top_sample_share(m->sample, SHARE_CGROUP_TREE, 0, at->name, length) : NULL;
			if (!share && (leaf || !nested))
				share = top_sample_share(m->sample, kind, uid, at->name, length);
			struct quantity *q = &at->value[PROC_POTENTIAL - HOST_FIELDS];
			if (share && q->known == KNOWN)
				*q = (struct quantity){ .value = (double)share->potential, .low = (double)share->low,
							.high = (double)share->high, .known = KNOWN };
		}
	}
}

static int build(struct top_groups *ret, const struct top_model *m, struct member *members, bool nested)
{
	qsort(members, m->count, sizeof(*members), by_name);
	return fill(ret, m, members, nested);
}

int top_groups_build(struct top_groups *ret, const struct top_model *m, enum group_kind kind, bool nested)
{
	struct member *members = calloc(m->count + 1, sizeof(*members));
	*ret = (struct top_groups){ .kind = kind, .of_row = calloc(m->count + 1, sizeof(uint32_t)),
				    .made_names = calloc(m->count + 1, sizeof(*ret->made_names)) };
	int rc = members && ret->of_row && ret->made_names ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < m->count; i++)
		members[i] = (struct member){ name_of(m, &m->rows[i], kind, ret->made_names[i]), i };
	if (!rc)
		rc = build(ret, m, members, nested && kind == GROUP_CGROUP);
	/* of a part of the processes nobody estimated the groups */
	if (!rc && m->sample->shares_count && m->count == m->sample->tasks_count)
		take_shares(ret, m, nested);
	free(members);
	if (rc)
		top_groups_free(ret);
	return rc;
}

int top_groups_build_named(struct top_groups *ret, const struct top_model *m, const char *const *names)
{
	struct member *members = calloc(m->count + 1, sizeof(*members));
	*ret = (struct top_groups){ .of_row = calloc(m->count + 1, sizeof(uint32_t)) };
	int rc = members && ret->of_row ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < m->count; i++)
		members[i] = (struct member){ names[i] ? names[i] : "", i };
	if (!rc)
		rc = build(ret, m, members, false);
	free(members);
	if (rc)
		top_groups_free(ret);
	return rc;
}

void top_groups_free(struct top_groups *g)
{
	free(g->groups);
	free(g->of_row);
	free(g->made_names);
	*g = (struct top_groups){ 0 };
}
