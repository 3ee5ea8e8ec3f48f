/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Undoing by journals that are there, for those who hold the lock already and those who don't. For act/ alone. */
#ifndef KSMSCOPE_ACT_UNDO_H
#define KSMSCOPE_ACT_UNDO_H

#include "act/apply.h"
#include "act/restore.h"
#include "act/state.h"

/* A guardian may be at work still, for a program that was killed a moment ago. */
#define UNDO_GUARDIAN_SECONDS 30

/* `filter` NULL: everything; `owner` NULL: journals of everybody. */
int undo_journals(const struct sysroot *root, const struct state_dir *state, const struct restore_filter *filter,
		  const char *owner, struct undo_report *report, struct error *err);

/* act_undo() for the journals of `owner`. */
int undo_as(const struct sysroot *root, const char *state_dir, const pid_t *pids, size_t count, const char *owner,
	    struct undo_report *ret, struct error *err);

/* Refused where a journal holds knobs that an earlier run could not restore; what is settled is removed. */
int check_left_overs(const struct sysroot *root, const struct state_dir *state, struct error *err);

#endif
