// SPDX-License-Identifier: GPL-2.0-or-later
/* What a sample knows of huge pages beside their frames: what breaking them costs here, and how hot they are. */
#include <errno.h>
#include <stdlib.h>

#include "core/huge/calibration.h"
#include "core/huge/heat.h"
#include "core/record/parts.h"

_Static_assert(sizeof(void *) != 8 || (sizeof(struct measured) == 152 && sizeof(struct heat_task) == 672 &&
				       sizeof(struct heat_hits) == 68),
	       "what was added to them has to be recorded");

/* ---- calibration ---- */

static void code_measured(struct codec *c, struct measured *m)
{
	m->known = code_below(c, m->known, GONE);
	m->median = code_double(c, m->median);
	m->low = code_double(c, m->low);
	m->high = code_double(c, m->high);
	m->count = code_below(c, m->count, UINT32_MAX);
	code_string(c, m->why, sizeof(m->why));
}

static void code_points(struct codec *c, struct calibration *k)
{
	k->accesses = code_below(c, k->accesses, CALIBRATION_POINTS);
	for (size_t i = 0; i < k->accesses; i++) {
		k->access[i].bytes = code_u64(c, k->access[i].bytes);
		code_measured(c, &k->access[i].extra_ns);
		code_measured(c, &k->access[i].huge_ns);
		code_measured(c, &k->access[i].walk_share);
	}
	k->scans = code_below(c, k->scans, CALIBRATION_POINTS);
	for (size_t i = 0; i < k->scans; i++) {
		k->scan[i].pages = code_u64(c, k->scan[i].pages);
		code_measured(c, &k->scan[i].visit_ns);
		code_measured(c, &k->scan[i].merge_ns);
	}
}

int code_calibration(struct codec *c, struct sample *s)
{
	if (!code_bool(c, s->calibration))
		return 0;
	if (code_reads(c) && !(s->calibration = calloc(1, sizeof(*s->calibration))))
		return -ENOMEM;
	struct calibration *k = s->calibration;
	code_string(c, k->cpu, sizeof(k->cpu));
	code_string(c, k->release, sizeof(k->release));
	code_string(c, k->version, sizeof(k->version));
	k->time_ns = code_i64(c, k->time_ns);
	k->seconds = code_double(c, k->seconds);
	k->page_bytes = code_u64(c, k->page_bytes);
	k->pmd_bytes = code_u64(c, k->pmd_bytes);
	for (int i = 0; i < COST_COUNT; i++)
		code_measured(c, &k->cost[i]);
	code_points(c, k);
	code_string(c, k->left_out, sizeof(k->left_out));
	return 0;
}

/* ---- heat ---- */

static void code_heat_task(struct codec *c, struct heat_task *t, struct keeper *keeper)
{
	for (int i = 0; i < HEAT_BINS; i++) {
		t->looks.count[i] = code_below(c, t->looks.count[i], UINT32_MAX);
		t->looks.seconds[i] = code_double(c, t->looks.seconds[i]);
		t->looks.reading[i] = code_double(c, t->looks.reading[i]);
	}
	t->cpu_seconds = code_double(c, t->cpu_seconds);
	t->user_share = code_double(c, t->user_share);
	t->known = code_below(c, t->known, GONE);
	t->why = code_static(c, keeper, t->why);
}

static void code_heat_hits(struct codec *c, struct heat_hits *h)
{
	for (int i = 0; i < HEAT_BINS; i++)
		h->hits[i] = code_below(c, h->hits[i], UINT16_MAX);
	h->unseen = code_below(c, h->unseen, UINT16_MAX);
	h->broken = code_below(c, h->broken, UINT16_MAX);
}

int code_heat(struct codec *c, struct sample *s, struct keeper *keeper)
{
	if (!code_bool(c, s->heat))
		return 0;
	size_t tasks = code_count(c, s->heat ? s->heat->tasks_count : 0);
	size_t regions = code_count(c, s->heat ? s->heat->regions : 0);
	if (tasks != s->tasks_count)
		code_refuse(c);
	if (code_failed(c))
		return 0;
	if (code_reads(c) && !(s->heat = heat_facts_new(tasks, regions)))
		return -ENOMEM;
	struct heat_facts *f = s->heat;
	if (!f)
		return 0;
	f->source = code_below(c, f->source, HEAT_SOURCES - 1);
	code_string(c, f->why, sizeof(f->why));
	f->seconds = code_double(c, f->seconds);
	f->cpu_seconds = code_double(c, f->cpu_seconds);
	f->looks = code_below(c, f->looks, UINT32_MAX);
	f->flushed = code_bool(c, f->flushed);
	for (size_t i = 0; i < tasks; i++)
		code_heat_task(c, &f->tasks[i], keeper);
	for (size_t i = 0; i < regions; i++)
		code_heat_hits(c, &f->hits[i]);
	return 0;
}
