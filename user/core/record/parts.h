/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a packed sample, each in a file of its own. */
#ifndef KSMSCOPE_CORE_RECORD_PARTS_H
#define KSMSCOPE_CORE_RECORD_PARTS_H

#include "core/record/codec.h"
#include "core/sample.h"

/*
 * Strings that are static in a sample that was gathered and have to be kept in
 * one that was read: room for all of them, as much as there is input.
 */
struct keeper {
	char *bytes;
	size_t used, room;
};

/* NULL stays NULL. */
const char *code_static(struct codec *codec, struct keeper *keeper, const char *string);

/* Frames, extents, what is hidden: 0 or -ENOMEM. What is read is checked against itself. */
int code_frames(struct codec *codec, struct sample *sample);

/* sample->sampled, which is there: 0 or -ENOMEM. */
int code_sampled(struct codec *codec, struct sample *sample);

/* sample->calibration and sample->heat, each where it is there: 0 or -ENOMEM. */
int code_calibration(struct codec *codec, struct sample *sample);
int code_heat(struct codec *codec, struct sample *sample, struct keeper *keeper);

/*
 * The rank of each of `values` among them, from 0, equal ones alike, in their
 * place; *ret_count: how many different ones. 0 or -ENOMEM.
 */
int ranks_of(uint64_t *values, size_t count, size_t *ret_count);

#endif
