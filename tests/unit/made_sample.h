/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples made by hand for unit tests: processes with areas whose pages have known contents. */
#ifndef KSMSCOPE_TESTS_MADE_SAMPLE_H
#define KSMSCOPE_TESTS_MADE_SAMPLE_H

#include "unit.h"

#include "core/sample.h"

#define MADE_PAGE 4096u

static inline void made_init(struct sample *s)
{
	sample_init(s);
	s->reader = READER_DIRECT_MAP;
	s->machine.page_bytes = MADE_PAGE;
	s->machine.pmd_bytes = 2u << 20;
	s->machine.pud_bytes = 1u << 30;
	s->machine.nodes = 1;
	s->machine.available_bytes = value_of(1ll << 30);
	for (int k = 0; k < KNOB_COUNT; k++)
		s->engine.knob[k] = value_of(0);
	s->engine.knob[KNOB_MAX_PAGE_SHARING] = value_of(256);
	s->engine.knob[KNOB_PAGES_TO_SCAN] = value_of(100);
	s->engine.knob[KNOB_SLEEP_MILLISECS] = value_of(20);
}

static inline uint32_t made_task(struct sample *s, pid_t pid, uid_t uid)
{
	struct task *t = sample_add_task(s);
	t->pid = pid;
	t->uid = uid;
	t->contents = KNOWN;
	t->first_area = s->areas_count;
	return s->tasks_count - 1;
}

static inline struct area *made_area(struct sample *s, uint32_t task, uint64_t start, uint64_t pages)
{
	struct area *a = sample_add_area(s);
	a->task = task;
	a->start = start;
	a->end = start + pages * MADE_PAGE;
	a->first_extent = s->frames.extents.count;
	s->tasks[task].areas++;
	return a;
}

/* Map `page` of the last area to a new frame with this content; content 0 is the zero page. */
static inline uint32_t made_page(struct sample *s, uint32_t page, uint64_t content, uint8_t flags)
{
	struct area *a = &s->areas[s->areas_count - 1];
	uint32_t frame = frame_map(&s->frames, a->first_extent, page, FRAME_NONE);
	assert_int_not_equal(frame, FRAME_NONE);
	frame_hashes(&s->frames)[frame] = content * 0x9e3779b97f4a7c15ull + 1;
	frame_flags_of(&s->frames)[frame] |= flags | (content ? 0 : FRAME_ZERO);
	a->extents = s->frames.extents.count - a->first_extent;
	a->present_pages++;
	return frame;
}

/* Map `page` of the last area to a frame that was met before. */
static inline void made_alias(struct sample *s, uint32_t page, uint32_t frame)
{
	struct area *a = &s->areas[s->areas_count - 1];
	assert_int_equal(frame_map(&s->frames, a->first_extent, page, frame), frame);
	a->extents = s->frames.extents.count - a->first_extent;
	a->present_pages++;
}

#endif
