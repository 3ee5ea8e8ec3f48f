/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which contents are so frequent that the sample should follow them all? Asked
 * of some thousand pages of the targets, taken at random before the look.
 */
#ifndef KSMSCOPE_GATHER_SCOUTING_H
#define KSMSCOPE_GATHER_SCOUTING_H

#include "gather/place.h"
#include "gather/walk.h"

/* The places of the most frequent, at most `max` and at most a share `max_share` (0 … 1) of all pages. */
int scouting_frequent(struct walk *walk, struct places *places, double max_share, uint64_t *ret, uint32_t max,
		      uint32_t *ret_count, struct error *err);

#endif
