/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carry a plan out, watch it converge, and put things back. The only room that
 * changes anything. Order: journal (synced), then write, then read back.
 *
 *	act_begin()      lock, make the journal, start the guardian
 *	act_carry_out()  the plan's changes, in order
 *	act_wait()       until the engine has converged, a deadline, or `*stop`
 *	act_finish()     restore the knobs; keep the opt-ins (their journal stays for --undo), or
 *	                 take them back too
 *	act_free()       after act_finish(); without it, everything is taken back
 *
 * The guardian is a process of its own, forked by act_begin(): it makes all
 * changes, since it is the one that lives on when the program is killed, and
 * then puts everything back. So it also never leaves a target half changed.
 * Where the guardian itself is killed, the program puts things back; where
 * both are, the journal is left for act_undo().
 */
#ifndef KSMSCOPE_ACT_APPLY_H
#define KSMSCOPE_ACT_APPLY_H

#include <signal.h>
#include <stdbool.h>

#include "act/result.h"
#include "base/error.h"
#include "core/judge/plan.h"
#include "sys/sysroot.h"

#define ACT_STATE_DIR "/run/ksmscope"

struct act;

struct act_progress {
	double seconds;			/* since act_wait() was called */
	int64_t full_scans;		/* since act_begin() */
	int64_t pages_sharing;		/* now */
	int64_t gained_pages;		/* pages_sharing + ksm_zero_pages, since act_begin(); < 0: fewer */
	double ksmd_seconds;		/* CPU time of ksmd since act_begin(); < 0: can't be seen */
	bool converged;
};

/*
 * `plan` and `root` must stay until act_free(). Memory that the caller holds
 * is shared with the guardian until either writes to it: free large tables
 * first. Call it while the process has one thread.
 *
 * Refused (EXIT_FAILED) while another plan of this machine is being carried
 * out, and while a journal holds knobs that an earlier run could not restore.
 */
int act_begin(struct act **ret, const struct sysroot *root, const char *state_dir, const struct plan *plan,
	      struct error *err);

/*
 * Stops between two processes when *stop becomes non-zero (may be NULL); the
 * rest stays CHANGE_PENDING. A change that a process refuses is noted in its
 * result and is no error; a knob that can't be written is. After an error
 * call act_finish() or act_free(): both take back what was done.
 *
 * Changes of one process that stand together are made in one stop of it.
 */
int act_carry_out(struct act *act, const volatile sig_atomic_t *stop, struct error *err);

/*
 * Wait until two full scans have passed since the changes and a further one brought nothing, `seconds` are over,
 * or *stop becomes non-zero. `report` (may be NULL) is called about four times a second. Error: the engine's counters
 * can't be read, or it isn't running, so that nothing will ever merge.
 */
int act_wait(struct act *act, double seconds, const volatile sig_atomic_t *stop,
	     void (*report)(void *context, const struct act_progress *progress), void *context,
	     struct act_progress *ret, struct error *err);

/*
 * Restore the knobs, and take the opt-ins back unless they are kept; the
 * results say what came of it. A value that somebody else set meanwhile is
 * left alone and is no error; something that could not be put back is
 * (CHANGE_STUCK; its journal stays).
 */
int act_finish(struct act *act, bool keep_opt_ins, struct error *err);

/* One per change of the plan. */
const struct change_result *act_results(const struct act *act);
void act_free(struct act *act);

struct undo_report {
	unsigned int restored, foreign, gone, failed;
	unsigned int torn;		/* journals whose last line was torn by a crash: nothing was written for it */
	struct change_result *lines;	/* one per journalled change that was open; the text names it */
	size_t count;
};

/*
 * Undo everything that the journals in `state_dir` hold for `pids` (count 0:
 * all), newest first; knobs that were left changed in any case. A value that
 * somebody else changed since is left alone and reported. MADV_UNMERGEABLE is
 * refused while the memory it needs is not available. Journals with nothing
 * left in them are removed. Refused while a plan is being carried out; a guardian
 * that is putting things back is waited for, up to half a minute.
 *
 * A journal that can't be read or trusted counts as failed, with a line that
 * says why, and the others go on. Error: the state directory can't be used.
 */
int act_undo(const struct sysroot *root, const char *state_dir, const pid_t *pids, size_t count,
	     struct undo_report *ret, struct error *err);
void undo_report_free(struct undo_report *report);

#endif
