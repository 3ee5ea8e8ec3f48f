/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pass: look at the pages of the targets, and keep a sample of their
 * contents. One pass is a look (sampling_look()); passes one after the other
 * are a sweep (sweep.h), where each takes over from the one before what is
 * frequent and how old pages are.
 */
#ifndef KSMSCOPE_GATHER_SAMPLING_H
#define KSMSCOPE_GATHER_SAMPLING_H

#include "base/error.h"
#include "core/estimate/ages.h"
#include "core/estimate/scout.h"
#include "gather/options.h"
#include "probe/content.h"
#include "sys/sysroot.h"

struct sampling;

/*
 * Every page of every task, once: fills sample->sampled and the areas' counts.
 * What is most frequent is found beforehand, from some thousand pages at
 * random. *ret is there whatever comes back, for sampling_end().
 */
int sampling_look(struct sampling **ret, struct sample *sample, const struct sysroot *root, struct content *content,
		  const struct gather_options *options, struct error *err);

/*
 * The pages of kept contents once more, some time later, where
 * options->settle_seconds asked for it: those that hold something else are
 * young. Sets sampled->told.
 */
int sampling_look_again(struct sampling *sampling, struct error *err);

/* ---- pass by pass ---- */

/* Owners in the sketch, per task: of frames that it alone maps, and of those that others map too. */
#define SAMPLING_OWNERS 2

/* The task that an owner of a pass's sketch belongs to, and back. */
static inline uint32_t sampling_task(uint32_t owner)
{
	return owner / SAMPLING_OWNERS;
}

static inline uint32_t sampling_owner(uint32_t task, bool exclusive)
{
	return task * SAMPLING_OWNERS + !exclusive;
}

/* What a pass takes over. */
struct sampling_past {
	uint64_t run, phase;		/* of all passes: places are the same in each */
	struct ages *ages;		/* pages that are followed; NULL: none */
	uint32_t settle;		/* pages that are younger are young, in the unit of `ages` */
	bool told;			/* `ages` has seen a pass with this θ: who is not in it is young */
	struct scout *scout;		/* sees this pass's places, for the next one; NULL: nobody asks */
	const uint64_t *frequent, *frequent_before;	/* to follow now; those followed in the pass before */
	uint32_t frequent_count, frequent_before_count;
	bool scouted;			/* `frequent` is known; else it is found beforehand */
};

/* Begin a pass over the tasks of `sample`, which may still grow. Fills sample->sampled. */
int sampling_begin(struct sampling **ret, struct sample *sample, const struct sysroot *root, struct content *content,
		   const struct gather_options *options, const struct sampling_past *past, struct error *err);
/* Look at the tasks from the first_task'th on. */
int sampling_walk(struct sampling *sampling, size_t first_task, struct error *err);
/* The frequent contents that this pass follows, at most SKETCH_HEAVY_MAX. Valid until the end. */
const uint64_t *sampling_frequent(const struct sampling *sampling, uint32_t *ret_count);
/* Bytes of contents that it read. */
uint64_t sampling_bytes(const struct sampling *sampling);
void sampling_end(struct sampling *sampling);

#endif
