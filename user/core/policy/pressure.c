// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy/pressure.h"

#include <stdio.h>

#include "base/units.h"

uint64_t pressure_min_free(const struct policy_config *config, struct value total)
{
	static const struct { uint64_t up_to_gib; double share; } steps[] = {
		{ 4, 0.06 }, { 12, 0.04 }, { 28, 0.02 }, { UINT64_MAX >> 30, 0.01 },
	};
	uint64_t from = 0, bytes = is_known(total) && total.number > 0 ? (uint64_t)total.number : 0;
	double sum = 0;

	if (config->min_free_bytes)
		return config->min_free_bytes;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && bytes > from; i++) {
		uint64_t to = steps[i].up_to_gib << 30;
		sum += (double)((bytes < to ? bytes : to) - from) * steps[i].share;
		from = to;
	}
	return (uint64_t)sum;
}

/* A bound that was crossed is left at a higher one. */
static bool is_short(const struct policy_config *c, const struct policy_facts *f, enum pressure s, bool is_in,
		     uint64_t min_free)
{
	double bound = c->state[s].below * (double)min_free * (is_in ? c->hysteresis : 1);
	return is_known(f->available_bytes) && (double)f->available_bytes.number < bound;
}

static bool exceeds(struct value stalled, double bound, bool is_in, double hysteresis)
{
	return bound > 0 && is_known(stalled) &&
	       (double)stalled.number / 10000 >= (is_in ? bound / hysteresis : bound);
}

static bool stalls(const struct policy_config *c, const struct policy_facts *f, enum pressure s, bool is_in)
{
	return exceeds(f->stall_some, c->state[s].stall_some, is_in, c->hysteresis) ||
	       exceeds(f->stall_full, c->state[s].stall_full, is_in, c->hysteresis);
}

/* The worst state whose bounds are crossed; `present` and better ones are left later than they are entered. */
static enum pressure worst(const struct policy_config *c, const struct policy_facts *f, enum pressure present)
{
	uint64_t min_free = pressure_min_free(c, f->total_bytes);
	enum pressure s = PRESSURE_LOW;

	while (s > PRESSURE_HIGH && !is_short(c, f, s, s <= present, min_free) && !stalls(c, f, s, s <= present))
		s--;
	return s;
}

static void say_why(struct pressure_memory *m, const struct policy_config *c, const struct policy_facts *f)
{
	char stalled[64] = "";

	if (is_known(f->stall_some) && is_known(f->stall_full))
		snprintf(stalled, sizeof(stalled), ", stalled %.1f %% (all %.1f %%) of the time",
			 (double)f->stall_some.number / 100, (double)f->stall_full.number / 100);
	snprintf(m->reason, sizeof(m->reason), "%s available, minFree %s%s",
		 is_known(f->available_bytes) ? show_bytes(f->available_bytes.number).text : known_name(f->available_bytes.known),
		 show_bytes((int64_t)pressure_min_free(c, f->total_bytes)).text, stalled);
}

bool pressure_step(struct pressure_memory *m, const struct policy_config *c, const struct policy_facts *f,
		   int64_t now_ns, int64_t passed_ns)
{
	enum pressure wanted = worst(c, f, m->state);

	m->time_ns[m->state] += passed_ns;
	if (!m->entered[m->state])
		m->entered[m->state] = 1;
	if (wanted != m->wanted || wanted == m->state)
		m->wanted_since_ns = now_ns;
	m->wanted = wanted;
	if (wanted == m->state || !*m->reason) {
		say_why(m, c, f);
		if (wanted == m->state)
			return false;
	}
	if (now_ns - m->wanted_since_ns < (wanted > m->state ? c->worse_hold_ns : c->better_hold_ns))
		return false;
	m->state = wanted;
	m->since_ns = now_ns;
	m->entered[wanted]++;
	say_why(m, c, f);
	return true;
}
