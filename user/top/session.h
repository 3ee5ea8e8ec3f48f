/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One sample after the other, each with its model: taken from the system and
 * perhaps recorded, or replayed. Whoever shows them can't tell the difference.
 */
#ifndef KSMSCOPE_TOP_SESSION_H
#define KSMSCOPE_TOP_SESSION_H

#include "core/live/history.h"
#include "core/live/top_model.h"
#include "gather/top.h"
#include "sys/sysroot.h"
#include "top/options.h"

struct session;

int session_open(struct session **ret, const struct top_settings *settings, struct error *err);
/* Also after an error. It can fail: a recording is finished here. */
int session_close(struct session *session, struct error *err);

enum session_state {
	SESSION_SAMPLE,			/* there is a new sample and its model */
	SESSION_END,			/* the recording has no more */
};

/*
 * The next sample. A damaged one of a recording is left out, which
 * session_message() tells.
 */
int session_next(struct session *session, enum session_state *ret, struct error *err);

/* Measure the potential from now on; nothing for a recording. */
void session_ask_potential(struct session *session);

/* Of a recording: back to sample `number`, from 0, with the history that led to it. */
int session_seek(struct session *session, size_t number, struct error *err);

/* Work between samples; when to call again, CLOCK_MONOTONIC ns, INT64_MAX: not at all. */
void session_tick(struct session *session, int64_t *ret_next_ns);

const struct top_model *session_model(const struct session *session);
const struct history *session_history(const struct session *session);
/* Number of the sample on show, from 0, and how many there are; of the living system 0 of 0. */
size_t session_at(const struct session *session, size_t *ret_count);
/* "" where there is nothing to say. */
const char *session_message(const struct session *session);
/* NULL for a recording. */
const struct sysroot *session_root(const struct session *session);

#endif
