// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy/look.h"

#include <errno.h>
#include <stdlib.h>

void policy_look_free(struct policy_look *look)
{
	free(look->ranges);
	*look = (struct policy_look){ 0 };
}

int policy_look_take(struct policy_look *ret, const struct sample *s, const struct model *m)
{
	*ret = (struct policy_look){ .cpu_seconds = s->cpu_seconds };
	ret->ranges = calloc(s->areas_count ? s->areas_count : 1, sizeof(*ret->ranges));
	if (!ret->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < s->areas_count; i++) {
		const struct area *a = &s->areas[i];
		const struct task *t = &s->tasks[a->task];
		const struct mapping_counts *c = &m->mappings[i];
		if (a->class != AREA_CANDIDATE || t->contents != KNOWN || !(c->candidate + a->merged_pages))
			continue;
		/* merged frames are candidates of their own row: their mappings are found in the area */
		ret->ranges[ret->count++] = (struct policy_range){
			.pid = t->pid, .start_ticks = t->start_ticks, .start = a->start, .end = a->end,
			.pages = c->candidate > a->merged_pages ? c->candidate : a->merged_pages,
			.duplicates = c->duplicates > (double)a->merged_pages ? (uint64_t)c->duplicates : a->merged_pages,
			.huge = c->huge, .is_volatile = c->is_volatile,
			.mergeable = a->flags & AREA_MERGEABLE, .secret = a->flags & AREA_SECRET,
		};
	}
	return 0;
}
