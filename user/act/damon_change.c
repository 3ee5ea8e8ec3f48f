// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/damon_change.h"

#include <stdlib.h>
#include <time.h>

#include "act/process.h"
#include "base/cleanup.h"
#include "sys/damon.h"
#include "sys/damon_write.h"

/* Regions are told apart at least so finely; beyond the larger bound its work would be felt. */
#define LEAST_REGIONS 10
#define MOST_REGIONS 1000

/* Between one and two seconds, as no one would choose it: no two runs alike but one time in a million. */
static int64_t new_mark(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return 1000000 + now.tv_nsec / 1000;
}

/* Until the first write: what stands in the way. */
static int check(const struct sysroot *root, const struct plan *plan, size_t first, size_t end, struct error *err)
{
	const char *taken = damon_taken(root);

	if (taken)
		return fail(err, EXIT_KERNEL_CANNOT, "%s: none is started", taken);
	for (size_t i = first; i < end; i++)
		if (plan->changes[i].pid && process_ended(root, plan->changes[i].pid, plan->changes[i].start_ticks))
			return fail(err, EXIT_FAILED, "process %d has ended", plan->changes[i].pid);
	return 0;
}

static uint64_t regions_wanted(const struct change *c)
{
	return c->after < LEAST_REGIONS ? LEAST_REGIONS : c->after > MOST_REGIONS ? MOST_REGIONS : c->after;
}

static int start(const struct sysroot *root, const struct plan *plan, size_t first, size_t end, int64_t mark,
		 struct error *err)
{
	scoped_free struct damon_target *targets = calloc(end - first, sizeof(*targets));
	const struct damon_setup setup = {
		.by_process = plan->changes[first].pid, .targets = targets, .count = end - first,
		.sample_us = OWN_DAMON_SAMPLE_US, .aggregation_us = OWN_DAMON_AGGREGATION_US, .mark = mark,
		.least_regions = regions_wanted(&plan->changes[first]),
	};

	if (!targets)
		return fail(err, EXIT_FAILED, "out of memory");
	for (size_t i = first; i < end; i++)
		targets[i - first] = (struct damon_target){ plan->changes[i].pid, plan->changes[i].start, plan->changes[i].end };
	return damon_start(root, &setup, err);
}

/* An error leaves the record open: ending it looks at what is there, not at what was meant. */
static int journal_then_start(const struct sysroot *root, struct journal *journal, const struct plan *plan,
			      size_t first, size_t end, struct error *err)
{
	const struct record record = { .kind = RECORD_DAMON, .after = new_mark(), .change = first };
	int rc = journal_add(journal, &record, err);

	if (!rc)
		rc = journal_sync(journal, err);
	if (!rc)
		rc = start(root, plan, first, end, record.after, err);
	if (!rc)
		journal_note(journal, journal->count - 1, RECORD_DONE);
	return rc;
}

int damon_change(const struct sysroot *root, struct journal *journal, const struct plan *plan, size_t first, size_t end,
		 struct change_result *results, struct error *err)
{
	int rc = check(root, plan, first, end, err);

	if (!rc)
		rc = journal_then_start(root, journal, plan, first, end, err);
	for (size_t i = first; i < end; i++)
		result_set(&results[i], rc ? CHANGE_REFUSED : CHANGE_DONE, "%s", rc ? err->text : "");
	return rc;
}

static void end_ours(const struct sysroot *root, struct change_result *ret)
{
	struct error err;

	if (damon_end(root, &err))
		result_set(ret, CHANGE_STUCK, "%s", err.text);
	else
		result_set(ret, CHANGE_RESTORED, "ended; there is none, as it was");
}

void damon_restore(const struct sysroot *root, struct journal *journal, size_t record, struct change_result *ret)
{
	switch (damon_owner(root, journal->records[record].after)) {
	case DAMON_NOBODYS:
		result_set(ret, CHANGE_RESTORED, "there is none, as it was");
		break;
	case DAMON_OURS:
		end_ours(root, ret);
		break;
	case DAMON_FOREIGN:
		result_set(ret, CHANGE_FOREIGN, "somebody else has set one up since: left alone");
		break;
	case DAMON_UNKNOWN:
		result_set(ret, CHANGE_STUCK, "its settings can't be read any more");
	}
	if (ret->outcome != CHANGE_STUCK)
		journal_note(journal, record, ret->outcome == CHANGE_FOREIGN ? RECORD_FOREIGN : RECORD_RESTORED);
}
