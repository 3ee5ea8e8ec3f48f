// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy/config.h"

#include <stdlib.h>
#include <string.h>

#include "core/trust/glob.h"

#define SECONDS(n) ((n) * INT64_C(1000000000))

const char *const pressure_names[PRESSURE_STATES + 1] = { "high", "clear", "soft", "hard", "low", NULL };

/*
 * Bounds of available memory: ESXi's, in shares of minFree (VMware, Memory
 * Management in vSphere). Stalls: a tenth of the time is what systemd-oomd and
 * senpai call pressure; work that cannot go on at all weighs more.
 */
static const struct state_config default_states[PRESSURE_STATES] = {
	[PRESSURE_HIGH] = { 0, 0, 0, 0, BREAK_NONE, OPT_IN_NONE },
	[PRESSURE_CLEAR] = { 4.00, 0, 0, 0.25, BREAK_COLD, OPT_IN_RANGES },
	[PRESSURE_SOFT] = { 1.00, 0.10, 0, 0.50, BREAK_RICH, OPT_IN_RANGES },
	[PRESSURE_HARD] = { 0.64, 0.40, 0.10, 0.75, BREAK_ALL, OPT_IN_RANGES },
	[PRESSURE_LOW] = { 0.32, 0, 0.40, 0.75, BREAK_ALL, OPT_IN_RANGES },
};

void policy_config_init(struct policy_config *ret)
{
	*ret = (struct policy_config){
		.interval_ns = SECONDS(1),
		.hang_ns = SECONDS(60),
		.hysteresis = 1.25,
		.worse_hold_ns = SECONDS(2),
		.better_hold_ns = SECONDS(60),
		.hold_ns = SECONDS(10),
		.watch_cpu = 0.002,
		.rate_bytes = UINT64_C(4) << 30,
		.most_pages_to_scan = 100000,
		.smart_scan = KEEP_ON,
		.use_zero_pages = KEEP,
		.worth = 0.05,
		.gain_bytes = UINT64_C(16) << 20,
		.rest_ns = SECONDS(600),
		.most_rest_ns = SECONDS(6 * 3600),
		.back_off_ns = SECONDS(600),
		.look_cpu = 0.005,
		.look_interval_ns = SECONDS(60),
		.look_bytes = UINT64_C(16) << 30,
		.rich = 0.25,
		.least_share = 0.10,
		.churn = 0.50,
		.patience_ns = SECONDS(60),
		.least_bytes = UINT64_C(1) << 20,
		.most_ranges = 64,
	};
	memcpy(ret->state, default_states, sizeof(default_states));
}

void policy_config_free(struct policy_config *c)
{
	for (uint32_t i = 0; i < c->allow_count; i++)
		free(c->allow[i].rule.pattern);
	for (uint32_t i = 0; i < c->groups_count; i++)
		free(c->groups[i].name);
	for (uint32_t i = 0; i < c->files_count; i++)
		free(c->files[i]);
	free(c->allow);
	free(c->groups);
	free(c->files);
	*c = (struct policy_config){ 0 };
}

/* Is one of the names in the path as the pattern has it? */
static bool unit_matches(const char *pattern, const char *cgroup)
{
	char name[GLOB_COMPONENT_MAX + 1];

	for (const char *at = cgroup; at && *at;) {
		at += *at == '/';
		size_t length = strcspn(at, "/");
		if (length && length < sizeof(name)) {
			memcpy(name, at, length);
			name[length] = '\0';
			if (glob_name_matches(pattern, name))
				return true;
		}
		at += length;
	}
	return false;
}

const struct allow_group *policy_allows(const struct policy_config *c, const struct domain_subject *s)
{
	for (uint32_t i = 0; i < c->allow_count; i++) {
		const struct allow_rule *r = &c->allow[i];
		bool matches = r->unit ? s->cgroup && unit_matches(r->rule.pattern, s->cgroup)
				       : rule_matches(&r->rule, s) == RULE_MATCHES;
		if (matches)
			return &c->groups[r->group];
	}
	return NULL;
}
