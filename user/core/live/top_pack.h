/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A moment (top.h) as bytes and back, for recordings. Facts are written in
 * the order of our tables; the preamble of a recording names them, so that a
 * reader of another version finds what it knows and leaves the rest.
 */
#ifndef KSMSCOPE_CORE_TOP_PACK_H
#define KSMSCOPE_CORE_TOP_PACK_H

#include "base/error.h"
#include "base/text.h"
#include "core/live/top.h"

/* The kind of recording that holds such moments. */
#define TOP_RECORDING "ksmtop/1"

/* Where each fact of a recording belongs here. */
struct top_order {
	uint16_t fact[2 * TOP_FACTS];	/* enum top_fact, TOP_FACTS: unknown here */
	size_t facts;
	uint16_t task[2 * TASK_FACTS];
	size_t task_count;
	uint16_t kind[2 * FAULT_KINDS];
	size_t kinds;
};

void top_pack_preamble(struct text *out);
int top_unpack_preamble(struct top_order *ret, const void *bytes, size_t length, struct error *err);

void top_pack(struct text *out, const struct top_sample *sample);
/* `ret` is cleared and filled; an error where the bytes are no moment. */
int top_unpack(struct top_sample *ret, const struct top_order *order, const void *bytes, size_t length,
	       struct error *err);

#endif
