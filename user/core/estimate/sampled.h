/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a look that samples contents adds to a sample, instead of its frames.
 * The counts here are exact: every frame was met. Only what is equal to what is
 * known of a sample alone. Owners of the sketch are indices of tasks, and behind
 * them those mappings that are large enough to be told apart (or secret); what
 * is left of a task is owned by the task. A frame that several of them map
 * belongs to the first.
 *
 * Frames full of zeros are in the sketch as one content that is followed with
 * probability 1. What could not be read is in it as contents of their own.
 */
#ifndef KSMSCOPE_CORE_SAMPLED_H
#define KSMSCOPE_CORE_SAMPLED_H

#include "core/estimate/sketch.h"
#include "core/estimate/survival.h"

struct sampled_task {
	uint64_t candidate, zero, huge;	/* frames met here first */
	uint32_t id;			/* by which ages.h knows it */
	struct survival stays;		/* of its pages that were looked at twice; a look's alone */
};

/* A mapping that is an owner of its own. */
struct sampled_area {
	uint32_t area, task;		/* indices in the sample */
	uint64_t candidate, zero, huge;	/* frames met here first */
};

struct sampled {
	struct sketch sketch;
	struct sampled_task *tasks;	/* one per sample.tasks */
	size_t tasks_count;
	struct sampled_area *areas;	/* ascending; owner tasks_count + i of the sketch; a sweep has none */
	size_t areas_count, areas_capacity;
	uint64_t candidate, zero, zero_in_huge, merged, huge, unread, multi;	/* as in model.h's frame_counts */
	uint64_t hashed;		/* frames that got the hash of the whole page */
	uint32_t followed;		/* frequent contents, zeros included */
	bool told;			/* the pages of kept contents were looked at twice: the sketch knows young frames */
};

/* Zeroed, with an empty sketch. Refused as sketch_init() refuses. */
int sampled_new(struct sampled **ret, size_t tasks, const struct sketch_options *options, struct error *err);
/* Room for so many tasks; the new ones are zeroed. 0 or -ENOMEM. */
int sampled_grow(struct sampled *sampled, size_t tasks);
/* The mapping becomes an owner: the one behind all others. 0 or -ENOMEM. */
int sampled_add_area(struct sampled *sampled, uint32_t area, uint32_t task);

/* Owners that there may be, and the task of each. */
static inline size_t sampled_owners(const struct sampled *s)
{
	return s->tasks_count + s->areas_count;
}

static inline uint32_t sampled_task_of(const struct sampled *s, size_t owner)
{
	return owner < s->tasks_count ? owner : s->areas[owner - s->tasks_count].task;
}

void sampled_free(struct sampled *sampled);

#endif
