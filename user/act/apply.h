/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carry a plan out, watch it converge, and put things back. The only room that
 * changes anything. Order: journal (synced), then write, then read back.
 *
 *	act_begin()   start the guardian (a child that restores if we die), make the journal
 *	act_carry_out()  the plan's changes, in order
 *	act_wait()    until the engine has converged, a deadline, or `*stop`
 *	act_finish()  restore the knobs; keep the opt-ins (their journal stays for --undo), or
 *	              take them back too
 */
#ifndef KSMSCOPE_ACT_APPLY_H
#define KSMSCOPE_ACT_APPLY_H

#include <signal.h>
#include <stdbool.h>

#include "base/error.h"
#include "core/plan.h"
#include "sys/sysroot.h"

#define ACT_STATE_DIR "/run/ksmscope"

struct act;

enum change_outcome { CHANGE_PENDING, CHANGE_DONE, CHANGE_REFUSED, CHANGE_RESTORED, CHANGE_FOREIGN, CHANGE_GONE };

/* What became of one change; index as in the plan. */
struct change_result {
	enum change_outcome outcome;
	char text[200];			/* why it was refused, or left alone when restoring */
};

struct act_progress {
	double seconds;
	int64_t full_scans;		/* since the start */
	int64_t pages_sharing;		/* now */
	int64_t gained_pages;		/* pages_sharing + ksm_zero_pages, since the start */
	bool converged;
};

/* Refused (EXIT_FAILED) while another plan of this machine is being carried out. */
int act_begin(struct act **ret, const struct sysroot *root, const char *state_dir, const struct plan *plan,
	      struct error *err);
/* A change that the target refuses is noted in its result and is no error; a knob that can't be written is. */
int act_carry_out(struct act *act, struct error *err);
/*
 * Wait until two full scans have passed since the changes and a further one brought nothing, `seconds` are over,
 * or *stop becomes non-zero. `report` is called about four times a second.
 */
int act_wait(struct act *act, double seconds, const volatile sig_atomic_t *stop,
	     void (*report)(void *context, const struct act_progress *progress), void *context,
	     struct act_progress *ret, struct error *err);
int act_finish(struct act *act, bool keep_opt_ins, struct error *err);
const struct change_result *act_results(const struct act *act);
void act_free(struct act *act);

struct undo_report {
	unsigned int restored, foreign, gone, failed;
	struct change_result *lines;	/* one per journalled change */
	size_t count;
};

/*
 * Undo everything that the journals in `state_dir` hold for `pids` (count 0:
 * all). A value that somebody else changed since is left alone and reported.
 * MADV_UNMERGEABLE is refused while the memory it needs is not available.
 */
int act_undo(const struct sysroot *root, const char *state_dir, const pid_t *pids, size_t count,
	     struct undo_report *ret, struct error *err);

#endif
