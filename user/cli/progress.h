/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bar on standard error for work that takes more than a second; nothing
 * where that is no terminal. It is gone without a trace when the work is done.
 */
#ifndef KSMSCOPE_CLI_PROGRESS_H
#define KSMSCOPE_CLI_PROGRESS_H

#include <stdbool.h>

struct progress {
	bool terminal;
	bool shown;
	double start, drawn;	/* monotonic seconds */
};

void progress_start(struct progress *progress);
/* `share` is 0 … 1; `what` stands behind the bar. Draws ten times a second at most. */
__attribute__((format(printf, 3, 4)))
void progress_show(struct progress *progress, double share, const char *what, ...);
void progress_end(struct progress *progress);

#endif
