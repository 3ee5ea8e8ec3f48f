/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last minutes, for sparklines: every host field, and of each process what
 * is worth a line. Bounded: with many processes it reaches less far back.
 */
#ifndef KSMSCOPE_CORE_HISTORY_H
#define KSMSCOPE_CORE_HISTORY_H

#include "core/live/top_model.h"

#define HISTORY_POINTS 240

enum history_line {
	LINE_ANON,
	LINE_MERGED,
	LINE_COW,
	LINE_FAULTS,
	HISTORY_LINES
};

extern const enum field history_fields[HISTORY_LINES];

struct history;

/* NULL when memory is out. `process_bytes` bounds what is kept of processes. */
struct history *history_new(size_t process_bytes);
void history_free(struct history *history);

/* Add a moment. Memory running out costs that moment's processes. */
void history_add(struct history *history, const struct top_model *model);

/*
 * The last `count` values of a host field, or of a process's line, oldest
 * first; NAN where nothing is known. Returns how many there are; they end at
 * ret[count - 1] and what is before them is NAN.
 */
size_t history_host(const struct history *history, enum field f, float *ret, size_t count);
size_t history_process(const struct history *history, pid_t pid, uint64_t start_ticks, enum history_line line,
		       float *ret, size_t count);

#endif
