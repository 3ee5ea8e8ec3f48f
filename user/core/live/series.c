// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/series.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/live/top_group.h"

/* Who has a place keeps it against a newcomer that is hardly larger. */
#define KEEPS_PLACE 1.25
/* Groups in which the engine has something to do go before all others. */
#define TRACKED_RANK 1e18

const char *const series_kind_names[SERIES_KINDS] = { "cgroup", "unit", "vm", "domain" };

/* ---- which group a process belongs to ---- */

static bool is_unit(const char *part, size_t length, const char *suffix)
{
	size_t n = strlen(suffix);
	return length > n && !memcmp(part + length - n, suffix, n);
}

const char *series_unit(const char *cgroup, size_t *ret_length)
{
	const char *unit = "";
	bool is_slice = true;

	*ret_length = 0;
	for (const char *part = cgroup; *part; part += strcspn(part, "/")) {
		part += *part == '/';
		size_t length = strcspn(part, "/");
		bool slice = is_unit(part, length, ".slice");
		if (!is_unit(part, length, ".service") && !is_unit(part, length, ".scope") && !(slice && is_slice))
			continue;
		unit = part;
		is_slice = slice;
		*ret_length = length;
	}
	return unit;
}

static const char *domain_label(struct domains *domains, const struct top_sample *s, const struct top_task *t)
{
	const struct domain_subject subject = { .pid = t->pid, .uid = t->uid, .vm = top_name(s, t->vm),
						.cgroup = top_name(s, t->cgroup) };
	uint32_t domain = domain_of(domains, &subject);
	const char *name = domain == DOMAIN_NO_MEMORY ? "" : domain_name(domains, domain);
	bool own = domain >= domains->rules->domains_count;
	/* a domain of its own process: metrics have no label for these */
	return own && !strncmp(name, "pid ", 4) ? SERIES_UNKNOWN : name;
}

static void add_label(struct text *out, struct domains *domains, const struct top_sample *s, const struct top_task *t,
		      enum series_kind kind)
{
	const char *name = kind == SERIES_VM ? top_name(s, t->vm)
			 : kind == SERIES_DOMAIN ? domain_label(domains, s, t) : top_name(s, t->cgroup);
	size_t length = strlen(name);

	if (kind == SERIES_UNIT)
		name = series_unit(name, &length);
	text_add_valid(out, name, length);
}

/* The label of each row, "" where it has none; the strings are in `names`. NULL when memory is out. */
static const char **labels_of(const struct series *s, const struct top_model *m, enum series_kind kind,
			      struct names *names)
{
	static const struct domain_rules no_rules;
	const char **labels = calloc(m->count + 1, sizeof(*labels));
	uint32_t *numbers = calloc(m->count + 1, sizeof(*numbers));
	struct text label = { 0 };
	struct domains domains;

	domains_init(&domains, s->rules ? s->rules : &no_rules);
	for (size_t i = 0; labels && numbers && i < m->count; i++) {
		label.length = 0;
		text_puts(&label, "");
		add_label(&label, &domains, m->sample, m->rows[i].task, kind);
		numbers[i] = label.failed ? 0 : names_add(names, label.bytes);
	}
	for (size_t i = 0; labels && numbers && i < m->count; i++)
		labels[i] = names_string(names, numbers[i]);
	domains_free(&domains);
	text_free(&label);
	free(numbers);
	return labels;
}

/* ---- places ---- */

static int by_label(const void *a, const void *b)
{
	return strcmp(((const struct series_group *)a)->label, ((const struct series_group *)b)->label);
}

static struct series_group *find(const struct series_set *set, const char *label)
{
	struct series_group key = { .label = (char *)label };
	return set->count ? bsearch(&key, set->groups, set->count, sizeof(key), by_label) : NULL;
}

/* A group that wants a place. */
struct wish {
	const struct top_group *group;
	double rank;
	bool chosen;
};

static double value_of_field(const struct top_group *g, enum field f)
{
	struct quantity q = g->value[f - HOST_FIELDS];
	return q.known == KNOWN ? q.value : 0;
}

static double rank_of(const struct series_set *set, const struct top_group *g)
{
	double rank = value_of_field(g, PROC_ANON) + 1;
	if (value_of_field(g, PROC_TRACKED) > 0)
		rank += TRACKED_RANK;
	return find(set, g->name) ? rank * KEEPS_PLACE : rank;
}

static int by_rank(const void *a, const void *b)
{
	const struct wish *x = a, *y = b;
	return x->rank > y->rank ? -1 : x->rank < y->rank ? 1 : strcmp(x->group->name, y->group->name);
}

/* The largest first, as long as there are places and bytes for their labels. */
static size_t choose(struct wish *wishes, size_t count, size_t most)
{
	size_t chosen = 0, bytes = 0;

	qsort(wishes, count, sizeof(*wishes), by_rank);
	for (size_t i = 0; i < count && chosen < most; i++) {
		size_t length = wishes[i].group->name_length;
		if (!strcmp(wishes[i].group->name, SERIES_OTHER) || bytes + length > SERIES_LABEL_BYTES)
			continue;
		wishes[i].chosen = true;
		bytes += length;
		chosen++;
	}
	return chosen;
}

/* ---- values ---- */

/* The gain of an interval, of fields that are rates and add up. */
static void count_up(struct series_group *g, const struct top_group *from, double seconds)
{
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++) {
		struct quantity q = from->value[f - HOST_FIELDS];
		if (!fields[f].sums || fields[f].unit != UNIT_PER_SECOND || q.known != KNOWN || !(seconds > 0))
			continue;
		g->counter[f - HOST_FIELDS] += q.value * seconds;
		g->counted[f - HOST_FIELDS] = true;
	}
}

static void take_values(struct series_group *g, const struct top_group *from)
{
	g->processes = from->processes;
	memcpy(g->value, from->value, sizeof(g->value));
}

static void add_values(struct series_group *g, const struct top_group *from)
{
	for (size_t i = 0; i < PROC_FIELDS; i++)
		g->value[i] = g->processes ? quantity_sum(g->value[i], from->value[i]) : from->value[i];
	g->processes += from->processes;
}

static bool place(struct series_group *ret, const struct series_set *old, const struct wish *wish, double seconds)
{
	const struct series_group *known = find(old, wish->group->name);

	if (known)
		*ret = *known;
	else
		*ret = (struct series_group){ .label = strdup(wish->group->name) };
	if (!ret->label)
		return false;
	ret->rank = wish->rank;
	take_values(ret, wish->group);
	count_up(ret, wish->group, seconds);
	return true;
}

/* Labels of groups that have no place any more. A group that is still there has lost it to a larger one. */
static void leave_places(struct series_set *set, const struct series_group *now, size_t count,
			 const struct wish *wishes, size_t wishes_count)
{
	struct series_set kept = { .groups = (struct series_group *)now, .count = count };

	for (size_t i = 0; i < wishes_count; i++)
		if (!wishes[i].chosen && find(set, wishes[i].group->name))
			set->dropped++;
	for (size_t i = 0; i < set->count; i++)
		if (!find(&kept, set->groups[i].label))
			free(set->groups[i].label);
	free(set->groups);
	set->groups = kept.groups;
	set->count = kept.count;
}

static void gather_others(struct series_set *set, const struct wish *wishes, size_t count, double seconds)
{
	set->other.processes = 0;
	set->others = 0;
	for (size_t i = 0; i < count; i++) {
		if (wishes[i].chosen)
			continue;
		add_values(&set->other, wishes[i].group);
		count_up(&set->other, wishes[i].group, seconds);
		set->others++;
	}
}

static int update_places(struct series_set *set, struct wish *wishes, size_t count, size_t most, double seconds)
{
	size_t chosen = choose(wishes, count, most), made = 0;
	struct series_group *groups = calloc(chosen + 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (!wishes[i].chosen)
			continue;
		/* without memory for its label it is one of the others */
		wishes[i].chosen = place(&groups[made], set, &wishes[i], seconds);
		made += wishes[i].chosen;
	}
	qsort(groups, made, sizeof(*groups), by_label);
	leave_places(set, groups, made, wishes, count);
	gather_others(set, wishes, count, seconds);
	return 0;
}

static int update_set(struct series_set *set, const struct top_groups *groups, size_t most, double seconds)
{
	struct wish *wishes = calloc(groups->count + 1, sizeof(*wishes));
	size_t count = 0;

	if (!wishes)
		return -ENOMEM;
	for (size_t i = 0; i < groups->count; i++)
		if (groups->groups[i].name_length)
			wishes[count++] = (struct wish){ &groups->groups[i], rank_of(set, &groups->groups[i]), false };
	int rc = update_places(set, wishes, count, most, seconds);
	free(wishes);
	return rc;
}

static int update_kind(struct series *s, const struct top_model *m, enum series_kind kind)
{
	struct names names = { 0 };
	struct top_groups groups;
	const char **labels = labels_of(s, m, kind, &names);
	int rc = labels ? top_groups_build_named(&groups, m, labels) : -ENOMEM;

	if (!rc) {
		rc = update_set(&s->set[kind], &groups, s->most, m->seconds);
		top_groups_free(&groups);
	}
	free(labels);
	names_free(&names);
	return rc;
}

/* ---- the machine ---- */

static void update_host(struct series *s, const struct top_model *m)
{
	for (enum field f = 0; f < HOST_FIELDS; f++) {
		bool estimate = fields[f].unit == UNIT_PER_SECOND && fields[f].origin != ORIGIN_RATE;
		if (!estimate || m->host[f].known != KNOWN || !(m->seconds > 0))
			continue;
		s->host_counter[f] += m->host[f].value * m->seconds;
		s->host_counted[f] = true;
	}
}

int series_update(struct series *s, const struct top_model *m)
{
	int rc = 0;

	update_host(s, m);
	for (enum series_kind kind = 0; kind < SERIES_KINDS && !rc; kind++)
		rc = update_kind(s, m, kind);
	return rc;
}

void series_free(struct series *s)
{
	for (enum series_kind kind = 0; kind < SERIES_KINDS; kind++) {
		for (size_t i = 0; i < s->set[kind].count; i++)
			free(s->set[kind].groups[i].label);
		free(s->set[kind].groups);
	}
	memset(s, 0, sizeof(*s));
}
