/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One instance, and how it is asked: a lock and a Unix socket in the state
 * directory. Mode 0700 and 0600, and who connects is asked for his uid all the
 * same (SO_PEERCRED): only root and our own uid get an answer.
 *
 * A request is one line, "status text", "explain json" and the like; the
 * answer is all that follows until the end.
 */
#ifndef KSMSCOPE_POLICY_SOCKET_H
#define KSMSCOPE_POLICY_SOCKET_H

#include "base/error.h"
#include "base/text.h"

struct instance {
	int lock, socket;		/* -1: none */
	char path[108];			/* of the socket: what an address has room for */
};

/* EXIT_FAILED where another one runs. */
int instance_open(struct instance *ret, const char *state_dir, struct error *err);
void instance_close(struct instance *instance);

/* Answer those who are waiting; each has a second for his request and its answer. `answer` gets the line. */
typedef void instance_answer(void *context, const char *request, struct text *ret);
void instance_serve(const struct instance *instance, instance_answer *answer, void *context);

/* The other side: ask, and write the answer to standard output. */
int instance_ask(const char *state_dir, const char *request, struct error *err);

#endif
