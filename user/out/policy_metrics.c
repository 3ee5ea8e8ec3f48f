// SPDX-License-Identifier: GPL-2.0-or-later
#include "out/policy.h"

#define PREFIX "ksmscope_policy_"

enum { STATE, STATE_SECONDS, STATE_ENTERED, PACE, APPLY, HANDS_OFF, BARRED, STEPS, CHANGES, RANGES, LOOKS, LOOK_SECONDS,
       RELOADS, SAVED, KSMD, COW, OWN_SECONDS, OWN_BYTES };

static const struct metric metrics[] = {
	[STATE] = { PREFIX, "memory_state", METRIC_GAUGE, "1 for the state of memory, 0 for the others", "state" },
	[STATE_SECONDS] = { PREFIX, "memory_state_seconds_total", METRIC_COUNTER, "time in each state of memory", "state" },
	[STATE_ENTERED] = { PREFIX, "memory_state_entered_total", METRIC_COUNTER, "how often each state was entered", "state" },
	[PACE] = { PREFIX, "engine_pace", METRIC_GAUGE, "1 for what the engine is made to do, 0 for the others", "pace" },
	[APPLY] = { PREFIX, "apply", METRIC_GAUGE, "1: it acts; 0: dry run", NULL },
	[HANDS_OFF] = { PREFIX, "hands_off", METRIC_GAUGE, "1: somebody else drives the engine, it is left alone", NULL },
	[BARRED] = { PREFIX, "barred", METRIC_GAUGE, "1: the engine may not run, for trust domains or huge pages", NULL },
	[STEPS] = { PREFIX, "steps_total", METRIC_COUNTER, "decisions", NULL },
	[CHANGES] = { PREFIX, "changes_total", METRIC_COUNTER, "changes by what became of them", "outcome" },
	[RANGES] = { PREFIX, "opted_in_ranges", METRIC_GAUGE, "ranges that are opted in by the policy", NULL },
	[LOOKS] = { PREFIX, "looks_total", METRIC_COUNTER, "looks at contents by result", "result" },
	[LOOK_SECONDS] = { PREFIX, "look_cpu_seconds_total", METRIC_COUNTER, "CPU time of looks at contents", NULL },
	[RELOADS] = { PREFIX, "reloads_total", METRIC_COUNTER, "configurations read anew by result", "result" },
	[SAVED] = { PREFIX, "saved_bytes", METRIC_GAUGE, "memory that merging saves now", NULL },
	[KSMD] = { PREFIX, "ksmd_cpu_ratio", METRIC_GAUGE, "share of one CPU that ksmd takes, smoothed", NULL },
	[COW] = { PREFIX, "cow_cpu_ratio", METRIC_GAUGE, "share of one CPU that writes to merged pages take, smoothed", NULL },
	[OWN_SECONDS] = { PREFIX, "own_cpu_seconds_total", METRIC_COUNTER, "CPU time of ksm-policyd itself", NULL },
	[OWN_BYTES] = { PREFIX, "own_resident_bytes", METRIC_GAUGE, "memory of ksm-policyd itself", NULL },
};

static void add(struct metric_page *page, int metric, const char *label, const char *value, double number)
{
	const struct metric_label labels[] = { { label, value }, { 0 } };
	metric_add(page, &metrics[metric], label ? labels : NULL, number);
}

static void add_states(struct metric_page *page, const struct policy_memory *m)
{
	for (int s = 0; s < PRESSURE_STATES; s++)
		add(page, STATE, "state", pressure_names[s], s == (int)m->pressure.state);
	for (int s = 0; s < PRESSURE_STATES; s++)
		add(page, STATE_SECONDS, "state", pressure_names[s], (double)m->pressure.time_ns[s] / 1e9);
	for (int s = 0; s < PRESSURE_STATES; s++)
		add(page, STATE_ENTERED, "state", pressure_names[s], (double)m->pressure.entered[s]);
	for (int p = 0; p < PACES; p++)
		add(page, PACE, "pace", pace_names[p], p == (int)m->pace.pace);
}

static void add_counts(struct metric_page *page, const struct policy_status *s)
{
	add(page, STEPS, NULL, NULL, (double)s->memory->steps);
	add(page, CHANGES, "outcome", "made", (double)s->changes_made);
	add(page, CHANGES, "outcome", "refused", (double)s->changes_refused);
	add(page, LOOKS, "result", "done", (double)s->looks);
	add(page, LOOKS, "result", "failed", (double)s->looks_failed);
	add(page, LOOK_SECONDS, NULL, NULL, s->look_seconds);
	add(page, RELOADS, "result", "taken", (double)s->reloads);
	add(page, RELOADS, "result", "refused", (double)s->reloads_refused);
}

void policy_status_metrics(struct text *out, enum metric_format format, const struct policy_status *s)
{
	struct metric_page page = { .out = out, .format = format };
	const struct policy_memory *m = s->memory;
	struct value sharing = s->facts->knob[KNOB_PAGES_SHARING], zero = s->facts->knob[KNOB_KSM_ZERO_PAGES];
	double ranges = 0;

	for (size_t i = 0; i < m->own_count; i++)
		ranges += (double)m->own[i].count;
	add_states(&page, m);
	add(&page, APPLY, NULL, NULL, s->apply);
	add(&page, HANDS_OFF, NULL, NULL, *m->hands_off != 0);
	add(&page, BARRED, NULL, NULL, *m->barred != 0);
	add_counts(&page, s);
	add(&page, RANGES, NULL, NULL, ranges);
	if (is_known(sharing))
		add(&page, SAVED, NULL, NULL, (double)(sharing.number + value_or(zero, 0)) * (double)s->facts->page_bytes);
	add(&page, KSMD, NULL, NULL, m->pace.ksmd_share);
	add(&page, COW, NULL, NULL, m->pace.cow_share);
	if (is_known(s->own_cpu_ns))
		add(&page, OWN_SECONDS, NULL, NULL, (double)s->own_cpu_ns.number / 1e9);
	if (is_known(s->own_rss_bytes))
		add(&page, OWN_BYTES, NULL, NULL, (double)s->own_rss_bytes.number);
	metric_end(&page);
}
