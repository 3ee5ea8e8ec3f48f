/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the duplicates of a sample of contents lie: mapping by mapping for the
 * large ones, and for the small ones of each process together (`rests`); and
 * what merging some of the mappings frees.
 *
 * A frame belongs to the mapping through which it was met first. Which mappings
 * are worth it is decided by the same sample that tells what merging these
 * frees, so a mapping at the very edge of being worth it is in more often when
 * its estimate came out high. It is worth next to nothing either way.
 */
#ifndef KSMSCOPE_CORE_MAPPED_H
#define KSMSCOPE_CORE_MAPPED_H

#include "core/count/owner.h"
#include "core/estimate/sketch_order.h"

/* Mappings that are told one by one: those with the most frames. */
#define MAPPED_MAX 4096

/* Fill model->mappings and model->rests, from the sample's sketch in order. 0 or -ENOMEM. */
int mapped_estimate(struct model *model, const struct sample *sample, struct sketch_order *order);

/*
 * What the engine frees at its settings, inside each trust domain and in all,
 * when the mappings of model->worthwhile are opted in; of the small ones of a
 * process all are or none. 0 or -ENOMEM.
 */
int mapped_mergeable(struct model *model, const struct sample *sample);

#endif
