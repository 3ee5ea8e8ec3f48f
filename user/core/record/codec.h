/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One description of a struct for both ways, writing it into a recording and
 * reading it back, by core/live/pack.h. Each function writes what it is given,
 * or reads what was written, and returns it:
 *
 *	task->uid = code_below(c, task->uid, UINT32_MAX);
 *
 * Reading is bounded: what does not fit is 0, and the codec has failed.
 */
#ifndef KSMSCOPE_CORE_CODEC_H
#define KSMSCOPE_CORE_CODEC_H

#include "core/live/pack.h"

struct codec {
	struct text *out;		/* writing; NULL: reading */
	struct unpack in;
};

static inline bool code_reads(const struct codec *c)
{
	return !c->out;
}

static inline bool code_failed(const struct codec *c)
{
	return c->out ? c->out->failed : c->in.failed;
}

/* The recording says what can't be: nothing more is read. */
void code_refuse(struct codec *codec);

uint64_t code_u64(struct codec *codec, uint64_t number);
int64_t code_i64(struct codec *codec, int64_t number);
/* At most `most`. */
uint64_t code_below(struct codec *codec, uint64_t number, uint64_t most);
bool code_bool(struct codec *codec, bool value);
double code_double(struct codec *codec, double number);
struct value code_value(struct codec *codec, struct value value);
void code_string(struct codec *codec, char *string, size_t size);

/*
 * How many of something follow, of which each takes a byte at least: a count
 * that can't be true gets no memory.
 */
size_t code_count(struct codec *codec, size_t count);

#endif
