/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives the terminal back whatever happens to the program that draws on it.
 *
 * The program runs in a child; the parent does nothing but wait for it, so
 * that there is somebody left when it crashes or is killed with SIGKILL. The
 * shell waits for the parent: it has the terminal back before the prompt
 * comes. Signals that the parent gets are passed on, and it ends as the child
 * ended.
 */
#ifndef KSMSCOPE_TERM_GUARD_H
#define KSMSCOPE_TERM_GUARD_H

#include <stdbool.h>

#include "base/error.h"

struct guard;

/*
 * Continue in a child. Returns 0 there, with *ret set; the parent never
 * returns. Without a second process (fork failed) it is an error.
 */
int guard_start(struct guard **ret, const char *program, struct error *err);

/* The child says whether it holds the terminal now. */
void guard_holds(struct guard *guard, bool holds);

#endif
