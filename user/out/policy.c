// SPDX-License-Identifier: GPL-2.0-or-later
#include "out/policy.h"

#include <inttypes.h>
#include <time.h>

#include "base/units.h"
#include "core/policy/opt.h"
#include "out/advise.h"
#include "out/json.h"

static const char *const outcome_names[] = { "made", "refused", "foreign" };

static const char *outcome_name(const struct policy_done *done)
{
	return done->planned_only ? "planned" : outcome_names[done->outcome];
}

/* ---- lines ---- */

static void what(struct text *out, const struct change *c)
{
	switch (c->kind) {
	case CHANGE_KNOB:
		text_printf(out, "%s %" PRId64 " → %" PRId64, knobs[c->knob].name, c->before, c->after);
		break;
	case CHANGE_MADVISE:
		text_printf(out, "opt in process %d, 0x%" PRIx64 "-0x%" PRIx64, c->pid, c->start, c->end);
		break;
	case CHANGE_PRCTL:
		text_printf(out, "opt in process %d as a whole", c->pid);
		break;
	default:
		text_printf(out, "take process %d out again", c->pid);
		if (c->end != UINT64_MAX)
			text_printf(out, ", 0x%" PRIx64 "-0x%" PRIx64, c->start, c->end);
	}
}

void policy_change_line(struct text *out, const struct change *c, const struct policy_done *done,
			enum policy_priority *ret_priority)
{
	if (done->planned_only)
		text_puts(out, "would ");
	if (c->kind == CHANGE_KNOB)
		text_puts(out, "set ");
	what(out, c);
	text_printf(out, ": %s", c->reason);
	if (!done->planned_only && done->outcome != POLICY_MADE)
		text_puts(out, done->outcome == POLICY_FOREIGN ? "; left alone" : "; refused");
	if (*done->text)
		text_printf(out, " (%s)", done->text);
	*ret_priority = done->planned_only || done->outcome == POLICY_MADE ? POLICY_INFO : POLICY_WARNING;
}

static void when(struct text *out, int64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000);
	struct tm tm;
	char text[32] = "?";

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	text_puts(out, text);
}

void policy_report_text(struct text *out, const struct policy_report *r)
{
	enum policy_priority priority;

	when(out, r->time_ns);
	text_printf(out, "  memory %s, engine %s\n", pressure_names[r->memory->pressure.state],
		    pace_names[r->memory->pace.pace]);
	for (size_t i = 0; i < r->decision->events_count; i++)
		text_printf(out, "    %s\n", r->decision->events[i].text);
	for (size_t i = 0; i < r->decision->plan.count; i++) {
		text_puts(out, "    ");
		policy_change_line(out, &r->decision->plan.changes[i], &r->done[i], &priority);
		text_puts(out, "\n");
	}
}

/* ---- JSON ---- */

static void json_change(struct json *j, const struct change *c, const struct policy_done *done)
{
	json_object(j, NULL);
	change_json(j, c);
	json_string(j, "outcome", outcome_name(done));
	if (*done->text)
		json_string(j, "note", done->text);
	json_end_object(j);
}

/* The figures that it was decided by. */
static void json_figures(struct json *j, const struct policy_config *config, const struct policy_memory *m,
			 const struct policy_facts *f)
{
	json_object(j, "figures");
	json_value(j, "available_bytes", f->available_bytes);
	json_u64(j, "min_free_bytes", pressure_min_free(config, f->total_bytes));
	json_value(j, "stall_some_avg10_centi_percent", f->stall_some);
	json_value(j, "stall_full_avg10_centi_percent", f->stall_full);
	json_value(j, "mergeable_bytes", f->mergeable_bytes);
	json_value(j, "potential_bytes", f->win_bytes);
	json_value(j, "pages_sharing", f->knob[KNOB_PAGES_SHARING]);
	json_value(j, "ksm_zero_pages", f->knob[KNOB_KSM_ZERO_PAGES]);
	json_value(j, "general_profit_bytes", f->knob[KNOB_GENERAL_PROFIT]);
	json_value(j, "full_scans", f->knob[KNOB_FULL_SCANS]);
	json_double(j, "ksmd_cpu_ratio", m->pace.ksmd_share);
	json_double(j, "cow_cpu_ratio", m->pace.cow_share);
	json_double(j, "page_cpu_ns", m->pace.page_ns);
	json_double(j, "cow_break_cpu_ns", policy_cow_cost_ns(f));
	json_bool(j, "cow_break_calibrated", is_known(f->cow_cost_ns));
	json_end_object(j);
}

static void json_state(struct json *j, const struct policy_memory *m)
{
	json_string(j, "memory", pressure_names[m->pressure.state]);
	json_string(j, "memory_reason", m->pressure.reason);
	json_string(j, "engine", pace_names[m->pace.pace]);
	json_string(j, "engine_reason", m->pace.reason);
}

void policy_report_json(struct text *out, const struct policy_report *r)
{
	struct json j = { .out = out };

	json_object(&j, NULL);
	json_time(&j, "time", r->time_ns);
	json_state(&j, r->memory);
	json_figures(&j, r->config, r->memory, r->facts);
	json_array(&j, "events");
	for (size_t i = 0; i < r->decision->events_count; i++)
		json_string(&j, NULL, r->decision->events[i].text);
	json_end_array(&j);
	json_array(&j, "changes");
	for (size_t i = 0; i < r->decision->plan.count; i++)
		json_change(&j, &r->decision->plan.changes[i], &r->done[i]);
	json_end_array(&j);
	json_end_object(&j);
	text_puts(out, "\n");
}

static size_t own_ranges(const struct policy_memory *m)
{
	size_t count = 0;
	for (size_t i = 0; i < m->own_count; i++)
		count += m->own[i].count;
	return count;
}

static void json_times(struct json *j, const struct policy_memory *m)
{
	json_object(j, "time_in_state_seconds");
	for (int s = 0; s < PRESSURE_STATES; s++)
		json_double(j, pressure_names[s], (double)m->pressure.time_ns[s] / 1e9);
	json_end_object(j);
	json_object(j, "entered");
	for (int s = 0; s < PRESSURE_STATES; s++)
		json_u64(j, pressure_names[s], m->pressure.entered[s]);
	json_end_object(j);
}

static void json_knobs(struct json *j, const struct policy_memory *m, const struct policy_facts *f)
{
	json_object(j, "knobs");
	for (enum knob k = 0; k < KNOB_COUNT; k++)
		if (knob_writable(k))
			json_value(j, knobs[k].name, f->knob[k]);
	json_end_object(j);
	json_array(j, "written");
	for (enum knob k = 0; k < KNOB_COUNT; k++)
		if (m->knob[k].ours)
			json_string(j, NULL, knobs[k].name);
	json_end_array(j);
}

static void json_counts(struct json *j, const struct policy_status *s)
{
	json_u64(j, "steps", s->memory->steps);
	json_u64(j, "changes_made", s->changes_made);
	json_u64(j, "changes_refused", s->changes_refused);
	json_u64(j, "looks", s->looks);
	json_u64(j, "looks_failed", s->looks_failed);
	json_double(j, "look_cpu_seconds", s->look_seconds);
	json_u64(j, "reloads", s->reloads);
	json_u64(j, "reloads_refused", s->reloads_refused);
	json_value(j, "own_cpu_ns", s->own_cpu_ns);
	json_value(j, "own_rss_bytes", s->own_rss_bytes);
}

void policy_status_json(struct text *out, const struct policy_status *s)
{
	struct json j = { .out = out, .indented = true };

	json_object(&j, NULL);
	json_time(&j, "time", s->time_ns);
	json_time(&j, "started", s->started_ns);
	json_i64(&j, "pid", s->pid);
	json_bool(&j, "apply", s->apply);
	json_state(&j, s->memory);
	json_times(&j, s->memory);
	if (*s->memory->hands_off)
		json_string(&j, "hands_off", s->memory->hands_off);
	if (*s->memory->barred)
		json_string(&j, "barred", s->memory->barred);
	json_figures(&j, s->config, s->memory, s->facts);
	json_knobs(&j, s->memory, s->facts);
	json_u64(&j, "opted_in_ranges", own_ranges(s->memory));
	json_counts(&j, s);
	json_end_object(&j);
	text_puts(out, "\n");
}

/* ---- where it stands, for people ---- */

static void text_times(struct text *out, const struct policy_memory *m)
{
	text_puts(out, "time in state ");
	for (int s = 0; s < PRESSURE_STATES; s++)
		text_printf(out, "%s%s %s", s ? ", " : "", pressure_names[s],
			    show_seconds((double)m->pressure.time_ns[s] / 1e9).text);
	text_puts(out, "\n");
}

static void text_written(struct text *out, const struct policy_memory *m)
{
	bool any = false;

	text_puts(out, "written       ");
	for (enum knob k = 0; k < KNOB_COUNT; k++) {
		if (!m->knob[k].ours)
			continue;
		text_printf(out, "%s%s=%" PRId64, any ? " " : "", knobs[k].name, m->knob[k].value);
		any = true;
	}
	text_printf(out, "%s; %zu ranges opted in\n", any ? "" : "no knob", own_ranges(m));
}

void policy_status_text(struct text *out, const struct policy_status *s)
{
	const struct policy_memory *m = s->memory;
	int64_t saved = value_or(s->facts->knob[KNOB_PAGES_SHARING], 0) + value_or(s->facts->knob[KNOB_KSM_ZERO_PAGES], 0);

	text_printf(out, "ksm-policyd   process %d, %s, for %s\n", s->pid, s->apply ? "acting" : "dry run: nothing is written",
		    show_seconds((double)(s->time_ns - s->started_ns) / 1e9).text);
	text_printf(out, "memory        %s: %s\n", pressure_names[m->pressure.state], m->pressure.reason);
	text_times(out, m);
	text_printf(out, "engine        %s: %s\n", pace_names[m->pace.pace], m->pace.reason);
	if (*m->hands_off)
		text_printf(out, "hands off     %s\n", m->hands_off);
	text_written(out, m);
	text_printf(out, "saved         %s; ksmd takes %.2f %% of a CPU, COW breaks %.2f %%\n",
		    show_bytes(saved * (int64_t)s->facts->page_bytes).text, m->pace.ksmd_share * 100, m->pace.cow_share * 100);
	text_printf(out, "itself        %s of CPU, %s resident; %" PRIu64 " looks at contents, %s of CPU\n",
		    show_seconds((double)value_or(s->own_cpu_ns, 0) / 1e9).text,
		    show_bytes(value_or(s->own_rss_bytes, 0)).text, s->looks, show_seconds(s->look_seconds).text);
	text_printf(out, "changes       %" PRIu64 " made, %" PRIu64 " refused, in %" PRIu64 " steps\n", s->changes_made,
		    s->changes_refused, m->steps);
}
