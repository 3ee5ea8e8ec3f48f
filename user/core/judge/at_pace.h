/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What would the running engine have merged of these targets, at its present
 * settings and where their pages are written as often as was seen? standing.h
 * has the arithmetic and what it does not know.
 */
#ifndef KSMSCOPE_CORE_AT_PACE_H
#define KSMSCOPE_CORE_AT_PACE_H

#include "core/model.h"

/* With smart_scan the answer is for an engine that has been at it for so many seconds (standing.h, stage 4). */
#define AT_PACE_SMART_SECONDS 3600.0

/* Pages that the engine does not track yet, of mappings that it could take. */
uint64_t at_pace_untracked(const struct sample *sample);

/* Fills duplicates.paced and at_pace from the rest of the model. 0 or -ENOMEM. */
int at_pace_count(struct model *model, const struct sample *sample);

#endif
