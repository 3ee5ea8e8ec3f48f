// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "core/policy/control.h"
#include "core/policy/opt.h"

/* Processes always have some huge page: less than this share of their memory is not waited for. */
#define HUGE_SHARE 0.05

void policy_decision_free(struct policy_decision *d)
{
	plan_free(&d->plan);
	*d = (struct policy_decision){ 0 };
}

void policy_memory_free(struct policy_memory *m)
{
	for (size_t i = 0; i < m->own_count; i++)
		free(m->own[i].ranges);
	free(m->own);
	*m = (struct policy_memory){ 0 };
}

/* ---- time ---- */

/* A clock that jumps, either way, must not end a hold time early. */
static int64_t pass_time(struct policy_memory *m, const struct policy_facts *f)
{
	int64_t passed = 0;

	if (m->steps && f->clock_ns > m->clock_ns)
		passed = (uint64_t)f->clock_ns - (uint64_t)m->clock_ns < (uint64_t)POLICY_STEP_NS
				 ? f->clock_ns - m->clock_ns : POLICY_STEP_NS;
	m->clock_ns = f->clock_ns;
	m->now_ns += passed;
	m->steps++;
	return passed;
}

/* ---- may the engine run? ---- */

/* Huge pages of those who opted in by themselves: the engine would break them, for one page each. */
static bool keeps_huge(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f)
{
	int64_t huge = 0, anon = 0;
	bool known = true;

	if (c->state[m->pressure.state].break_huge >= BREAK_RICH)
		return false;
	for (size_t i = 0; i < f->tasks_count; i++) {
		const struct policy_task *t = &f->tasks[i];
		if (!t->mergeable || opt_is_ours(m, t->pid, t->start_ticks))
			continue;
		known &= is_known(t->huge_bytes);
		huge += value_or(t->huge_bytes, 0);
		anon += value_or(t->anon_bytes, 0);
	}
	if (known && (double)huge <= HUGE_SHARE * (double)anon)
		return false;
	snprintf(m->barred, sizeof(m->barred), "it would break huge pages (%s) that this state keeps whole",
		 known ? show_bytes(huge).text : "nobody knows how many");
	return true;
}

/* What can't be read can't be put back, and is not written: it would run at a pace that nobody chose. */
static bool cannot_pace(struct policy_memory *m, const struct policy_facts *f)
{
	static const enum knob needed[] = { KNOB_RUN, KNOB_PAGES_TO_SCAN, KNOB_SLEEP_MILLISECS };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (is_known(f->knob[needed[i]]))
			continue;
		snprintf(m->barred, sizeof(m->barred), "the engine's %s can't be read (%s)", knobs[needed[i]].name,
			 known_name(f->knob[needed[i]].known));
		return true;
	}
	return false;
}

/* Everything that is opted in merges with everything else: mainline KSM has one merge space. */
static bool would_cross(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f)
{
	if (c->cross_domains || f->mergeable_domains < 2)
		return false;
	snprintf(m->barred, sizeof(m->barred), "processes of different trust domains are opted in (%.24s, %.24s): it would "
		 "merge across them; cross_domains = yes accepts it", f->domain_a, f->domain_b);
	return true;
}

static const char *bar(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
		       struct policy_decision *d)
{
	char before[sizeof(m->barred)];

	memcpy(before, m->barred, sizeof(before));
	m->barred[0] = '\0';
	/* where it may not run anyhow nobody needs to know what else is in its way */
	if (c->state[m->pressure.state].engine_cpu <= 0)
		return NULL;
	bool barred = cannot_pace(m, f) || would_cross(c, m, f) || keeps_huge(c, m, f);
	if (barred && !*before)
		decision_tell(d, POLICY_WARNING, "the engine may not run: %s", m->barred);
	return barred ? m->barred : NULL;
}

/* ---- one step ---- */

static void step_pressure(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
			  int64_t passed, struct policy_decision *d)
{
	enum pressure before = m->pressure.state;

	if (!pressure_step(&m->pressure, c, f, m->now_ns, passed))
		return;
	decision_tell(d, POLICY_NOTICE, "memory: %s → %s: %s", pressure_names[before], pressure_names[m->pressure.state],
		      m->pressure.reason);
	if (m->pressure.state > before)
		m->next_look_ns = m->now_ns;	/* more is allowed now */
}

/* What a decision about costs stands on is told once, and when it changes. */
static void tell_costs(struct policy_memory *m, const struct policy_facts *f, struct policy_decision *d)
{
	double cost = policy_cow_cost_ns(f);

	if (m->cow_cost_ns == cost)
		return;
	m->cow_cost_ns = cost;
	decision_tell(d, POLICY_INFO, "writes to merged pages cost %s%s", policy_cow_cost_text(f).text,
		      is_known(f->cow_cost_ns) ? "" : ": this machine is not calibrated (ksm-advise --calibrate)");
}

static int64_t own_unseen_bytes(const struct policy_memory *m, const struct policy_facts *f)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < f->tasks_count; i++)
		if (!f->tasks[i].mergeable && opt_is_ours(m, f->tasks[i].pid, f->tasks[i].start_ticks))
			bytes += value_or(f->tasks[i].anon_bytes, 0);
	return bytes;
}

static int step_engine(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
		       int64_t passed, bool foreign, struct policy_decision *d)
{
	const struct state_config *state = &c->state[m->pressure.state];
	const char *barred = bar(c, m, f, d);
	struct policy_facts with_own = *f;

	/* the kernel's word about those that were opted in a moment ago is read in turns, and comes later */
	with_own.mergeable_bytes.number += own_unseen_bytes(m, f);
	d->pace = pace_step(&m->pace, c, &with_own, state, foreign ? m->hands_off : barred, m->now_ns, passed);
	if (d->pace.changed)
		decision_tell(d, POLICY_NOTICE, "engine: %s: %s", pace_names[m->pace.pace], m->pace.reason);
	return foreign ? 0 : control_plan(c, m, f, d);
}

int policy_step(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
		const struct policy_look *look, struct policy_decision *ret)
{
	int64_t passed = pass_time(m, f);
	int rc;

	*ret = (struct policy_decision){ 0 };
	if (m->steps == 1)
		m->advisor_found = value_or(f->knob[KNOB_ADVISOR_MODE], ADVISOR_NONE) != ADVISOR_NONE;
	tell_costs(m, f, ret);
	step_pressure(c, m, f, passed, ret);
	bool foreign = control_is_foreign(c, m, f, ret);
	rc = opt_check_own(c, m, f, passed, ret);
	if (!rc && look && !foreign)
		rc = opt_by_look(c, m, f, look, ret);
	if (!rc)
		rc = step_engine(c, m, f, passed, foreign, ret);
	ret->want_look = opt_wants_look(c, m, f);
	if (rc)
		policy_decision_free(ret);
	return rc;
}

int policy_note(const struct policy_config *c, struct policy_memory *m, const struct change *change,
		enum policy_outcome outcome)
{
	if (change->kind != CHANGE_KNOB)
		return opt_note(c, m, change, outcome);
	control_note(c, m, change, outcome);
	return 0;
}
