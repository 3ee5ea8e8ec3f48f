/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state directory: where the journals are, and the lock that lets only one
 * process at a time carry out or undo. Mode 0700, files 0600. The kernel frees
 * the lock when the last process that holds it ends; a guardian at work after
 * its program died still holds it.
 */
#ifndef KSMSCOPE_ACT_STATE_H
#define KSMSCOPE_ACT_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define JOURNAL_NAME_BYTES 64

struct state_dir {
	int dir;
	int lock;
	const char *path;		/* the caller's string, for messages */
	const char *owner;		/* part of the name of journals that are made; NULL: nobody's in particular */
};

/*
 * Open and lock; made when it is not there. A directory that others may write,
 * or that is another user's, is refused: its journals would be orders from
 * them. EXIT_FAILED while somebody else holds the lock; one who is putting things
 * back is given `wait_seconds` to end, any other at most one second of these.
 */
int state_open(struct state_dir *ret, const char *path, double wait_seconds, struct error *err);
/* Said by the holder of the lock: from now on nothing is changed any more, only restored. */
void state_restoring(const struct state_dir *state);
void state_close(struct state_dir *state);

/* Names of the journals, newest first. The caller frees *ret. */
/* Is this a journal of `owner` (NULL: of nobody in particular)? */
bool state_owns(const char *owner, const char *name);

int state_journals(const struct state_dir *state, char (**ret)[JOURNAL_NAME_BYTES], size_t *ret_count,
		   struct error *err);

#endif
