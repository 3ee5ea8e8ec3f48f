/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that makes the changes and puts them back. It has a session of
 * its own and ignores what a terminal or a service manager sends, so that it
 * survives the program whose orders it takes, and undoes the lot when the
 * program ends without having said so. It keeps the lock until then.
 *
 * Not covered: SIGKILL to the guardian and the program at once, as to a whole
 * control group. The journal is left then.
 */
#ifndef KSMSCOPE_ACT_GUARDIAN_H
#define KSMSCOPE_ACT_GUARDIAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "act/journal.h"
#include "act/result.h"
#include "core/judge/plan.h"
#include "sys/sysroot.h"

struct guardian {
	pid_t pid;
	int socket;
	char journal[JOURNAL_NAME_BYTES];
};

/*
 * Fork it. Returns when it has made its journal and stands ready. `plan` NULL:
 * guardian_plan() tells it what is planned, as often as wanted. A program that
 * is not heard of for `hang_seconds` (0: for ever) counts as gone.
 */
int guardian_start(struct guardian *ret, const struct sysroot *root, const struct state_dir *state,
		   const struct plan *plan, double hang_seconds, struct error *err);

/* A new plan in place of the last one; a sign of life, too. Of knobs it knows that they are written again and again. */
int guardian_plan(struct guardian *guardian, const struct plan *plan, bool *ret_lost, struct error *err);

/*
 * Have it make the changes from `first` up to `end`. `results` is indexed as
 * the plan. Where the guardian is gone `*ret_lost` is set, with an error.
 */
int guardian_carry_out(struct guardian *guardian, size_t first, size_t end, struct change_result *results,
		       bool *ret_lost, struct error *err);

/* Have it put things back and end. Error: something is stuck, or the guardian is gone. */
int guardian_finish(struct guardian *guardian, bool keep_opt_ins, struct change_result *results, bool *ret_lost,
		    struct error *err);

/* Hang up, which without guardian_finish() makes it take everything back, and wait for its end. */
void guardian_end(struct guardian *guardian);

#endif
