// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/own_damon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make_room(struct plan *ret, size_t count)
{
	*ret = (struct plan){ .changes = calloc(count + 1, sizeof(*ret->changes)) };
	return ret->changes ? 0 : -ENOMEM;
}

static void add(struct plan *plan, struct change change, size_t regions)
{
	change.kind = CHANGE_DAMON;
	change.after = regions;
	strcpy(change.reason, "so that it tells how often huge pages are accessed");
	plan->changes[plan->count++] = change;
}

int own_damon_processes(struct plan *ret, const struct sample *s, const struct region *regions, size_t count)
{
	int rc = make_room(ret, s->tasks_count);

	for (size_t i = 0; !rc && i < count; i++)
		if (!i || regions[i].task != regions[i - 1].task)
			add(ret, (struct change){ .pid = regions[i].pid, .start_ticks = s->tasks[regions[i].task].start_ticks },
			    count);
	return rc;
}

/* Behind the range that begins at `first`: as long as gaps are at most so large. */
static size_t range_end(const uint64_t *starts, size_t count, size_t first, uint64_t region_bytes, uint64_t gap)
{
	size_t end = first + 1;

	while (end < count && starts[end] - starts[end - 1] <= region_bytes + gap)
		end++;
	return end;
}

static size_t count_ranges(const uint64_t *starts, size_t count, uint64_t region_bytes, uint64_t gap)
{
	size_t ranges = 0;

	for (size_t i = 0; i < count; i = range_end(starts, count, i, region_bytes, gap))
		ranges++;
	return ranges;
}

int own_damon_ranges(struct plan *ret, const uint64_t *starts, size_t count, uint64_t region_bytes)
{
	uint64_t gap = 0;

	while (count && starts[count - 1] == UINT64_MAX)
		count--;
	if (!count)
		return -ENOENT;
	while (count_ranges(starts, count, region_bytes, gap) > OWN_DAMON_RANGES)
		gap = gap ? 2 * gap : region_bytes;
	int rc = make_room(ret, OWN_DAMON_RANGES);
	for (size_t i = 0, end; !rc && i < count; i = end) {
		end = range_end(starts, count, i, region_bytes, gap);
		add(ret, (struct change){ .start = starts[i], .end = starts[end - 1] + region_bytes }, count);
	}
	return rc;
}
