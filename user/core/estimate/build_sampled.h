/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of a sample of contents: the same questions as build.c answers from
 * all frames, by estimate.h, each answer with its 95 % interval.
 */
#ifndef KSMSCOPE_CORE_BUILD_SAMPLED_H
#define KSMSCOPE_CORE_BUILD_SAMPLED_H

#include "core/estimate/survival.h"
#include "core/model.h"

/*
 * Fill what a sample can tell before anybody chose mappings; model->processes
 * and model->mappings are there, zeroed. 0, or a negative errno.
 */
int build_sampled(struct model *model, const struct sample *sample);

/* From sums over pages that were looked at twice, so many seconds apart. */
struct lasting build_lasting(const struct survival *sums, double seconds);

/* What the areas tell of frames, in both kinds of look: after `merged` was counted. */
void build_count_areas(struct frame_counts *counts, const struct sample *sample);

#endif
