/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers and strings as bytes, the same on every machine: 7 bits of a number
 * per byte, low ones first. Taking apart is bounded: what does not fit fails,
 * and stays failed.
 */
#ifndef KSMSCOPE_CORE_PACK_H
#define KSMSCOPE_CORE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "core/known.h"

void pack_u64(struct text *out, uint64_t number);
void pack_i64(struct text *out, int64_t number);
void pack_double(struct text *out, double number);
void pack_bytes(struct text *out, const void *bytes, size_t length);
void pack_string(struct text *out, const char *string);
void pack_value(struct text *out, struct value value);

struct unpack {
	const unsigned char *at, *end;
	bool failed;
};

/* 0, "" and nothing where it failed. */
uint64_t unpack_u64(struct unpack *in);
int64_t unpack_i64(struct unpack *in);
double unpack_double(struct unpack *in);
/* A number that is at most `most`; else it fails. */
uint64_t unpack_below(struct unpack *in, uint64_t most);
/* Bytes inside the input. */
const void *unpack_bytes(struct unpack *in, size_t *ret_length);
/* Fails where the string does not fit into `size`, terminator included. */
void unpack_string(struct unpack *in, char *ret, size_t size);
struct value unpack_value(struct unpack *in);

#endif
