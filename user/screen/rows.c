// SPDX-License-Identifier: GPL-2.0-or-later
#include "screen/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct quantity row_value(const struct shown_row *row, enum field f)
{
	return row->process ? top_row_value(row->process, f) : row->group->value[f - HOST_FIELDS];
}

/* ---- the filter ---- */

static bool process_matches(const struct top_sample *s, const struct top_task *t, const char *text)
{
	static const enum field texts[] = { PROC_COMM, PROC_USER, PROC_VM, PROC_CGROUP };
	char made[16], pid[16];

	snprintf(pid, sizeof(pid), "%d", t->pid);
	if (!strncmp(pid, text, strlen(text)))
		return true;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcasestr(field_text(s, t, texts[i], made), text))
			return true;
	return false;
}

bool row_matches(const struct rows *rows, const struct shown_row *row, const char *text)
{
	char name[256];
	if (row->process)
		return process_matches(rows->model->sample, row->process->task, text);
	snprintf(name, sizeof(name), "%.*s", (int)row->group->name_length, row->group->name);
	return strcasestr(name, text) != NULL;
}

/* ---- order ---- */

struct order {
	const struct top_sample *sample;
	enum field field;
	bool ascending;
};

/* Texts run from A to Z, and numbers from the largest, unless turned round. */
static int compare_texts(const struct order *o, const struct top_task *a, const struct top_task *b)
{
	char made_a[16], made_b[16];
	int order = strcasecmp(field_text(o->sample, a, o->field, made_a), field_text(o->sample, b, o->field, made_b));
	return o->ascending ? -order : order;
}

/* Equal ones: the larger first, then as they were started. */
static int compare_processes(const void *a, const void *b, void *context)
{
	const struct top_row *x = *(const struct top_row *const *)a, *y = *(const struct top_row *const *)b;
	const struct order *o = context;
	int order;

	if (fields[o->field].unit == UNIT_TEXT)
		order = compare_texts(o, x->task, y->task);
	else
		order = quantity_compare(top_row_value(x, o->field), top_row_value(y, o->field),
					 o->ascending == (o->field == PROC_PID));
	if (!order)
		order = quantity_compare(top_row_value(x, PROC_ANON), top_row_value(y, PROC_ANON), true);
	return order ? order : x->task->pid < y->task->pid ? -1 : x->task->pid > y->task->pid;
}

void rows_sort_processes(const struct top_row **rows, size_t count, const struct top_model *m, enum field f,
			 bool ascending)
{
	struct order order = { m->sample, f, ascending };
	qsort_r(rows, count, sizeof(*rows), compare_processes, &order);
}

/* ---- a list ---- */

/* Pointers to the processes that pass the filter, sorted. */
static const struct top_row **chosen(const struct top_model *m, const struct view *v, size_t *ret_count)
{
	const struct top_row **list = calloc(m->count + 1, sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; list && i < m->count; i++)
		if (!*v->filter || process_matches(m->sample, m->rows[i].task, v->filter))
			list[count++] = &m->rows[i];
	if (list)
		rows_sort_processes(list, count, m, v->sort, v->ascending);
	*ret_count = count;
	return list;
}

static void add_process(struct rows *rows, const struct top_row *process, uint32_t depth)
{
	rows->items[rows->count++] = (struct shown_row){
		.process = process, .depth = depth, .id = { process->task->pid, process->task->start_ticks } };
}

/* ---- a tree ---- */

static struct row_id group_id(const struct top_group *g)
{
	uint64_t hash = 0xcbf29ce484222325ull;	/* FNV-1a */
	for (size_t i = 0; i < g->name_length; i++)
		hash = (hash ^ (unsigned char)g->name[i]) * 0x100000001b3ull;
	return (struct row_id){ 0, hash };
}

struct tree {
	struct rows *rows;
	const struct view *view;
	const struct top_row **list;	/* all processes that are shown, sorted */
	uint32_t *first_of, *next_of;	/* chain of each group's processes through `list`: index + 1, 0 ends it */
	uint32_t *order;		/* groups by parent, then by the chosen field */
	uint32_t *begin;		/* of each parent's children in `order`; the top's are at [count] */
	bool *alive;			/* has a process that is shown */
};

/*
 * The field's value, or the name where that is no number of groups. An
 * exhaustive order: equal groups stay in the order of their names.
 */
static int compare_groups(const void *a, const void *b, void *context)
{
	const struct tree *t = context;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const struct top_group *g = &t->rows->groups.groups[x], *h = &t->rows->groups.groups[y];
	int order = 0;

	if (g->parent != h->parent)
		return g->parent < h->parent ? -1 : 1;
	if (fields[t->view->sort].sums)
		order = quantity_compare(g->value[t->view->sort - HOST_FIELDS], h->value[t->view->sort - HOST_FIELDS],
					 !t->view->ascending);
	return order ? order : x < y ? -1 : x > y;
}

static void sort_groups(struct tree *t)
{
	size_t count = t->rows->groups.count;

	for (size_t i = 0; i < count; i++)
		t->order[i] = i;
	qsort_r(t->order, count, sizeof(*t->order), compare_groups, t);
	for (size_t i = 0; i <= count; i++)
		t->begin[i] = count;
	for (size_t i = count; i-- > 0; ) {
		uint32_t parent = t->rows->groups.groups[t->order[i]].parent;
		t->begin[parent == GROUP_NO_PARENT ? count : parent] = i;
	}
}

/* From the last to the first, so that each chain begins with the first. */
static void hang_processes(struct tree *t)
{
	const struct top_groups *groups = &t->rows->groups;

	for (size_t i = t->rows->processes; i-- > 0; ) {
		uint32_t group = groups->of_row[t->list[i] - t->rows->model->rows];
		t->next_of[i] = t->first_of[group];
		t->first_of[group] = i + 1;
		for (uint32_t g = group; g != GROUP_NO_PARENT && !t->alive[g]; g = groups->groups[g].parent)
			t->alive[g] = true;
	}
}

static void add_groups(struct tree *t, uint32_t parent);

static void add_group(struct tree *t, uint32_t index)
{
	const struct top_group *g = &t->rows->groups.groups[index];
	struct shown_row *row = &t->rows->items[t->rows->count++];

	*row = (struct shown_row){ .group = g, .depth = g->depth, .id = group_id(g) };
	row->folded = view_is_folded(t->view, row->id);
	if (row->folded)
		return;
	add_groups(t, index);
	for (uint32_t i = t->first_of[index]; i; i = t->next_of[i - 1])
		add_process(t->rows, t->list[i - 1], g->depth + 1);
}

/* As deep as cgroups are nested, which the kernel bounds. */
static void add_groups(struct tree *t, uint32_t parent)
{
	const struct top_groups *groups = &t->rows->groups;
	size_t at = t->begin[parent == GROUP_NO_PARENT ? groups->count : parent];

	for (; at < groups->count && groups->groups[t->order[at]].parent == parent; at++)
		if (t->alive[t->order[at]])
			add_group(t, t->order[at]);
}

static int build_tree(struct rows *rows, const struct view *v, const struct top_row **list)
{
	int rc = top_groups_build(&rows->groups, rows->model, v->tree, true);
	if (rc)
		return rc;
	size_t groups = rows->groups.count;
	struct tree t = { .rows = rows, .view = v, .list = list,
			  .first_of = calloc(groups + 1, sizeof(uint32_t)),
			  .next_of = calloc(rows->processes + 1, sizeof(uint32_t)),
			  .order = calloc(groups + 1, sizeof(uint32_t)),
			  .begin = calloc(groups + 1, sizeof(uint32_t)),
			  .alive = calloc(groups + 1, sizeof(bool)) };
	rows->items = calloc(rows->processes + groups + 1, sizeof(*rows->items));
	rc = t.first_of && t.next_of && t.order && t.begin && t.alive && rows->items ? 0 : -ENOMEM;
	if (!rc) {
		sort_groups(&t);
		hang_processes(&t);
		add_groups(&t, GROUP_NO_PARENT);
	}
	free(t.first_of);
	free(t.next_of);
	free(t.order);
	free(t.begin);
	free(t.alive);
	return rc;
}

int rows_build(struct rows *ret, const struct top_model *m, const struct view *v)
{
	*ret = (struct rows){ .model = m };
	const struct top_row **list = chosen(m, v, &ret->processes);
	int rc = list ? 0 : -ENOMEM;

	if (!rc && v->tree != GROUP_NONE)
		rc = build_tree(ret, v, list);
	else if (!rc && !(ret->items = calloc(ret->processes + 1, sizeof(*ret->items))))
		rc = -ENOMEM;
	for (size_t i = 0; !rc && v->tree == GROUP_NONE && i < ret->processes; i++)
		add_process(ret, list[i], 0);
	free(list);
	if (rc)
		rows_free(ret);
	return rc;
}

void rows_free(struct rows *rows)
{
	top_groups_free(&rows->groups);
	free(rows->items);
	*rows = (struct rows){ 0 };
}

size_t rows_find(const struct rows *rows, struct row_id id)
{
	size_t i = 0;
	while (i < rows->count && !row_id_equal(rows->items[i].id, id))
		i++;
	return i;
}
