/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that takes long, done by a child at a low priority that hands its
 * result back through a pipe, while the parent goes on. Its memory goes with
 * it, and it ends when its parent does.
 */
#ifndef KSMSCOPE_GATHER_ERRAND_H
#define KSMSCOPE_GATHER_ERRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"

struct errand {
	pid_t child;			/* 0: none is under way */
	int pipe;
	struct text result;
};

enum errand_state { ERRAND_NONE, ERRAND_UNDER_WAY, ERRAND_DONE, ERRAND_FAILED };

/* In the child: write the result, bytes and all, into `ret`. False: it failed. */
typedef bool errand_work(void *context, struct text *ret);

/* False where no child can be had. Only when none is under way. */
bool errand_begin(struct errand *errand, errand_work *work, void *context);

/*
 * How far is it? Never waits. ERRAND_DONE once: errand->result holds what the
 * child wrote, *ret_cpu_seconds what it took. ERRAND_FAILED once, likewise.
 */
enum errand_state errand_look(struct errand *errand, double *ret_cpu_seconds);

/* Descriptor to wait for; -1: none is under way. */
int errand_fd(const struct errand *errand);

/* Ends it where it is, and frees the result. */
void errand_end(struct errand *errand);

#endif
