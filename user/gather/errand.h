/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that takes long, done by a child at a low priority that hands what it
 * finds back through a pipe, at its end or bit by bit, while the parent goes
 * on. Its memory goes with it, and it ends when its parent does.
 */
#ifndef KSMSCOPE_GATHER_ERRAND_H
#define KSMSCOPE_GATHER_ERRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"

/* Its child's priority: for what somebody waits for, and for what goes on for ever beside everything else. */
#define ERRAND_NICE_SOON 10
#define ERRAND_NICE_LAST 19

struct errand {
	pid_t child;			/* 0: none is under way */
	int pipe;
	struct text result;		/* what came so far and errand_used() did not take away */
};

enum errand_state { ERRAND_NONE, ERRAND_UNDER_WAY, ERRAND_DONE, ERRAND_FAILED };

/* In the child: what is said is handed over at the end of the work, or by errand_hand_over(). */
struct errand_voice {
	struct text text;
	int fd;
};

/* In the child. False: it failed; what it said until then is handed over all the same. */
typedef bool errand_work(void *context, struct errand_voice *voice);

/* In the child: hand over what was said since the last time. Ends the child where nobody listens any more. */
void errand_hand_over(struct errand_voice *voice);

/* False where no child can be had, with errno. Only when none is under way. */
bool errand_begin(struct errand *errand, int nice, errand_work *work, void *context);

/*
 * How far is it? Never waits. ERRAND_DONE once: errand->result holds what the
 * child said, *ret_cpu_seconds what it took. ERRAND_FAILED once, likewise.
 */
enum errand_state errand_look(struct errand *errand, double *ret_cpu_seconds);

/* Take the first bytes of the result away: they were heeded. */
void errand_used(struct errand *errand, size_t length);

/* Descriptor to wait for; -1: none is under way. */
int errand_fd(const struct errand *errand);

/* Ends it where it is, and frees the result. */
void errand_end(struct errand *errand);

#endif
