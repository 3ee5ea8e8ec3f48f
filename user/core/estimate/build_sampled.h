/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of a sample of contents: the same questions as build.c answers from
 * all frames, by estimate.h, each answer with its 95 % interval.
 */
#ifndef KSMSCOPE_CORE_BUILD_SAMPLED_H
#define KSMSCOPE_CORE_BUILD_SAMPLED_H

#include "core/model.h"

/* Fill what a sample can tell; model->processes is there, zeroed. 0, or a negative errno. */
int build_sampled(struct model *model, const struct sample *sample);

/* What the areas tell of frames, in both kinds of look: after `merged` was counted. */
void build_count_areas(struct frame_counts *counts, const struct sample *sample);

#endif
