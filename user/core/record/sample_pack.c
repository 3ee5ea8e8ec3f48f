// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/record/sample_pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/search.h"
#include "core/record/parts.h"
#include "core/sort.h"

_Static_assert(sizeof(void *) != 8 || (sizeof(struct sample) == 904 && sizeof(struct task) == 232 &&
				       sizeof(struct area) == 88 && sizeof(struct machine) == 232),
	       "what was added to them has to be recorded");

/* ---- names: those that are used, by number ---- */

struct names {
	uint32_t *offsets;		/* into sample.names, ascending where they are written; [0]: "" */
	size_t count;
	struct keeper keeper;
};

static void add_used(uint64_t *used, size_t *count, uint32_t name)
{
	if (name)
		used[(*count)++] = name;
}

/* Ascending, each number once. NULL when memory is out. */
static uint64_t *used_names(const struct sample *s, size_t *ret_count)
{
	uint64_t *used = calloc(4 * s->tasks_count + s->areas_count + 1, sizeof(*used));
	size_t count = 0, kept = 0;

	for (size_t i = 0; used && i < s->tasks_count; i++) {
		const struct task *t = &s->tasks[i];
		add_used(used, &count, t->cgroup);
		add_used(used, &count, t->vm);
		add_used(used, &count, t->executable);
		add_used(used, &count, t->domain);
	}
	for (size_t i = 0; used && i < s->areas_count; i++)
		add_used(used, &count, s->areas[i].name);
	if (used)
		sort_u64(used, count);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || used[i] != used[kept - 1])
			used[kept++] = used[i];
	*ret_count = kept;
	return used;
}

/*
 * The same name can have several numbers. Of those whose names follow each other one is written, the first, which
 * code_name() finds for all of them: reading makes one of them too (sample_name()), and what was read would be written
 * in another way otherwise.
 */
static size_t once_in_a_row(uint64_t *used, size_t count, const struct sample *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!kept || strcmp(sample_string(s, (uint32_t)used[i]), sample_string(s, (uint32_t)used[kept - 1])))
			used[kept++] = used[i];
	return kept;
}

static int write_names(struct codec *c, const struct sample *s, struct names *names)
{
	size_t count;
	uint64_t *used = used_names(s, &count);

	names->count = used ? once_in_a_row(used, count, s) : 0;
	names->offsets = calloc(names->count + 1, sizeof(*names->offsets));
	if (!used || !names->offsets) {
		free(used);
		return -ENOMEM;
	}
	code_count(c, names->count);
	for (size_t i = 0; i < names->count; i++) {
		names->offsets[i + 1] = (uint32_t)used[i];
		pack_string(c->out, sample_string(s, (uint32_t)used[i]));
	}
	free(used);
	return 0;
}

static int read_names(struct codec *c, struct sample *s, struct names *names)
{
	char *string = malloc((size_t)(c->in.end - c->in.at) + 1);

	names->count = code_count(c, 0);
	names->offsets = calloc(names->count + 1, sizeof(*names->offsets));
	int rc = string && names->offsets ? 0 : -ENOMEM;
	for (size_t i = 0; !rc && i < names->count; i++) {
		unpack_string(&c->in, string, (size_t)(c->in.end - c->in.at) + 1);
		if (!*string)
			code_refuse(c);
		names->offsets[i + 1] = code_failed(c) ? 0 : sample_name(s, string);
		rc = code_failed(c) || names->offsets[i + 1] ? 0 : -ENOMEM;
	}
	free(string);
	return rc;
}

static uint32_t code_name(struct codec *c, const struct names *names, uint32_t offset)
{
	if (code_reads(c))
		return names->offsets[code_below(c, 0, names->count)];
	code_u64(c, partition_point(names->count + 1, i, names->offsets[i] <= offset) - 1);
	return offset;
}

const char *code_static(struct codec *c, struct keeper *keeper, const char *string)
{
	bool there = code_bool(c, string);

	if (!there || !code_reads(c)) {
		if (there)
			pack_string(c->out, string);
		return string;
	}
	char *kept = keeper->bytes + keeper->used;
	unpack_string(&c->in, kept, keeper->room - keeper->used);
	keeper->used += strlen(kept) + 1;
	return kept;
}

/* ---- the machine ---- */

static void code_machine(struct codec *c, struct machine *m)
{
	code_string(c, m->release, sizeof(m->release));
	code_string(c, m->arch, sizeof(m->arch));
	m->page_bytes = code_u64(c, m->page_bytes);
	m->pmd_bytes = code_u64(c, m->pmd_bytes);
	m->pud_bytes = code_u64(c, m->pud_bytes);
	m->cpus = code_below(c, m->cpus, UINT32_MAX);
	m->nodes = code_below(c, m->nodes, UINT32_MAX);
	m->total_bytes = code_value(c, m->total_bytes);
	m->available_bytes = code_value(c, m->available_bytes);
	m->thp_mode = code_value(c, m->thp_mode);
	m->split_frees_zero = code_value(c, m->split_frees_zero);
	/* everything is reckoned in base pages, and shifted by them */
	if (m->page_bytes < 4096 || m->page_bytes & (m->page_bytes - 1) || m->page_bytes > 1u << 30 ||
	    m->pmd_bytes % m->page_bytes || m->pud_bytes % m->page_bytes)
		code_refuse(c);
}

/* Knobs by name: a kernel has more of them from time to time, and so have we. */
static void code_knobs(struct codec *c, struct engine *e)
{
	size_t count = code_below(c, KNOB_COUNT, 1024);

	for (size_t i = 0; i < count; i++) {
		char name[64] = "";
		size_t knob;
		if (!code_reads(c))
			strcpy(name, knobs[i].name);
		code_string(c, name, sizeof(name));
		for (knob = 0; knob < KNOB_COUNT && strcmp(knobs[knob].name, name); knob++)
			;
		struct value value = code_value(c, code_reads(c) ? (struct value){ 0 } : e->knob[i]);
		if (knob < KNOB_COUNT)
			e->knob[knob] = value;
	}
}

/* ---- processes and mappings ---- */

static void code_task(struct codec *c, const struct names *names, struct task *t)
{
	struct value *const ksm[] = { &t->ksm.rmap_items, &t->ksm.zero_pages, &t->ksm.merging_pages,
				      &t->ksm.profit_bytes, &t->ksm.merge_any, &t->ksm.mergeable };

	t->pid = code_below(c, t->pid, INT32_MAX);
	t->parent = code_below(c, t->parent, INT32_MAX);
	t->start_ticks = code_u64(c, t->start_ticks);
	t->uid = code_below(c, t->uid, UINT32_MAX);
	code_string(c, t->comm, sizeof(t->comm));
	t->state = (char)code_below(c, (unsigned char)t->state, 127);
	t->cgroup = code_name(c, names, t->cgroup);
	t->vm = code_name(c, names, t->vm);
	t->executable = code_name(c, names, t->executable);
	t->executable_known = code_below(c, t->executable_known, GONE);
	t->domain = code_name(c, names, t->domain);
	t->kernel_thread = code_bool(c, t->kernel_thread);
	t->contents = code_below(c, t->contents, GONE);
	t->first_area = code_u64(c, t->first_area);
	t->areas = code_u64(c, t->areas);
	for (size_t i = 0; i < sizeof(ksm) / sizeof(ksm[0]); i++)
		*ksm[i] = code_value(c, *ksm[i]);
}

static void code_area(struct codec *c, const struct names *names, struct area *a)
{
	uint64_t *const counts[] = { &a->present_pages, &a->zero_page_pages, &a->file_pages, &a->merged_pages,
				     &a->swapped_pages };

	a->task = code_below(c, a->task, UINT32_MAX);
	a->name = code_name(c, names, a->name);
	a->start = code_u64(c, a->start);
	a->end = code_u64(c, a->end - a->start) + a->start;
	a->class = code_below(c, a->class, AREA_CLASSES - 1);
	a->flags = code_below(c, a->flags, UINT32_MAX);
	a->first_extent = code_u64(c, a->first_extent);
	a->extents = code_u64(c, a->extents);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		*counts[i] = code_u64(c, *counts[i]);
}

static int code_tasks(struct codec *c, struct sample *s, const struct names *names)
{
	size_t tasks = code_count(c, s->tasks_count);
	for (size_t i = 0; i < tasks && !code_failed(c); i++) {
		struct task *t = code_reads(c) ? sample_add_task(s) : &s->tasks[i];
		if (!t)
			return -ENOMEM;
		code_task(c, names, t);
	}
	size_t areas = code_count(c, s->areas_count);
	for (size_t i = 0; i < areas && !code_failed(c); i++) {
		struct area *a = code_reads(c) ? sample_add_area(s) : &s->areas[i];
		if (!a)
			return -ENOMEM;
		code_area(c, names, a);
	}
	return 0;
}

/* ---- what is missing ---- */

static int code_missing(struct codec *c, struct sample *s)
{
	size_t count = code_count(c, s->missing_count);

	for (size_t i = 0; i < count && !code_failed(c); i++) {
		struct missing m = code_reads(c) ? (struct missing){ 0 } : s->missing[i];
		code_string(c, m.what, sizeof(m.what));
		m.state = code_below(c, m.state, GONE);
		m.harmless = code_bool(c, m.harmless);
		code_string(c, m.why, sizeof(m.why));
		if (!code_reads(c) || code_failed(c))
			continue;
		if (m.harmless)
			sample_lacks(s, m.what, m.state, "%s", m.why);
		else
			sample_missing(s, m.what, m.state, "%s", m.why);
	}
	return 0;
}

/* ---- the whole ---- */

static void code_head(struct codec *c, struct sample *s, struct names *names)
{
	s->time_ns = code_i64(c, s->time_ns);
	s->seconds = code_double(c, s->seconds);
	s->cpu_seconds = code_double(c, s->cpu_seconds);
	s->settle_seconds = code_double(c, s->settle_seconds);
	s->reader = code_below(c, s->reader, READER_COPY);
	s->reader_why = code_static(c, &names->keeper, s->reader_why);
	s->frames_read = code_u64(c, s->frames_read);
	code_machine(c, &s->machine);
	code_knobs(c, &s->engine);
	s->engine.ksmd_cpu_ticks = code_value(c, s->engine.ksmd_cpu_ticks);
	s->engine.cow_ksm = code_value(c, s->engine.cow_ksm);
}

static int code_sample(struct codec *c, struct sample *s, struct names *names)
{
	int rc = code_reads(c) ? read_names(c, s, names) : write_names(c, s, names);

	if (rc)
		return rc;
	code_head(c, s, names);
	if ((rc = code_tasks(c, s, names)) || (rc = code_missing(c, s)) || (rc = code_calibration(c, s)) ||
	    (rc = code_heat(c, s, &names->keeper)) || (rc = code_frames(c, s)))
		return rc;
	return code_bool(c, s->sampled) ? code_sampled(c, s) : 0;
}

int sample_pack(struct text *out, const struct sample *s, bool named_missing)
{
	struct codec c = { .out = out };
	struct names names = { 0 };

	code_bool(&c, named_missing);
	int rc = code_sample(&c, (struct sample *)s, &names);	/* writing changes nothing */
	free(names.offsets);
	return rc ? rc : out->failed ? -ENOMEM : 0;
}

/* [first, first + count) within [0, limit)? */
static bool lies_within(uint64_t first, uint64_t count, uint64_t limit)
{
	return first <= limit && count <= limit - first;
}

/* Whatever points to something points to something that is there. */
static bool holds_together(const struct sample *s)
{
	for (size_t i = 0; i < s->tasks_count; i++)
		if (!lies_within(s->tasks[i].first_area, s->tasks[i].areas, s->areas_count))
			return false;
	for (size_t i = 0; i < s->areas_count; i++) {
		const struct area *a = &s->areas[i];
		uint64_t pages = (a->end - a->start) / s->machine.page_bytes;
		if (a->task >= s->tasks_count || a->end < a->start ||
		    !lies_within(a->first_extent, a->extents, s->frames.extents.count) ||
		    a->zero_page_pages > a->present_pages || a->file_pages > a->present_pages - a->zero_page_pages)
			return false;
		for (size_t k = a->first_extent; k < a->first_extent + a->extents; k++) {
			const struct extent *e = &frame_extents(&s->frames)[k];
			if ((uint64_t)e->first_page + e->pages > pages)
				return false;
		}
	}
	return true;
}

int sample_unpack(struct sample *ret, bool *ret_named_missing, const void *bytes, size_t length, struct error *err)
{
	struct codec c = { .in = { .at = bytes, .end = (const unsigned char *)bytes + length } };
	struct names names = { .keeper = { .bytes = calloc(1, length + 1), .room = length + 1 } };

	sample_init(ret);
	ret->kept = names.keeper.bytes;
	*ret_named_missing = code_bool(&c, false);
	int rc = ret->kept ? code_sample(&c, ret, &names) : -ENOMEM;
	free(names.offsets);
	if (rc)
		rc = fail(err, EXIT_FAILED, "out of memory reading a sample of %zu bytes", length);
	else if (code_failed(&c) || c.in.at != c.in.end || !holds_together(ret))
		rc = fail(err, EXIT_FAILED, "the recording holds no sample that this program understands");
	if (rc)
		sample_free(ret);
	return rc;
}
