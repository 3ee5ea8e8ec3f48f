// SPDX-License-Identifier: GPL-2.0-or-later
/* Schema ksm-advise/1; the keys are described in docs/json.md. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/estimate/sampled.h"
#include "core/judge/doctor.h"
#include "core/judge/verdict.h"
#include "out/advise.h"
#include "out/advise_huge.h"
#include "out/calibration.h"
#include "out/json.h"

static const char *reader_name(enum reader_kind reader)
{
	static const char *const names[] = { "none", "direct-map", "copy" };
	return names[reader];
}

/* A count of what was looked at: null, not 0, where nobody could look. */
static void count(struct json *j, const char *key, bool looked_at, uint64_t value)
{
	if (looked_at)
		json_u64(j, key, value);
	else
		json_null(j, key);
}

/* KEY_low and KEY_high, only where contents were sampled. */
static void interval(struct json *j, const char *key, bool sampled, int64_t low, int64_t high)
{
	char name[64];

	if (!sampled)
		return;
	snprintf(name, sizeof(name), "%s_low", key);
	json_i64(j, name, low);
	snprintf(name, sizeof(name), "%s_high", key);
	json_i64(j, name, high);
}

/* How long pages stay as they are; null where nobody looked twice. An end of the interval that nothing bounds is null. */
static void lasting(struct json *j, const struct lasting *l)
{
	if (!l->known) {
		json_null(j, "lasting");
		return;
	}
	json_object(j, "lasting");
	json_double(j, "stayed", l->share);
	json_double(j, "stayed_low", l->share_low);
	json_double(j, "stayed_high", l->share_high);
	json_double(j, "half_life_seconds", l->half_life);
	json_double(j, "half_life_low_seconds", l->half_life_low);
	json_double(j, "half_life_high_seconds", l->half_life_high);
	json_end_object(j);
}

static void looked(struct json *j, const struct sample *s)
{
	json_object(j, "looked");
	json_u64(j, "frames", s->sampled ? s->sampled->candidate : frame_count(&s->frames));
	json_u64(j, "bytes", s->frames_read * s->machine.page_bytes);
	json_double(j, "seconds", s->seconds);
	if (s->reader != READER_NONE)
		json_double(j, "cpu_seconds", s->cpu_seconds);
	else
		json_null(j, "cpu_seconds");
	json_string(j, "reader", reader_name(s->reader));
	if (s->reader_why)
		json_string(j, "reader_why", s->reader_why);
	json_double(j, "settle_seconds", s->settle_seconds);
	json_u64(j, "page_bytes", s->machine.page_bytes);
	if (s->sampled) {
		json_object(j, "sample");
		json_double(j, "theta", sketch_theta(&s->sampled->sketch, SKETCH_LIGHT));
		json_u64(j, "hashed", s->sampled->hashed);
		json_u64(j, "followed", s->sampled->followed);
		json_bool(j, "probe", !s->sampled->sketch.probe_is_hash);
		json_end_object(j);
	}
	json_end_object(j);
}

static void frames(struct json *j, const struct frame_counts *f, bool read, bool sampled)
{
	json_object(j, "frames");
	count(j, "candidate", read, f->candidate);
	count(j, "zero", read, f->zero);
	count(j, "zero_in_huge", read, f->zero_in_huge);
	count(j, "merged", read, f->merged);
	count(j, "huge", read, f->huge);
	count(j, "volatile", read && (!sampled || f->volatile_known), f->is_volatile);
	if (sampled && f->volatile_known) {
		json_u64(j, "volatile_low", f->volatile_low);
		json_u64(j, "volatile_high", f->volatile_high);
	}
	count(j, "unread", read, f->unread);
	count(j, "shared_by_fork", read, f->multi);
	count(j, "saved_now", read, f->saved_now);
	count(j, "zero_page_mappings", read, f->zero_page_mappings);
	count(j, "file", read, f->file_pages);
	json_object(j, "not_mergeable");
	for (int c = AREA_CANDIDATE + 1; c < AREA_CLASSES; c++)
		json_u64(j, area_class_name(c), f->not_mergeable[c]);
	json_end_object(j);
	json_end_object(j);
}

static void duplicates(struct json *j, const struct model *m, bool read)
{
	const struct duplicate_counts *d = &m->duplicates;
	json_object(j, "duplicates");
	count(j, "frames", read, d->frames);
	count(j, "low", read, d->low);
	count(j, "high", read, d->high);
	json_bool(j, "exact", read && d->exact);
	count(j, "within_processes", read, d->within_processes);
	count(j, "between_processes", read, d->between_processes);
	count(j, "capped", read, d->capped);
	count(j, "zero", read, d->zero);
	count(j, "inside_domains", read, d->inside_domains);
	if (m->sampled) {
		json_u64(j, "inside_domains_low", d->inside_low);
		json_u64(j, "inside_domains_high", d->inside_high);
	}
	count(j, "crossing_domains", read, m->crossing_frames);
	count(j, "mergeable", read, d->mergeable);
	interval(j, "mergeable", m->sampled, d->mergeable_low, d->mergeable_high);
	count(j, "mergeable_at_pace", read && d->paced, d->at_pace);
	if (read && d->paced) {
		json_u64(j, "mergeable_at_pace_low", d->at_pace_low);
		json_u64(j, "mergeable_at_pace_high", d->at_pace_high);
	}
	json_end_object(j);
}

static void exposure(struct json *j, const struct exposure *e, bool sampled)
{
	json_object(j, "exposure");
	json_u64(j, "needed_bytes", e->needed_bytes);
	json_u64(j, "needed_after_bytes", e->needed_predicted_bytes);
	interval(j, "needed_after_bytes", sampled, e->needed_low, e->needed_high);
	json_value(j, "available_bytes", e->available_bytes);
	json_end_object(j);
}

/* As it is in its own file; null where this machine has none that holds. */
static void calibration(struct json *j, const struct sample *s)
{
	if (!s->calibration) {
		json_null(j, "calibration");
		return;
	}
	json_object(j, "calibration");
	calibration_keys(j, s->calibration);
	json_end_object(j);
}

static void granularity(struct json *j, const struct model *m, bool read)
{
	json_array(j, "granularity");
	for (size_t i = 0; read && i < m->granularity_levels; i++) {
		json_object(j, NULL);
		json_u64(j, "block_bytes", m->granularity[i].block_bytes);
		json_u64(j, "blocks", m->granularity[i].blocks);
		json_u64(j, "distinct", m->granularity[i].distinct);
		interval(j, "distinct", m->sampled, m->granularity[i].low, m->granularity[i].high);
		json_end_object(j);
	}
	json_end_array(j);
}

static void process_intervals(struct json *j, const struct owner_counts *c, uint64_t page_bytes)
{
	json_u64(j, "self_duplicates_low", c->self_low);
	json_u64(j, "self_duplicates_high", c->self_high);
	json_u64(j, "attributed_bytes_low", c->attributed_low * page_bytes);
	json_u64(j, "attributed_bytes_high", (uint64_t)llround(c->attributed_high * page_bytes));
}

static void processes(struct json *j, const struct sample *s, const struct model *m)
{
	json_array(j, "processes");
	for (size_t i = 0; i < s->tasks_count; i++) {
		const struct task *t = &s->tasks[i];
		json_object(j, NULL);
		json_i64(j, "pid", t->pid);
		json_string(j, "comm", t->comm);
		json_u64(j, "uid", t->uid);
		json_string(j, "cgroup", sample_string(s, t->cgroup));
		if (t->vm)
			json_string(j, "vm", sample_string(s, t->vm));
		json_string(j, "domain", sample_string(s, t->domain));
		json_string(j, "contents", known_name(t->contents));
		bool read = t->contents == KNOWN || m->processes[i].candidate;
		count(j, "candidate", read, m->processes[i].candidate);
		count(j, "self_duplicates", read, m->processes[i].self_duplicates);
		count(j, "attributed_bytes", read, (uint64_t)llround(m->processes[i].attributed_frames * s->machine.page_bytes));
		if (m->sampled)
			process_intervals(j, &m->processes[i], s->machine.page_bytes);
		lasting(j, &m->processes[i].lasts);
		json_value(j, "merging_pages", t->ksm.merging_pages);
		json_value(j, "profit_bytes", t->ksm.profit_bytes);
		json_end_object(j);
	}
	json_end_array(j);
}

enum pair_names { BY_PID, BY_UID, BY_CGROUP, BY_DOMAIN };

static void pair_member(struct json *j, const char *key, const struct sample *s, uint32_t task, enum pair_names names)
{
	const struct task *t = &s->tasks[task];
	if (names == BY_PID)
		json_i64(j, key, t->pid);
	else if (names == BY_UID)
		json_u64(j, key, t->uid);
	else
		json_string(j, key, sample_string(s, names == BY_CGROUP ? t->cgroup : t->domain));
}

static void sharing(struct json *j, const char *key, const struct sample *s, const struct sharing *pairs, size_t count,
		    enum pair_names names)
{
	json_array(j, key);
	for (size_t i = 0; i < count; i++) {
		json_object(j, NULL);
		pair_member(j, "a", s, pairs[i].a, names);
		pair_member(j, "b", s, pairs[i].b, names);
		json_u64(j, "frames", pairs[i].frames);
		if (s->sampled) {
			json_u64(j, "low", pairs[i].low);
			json_u64(j, "high", pairs[i].high);
		}
		json_bool(j, "crosses", pairs[i].crosses);
		json_end_object(j);
	}
	json_end_array(j);
}

/* Each trust domain for itself, and what crosses from one to another. */
static void domains(struct json *j, const struct sample *s, const struct model *m, bool read)
{
	json_array(j, "domains");
	for (size_t i = 0; i < m->by_domain_count; i++) {
		const struct domain_counts *d = &m->by_domain[i];
		json_object(j, NULL);
		json_string(j, "name", sample_string(s, s->tasks[d->first_task].domain));
		json_u64(j, "processes", d->processes);
		count(j, "candidate", read, d->candidate);
		count(j, "duplicates", read, d->duplicates);
		count(j, "low", read, d->low);
		count(j, "high", read, d->high);
		count(j, "mergeable", read, d->mergeable);
		interval(j, "mergeable", m->sampled, d->mergeable_low, d->mergeable_high);
		json_end_object(j);
	}
	json_end_array(j);
	sharing(j, "sharing_by_domain", s, m->domain_sharing, m->domain_sharing_count, BY_DOMAIN);
}

static void mapping_counts(struct json *j, const struct model *m, const struct mapping_counts *c)
{
	bool told = !m->sampled || m->frames.volatile_known;

	json_u64(j, "duplicates", (uint64_t)llround(fmax(c->duplicates, 0)));
	interval(j, "duplicates", m->sampled, (int64_t)floor(fmax(c->low, 0)), (int64_t)ceil(fmax(c->high, 0)));
	json_u64(j, "huge", c->huge);
	json_u64(j, "zero", c->zero);
	count(j, "volatile", told, c->is_volatile);
	interval(j, "volatile", m->sampled && told, c->volatile_low, c->volatile_high);
}

static void mappings(struct json *j, const struct sample *s, const struct model *m)
{
	json_array(j, "mappings");
	for (size_t a = 0; a < s->areas_count; a++) {
		const struct area *area = &s->areas[a];
		const struct mapping_counts *c = &m->mappings[a];
		if (area->class != AREA_CANDIDATE || !c->candidate)
			continue;
		json_object(j, NULL);
		json_i64(j, "pid", s->tasks[area->task].pid);
		json_string(j, "name", sample_string(s, area->name));
		json_u64(j, "start", area->start);
		json_u64(j, "end", area->end);
		json_u64(j, "candidate", c->candidate);
		mapping_counts(j, m, c);
		json_bool(j, "opted_in", area->flags & AREA_MERGEABLE);
		json_bool(j, "worthwhile", m->worthwhile[a]);
		json_end_object(j);
	}
	json_end_array(j);
}

/* What a sample tells of the small mappings of each process: of all of them together. */
static void small_mappings(struct json *j, const struct sample *s, const struct model *m)
{
	json_array(j, "small_mappings");
	for (size_t i = 0; i < s->tasks_count; i++) {
		const struct task *t = &s->tasks[i];
		uint64_t mappings = 0, worthwhile = 0;
		if (!m->rests[i].candidate)
			continue;
		for (size_t a = t->first_area; a < t->first_area + t->areas; a++) {
			bool there = m->mappings[a].in_rest && area_tracked_pages(&s->areas[a]);
			mappings += there;
			worthwhile += there && m->worthwhile[a];
		}
		json_object(j, NULL);
		json_i64(j, "pid", t->pid);
		json_u64(j, "mappings", mappings);
		json_u64(j, "candidate", m->rests[i].candidate);
		mapping_counts(j, m, &m->rests[i]);
		json_bool(j, "worthwhile", worthwhile);
		json_end_object(j);
	}
	json_end_array(j);
}

static void lists(struct json *j, const struct sample *s, const struct model *m)
{
	sharing(j, "sharing", s, m->sharing, m->sharing_count, BY_PID);
	sharing(j, "sharing_by_uid", s, m->uid_sharing, m->uid_sharing_count, BY_UID);
	sharing(j, "sharing_by_cgroup", s, m->cgroup_sharing, m->cgroup_sharing_count, BY_CGROUP);
	mappings(j, s, m);
	if (m->sampled)
		small_mappings(j, s, m);
}

static void reasons(struct json *j, const struct model *m)
{
	json_array(j, "reasons");
	for (size_t i = 0; i < m->reasons_count; i++) {
		const struct reason *r = &m->reasons[i];
		json_object(j, NULL);
		json_string(j, "code", reason_name(r->code));
		if (r->pid)
			json_i64(j, "pid", r->pid);
		else
			json_null(j, "pid");
		json_string(j, "text", r->text);
		json_string(j, "remedy", r->remedy);
		json_end_object(j);
	}
	json_end_array(j);
}

static void engine(struct json *j, const struct sample *s)
{
	json_object(j, "engine");
	for (int k = 0; k < KNOB_COUNT; k++)
		json_value(j, knobs[k].name, s->engine.knob[k]);
	json_end_object(j);
}

static void verdict(struct json *j, const struct model *m)
{
	json_object(j, "verdict");
	json_string(j, "code", verdict_name(m->verdict));
	json_string(j, "text", m->verdict_text);
	json_end_object(j);
}

void change_json(struct json *j, const struct change *c)
{
	json_string(j, "kind", change_kind_name(c->kind));
	if (c->kind == CHANGE_KNOB) {
		json_string(j, "knob", knobs[c->knob].name);
		json_i64(j, "before", c->before);
		json_i64(j, "after", c->after);
	} else {
		json_i64(j, "pid", c->pid);
	}
	if (c->kind != CHANGE_KNOB && c->kind != CHANGE_PRCTL) {
		json_u64(j, "start", c->start);
		json_u64(j, "end", c->end);
	}
	json_string(j, "reason", c->reason);
}

static void change(struct json *j, const struct change *c, const char *outcome)
{
	json_object(j, NULL);
	change_json(j, c);
	json_string(j, "outcome", outcome);
	json_end_object(j);
}

static void applied(struct json *j, const struct applied *a)
{
	json_object(j, "applied");
	json_u64(j, "predicted_bytes", a->predicted_bytes);
	json_i64(j, "actual_bytes", a->actual_bytes);
	json_i64(j, "kernel_bytes", a->kernel_bytes);
	json_double(j, "seconds", a->seconds);
	if (is_known(a->ksmd_milliseconds))
		json_double(j, "ksmd_cpu_seconds", a->ksmd_milliseconds.number / 1000.0);
	else
		json_null(j, "ksmd_cpu_seconds");
	json_bool(j, "converged", a->converged);
	json_object(j, "huge_pages");
	json_u64(j, "regions_broken", a->plan->regions_broken);
	json_u64(j, "regions_kept", a->plan->regions_kept);
	json_double(j, "slowdown_ppm", a->plan->slowdown * 1e6);
	json_end_object(j);
	json_array(j, "changes");
	for (size_t i = 0; i < a->plan->count; i++)
		change(j, &a->plan->changes[i], a->outcomes[i]);
	json_end_array(j);
	json_end_object(j);
}

void advise_json(struct text *out, const struct advice *advice)
{
	const struct sample *s = advice->sample;
	const struct model *m = advice->model;
	bool read = s->reader != READER_NONE;
	struct json j = { .out = out, .indented = true };

	json_object(&j, NULL);
	json_string(&j, "schema", "ksm-advise/1");
	json_time(&j, "time", s->time_ns);
	json_bool(&j, "complete", m->complete);
	json_missing(&j, s->missing, s->missing_count);
	looked(&j, s);
	frames(&j, &m->frames, read, m->sampled);
	duplicates(&j, m, read);
	struct value unread = { .known = ABSENT };
	json_value(&j, "net_bytes", read ? value_of(m->net_bytes) : unread);
	json_value(&j, "net_worthwhile_bytes", read ? value_of(m->net_part_bytes) : unread);
	interval(&j, "net_worthwhile_bytes", m->sampled, m->net_part_low, m->net_part_high);
	if (m->eta_seconds >= 0)
		json_double(&j, "eta_seconds", m->eta_seconds);
	else
		json_null(&j, "eta_seconds");
	exposure(&j, &m->exposure, m->sampled);
	calibration(&j, s);
	granularity(&j, m, read);
	lasting(&j, &m->lasts);
	processes(&j, s, m);
	domains(&j, s, m, read);
	lists(&j, s, m);
	huge_json(&j, s, m->huge, advice->ledger);
	engine(&j, s);
	reasons(&j, m);
	verdict(&j, m);
	if (advice->applied)
		applied(&j, advice->applied);
	json_end_object(&j);
	text_puts(out, "\n");
}
