// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/crossing.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/estimate/estimate.h"
#include "core/estimate/sampled.h"

_Static_assert(SHARING_OWNERS <= ESTIMATE_MATRIX_MAX, "all that are chosen fit into one matrix");

struct crossing {
	const struct sample *sample;
	const struct owner_set *owners;
	const struct sketch *sketch;
	const uint32_t *task_of;	/* per owner in the sketch */
	uint32_t chosen[SHARING_CHOSEN];	/* indices of owners */
	uint32_t count;
	uint32_t *class_of;		/* per owner in the sketch: its owner's place in `chosen`, or CLASS_NONE */
	struct estimate *both;		/* count × count */
};

static int choose(struct crossing *c)
{
	const struct owner_set *set = c->owners;
	struct owner_counts *counts = calloc(set->count + 1, sizeof(*counts));
	uint64_t *frames = calloc(c->sample->tasks_count + 1, sizeof(*frames));
	int rc = counts && frames ? 0 : -ENOMEM;

	for (uint32_t owner = 0; !rc && owner < c->sketch->owners; owner++)
		if (c->task_of[owner] < c->sample->tasks_count)
			frames[c->task_of[owner]] += sketch_owner_frames(c->sketch, owner, SKETCH_LIGHT) +
						     sketch_owner_frames(c->sketch, owner, SKETCH_HEAVY);
	for (size_t i = 0; !rc && i < set->count; i++)
		for (uint32_t k = 0; k < set->owners[i].count; k++)
			counts[i].candidate += frames[set->tasks[set->owners[i].first + k]];
	if (!rc)
		c->count = sharing_largest(c->chosen, counts, set->count);
	free(frames);
	free(counts);
	return rc;
}

static int estimate(struct crossing *c, struct sketch_order *order)
{
	const struct owner_set *set = c->owners;

	size_t tasks = c->sample->tasks_count;
	uint32_t *class_of_task = calloc(tasks + 1, sizeof(*class_of_task));
	c->class_of = calloc((size_t)c->sketch->owners + 1, sizeof(*c->class_of));
	c->both = calloc((size_t)c->count * c->count + 1, sizeof(*c->both));
	int rc = class_of_task && c->class_of && c->both ? 0 : -ENOMEM;
	for (size_t i = 0; !rc && i < tasks; i++)
		class_of_task[i] = CLASS_NONE;
	for (uint32_t d = 0; !rc && d < c->count; d++) {
		const struct owner *owner = &set->owners[c->chosen[d]];
		for (uint32_t k = 0; k < owner->count; k++)
			class_of_task[set->tasks[owner->first + k]] = d;
	}
	for (uint32_t i = 0; !rc && i < c->sketch->owners; i++)
		c->class_of[i] = c->task_of[i] < tasks ? class_of_task[c->task_of[i]] : CLASS_NONE;
	if (!rc && estimate_matrix(c->both, order, c->class_of, c->count, NULL))
		rc = -ENOMEM;
	free(class_of_task);
	return rc;
}

static bool holds_zero(const struct crossing *c, uint32_t domain)
{
	const struct owner *owner = &c->owners->owners[c->chosen[domain]];
	for (uint32_t k = 0; c->sample->sampled && k < owner->count; k++)
		if (c->sample->sampled->tasks[c->owners->tasks[owner->first + k]].zero)
			return true;
	return false;
}

static uint64_t whole(double frames)
{
	return frames > 0 ? (uint64_t)frames : 0;
}

/* Zeros are one content, in the sample for certain; who shares them is no question. */
static struct sharing pair_of(const struct crossing *c, uint32_t a, uint32_t b)
{
	const struct owner_set *set = c->owners;
	const struct estimate *both = &c->both[a * c->count + b];
	double zero = holds_zero(c, a) && holds_zero(c, b);
	uint32_t x = set->tasks[set->owners[c->chosen[a]].first], y = set->tasks[set->owners[c->chosen[b]].first];

	return (struct sharing){ .a = x < y ? x : y, .b = x < y ? y : x, .frames = whole(round(both->value - zero)),
				 .crosses = owner_crosses(c->sample, x, y), .low = whole(floor(both->low - zero)),
				 .high = whole(ceil(both->high - zero)) };
}

static int list_pairs(const struct crossing *c, struct sharing **ret, size_t *ret_count)
{
	*ret_count = 0;
	*ret = calloc((size_t)c->count * c->count / 2 + 1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	for (uint32_t a = 0; a < c->count; a++)
		for (uint32_t b = a + 1; b < c->count; b++) {
			struct sharing pair = pair_of(c, a, b);
			if (pair.frames)
				(*ret)[(*ret_count)++] = pair;
		}
	sharing_sort(*ret, *ret_count);
	return 0;
}

int crossing_estimate(const struct sample *s, const struct owner_set *owners, struct sketch_order *order,
		      const uint32_t *task_of, struct sharing **ret, size_t *ret_count)
{
	struct crossing c = { .sample = s, .owners = owners, .sketch = order->sketch, .task_of = task_of };
	int rc = choose(&c);

	if (!rc)
		rc = estimate(&c, order);
	if (!rc)
		rc = list_pairs(&c, ret, ret_count);
	free(c.class_of);
	free(c.both);
	return rc;
}
