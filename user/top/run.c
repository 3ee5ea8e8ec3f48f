// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/run.h"

#include <time.h>

#include "term/guard.h"
#include "term/term.h"

int64_t clock_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int check_wanted(const struct top_settings *s, const struct session *session, struct error *err)
{
	bool only_pids = s->pids.count && !s->comm && !s->by_uid && !s->cgroup;
	if (!only_pids || session_model(session)->count)
		return 0;
	return fail(err, EXIT_FAILED, "process %d: no such process, or it has no memory of its own", s->pids.pids[0]);
}

int top_run(const struct top_settings *settings, const volatile sig_atomic_t *stop, struct error *err)
{
	if (settings->batch || !term_possible())
		return batch_run(settings, stop, err);
	return display_run(settings, stop, err);
}
