/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Act for as long as a daemon lives: one plan after the other, one journal,
 * one guardian. The way back of a knob is the value that was found before the
 * first write, however often it is written.
 *
 * Everything is put back by keeper_close(); by the guardian when the program
 * is killed or not heard of for `hang_seconds`; and by keeper_restore() where
 * the guardian was killed with it. A daemon that is stopped for longer (by a
 * debugger, a frozen cgroup) learns at its next call that it was taken for
 * dead.
 */
#ifndef KSMSCOPE_ACT_KEEP_H
#define KSMSCOPE_ACT_KEEP_H

#include "act/apply.h"

struct keeper;

/*
 * Lock, restore what an earlier run of `owner` left (its report, to be freed,
 * goes to *ret_left), make the journal, start the guardian. Call it while the
 * process has one thread. EXIT_FAILED while somebody else carries out a plan.
 */
int keeper_open(struct keeper **ret, const struct sysroot *root, const char *state_dir, const char *owner,
		double hang_seconds, struct undo_report *ret_left, struct error *err);

/*
 * Carry a plan out. What is refused is said in `results`, one per change, and
 * is no error. An empty plan is a sign of life. Error: the guardian is gone;
 * what there was to put back has been, by it or by us, and nothing more can be
 * done than keeper_close().
 */
int keeper_carry_out(struct keeper *keeper, const struct plan *plan, struct change_result *results, struct error *err);

/* Put everything back, and take opt-ins back unless they are kept. Error: something is stuck. NULL is fine. */
int keeper_close(struct keeper *keeper, bool keep_opt_ins, struct error *err);

/* What runs of `owner` left that have ended: put it back. As act_undo(), which does it for all and everybody. */
int keeper_restore(const struct sysroot *root, const char *state_dir, const char *owner, struct undo_report *ret,
		   struct error *err);

#endif
