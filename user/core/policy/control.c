// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy/control.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/policy/opt.h"

/* A pace that is off by less is left as it is. */
#define NEAR 0.25
#define OVER 1.1
#define LONGEST_SLEEP_MS 60000

/* ---- somebody else's ---- */

static void take_hands_off(const struct policy_config *c, struct policy_memory *m, struct policy_decision *d)
{
	bool began = m->now_ns >= m->hands_off_until_ns;
	m->hands_off_until_ns = m->now_ns + c->back_off_ns;
	if (began)
		decision_tell(d, POLICY_WARNING, "hands off the engine: %s", m->hands_off);
}

static void check_knobs(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
			struct policy_decision *d)
{
	for (enum knob k = 0; k < KNOB_COUNT; k++) {
		struct knob_memory *own = &m->knob[k];
		if (!own->ours || !is_known(f->knob[k]) || f->knob[k].number == own->value)
			continue;
		own->ours = false;
		snprintf(m->hands_off, sizeof(m->hands_off), "somebody set %s to %" PRId64 " (we had set %" PRId64 ")",
			 knobs[k].name, f->knob[k].number, own->value);
		take_hands_off(c, m, d);
	}
}

bool control_is_foreign(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
			struct policy_decision *d)
{
	check_knobs(c, m, f, d);
	if (*f->rival) {
		snprintf(m->hands_off, sizeof(m->hands_off), "%s drives it", f->rival);
		take_hands_off(c, m, d);
	}
	if (*m->hands_off && m->now_ns >= m->hands_off_until_ns) {
		m->hands_off[0] = '\0';
		decision_tell(d, POLICY_NOTICE, "nobody else has touched the engine for a while: taking it up again");
	}
	return *m->hands_off;
}

/* ---- one knob ---- */

struct controlling {
	const struct policy_config *config;
	struct policy_memory *memory;
	const struct policy_facts *facts;
	struct policy_decision *decision;
	int rc;
};

static bool is_held(const struct controlling *c, enum knob k)
{
	const struct knob_memory *own = &c->memory->knob[k];
	return own->changed && c->memory->now_ns - own->changed_ns < c->config->hold_ns;
}

static bool may_change(const struct controlling *c, enum knob k, int64_t to)
{
	struct value now = c->facts->knob[k];

	return is_known(now) && now.number != to && to >= knobs[k].low && to <= knobs[k].high && !is_held(c, k);
}

static void set(struct controlling *c, enum knob k, int64_t to, const char *reason)
{
	struct knob_memory *own = &c->memory->knob[k];

	if (c->rc || !may_change(c, k, to))
		return;
	own->changed = true;
	own->changed_ns = c->memory->now_ns;
	c->rc = decision_add(c->decision, (struct change){ .kind = CHANGE_KNOB, .knob = k,
							   .before = c->facts->knob[k].number, .after = to },
			     "%s: %.120s", pace_names[c->decision->pace.pace], reason);
}

/* ---- the pace ---- */

static double rate_of(double pages, double sleep_ms)
{
	return pages / (sleep_ms > 0 ? sleep_ms : 1);
}

/*
 * Where ksmd takes more than it may, nothing makes it take even more,
 * whatever a page is thought to cost.
 */
static bool would_raise(const struct controlling *c, double now, double wanted)
{
	const struct policy_memory *m = c->memory;
	bool running = value_or(c->facts->knob[KNOB_RUN], 0) == 1;
	return running && wanted > now && m->pace.ksmd_share > c->decision->pace.budget * OVER;
}

/* Batches as large as they are, but rarer. A change of the pause wakes ksmd up, so that a long one is no promise. */
static void slow_down(struct controlling *c, double pages, double wanted, const char *reason)
{
	double sleep = wanted > 0 ? pages / wanted : LONGEST_SLEEP_MS;
	set(c, KNOB_SLEEP_MILLISECS, sleep < LONGEST_SLEEP_MS ? (int64_t)sleep : LONGEST_SLEEP_MS, reason);
}

static void set_pace(struct controlling *c, const char *reason)
{
	const struct pace_now *pace = &c->decision->pace;
	double pages = (double)value_or(c->facts->knob[KNOB_PAGES_TO_SCAN], 0);
	double now = rate_of(pages, (double)value_or(c->facts->knob[KNOB_SLEEP_MILLISECS], 0));
	double wanted = rate_of((double)pace->pages_to_scan, (double)pace->sleep_millisecs);
	bool near = now > wanted * (1 - NEAR) && now < wanted * (1 + NEAR);

	if (near || would_raise(c, now, wanted))
		return;
	/* both or none: one without the other is a pace that nobody wanted. But to calm down one is enough. */
	if (is_held(c, KNOB_PAGES_TO_SCAN)) {
		if (wanted < now && pace->pace == PACE_WATCH)
			slow_down(c, pages, wanted, reason);
		return;
	}
	set(c, KNOB_SLEEP_MILLISECS, pace->sleep_millisecs, reason);
	set(c, KNOB_PAGES_TO_SCAN, pace->pages_to_scan, reason);
}

/* A knob as it will be when the plan is through. */
static int64_t planned(const struct controlling *c, enum knob k)
{
	int64_t value = value_or(c->facts->knob[k], 0);

	for (size_t i = 0; i < c->decision->plan.count; i++)
		if (c->decision->plan.changes[i].kind == CHANGE_KNOB && c->decision->plan.changes[i].knob == k)
			value = c->decision->plan.changes[i].after;
	return value;
}

/* True when the engine may be started with what is set then: no faster than it is meant to be. */
static bool set_direct(struct controlling *c, const char *reason)
{
	const struct pace_now *pace = &c->decision->pace;

	set(c, KNOB_ADVISOR_MODE, ADVISOR_NONE, "with the kernel's advisor on, pages_to_scan can't be set");
	/* until it is off, a write would be refused */
	if (value_or(c->facts->knob[KNOB_ADVISOR_MODE], ADVISOR_NONE) != ADVISOR_NONE)
		return false;
	set_pace(c, reason);
	return rate_of((double)planned(c, KNOB_PAGES_TO_SCAN), (double)planned(c, KNOB_SLEEP_MILLISECS)) <=
	       rate_of((double)pace->pages_to_scan, (double)pace->sleep_millisecs) * (1 + NEAR);
}

static bool set_advisor(struct controlling *c, const char *reason)
{
	const struct pace_now *pace = &c->decision->pace;
	int64_t cpu = llround(pace->budget * 100), now = value_or(c->facts->knob[KNOB_ADVISOR_TARGET_SCAN_TIME], 1);
	double ratio = (double)pace->scan_seconds / (double)(now > 0 ? now : 1);

	set(c, KNOB_ADVISOR_MAX_CPU, cpu < 1 ? 1 : cpu, reason);
	if (ratio < 1 - NEAR || ratio > 1 + NEAR)
		set(c, KNOB_ADVISOR_TARGET_SCAN_TIME, pace->scan_seconds, reason);
	set(c, KNOB_ADVISOR_MODE, ADVISOR_SCAN_TIME, "the kernel's advisor sets pages_to_scan");
	return planned(c, KNOB_ADVISOR_MODE) == ADVISOR_SCAN_TIME;
}

static void set_manners(struct controlling *c)
{
	const struct policy_config *config = c->config;
	bool sweeps = c->decision->pace.pace == PACE_SWEEP;

	if (config->smart_scan != KEEP)
		set(c, KNOB_SMART_SCAN, config->smart_scan == KEEP_ON && !sweeps,
		    sweeps ? "no page is skipped until everything was scanned" : "pages that did not merge are skipped");
	if (config->use_zero_pages != KEEP)
		set(c, KNOB_USE_ZERO_PAGES, config->use_zero_pages == KEEP_ON, "configured");
	/* the kernel takes it only while nothing is merged */
	if (config->max_page_sharing && value_or(c->facts->knob[KNOB_PAGES_SHARED], 1) == 0)
		set(c, KNOB_MAX_PAGE_SHARING, (int64_t)config->max_page_sharing, "configured");
}

int control_plan(const struct policy_config *config, struct policy_memory *m, const struct policy_facts *f,
		 struct policy_decision *d)
{
	struct controlling c = { config, m, f, d, 0 };
	bool runs = d->pace.budget > 0, ready = true;
	bool advisor = is_known(f->knob[KNOB_ADVISOR_MODE]) &&
		       (config->pace == PACE_ADVISOR || (config->pace == PACE_AUTO && m->advisor_found));

	if (!is_known(f->knob[KNOB_RUN]))
		return 0;
	if (runs) {
		ready = advisor ? set_advisor(&c, m->pace.reason) : set_direct(&c, m->pace.reason);
		set_manners(&c);
	}
	/* a run of 2 has stopped it, too, and is somebody's wish */
	if (runs ? ready : f->knob[KNOB_RUN].number == 1)
		set(&c, KNOB_RUN, runs, m->pace.reason);
	return c.rc;
}

void control_note(const struct policy_config *config, struct policy_memory *m, const struct change *c,
		  enum policy_outcome outcome)
{
	struct knob_memory *own = &m->knob[c->knob];

	own->ours = outcome == POLICY_MADE;
	own->value = c->after;
	if (outcome == POLICY_MADE)
		return;
	snprintf(m->hands_off, sizeof(m->hands_off), "%s could not be set to %" PRId64 "%s", knobs[c->knob].name, c->after,
		 outcome == POLICY_FOREIGN ? ": somebody else changed it meanwhile" : "");
	m->hands_off_until_ns = m->now_ns + config->back_off_ns;
}
