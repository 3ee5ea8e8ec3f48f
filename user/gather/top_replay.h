/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moments (core/live/top.h) from a recording, for whoever takes them from the system otherwise. */
#ifndef KSMSCOPE_GATHER_TOP_REPLAY_H
#define KSMSCOPE_GATHER_TOP_REPLAY_H

#include "core/live/top_pack.h"
#include "gather/recording.h"

struct top_replay {
	struct recording *recording;	/* NULL: closed */
	struct top_order order;
};

/* Refused where it holds no moment. What is damaged in it, but not all: recording_defect(). */
int top_replay_open(struct top_replay *ret, const char *path, struct error *err);
void top_replay_close(struct top_replay *replay);

/* The moment of that number, below recording_count(). `ret` is cleared and filled. */
int top_replay_read(const struct top_replay *replay, size_t number, struct top_sample *ret, struct error *err);

#endif
