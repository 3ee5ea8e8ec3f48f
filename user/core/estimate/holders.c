// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/holders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/count/owner.h"
#include "core/estimate/crossing.h"

/* One way to put tasks into classes: what stands for a task's class, in some of the sample's strings or numbers. */
struct grouping {
	enum holder_kind kind;
	unsigned int depth;		/* HOLDER_CGROUP_TREE: components of the path that count; 0 is "/" */
};

struct work {
	const struct holders_input *in;
	struct holders *out;
	struct grouping grouping;
	struct sketch_order contents;	/* sorted once for all groupings */
	uint32_t *order;		/* tasks, sorted by class */
	uint32_t *class_of_task;
	uint32_t *class_of;		/* per owner */
	uint32_t *domain_of;		/* per owner */
	size_t room;			/* of out->list */
};

/* ---- who belongs together ---- */

/* The length of a path's first `depth` components: "/a/b" has "/" (0), "/a" (1), "/a/b" (2). 0: it has fewer. */
static size_t prefix_length(const char *path, unsigned int depth)
{
	size_t at = 0;

	if (path[0] != '/')
		return 0;
	if (!depth)
		return 1;
	for (unsigned int i = 0; i < depth; i++) {
		if (path[at] != '/' || !path[at + 1])
			return 0;
		at += 1 + strcspn(path + at + 1, "/");
	}
	return at;
}

static const char *text_of(const struct work *w, uint32_t task, size_t *ret_length)
{
	const struct sample *s = w->in->sample;
	const struct task *t = &s->tasks[task];
	const char *text = sample_string(s, w->grouping.kind == HOLDER_VM ? t->vm :
					 w->grouping.kind == HOLDER_DOMAIN ? t->domain : t->cgroup);

	*ret_length = w->grouping.kind == HOLDER_CGROUP_TREE ? prefix_length(text, w->grouping.depth) : strlen(text);
	return text;
}

static int compare_tasks(const struct work *w, uint32_t a, uint32_t b)
{
	const struct task *x = &w->in->sample->tasks[a], *y = &w->in->sample->tasks[b];
	size_t x_length, y_length;

	if (w->grouping.kind == HOLDER_PROCESS)
		return a < b ? -1 : a > b;
	if (w->grouping.kind == HOLDER_UID)
		return x->uid < y->uid ? -1 : x->uid > y->uid;
	const char *x_text = text_of(w, a, &x_length), *y_text = text_of(w, b, &y_length);
	int order = memcmp(x_text, y_text, x_length < y_length ? x_length : y_length);
	return order ? order : x_length < y_length ? -1 : x_length > y_length;
}

static int by_class(const void *a, const void *b, void *context)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = compare_tasks(context, x, y);
	return order ? order : x < y ? -1 : x > y;
}

/* Is the task in any class of this grouping? Who is in no guest or in no cgroup so deep is not. */
static bool belongs(const struct work *w, uint32_t task)
{
	size_t length;

	if (w->grouping.kind == HOLDER_PROCESS || w->grouping.kind == HOLDER_UID)
		return true;
	text_of(w, task, &length);
	return length > 0;
}

static struct holder *add_holder(struct work *w)
{
	struct holders *h = w->out;

	if (h->count == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct holder *more = realloc(h->list, room * sizeof(*more));
		if (!more)
			return NULL;
		h->list = more;
		w->room = room;
	}
	h->list[h->count] = (struct holder){ .kind = w->grouping.kind };
	return &h->list[h->count++];
}

/* Number the classes, and list their holders. The number of them; UINT32_MAX when memory is out. */
static uint32_t classify(struct work *w)
{
	uint32_t classes = 0, last = UINT32_MAX;
	size_t length;

	for (uint32_t i = 0; i < w->in->sample->tasks_count; i++)
		w->order[i] = i;
	qsort_r(w->order, w->in->sample->tasks_count, sizeof(*w->order), by_class, w);
	for (uint32_t i = 0; i < w->in->sample->tasks_count; i++) {
		uint32_t task = w->order[i];
		w->class_of_task[task] = CLASS_NONE;
		if (!belongs(w, task))
			continue;
		if (last == UINT32_MAX || compare_tasks(w, last, task)) {
			struct holder *h = add_holder(w);
			if (!h)
				return UINT32_MAX;
			h->task = task;
			if (w->grouping.kind == HOLDER_CGROUP_TREE) {
				text_of(w, task, &length);
				h->name_length = length;
			}
			classes++;
		}
		w->class_of_task[task] = classes - 1;
		w->out->list[w->out->count - 1].processes++;
		last = task;
	}
	return classes;
}

/* ---- their figures ---- */

static void fill_holder(struct holder *h, const struct class_estimate *e)
{
	h->frames = e->frames;
	h->potential = e->of[CLASS_CAPPED];
	h->self = e->of[CLASS_SELF];
	h->marginal = e->of[CLASS_MARGINAL];
	h->young = e->of[CLASS_YOUNG];
}

static void fill_host(struct holder *h, const struct estimates *e, const struct sample *s)
{
	*h = (struct holder){ .kind = HOLDER_HOST, .processes = s->tasks_count, .frames = e->frames,
			      .potential = e->of[TOTAL_CAPPED], .self = e->of[TOTAL_POLICY],
			      .marginal = e->of[TOTAL_CAPPED], .young = e->of[TOTAL_YOUNG] };
}

static void fill_survival(struct work *w, size_t first)
{
	const struct holders_input *in = w->in;
	size_t count = w->out->count - first;
	struct survival *sums = in->survival ? calloc(count + 1, sizeof(*sums)) : NULL;

	for (uint32_t task = 0; sums && task < in->sample->tasks_count; task++)
		if (w->class_of_task[task] < count)
			survival_join(&sums[w->class_of_task[task]], &in->survival[task]);
	for (size_t i = 0; sums && i < count; i++)
		w->out->list[first + i].stays = survival_estimate(&sums[i], in->seconds);
	free(sums);
}

/* The host's own come with those of the processes. */
static void fill_all(struct work *w, const struct estimates *e, size_t first)
{
	struct survival sum = { 0 };

	for (size_t i = first; i < w->out->count; i++)
		fill_holder(&w->out->list[i], &e->classes[i - first]);
	fill_survival(w, first);
	if (w->grouping.kind != HOLDER_PROCESS)
		return;
	fill_host(&w->out->list[0], e, w->in->sample);
	for (size_t i = 0; w->in->survival && i < w->in->sample->tasks_count; i++)
		survival_join(&sum, &w->in->survival[i]);
	w->out->list[0].stays = survival_estimate(&sum, w->in->seconds);
	w->out->theta = e->theta;
	w->out->frames = e->frames;
	w->out->crossing = e->of[TOTAL_CROSSING];
}

static int estimate_grouping(struct work *w)
{
	const struct holders_input *in = w->in;
	size_t first = w->out->count;
	uint32_t classes = classify(w);
	struct estimate_options options = { .class_of = w->class_of, .classes_count = classes, .domain_of = w->domain_of,
					    .max_page_sharing = in->max_page_sharing, .settled = in->settled,
					    .classes_only = w->grouping.kind != HOLDER_PROCESS };
	struct estimates e;

	if (classes == UINT32_MAX)
		return -ENOMEM;
	if (!classes && w->grouping.kind != HOLDER_PROCESS)
		return 0;
	for (uint32_t owner = 0; owner < in->sketch->owners; owner++) {
		uint32_t task = in->task_of[owner];
		w->class_of[owner] = task < in->sample->tasks_count ? w->class_of_task[task] : CLASS_NONE;
	}
	if (estimate_ordered(&e, &w->contents, &options, NULL))
		return in->sketch->failed ? -EINVAL : -ENOMEM;
	fill_all(w, &e, first);
	estimates_free(&e);
	return 0;
}

/* ---- cgroups, level by level ---- */

static unsigned int deepest(const struct sample *s)
{
	unsigned int most = 0;
	for (size_t i = 0; i < s->tasks_count; i++)
		while (prefix_length(sample_string(s, s->tasks[i].cgroup), most + 1))
			most++;
	return most;
}

/* The deepest level has nothing below it: there the cgroups themselves say it. */
static int estimate_trees(struct work *w)
{
	int rc = 0;

	for (unsigned int depth = 0, most = deepest(w->in->sample); !rc && depth < most; depth++) {
		w->grouping = (struct grouping){ HOLDER_CGROUP_TREE, depth };
		rc = estimate_grouping(w);
	}
	return rc;
}

static int number_domains(struct work *w)
{
	uint32_t *domain_of_task = w->class_of_task;
	struct owner_set set;

	if (owner_set_make(&set, w->in->sample, OWNER_DOMAIN))
		return -ENOMEM;
	for (size_t i = 0; i < set.count; i++)
		for (uint32_t k = 0; k < set.owners[i].count; k++)
			domain_of_task[set.tasks[set.owners[i].first + k]] = i;
	for (uint32_t owner = 0; owner < w->in->sketch->owners; owner++) {
		uint32_t task = w->in->task_of[owner];
		w->domain_of[owner] = task < w->in->sample->tasks_count ? domain_of_task[task] : 0;
	}
	int rc = crossing_estimate(w->in->sample, &set, &w->contents, w->in->task_of, &w->out->pairs, &w->out->pairs_count);
	owner_set_free(&set);
	return rc;
}

static int build(struct work *w)
{
	static const enum holder_kind kinds[] = { HOLDER_PROCESS, HOLDER_UID, HOLDER_DOMAIN, HOLDER_VM, HOLDER_CGROUP };
	int rc = add_holder(w) ? 0 : -ENOMEM;

	if (!rc)
		rc = number_domains(w);
	for (size_t i = 0; !rc && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		w->grouping = (struct grouping){ .kind = kinds[i] };
		rc = estimate_grouping(w);
	}
	return rc ? rc : estimate_trees(w);
}

int holders_build(struct holders *ret, const struct holders_input *in)
{
	size_t tasks = in->sample->tasks_count + 1, owners = (size_t)in->sketch->owners + 1;
	struct work w = {
		.in = in, .out = ret,
		.order = calloc(tasks, sizeof(uint32_t)), .class_of_task = calloc(tasks, sizeof(uint32_t)),
		.class_of = calloc(owners, sizeof(uint32_t)), .domain_of = calloc(owners, sizeof(uint32_t)),
	};

	*ret = (struct holders){ .settled = in->settled };
	ret->groups = (uint64_t)in->sketch->used[SKETCH_LIGHT] + in->sketch->used[SKETCH_HEAVY];
	bool ready = sketch_order_init(&w.contents, in->sketch) && w.order && w.class_of_task && w.class_of && w.domain_of;
	int rc = in->sketch->failed ? -EINVAL : ready ? build(&w) : -ENOMEM;
	sketch_order_free(&w.contents);
	free(w.order);
	free(w.class_of_task);
	free(w.class_of);
	free(w.domain_of);
	if (rc)
		holders_free(ret);
	return rc;
}

void holders_free(struct holders *h)
{
	free(h->list);
	free(h->pairs);
	*h = (struct holders){ 0 };
}

const char *holder_name(const struct holder *h, const struct sample *s, size_t *ret_length)
{
	const struct task *t = h->task < s->tasks_count ? &s->tasks[h->task] : NULL;
	const char *name = "";

	if (t && h->kind == HOLDER_PROCESS)
		name = t->comm;
	else if (t && h->kind != HOLDER_HOST && h->kind != HOLDER_UID)
		name = sample_string(s, h->kind == HOLDER_VM ? t->vm : h->kind == HOLDER_DOMAIN ? t->domain : t->cgroup);
	*ret_length = h->kind == HOLDER_CGROUP_TREE ? h->name_length : strlen(name);
	return name;
}
