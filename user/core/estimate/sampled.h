/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a look that samples contents adds to a sample, instead of its frames.
 * The counts here are exact: every frame was met. Only what is equal to what is
 * known of a sample alone. Owners of the sketch are indices of tasks; a frame
 * that several of them map belongs to the first.
 *
 * Frames full of zeros are in the sketch as one content that is followed with
 * probability 1. What could not be read is in it as contents of their own.
 */
#ifndef KSMSCOPE_CORE_SAMPLED_H
#define KSMSCOPE_CORE_SAMPLED_H

#include "core/estimate/sketch.h"

struct sampled_task {
	uint64_t candidate, zero, huge;	/* frames met here first */
	uint32_t id;			/* by which ages.h knows it */
};

struct sampled {
	struct sketch sketch;
	struct sampled_task *tasks;	/* one per sample.tasks */
	size_t tasks_count;
	uint64_t candidate, zero, zero_in_huge, merged, huge, unread, multi;	/* as in model.h's frame_counts */
	uint64_t hashed;		/* frames that got the hash of the whole page */
	uint32_t followed;		/* frequent contents, zeros included */
	bool told;			/* the pages of kept contents were looked at twice: the sketch knows young frames */
};

/* Zeroed, with an empty sketch. Refused as sketch_init() refuses. */
int sampled_new(struct sampled **ret, size_t tasks, const struct sketch_options *options, struct error *err);
/* Room for so many tasks; the new ones are zeroed. 0 or -ENOMEM. */
int sampled_grow(struct sampled *sampled, size_t tasks);
void sampled_free(struct sampled *sampled);

#endif
