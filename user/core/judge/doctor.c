// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/judge/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "core/estimate/sampled.h"
#include "core/huge/calibration.h"

/* A pace below this is worth a word: half an hour until anything merges. */
#define SLOW_SECONDS 1800
static const char *const reason_names[REASON_COUNT] = {
	[REASON_ENGINE_OFF] = "engine-off",
	[REASON_ENGINE_UNMERGING] = "engine-unmerging",
	[REASON_NO_KSM] = "no-ksm",
	[REASON_NOT_OPTED_IN] = "not-opted-in",
	[REASON_PARTLY_OPTED_IN] = "partly-opted-in",
	[REASON_SHARED] = "shared-mapping",
	[REASON_HUGETLB] = "hugetlb",
	[REASON_DAX] = "dax",
	[REASON_PFNMAP] = "device-memory",
	[REASON_VOLATILE] = "volatile",
	[REASON_TWO_PASSES] = "two-passes",
	[REASON_SLOW] = "slow-scan",
	[REASON_CAP] = "max-page-sharing",
	[REASON_NODES] = "merge-across-nodes",
	[REASON_KERNEL_OLD] = "kernel-too-old",
	[REASON_SMART_SCAN] = "smart-scan",
	[REASON_HUGE] = "huge-pages",
	[REASON_ZERO_PAGES] = "zero-pages",
	[REASON_DENIED] = "denied",
	[REASON_SWAPPED] = "swapped",
	[REASON_TRUST] = "trust-boundary",
	[REASON_NOTHING] = "no-duplicates",
};

const char *reason_name(enum reason_code code)
{
	return reason_names[code];
}

struct doctor {
	const struct sample *sample;
	struct model *model;
	const struct task *task;		/* NULL while the engine is examined */
	const struct owner_counts *counts;	/* of that task */
	struct mapping_counts sum;		/* over its candidate areas */
	uint64_t pages[AREA_CLASSES];		/* present, by class */
	uint64_t mergeable_pages, candidate_pages, swapped_pages, merged_pages;
	char text[240];
};

/* Write the finding; always true, so that a check can end with it. */
__attribute__((format(printf, 2, 3)))
static bool found(struct doctor *d, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, args);
	va_end(args);
	return true;
}

static int64_t knob(const struct doctor *d, enum knob which, int64_t otherwise)
{
	return value_or(d->sample->engine.knob[which], otherwise);
}

static bool knob_is(const struct doctor *d, enum knob which, int64_t number)
{
	struct value v = d->sample->engine.knob[which];
	return is_known(v) && v.number == number;
}

/* ---- the engine ---- */

static bool no_ksm(struct doctor *d)
{
	return d->sample->engine.knob[KNOB_RUN].known == ABSENT &&
	       found(d, "this kernel has no KSM: /sys/kernel/mm/ksm is not there");
}

static bool engine_denied(struct doctor *d)
{
	return d->sample->engine.knob[KNOB_RUN].known == DENIED && found(d, "the state of KSM may not be read");
}

static bool engine_off(struct doctor *d)
{
	return knob_is(d, KNOB_RUN, 0) && found(d, "the merge engine is off (run is 0)");
}

static bool engine_unmerging(struct doctor *d)
{
	return knob_is(d, KNOB_RUN, 2) && found(d, "the merge engine is off and has unmerged everything (run is 2)");
}

static bool kernel_old(struct doctor *d)
{
	return is_known(d->sample->engine.knob[KNOB_RUN]) &&
	       d->sample->engine.knob[KNOB_GENERAL_PROFIT].known == ABSENT &&
	       found(d, "this kernel can't opt in a whole process (PR_SET_MEMORY_MERGE came with 6.4)");
}

static bool too_few_passes(struct doctor *d)
{
	return knob_is(d, KNOB_RUN, 1) && knob(d, KNOB_FULL_SCANS, 2) < 2 &&
	       found(d, "a static page merges in the second scan at the earliest; %" PRId64 " completed so far",
		     knob(d, KNOB_FULL_SCANS, 0));
}

static bool slow_scan(struct doctor *d)
{
	double seconds = d->model->eta_seconds;
	return seconds > SLOW_SECONDS &&
	       found(d, "at the present pace merging takes about %s", show_seconds(seconds).text);
}

static bool sharing_cap(struct doctor *d)
{
	const struct duplicate_counts *c = &d->model->duplicates;
	return c->frames > c->capped && is_known(d->sample->engine.knob[KNOB_MAX_PAGE_SHARING]) &&
	       found(d, "max_page_sharing is %" PRId64 ": %s frames stay as further copies of much repeated contents",
		     knob(d, KNOB_MAX_PAGE_SHARING, 0), show_count(c->frames - c->capped).text);
}

static bool across_nodes(struct doctor *d)
{
	return d->sample->machine.nodes > 1 && knob_is(d, KNOB_MERGE_ACROSS_NODES, 0) &&
	       found(d, "merge_across_nodes is 0: equal pages on different NUMA nodes stay apart");
}

static bool smart_scan(struct doctor *d)
{
	return knob_is(d, KNOB_SMART_SCAN, 1) && knob_is(d, KNOB_RUN, 1) &&
	       knob(d, KNOB_PAGES_SKIPPED, 0) > 0 &&
	       found(d, "smart_scan is on: a page that was unique for long is passed over in eight of nine scans");
}

static bool zero_pages(struct doctor *d)
{
	const struct frame_counts *f = &d->model->frames;
	return knob_is(d, KNOB_USE_ZERO_PAGES, 0) && f->zero > 1 &&
	       found(d, "use_zero_pages is 0: %s zero frames merge with each other instead of with the zero page",
		     show_count(f->zero).text);
}

static bool trust_boundary(struct doctor *d)
{
	return d->model->crossing_frames &&
	       found(d, "%s duplicates exist only between trust domains (uids, virtual machines): merging them is a "
		     "side channel, and they are not counted as a saving", show_count(d->model->crossing_frames).text);
}

/* ---- one process ---- */

static bool task_denied(struct doctor *d)
{
	return d->task->contents == DENIED && found(d, "its memory may not be looked at");
}

static bool whole_process(const struct doctor *d)
{
	return is_known(d->task->ksm.merge_any) && d->task->ksm.merge_any.number;
}

static bool nothing_to_merge(struct doctor *d)
{
	return d->task->contents == KNOWN && d->sum.duplicates < 0.5 && !d->merged_pages &&
	       found(d, "none of its %s candidate frames has a duplicate", show_count(d->counts->candidate).text);
}

static bool not_opted_in(struct doctor *d)
{
	return d->candidate_pages && !whole_process(d) && !d->mergeable_pages &&
	       found(d, "it has not opted in: ksmd only looks at memory that asked for it");
}

static bool partly_opted_in(struct doctor *d)
{
	return d->mergeable_pages && !whole_process(d) && d->mergeable_pages < d->candidate_pages &&
	       found(d, "only %s of its %s candidate pages are in mappings that opted in",
		     show_count(d->mergeable_pages).text, show_count(d->candidate_pages).text);
}

static bool refused_pages(struct doctor *d, enum area_class class, const char *what)
{
	return d->pages[class] && found(d, "%s pages are in %s: madvise(MADV_MERGEABLE) succeeds there and does nothing",
					show_count(d->pages[class]).text, what);
}

static bool shared_mappings(struct doctor *d)
{
	return refused_pages(d, AREA_SHARED, "shared mappings (MAP_SHARED, memfd, shmem)");
}

static bool hugetlb_mappings(struct doctor *d)
{
	return refused_pages(d, AREA_HUGETLB, "hugetlb mappings");
}

static bool dax_mappings(struct doctor *d)
{
	return refused_pages(d, AREA_DAX, "DAX mappings");
}

static bool device_mappings(struct doctor *d)
{
	return refused_pages(d, AREA_PFNMAP, "device memory");
}

static bool volatile_frames(struct doctor *d)
{
	return d->sum.is_volatile &&
	       found(d, "%s of its frames changed within %s: ksmd merges only what stays the same between two scans",
		     show_count(d->sum.is_volatile).text, show_seconds(d->sample->settle_seconds).text);
}

static bool in_huge_pages(struct doctor *d)
{
	return d->sum.huge &&
	       found(d, "%s of its frames are inside huge pages, which are broken for a single duplicate",
		     show_count(d->sum.huge).text);
}

static bool swapped_out(struct doctor *d)
{
	return d->swapped_pages && found(d, "%s of its pages are swapped out: they are not looked at, nor merged",
					 show_count(d->swapped_pages).text);
}

struct check {
	enum reason_code code;
	bool (*applies)(struct doctor *d);
	const char *remedy;
};

static const struct check engine_checks[] = {
	{ REASON_NO_KSM, no_ksm, "use a kernel built with CONFIG_KSM" },
	{ REASON_DENIED, engine_denied, "run as root" },
	{ REASON_ENGINE_OFF, engine_off, "echo 1 > /sys/kernel/mm/ksm/run, or ksm-advise --apply" },
	{ REASON_ENGINE_UNMERGING, engine_unmerging, "echo 1 > /sys/kernel/mm/ksm/run, or ksm-advise --apply" },
	{ REASON_KERNEL_OLD, kernel_old, "madvise by mapping works all the same: ksm-advise --apply" },
	{ REASON_TWO_PASSES, too_few_passes, "wait, or raise pages_to_scan" },
	{ REASON_SLOW, slow_scan, "raise pages_to_scan, or set advisor_mode to scan-time" },
	{ REASON_CAP, sharing_cap, "raise max_page_sharing (only while nothing is merged)" },
	{ REASON_NODES, across_nodes, "set merge_across_nodes to 1 (only while nothing is merged), at the price of remote accesses" },
	{ REASON_SMART_SCAN, smart_scan, "set smart_scan to 0 for some scans after a change of workload" },
	{ REASON_ZERO_PAGES, zero_pages, "set use_zero_pages to 1" },
	{ REASON_TRUST, trust_boundary, "leave them apart, or name those that trust each other as one domain: ksm-advise --domains" },
};

static const struct check task_checks[] = {
	{ REASON_DENIED, task_denied, "run as root, or with CAP_SYS_PTRACE and CAP_SYS_ADMIN" },
	{ REASON_NOTHING, nothing_to_merge, "leave it out" },
	{ REASON_NOT_OPTED_IN, not_opted_in, "ksm-advise --apply, ksm-run at its next start, or systemd's MemoryKSM=yes" },
	{ REASON_PARTLY_OPTED_IN, partly_opted_in, "ksm-advise --apply opts in the mappings that are worth it" },
	{ REASON_SHARED, shared_mappings, "give the guest or program private anonymous memory (QEMU: memory-backend-ram, share=off)" },
	{ REASON_HUGETLB, hugetlb_mappings, "use transparent huge pages instead" },
	{ REASON_DAX, dax_mappings, "nothing: this memory is the file" },
	{ REASON_PFNMAP, device_mappings, "nothing: this is no ordinary memory" },
	{ REASON_VOLATILE, volatile_frames, "leave them out: merging them costs a copy each time" },
	{ REASON_HUGE, in_huge_pages, "weigh what huge pages are worth to it before merging" },
	{ REASON_SWAPPED, swapped_out, "they count again once they are back in memory" },
};

static int examine(struct doctor *d, const struct check *checks, size_t count, size_t *room)
{
	struct model *m = d->model;
	for (size_t i = 0; i < count; i++) {
		if (!checks[i].applies(d))
			continue;
		if (m->reasons_count == *room) {
			*room = *room ? *room * 2 : 32;
			struct reason *more = realloc(m->reasons, *room * sizeof(*more));
			if (!more)
				return -ENOMEM;
			m->reasons = more;
		}
		struct reason *r = &m->reasons[m->reasons_count++];
		*r = (struct reason){ .code = checks[i].code, .pid = d->task ? d->task->pid : 0 };
		snprintf(r->text, sizeof(r->text), "%s", d->text);
		snprintf(r->remedy, sizeof(r->remedy), "%s", checks[i].remedy);
	}
	return 0;
}

static void sum_areas(struct doctor *d)
{
	const struct sample *s = d->sample;
	for (size_t a = d->task->first_area; a < d->task->first_area + d->task->areas; a++) {
		const struct area *area = &s->areas[a];
		const struct mapping_counts *c = &d->model->mappings[a];
		d->pages[area->class] += area->present_pages;
		d->swapped_pages += area->swapped_pages;
		if (area->class != AREA_CANDIDATE)
			continue;
		uint64_t pages = area->present_pages - area->file_pages - area->zero_page_pages;
		d->candidate_pages += pages;
		d->mergeable_pages += area->flags & AREA_MERGEABLE ? pages : 0;
		d->merged_pages += area->merged_pages;
		d->sum.duplicates += c->duplicates;
		d->sum.huge += c->huge;
		d->sum.is_volatile += c->is_volatile;
	}
	if (s->sampled) {
		d->sum.duplicates = d->counts->attributed_high;		/* none only where even that is none */
		d->sum.huge = s->sampled->tasks[d->task - s->tasks].huge;
		d->sum.is_volatile += d->model->rests[d->task - s->tasks].is_volatile;
	}
}

/*
 * ksmd's work on a page. The first scan only makes a checksum; later ones walk
 * down the unstable tree, which is about log2 of its pages deep. Fitted to
 * measurements from 16,384 to 262,144 unique pages (docs/anatomy.md); a
 * calibration of the machine itself takes its place.
 */
static double visit_seconds(const struct calibration *c, uint64_t pages)
{
	struct measured measured = calibration_visit(c, pages);
	if (measured.known == KNOWN)
		return measured.median * 1e-9;
	double walk = pages ? 0.65e-6 * (log2(pages) - 7.5) : 0;
	return walk > 1.1e-6 ? walk : 1.1e-6;
}

double doctor_scan_seconds(const struct engine *e, const struct calibration *c, uint64_t pages)
{
	struct value run = e->knob[KNOB_RUN], batch = e->knob[KNOB_PAGES_TO_SCAN], nap = e->knob[KNOB_SLEEP_MILLISECS];
	struct value advisor = e->knob[KNOB_ADVISOR_MODE], target = e->knob[KNOB_ADVISOR_TARGET_SCAN_TIME];

	if (!is_known(run) || run.number != 1)
		return -1;
	if (is_known(advisor) && advisor.number == ADVISOR_SCAN_TIME && is_known(target))
		return target.number;
	if (!is_known(batch) || !is_known(nap) || batch.number <= 0)
		return -1;
	return (double)pages / batch.number * (nap.number / 1000.0 + batch.number * visit_seconds(c, pages));
}

int doctor_examine(struct model *m, const struct sample *s)
{
	struct doctor engine = { .sample = s, .model = m };
	size_t room = 0;
	int rc = examine(&engine, engine_checks, sizeof(engine_checks) / sizeof(engine_checks[0]), &room);

	for (size_t i = 0; !rc && i < s->tasks_count; i++) {
		struct doctor d = { .sample = s, .model = m, .task = &s->tasks[i], .counts = &m->processes[i] };
		sum_areas(&d);
		rc = examine(&d, task_checks, sizeof(task_checks) / sizeof(task_checks[0]), &room);
	}
	return rc;
}
