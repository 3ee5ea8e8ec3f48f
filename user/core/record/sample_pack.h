/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sample as bytes and back, for recordings. What follows from it is the same
 * on every machine, to the byte.
 *
 * Hashes are not in it. In their place stand numbers: of frames, in the order in
 * which their contents were met first; of a sample of contents, in the order
 * of the hashes, since an estimate is summed up in that order. Numbers say which
 * frames are equal and nothing else: two recordings, or a recording and a known
 * page, can't be held against each other.
 *
 * Of names there are only those of the targets. Docs/recording.md.
 */
#ifndef KSMSCOPE_CORE_SAMPLE_PACK_H
#define KSMSCOPE_CORE_SAMPLE_PACK_H

#include "base/error.h"
#include "base/text.h"
#include "core/sample.h"

/* The kind of recording that holds such samples; the number rises with their layout. */
#define SAMPLE_RECORDING "ksm-advise/1"

/*
 * As gathered, before model_build(). `named_missing`: as gather_sample() said.
 * 0 or -ENOMEM.
 */
int sample_pack(struct text *out, const struct sample *sample, bool named_missing);

/* Fills `ret`, which the caller frees; after an error there is nothing to free. Refused where the bytes are no sample. */
int sample_unpack(struct sample *ret, bool *ret_named_missing, const void *bytes, size_t length, struct error *err);

#endif
