/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Put back what a journal holds: the one way for the normal end, the guardian
 * and undo. Knobs first, last written first restored, so that the engine is
 * the machine's again at once; then the rest, process by process: opt-ins, then
 * huge pages (which merged pages would keep from being rebuilt), then opt-outs.
 * What is restored already is passed over, so it can be called again.
 */
#ifndef KSMSCOPE_ACT_RESTORE_H
#define KSMSCOPE_ACT_RESTORE_H

#include "act/journal.h"
#include "act/result.h"
#include "sys/sysroot.h"

struct restore_filter {
	bool opt_ins;			/* what is the machine's is always restored, but with keep_knobs */
	bool keep_knobs;
	uint64_t start, end;		/* only ranges that meet this one; end 0: all, and whole processes */
	const pid_t *pids;		/* only opt-ins of these; count 0: of all */
	size_t pids_count;
};

/* Called once for each record that was open, with what became of it. */
typedef void restore_report(void *context, const struct record *record, const struct change_result *result);

void restore_journal(const struct sysroot *root, struct journal *journal, const struct restore_filter *filter,
		     restore_report *report, void *context);

/*
 * A restore_report that counts, and says in the results of a plan (may be
 * NULL) what became of each change: of several records the worst.
 */
struct restore_tally {
	unsigned int restored, foreign, gone, stuck;
	struct change_result *results;
	char first_stuck[200];		/* why */
};
void restore_count(void *tally, const struct record *record, const struct change_result *result);

/* EXIT_FAILED where something is stuck. */
int restore_outcome(const struct restore_tally *tally, struct error *err);

/* This boot's id, "-" where it can't be read. */
enum known boot_id(const struct sysroot *root, char ret[BOOT_ID_BYTES]);

/*
 * What a journal holds of another boot, or of processes that ended, is gone:
 * note it. Afterwards what is open can be taken back.
 */
void restore_forget_gone(const struct sysroot *root, struct journal *journal, restore_report *report, void *context);

#endif
