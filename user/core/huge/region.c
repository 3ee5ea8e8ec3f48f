// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/huge/region.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static struct region region_at(const struct sample *s, uint32_t a, const struct extent *e, uint32_t i)
{
	const struct area *area = &s->areas[a];

	return (struct region){
		.task = area->task,
		.pid = s->tasks[area->task].pid,
		.area = a,
		.address = area->start + (uint64_t)(e->first_page + i) * s->machine.page_bytes,
		.first_frame = e->first_frame + i,
		.pages = s->machine.pmd_bytes / s->machine.page_bytes,
		.opted_in = area->flags & AREA_MERGEABLE,
		.cost = NAN,
	};
}

static int add_region(struct region **list, size_t *count, const struct region *region)
{
	/* doubled each time that a power of two is reached */
	if (!(*count & (*count - 1))) {
		struct region *more = realloc(*list, (*count ? 2 * *count : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		*list = more;
	}
	(*list)[(*count)++] = *region;
	return 0;
}

static int list_area(const struct sample *s, uint32_t a, struct region **list, size_t *count)
{
	const uint8_t *flags = frame_flags_of(&s->frames);
	uint32_t pages = s->machine.pmd_bytes / s->machine.page_bytes;
	const struct extent *e = frame_extents(&s->frames) + s->areas[a].first_extent;

	for (size_t k = 0; k < s->areas[a].extents; k++, e++) {
		if (e->kind != EXTENT_OWN)
			continue;
		for (uint32_t i = 0; i < e->pages; i++) {
			if (!(flags[e->first_frame + i] & FRAME_REGION))
				continue;
			struct region region = region_at(s, a, e, i);
			if (add_region(list, count, &region))
				return -ENOMEM;
			i += pages - 1;
		}
	}
	return 0;
}

int regions_list(const struct sample *s, struct region **ret, size_t *ret_count)
{
	*ret = NULL;
	*ret_count = 0;
	if (!s->machine.pmd_bytes || s->sampled)
		return 0;
	for (size_t a = 0; a < s->areas_count; a++) {
		if (!list_area(s, a, ret, ret_count))
			continue;
		free(*ret);
		*ret = NULL;
		*ret_count = 0;
		return -ENOMEM;
	}
	return 0;
}
