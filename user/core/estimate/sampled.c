// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/sampled.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sampled_new(struct sampled **ret, size_t tasks, const struct sketch_options *options, struct error *err)
{
	struct sampled *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (!s || sampled_grow(s, tasks))
		rc = fail(err, EXIT_FAILED, "out of memory: look at fewer processes at a time");
	else
		rc = sketch_init(&s->sketch, options, err);
	if (!rc) {
		*ret = s;
		return 0;
	}
	if (s)
		free(s->tasks);
	free(s);
	return rc;
}

int sampled_grow(struct sampled *s, size_t tasks)
{
	struct sampled_task *grown = reallocarray(s->tasks, tasks + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	if (tasks >= s->tasks_count)
		memset(grown + s->tasks_count, 0, (tasks + 1 - s->tasks_count) * sizeof(*grown));
	s->tasks = grown;
	s->tasks_count = tasks;
	return 0;
}

int sampled_add_area(struct sampled *s, uint32_t area, uint32_t task)
{
	if (s->areas_count == s->areas_capacity) {
		size_t capacity = 2 * s->areas_capacity + 64;
		struct sampled_area *grown = reallocarray(s->areas, capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->areas = grown;
		s->areas_capacity = capacity;
	}
	s->areas[s->areas_count++] = (struct sampled_area){ .area = area, .task = task };
	return 0;
}

void sampled_free(struct sampled *s)
{
	if (!s)
		return;
	sketch_free(&s->sketch);
	free(s->areas);
	free(s->tasks);
	free(s);
}
