/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of a change: said in the same words when it is made and when it is taken back. */
#ifndef KSMSCOPE_ACT_RESULT_H
#define KSMSCOPE_ACT_RESULT_H

enum change_outcome {
	CHANGE_PENDING,		/* not reached yet */
	CHANGE_DONE,		/* in force; with a text where it was so already, or holds in part */
	CHANGE_REFUSED,		/* not made */
	CHANGE_RESTORED,	/* taken back */
	CHANGE_FOREIGN,		/* somebody else changed it since: left alone */
	CHANGE_GONE,		/* its process ended */
	CHANGE_STUCK,		/* could not be taken back; the journal stays, undo can be tried again */
};

struct change_result {
	enum change_outcome outcome;
	char text[200];		/* why, where there is something to say; one line */
};

__attribute__((format(printf, 3, 4)))
void result_set(struct change_result *ret, enum change_outcome outcome, const char *fmt, ...);

/* "pending", "done", "refused", "restored", "foreign", "gone", "stuck"; static storage. */
const char *change_outcome_name(enum change_outcome outcome);

#endif
