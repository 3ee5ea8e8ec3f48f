// SPDX-License-Identifier: GPL-2.0-or-later
/* The model in its order: group, count, attribute, judge. Each step has its own file. */
#include "core/judge/build.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/count/granularity.h"
#include "core/count/sharing.h"
#include "core/count/tally.h"
#include "core/estimate/build_sampled.h"
#include "core/estimate/mapped.h"
#include "core/estimate/survival.h"
#include "core/huge/frontier.h"
#include "core/judge/at_pace.h"
#include "core/judge/doctor.h"
#include "core/judge/verdict.h"
#include "core/trust/assign.h"

/* ---- frames ---- */

static void count_frames(struct frame_counts *c, const struct sample *s)
{
	const uint8_t *flags = frame_flags_of(&s->frames);

	c->candidate = frame_count(&s->frames);
	for (uint32_t i = 0; i < frame_count(&s->frames); i++) {
		uint8_t f = flags[i];
		c->zero += !!(f & FRAME_ZERO);
		c->zero_in_huge += (f & FRAME_ZERO) && (f & FRAME_HUGE);
		c->merged += !!(f & FRAME_MERGED);
		c->huge += !!(f & FRAME_HUGE);
		c->is_volatile += !!(f & FRAME_VOLATILE);
		c->unread += !!(f & FRAME_UNREAD);
		c->multi += (f & FRAME_MULTI) && !(f & FRAME_MERGED);
	}
	build_count_areas(c, s);
}

/* S = Σ (c - 1), and S_cap = Σ (c - ⌈c/M⌉) over contents with c copies. */
static void count_duplicates(struct duplicate_counts *d, const struct tally *t)
{
	uint64_t cap = value_or(t->sample->engine.knob[KNOB_MAX_PAGE_SHARING], 0);

	d->exact = true;
	d->distinct = t->contents;
	for (uint32_t c = 0; c < t->contents; c++) {
		uint64_t copies = t->copies[c];
		d->frames += copies - 1;
		d->capped += cap ? copies - (copies + cap - 1) / cap : copies - 1;
	}
	if (t->zero != FRAME_NONE)
		d->zero = t->copies[t->zero] - 1;
	d->low = d->high = d->frames;
}

/* Frames changed or did not between the two looks: a content of a frame that changed is not known, so each is one. */
static struct lasting lasting_of(const struct sample *s, uint64_t frames, uint64_t changed)
{
	double n = (double)frames, k = (double)(frames - changed);
	const struct survival sums = { .pages = n, .stayed = k, .pages_pages = n, .stayed_pages = k, .stayed_stayed = k,
				       .contents = frames };

	return build_lasting(&sums, s->settle_seconds);
}

/* ---- owners ---- */

static void count_one(void *context, uint32_t frame, const struct area *area)
{
	uint64_t *frames = context;
	(void)frame;
	(void)area;
	++*frames;
}

/*
 * What merging inside each trust domain alone frees. A frame that two domains
 * map (after fork and a change of uid) belongs to the one that was met first.
 */
static int count_domains(struct model *m, const struct tally *t)
{
	static const struct zero_rule as_contents = { false, false };
	struct owner_set set;

	if (owner_set_make(&set, t->sample, OWNER_DOMAIN))
		return -ENOMEM;
	m->by_domain = calloc(set.count + 1, sizeof(*m->by_domain));
	m->by_domain_count = m->by_domain ? set.count : 0;
	for (size_t i = 0; i < m->by_domain_count; i++) {
		struct scope scope = { .set = &set, .owner = &set.owners[i], .first_met = true };
		struct domain_counts *domain = &m->by_domain[i];
		domain->first_task = set.tasks[set.owners[i].first];
		domain->processes = set.owners[i].count;
		tally_pages(t->sample, &scope, count_one, &domain->candidate);
		domain->duplicates = tally_saving(t, &scope, 0, &as_contents);
		domain->low = domain->high = domain->duplicates;
		m->duplicates.inside_domains += domain->duplicates;
	}
	owner_set_free(&set);
	m->crossing_frames = m->duplicates.frames - m->duplicates.inside_domains;
	return m->by_domain ? 0 : -ENOMEM;
}

static int count_sharing(const struct tally *t, enum owner_kind kind, struct owner_counts *known,
			 struct sharing **ret, size_t *ret_count)
{
	struct owner_set set;
	struct owner_counts *counts = known;

	if (owner_set_make(&set, t->sample, kind))
		return -ENOMEM;
	if (!counts)
		counts = calloc(set.count + 1, sizeof(*counts));
	int rc = counts ? 0 : -ENOMEM;
	for (size_t i = 0; !rc && !known && i < set.count; i++) {
		struct scope scope = { .set = &set, .owner = &set.owners[i] };
		tally_owner(t, &scope, false, &counts[i]);
	}
	if (!rc)
		rc = sharing_count(t, &set, counts, ret, ret_count);
	if (counts != known)
		free(counts);
	owner_set_free(&set);
	return rc;
}

struct attribution {
	const struct tally *tally;
	const uint16_t *mappers;
	struct owner_counts *process;
	struct mapping_counts *mappings;
	uint64_t followed;		/* frames that a second look reads, too */
};

/* Each frame of a content with c copies carries 1 - 1/c of a duplicate, shared evenly by the processes that map it. */
static void attribute_frame(void *context, uint32_t frame, const struct area *area)
{
	struct attribution *a = context;
	const struct sample *s = a->tally->sample;
	struct mapping_counts *mapping = &a->mappings[area - s->areas];
	uint8_t flags = frame_flags_of(&s->frames)[frame];

	if (!tally_mark(a->tally, frame))
		return;
	double share = 1 - 1.0 / a->tally->copies[content_of(s, frame)];
	a->process->attributed_frames += share / (a->mappers ? a->mappers[frame] : 1);
	mapping->candidate++;
	mapping->duplicates += share;
	mapping->huge += !!(flags & FRAME_HUGE);
	mapping->zero += !!(flags & FRAME_ZERO);
	mapping->is_volatile += !!(flags & FRAME_VOLATILE);
	a->followed += !(flags & FRAME_UNREAD);
}

static uint64_t process_volatile(const struct model *m, const struct sample *s, size_t task)
{
	uint64_t sum = 0;
	for (size_t a = s->tasks[task].first_area; a < s->tasks[task].first_area + s->tasks[task].areas; a++)
		sum += m->mappings[a].is_volatile;
	return sum;
}

static int count_processes(struct model *m, const struct tally *t)
{
	struct owner_set set;
	uint16_t *mappers = m->frames.multi || m->frames.merged ? tally_mappers(t) : NULL;

	if (owner_set_make(&set, t->sample, OWNER_PROCESS))
		return -ENOMEM;
	for (size_t i = 0; i < set.count; i++) {
		struct scope scope = { .set = &set, .owner = &set.owners[i] };
		struct attribution a = { t, mappers, &m->processes[i], m->mappings, 0 };
		tally_owner(t, &scope, true, &m->processes[i]);
		tally_pages(t->sample, &scope, attribute_frame, &a);
		tally_unmark(t, &scope);
		m->processes[i].lasts = lasting_of(t->sample, a.followed, process_volatile(m, t->sample, i));
	}
	free(mappers);
	owner_set_free(&set);
	for (uint32_t i = 0; i < frame_count(&t->sample->frames); i++)
		m->duplicates.within_processes += !!(frame_flags_of(&t->sample->frames)[i] & FRAME_SELF);
	m->duplicates.between_processes = m->duplicates.frames - m->duplicates.within_processes;
	return 0;
}

/* ---- worth ---- */

/* Do `duplicates` frames save more than tracking so many pages costs? */
static bool pays(const struct sample *s, double duplicates, uint64_t tracked_pages)
{
	return duplicates * s->machine.page_bytes > (double)tracked_pages * RMAP_ITEM_BYTES;
}

/* Of a sample: the small mappings of a process are worth it all or none. */
static bool rest_pays(const struct model *m, const struct sample *s, const struct task *task)
{
	uint64_t tracked = 0;

	for (size_t a = task->first_area; a < task->first_area + task->areas; a++) {
		if (!m->mappings[a].in_rest)
			continue;
		if (s->areas[a].flags & AREA_SECRET)
			return false;
		tracked += area_tracked_pages(&s->areas[a]);
	}
	return pays(s, m->rests[task - s->tasks].duplicates, tracked);
}

/*
 * A mapping is worth opting in when what its duplicates save exceeds what
 * tracking all its pages costs. Secrets are left out: mlocked, DONTDUMP and
 * WIPEONFORK memory says by its flags that it is not to be shared.
 */
static void choose_mappings(struct model *m, const struct sample *s)
{
	for (size_t i = 0; i < s->tasks_count; i++) {
		const struct task *task = &s->tasks[i];
		bool rest = m->rests && rest_pays(m, s, task);
		for (size_t a = task->first_area; a < task->first_area + task->areas; a++) {
			const struct area *area = &s->areas[a];
			uint64_t tracked = area_tracked_pages(area);
			bool worth = m->mappings[a].in_rest ? rest && tracked : pays(s, m->mappings[a].duplicates, tracked);
			m->worthwhile[a] = area->class == AREA_CANDIDATE && !(area->flags & AREA_SECRET) && worth;
		}
	}
}

static int64_t net_of(const struct sample *s, uint64_t frames, uint64_t tracked_pages)
{
	return (int64_t)(frames * s->machine.page_bytes) - (int64_t)(tracked_pages * RMAP_ITEM_BYTES);
}

/* Net = saved bytes less sizeof(rmap_item) for each page that ksmd tracks. */
static void count_net(struct model *m, const struct sample *s)
{
	uint64_t all = 0, worthwhile = 0;

	for (size_t a = 0; a < s->areas_count; a++) {
		if (s->areas[a].class != AREA_CANDIDATE)
			continue;
		all += area_tracked_pages(&s->areas[a]);
		worthwhile += m->worthwhile[a] ? area_tracked_pages(&s->areas[a]) : 0;
	}
	m->candidate_pages = all;
	m->tracked_pages = worthwhile;
	m->net_bytes = net_of(s, m->duplicates.frames, all);
	m->net_part_bytes = net_of(s, m->duplicates.mergeable, worthwhile);
	m->net_part_low = net_of(s, m->duplicates.mergeable_low, worthwhile);
	m->net_part_high = net_of(s, m->duplicates.mergeable_high, worthwhile);
}

static void count_saving(struct saving *ret, const struct tally *t, const struct scope *scope)
{
	const struct value *knob = t->sample->engine.knob;
	struct zero_rule zero = { .all = value_or(knob[KNOB_USE_ZERO_PAGES], 0) == 1 };
	uint32_t cap = value_or(knob[KNOB_MAX_PAGE_SHARING], 0);

	ret->frames = tally_saving(t, scope, cap, &zero);
	zero.in_huge = true;
	ret->frames_split = tally_saving(t, scope, cap, &zero);
}

/* What the engine frees at its settings when the worthwhile mappings are opted in. */
static int count_mergeable(struct model *m, const struct tally *t)
{
	struct scope everything = { .areas = m->worthwhile };
	struct owner_set set;

	if (owner_set_make(&set, t->sample, OWNER_DOMAIN))
		return -ENOMEM;
	m->domains = calloc(set.count + 1, sizeof(*m->domains));
	int rc = m->domains ? 0 : -ENOMEM;
	for (size_t i = 0; !rc && i < set.count; i++) {
		struct scope scope = { .set = &set, .owner = &set.owners[i], .areas = m->worthwhile, .first_met = true };
		struct saving *domain = &m->domains[m->domains_count++];
		*domain = (struct saving){ .key = set.owners[i].key, .first_task = set.tasks[set.owners[i].first] };
		count_saving(domain, t, &scope);
		m->duplicates.mergeable += domain->frames;
		m->by_domain[i].mergeable = m->by_domain[i].mergeable_low = m->by_domain[i].mergeable_high = domain->frames;
	}
	m->duplicates.mergeable_low = m->duplicates.mergeable_high = m->duplicates.mergeable;
	owner_set_free(&set);
	if (!rc)
		count_saving(&m->together, t, &everything);
	return rc;
}

static void count_exposure(struct model *m, const struct sample *s)
{
	const struct value *knob = s->engine.knob;
	uint64_t saved = value_or(knob[KNOB_PAGES_SHARING], 0) + value_or(knob[KNOB_KSM_ZERO_PAGES], 0);

	m->exposure.needed_bytes = saved * s->machine.page_bytes;
	m->exposure.needed_predicted_bytes = m->exposure.needed_bytes + m->duplicates.mergeable * s->machine.page_bytes;
	m->exposure.needed_low = m->exposure.needed_bytes + m->duplicates.mergeable_low * s->machine.page_bytes;
	m->exposure.needed_high = m->exposure.needed_bytes + m->duplicates.mergeable_high * s->machine.page_bytes;
	m->exposure.available_bytes = s->machine.available_bytes;
}

/* Two scans of what the engine tracks already and of the targets' candidates. */
static void estimate_time(struct model *m, const struct sample *s)
{
	const struct value *knob = s->engine.knob;
	uint64_t tracked = value_or(knob[KNOB_PAGES_SHARED], 0) + value_or(knob[KNOB_PAGES_SHARING], 0) +
			   value_or(knob[KNOB_PAGES_UNSHARED], 0) + value_or(knob[KNOB_PAGES_VOLATILE], 0);
	double scan = doctor_scan_seconds(&s->engine, s->calibration, tracked + at_pace_untracked(s));
	m->eta_seconds = scan < 0 ? -1 : 2 * scan;
}

static int count_everything(struct model *m, struct sample *s, struct tally *t)
{
	int rc = tally_group(t, s);
	if (rc)
		return rc;
	count_frames(&m->frames, s);
	count_duplicates(&m->duplicates, t);
	if ((rc = granularity_count(t, m->granularity, &m->granularity_levels)) ||
	    (rc = count_processes(m, t)) || (rc = count_domains(m, t)) ||
	    (rc = count_sharing(t, OWNER_PROCESS, m->processes, &m->sharing, &m->sharing_count)) ||
	    (rc = count_sharing(t, OWNER_UID, NULL, &m->uid_sharing, &m->uid_sharing_count)) ||
	    (rc = count_sharing(t, OWNER_CGROUP, NULL, &m->cgroup_sharing, &m->cgroup_sharing_count)) ||
	    (rc = count_sharing(t, OWNER_DOMAIN, NULL, &m->domain_sharing, &m->domain_sharing_count)))
		return rc;
	m->lasts = lasting_of(s, m->frames.candidate - m->frames.unread, m->frames.is_volatile);
	choose_mappings(m, s);
	return count_mergeable(m, t);
}

static int estimate_everything(struct model *m, const struct sample *s)
{
	int rc = build_sampled(m, s);

	if (rc)
		return rc;
	choose_mappings(m, s);
	return mapped_mergeable(m, s);
}

int model_build(struct model *m, struct sample *s)
{
	struct tally t = { 0 };

	memset(m, 0, sizeof(*m));
	m->complete = sample_complete(s);
	m->processes = calloc(s->tasks_count + 1, sizeof(*m->processes));
	m->mappings = calloc(s->areas_count + 1, sizeof(*m->mappings));
	m->worthwhile = calloc(s->areas_count + 1, sizeof(*m->worthwhile));
	int rc = -ENOMEM;
	if (m->processes && m->mappings && m->worthwhile)
		rc = s->tasks_count && !s->tasks[0].domain ? trust_assign(s, NULL) : 0;
	if (!rc)
		rc = s->sampled ? estimate_everything(m, s) : count_everything(m, s, &t);
	tally_free(&t);
	if (!rc) {
		count_net(m, s);
		count_exposure(m, s);
		estimate_time(m, s);
		if ((rc = at_pace_count(m, s)) == 0)
			rc = doctor_examine(m, s);
	}
	if (!rc)
		verdict_give(m, s);
	else
		model_free(m);
	return rc;
}

void model_free(struct model *m)
{
	free(m->processes);
	free(m->mappings);
	free(m->worthwhile);
	free(m->rests);
	free(m->sharing);
	free(m->uid_sharing);
	free(m->cgroup_sharing);
	free(m->domains);
	free(m->by_domain);
	free(m->domain_sharing);
	free(m->reasons);
	huge_free(m->huge);
	memset(m, 0, sizeof(*m));
}
