/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recordings: samples of any kind, one compressed frame each, so that any one
 * can be read without the others. What is inside a frame is the caller's;
 * `kind` names it, and a preamble tells how to read it.
 *
 * Every frame has a checksum for its header and one for its bytes. A file
 * that was closed ends with an index; one that was torn off has none and is
 * read frame by frame up to the tear. A frame that is damaged is named and
 * costs itself alone.
 *
 * The format (all numbers little-endian): docs/recording.md.
 */
#ifndef KSMSCOPE_GATHER_RECORDING_H
#define KSMSCOPE_GATHER_RECORDING_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* ---- writing ---- */

struct recorder;

/*
 * Create or replace a recording, readable by its owner alone. A file that is
 * there and is no recording is left alone.
 */
int recorder_open(struct recorder **ret, const char *path, const char *kind, const struct text *preamble,
		  struct error *err);

/* Add a sample. `time_ns` is CLOCK_REALTIME. After an error nothing more is written. */
int recorder_add(struct recorder *recorder, int64_t time_ns, const struct text *payload, struct error *err);

/* Write the index and give everything back; also after an error. NULL is fine. */
int recorder_close(struct recorder *recorder, struct error *err);

/* ---- reading ---- */

struct recording;

int recording_open(struct recording **ret, const char *path, const char *kind, struct error *err);
void recording_close(struct recording *recording);

const void *recording_preamble(const struct recording *recording, size_t *ret_length);

/* Samples, and the time of each. */
size_t recording_count(const struct recording *recording);
int64_t recording_time(const struct recording *recording, size_t number);

/*
 * One sample. *ret is valid until the next read. The error of a damaged one
 * says which it is and where it lies in the file.
 */
int recording_read(struct recording *recording, size_t number, const void **ret, size_t *ret_length,
		   struct error *err);

/* What is wrong with the file as a whole (torn, parts damaged); "" where nothing is. */
const char *recording_defect(const struct recording *recording);

#endif
