// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The policy's configuration as a table: a row for each key with its type,
 * place and bounds. What is not in the table is refused, with its place.
 */
#include "core/policy/config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "core/conf/value.h"

#define ALLOW_MOST 4096

enum section { SECTION_POLICY, SECTION_PRESSURE, SECTION_ENGINE, SECTION_OPT_IN, SECTION_STATE, SECTION_ALLOW };

static const struct conf_section sections[] = {
	[SECTION_POLICY] = { "policy", NULL },
	[SECTION_PRESSURE] = { "pressure", NULL },
	[SECTION_ENGINE] = { "engine", NULL },
	[SECTION_OPT_IN] = { "opt-in", NULL },
	[SECTION_STATE] = { "state", "the state's name" },
	[SECTION_ALLOW] = { "allow", "the group's name" },
	{ 0 },
};

enum value_type { TYPE_BOOL, TYPE_CHOICE, TYPE_COUNT, TYPE_BYTES, TYPE_SHARE, TYPE_DECIMAL, TYPE_DURATION };

struct key {
	enum section section;
	const char *name;
	enum value_type type;
	size_t offset;			/* in policy_config, or in state_config */
	double low, high;		/* durations in seconds */
	const char *const *words;	/* TYPE_CHOICE */
};

static const char *const pace_words[] = { "auto", "direct", "advisor", NULL };
static const char *const keep_words[] = { "no", "yes", "keep", NULL };
static const char *const break_words[] = { "none", "cold", "rich", "all", NULL };
static const char *const opt_in_words[] = { "none", "ranges", "processes", NULL };

#define AT(field) offsetof(struct policy_config, field)
#define STATE(field) offsetof(struct state_config, field)
#define DAY 86400.0
#define MOST_BYTES 1125899906842624.0	/* 1 PiB */

static const struct key keys[] = {
	{ SECTION_POLICY, "apply", TYPE_BOOL, AT(apply), 0, 0, NULL },
	{ SECTION_POLICY, "interval", TYPE_DURATION, AT(interval_ns), 0.1, 3600, NULL },
	{ SECTION_POLICY, "hang", TYPE_DURATION, AT(hang_ns), 1, DAY, NULL },
	{ SECTION_POLICY, "cross_domains", TYPE_BOOL, AT(cross_domains), 0, 0, NULL },
	{ SECTION_POLICY, "keep_opt_ins", TYPE_BOOL, AT(keep_opt_ins), 0, 0, NULL },
	{ SECTION_POLICY, "measure", TYPE_BOOL, AT(measure), 0, 0, NULL },
	{ SECTION_PRESSURE, "min_free", TYPE_BYTES, AT(min_free_bytes), 0, MOST_BYTES, NULL },
	{ SECTION_PRESSURE, "hysteresis", TYPE_DECIMAL, AT(hysteresis), 1.01, 10, NULL },
	{ SECTION_PRESSURE, "worse_hold", TYPE_DURATION, AT(worse_hold_ns), 0, 3600, NULL },
	{ SECTION_PRESSURE, "better_hold", TYPE_DURATION, AT(better_hold_ns), 0, DAY, NULL },
	{ SECTION_ENGINE, "pace", TYPE_CHOICE, AT(pace), 0, 0, pace_words },
	{ SECTION_ENGINE, "hold", TYPE_DURATION, AT(hold_ns), 0.1, DAY, NULL },
	{ SECTION_ENGINE, "watch_cpu", TYPE_SHARE, AT(watch_cpu), 0, 0.95, NULL },
	{ SECTION_ENGINE, "rate", TYPE_BYTES, AT(rate_bytes), 1 << 20, MOST_BYTES, NULL },
	{ SECTION_ENGINE, "most_pages_to_scan", TYPE_COUNT, AT(most_pages_to_scan), 1, 100000000, NULL },
	{ SECTION_ENGINE, "smart_scan", TYPE_CHOICE, AT(smart_scan), 0, 0, keep_words },
	{ SECTION_ENGINE, "use_zero_pages", TYPE_CHOICE, AT(use_zero_pages), 0, 0, keep_words },
	{ SECTION_ENGINE, "max_page_sharing", TYPE_COUNT, AT(max_page_sharing), 2, 1000000, NULL },
	{ SECTION_ENGINE, "worth", TYPE_DECIMAL, AT(worth), 0, 1000, NULL },
	{ SECTION_ENGINE, "least_gain", TYPE_BYTES, AT(gain_bytes), 1, MOST_BYTES, NULL },
	{ SECTION_ENGINE, "rest", TYPE_DURATION, AT(rest_ns), 1, DAY, NULL },
	{ SECTION_ENGINE, "longest_rest", TYPE_DURATION, AT(most_rest_ns), 1, 30 * DAY, NULL },
	{ SECTION_ENGINE, "back_off", TYPE_DURATION, AT(back_off_ns), 1, 30 * DAY, NULL },
	{ SECTION_OPT_IN, "look_cpu", TYPE_SHARE, AT(look_cpu), 0.0001, 1, NULL },
	{ SECTION_OPT_IN, "look_interval", TYPE_DURATION, AT(look_interval_ns), 1, DAY, NULL },
	{ SECTION_OPT_IN, "look_bytes", TYPE_BYTES, AT(look_bytes), 0, MOST_BYTES, NULL },
	{ SECTION_OPT_IN, "rich", TYPE_SHARE, AT(rich), 0, 1, NULL },
	{ SECTION_OPT_IN, "least_share", TYPE_SHARE, AT(least_share), 0, 1, NULL },
	{ SECTION_OPT_IN, "churn", TYPE_SHARE, AT(churn), 0, 1, NULL },
	{ SECTION_OPT_IN, "patience", TYPE_DURATION, AT(patience_ns), 1, DAY, NULL },
	{ SECTION_OPT_IN, "least_range", TYPE_BYTES, AT(least_bytes), 0, MOST_BYTES, NULL },
	{ SECTION_OPT_IN, "most_ranges", TYPE_COUNT, AT(most_ranges), 1, 100000, NULL },
	{ SECTION_STATE, "below", TYPE_SHARE, STATE(below), 0, 100, NULL },
	{ SECTION_STATE, "stall_some", TYPE_SHARE, STATE(stall_some), 0, 1, NULL },
	{ SECTION_STATE, "stall_full", TYPE_SHARE, STATE(stall_full), 0, 1, NULL },
	{ SECTION_STATE, "engine_cpu", TYPE_SHARE, STATE(engine_cpu), 0, 0.95, NULL },
	{ SECTION_STATE, "break_huge", TYPE_CHOICE, STATE(break_huge), 0, 0, break_words },
	{ SECTION_STATE, "opt_in", TYPE_CHOICE, STATE(opt_in), 0, 0, opt_in_words },
};

struct parser {
	struct conf_reader conf;
	struct policy_config *config;
	uint32_t file;
	bool in_section;
	enum section section;
	int state;			/* SECTION_STATE: enum pressure */
};

static int no_memory(const struct parser *p)
{
	return fail(p->conf.err, EXIT_FAILED, "%s: no memory for the configuration", p->conf.file);
}

/* ---- values ---- */

static int parse_value(const struct conf_reader *r, struct conf_text value, const struct key *k, void *place)
{
	switch (k->type) {
	case TYPE_BOOL:
		return conf_bool(r, value, place);
	case TYPE_CHOICE:
		return conf_choice(r, value, k->words, place);
	case TYPE_COUNT:
		return conf_count(r, value, (uint64_t)k->low, (uint64_t)k->high, place);
	case TYPE_BYTES:
		return conf_bytes(r, value, (uint64_t)k->low, (uint64_t)k->high, place);
	case TYPE_SHARE:
		return conf_share(r, value, k->low, k->high, place);
	case TYPE_DECIMAL:
		return conf_decimal(r, value, k->low, k->high, place);
	default:
		return conf_duration(r, value, (int64_t)(k->low * 1e9), (int64_t)(k->high * 1e9), place);
	}
}

static int refuse_key(const struct parser *p, struct conf_text key)
{
	return conf_refuse(&p->conf, key.at, "[%s] has no \"%.*s\"; ksm-policyd.conf(5) lists what it has",
			   sections[p->section].word, (int)(key.end - key.at), key.at);
}

/* Names of domains that no rule made have a blank in them: "uid 1000". */
static int parse_domain(struct parser *p, const struct conf_item *item)
{
	size_t length = (size_t)(item->value.end - item->value.at);
	if (length >= sizeof(p->config->domain))
		return conf_refuse(&p->conf, item->value.at, "longer than the name of a domain can be");
	memcpy(p->config->domain, item->value.at, length);
	p->config->domain[length] = '\0';
	return 0;
}

static int parse_entry(struct parser *p, const struct conf_item *item)
{
	void *base = p->section == SECTION_STATE ? (void *)&p->config->state[p->state] : (void *)p->config;

	if (p->section == SECTION_POLICY && conf_is(item->key, "domain"))
		return parse_domain(p, item);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].section == p->section && conf_is(item->key, keys[i].name))
			return parse_value(&p->conf, item->value, &keys[i], (char *)base + keys[i].offset);
	return refuse_key(p, item->key);
}

/* ---- [allow NAME] ---- */

static int begin_group(struct parser *p, struct conf_text name)
{
	struct policy_config *c = p->config;

	for (uint32_t i = 0; i < c->groups_count; i++)
		if (conf_is(name, c->groups[i].name))
			return conf_refuse(&p->conf, name.at, "the group %s is described at %s:%u already", c->groups[i].name,
					   c->files[c->groups[i].file], c->groups[i].line);
	struct allow_group *grown = reallocarray(c->groups, c->groups_count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(p);
	c->groups = grown;
	grown[c->groups_count] = (struct allow_group){ .name = conf_dup(name), .file = p->file, .line = p->conf.line };
	if (!grown[c->groups_count].name)
		return no_memory(p);
	c->groups_count++;
	return 0;
}

static int keep_rule(struct parser *p, const struct conf_item *item, struct allow_rule *rule)
{
	struct policy_config *c = p->config;

	if (c->allow_count == ALLOW_MOST)
		return conf_refuse(&p->conf, item->key.at, "more than %d rules", ALLOW_MOST);
	struct allow_rule *grown = reallocarray(c->allow, c->allow_count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(p);
	c->allow = grown;
	grown[c->allow_count++] = *rule;
	c->groups[rule->group].has_rule = true;
	return 0;
}

static int parse_allow(struct parser *p, const struct conf_item *item)
{
	struct allow_rule rule = { .group = p->config->groups_count - 1 };

	if (conf_is(item->key, "inject"))
		return conf_bool(&p->conf, item->value, &p->config->groups[rule.group].inject);
	rule.unit = conf_is(item->key, "unit");
	rule.rule.kind = RULE_VM;	/* a unit's pattern is one of a name, too */
	if (!rule.unit && !rule_kind_of(item->key, &rule.rule.kind))
		return conf_refuse(&p->conf, item->key.at,
				   "expected \"unit\", \"cgroup\", \"executable\", \"uid\", \"vm\" or \"inject\"");
	int rc = rule_parse(&p->conf, item, &rule.rule);
	if (!rc)
		rc = keep_rule(p, item, &rule);
	if (rc)
		free(rule.rule.pattern);
	return rc;
}

/* ---- files ---- */

static int parse_section(struct parser *p, const struct conf_item *item)
{
	p->in_section = true;
	p->section = (enum section)item->section;
	if (p->section == SECTION_ALLOW)
		return begin_group(p, item->name);
	return p->section == SECTION_STATE ? conf_choice(&p->conf, item->name, pressure_names, &p->state) : 0;
}

static int parse_item(struct parser *p, const struct conf_item *item)
{
	if (item->kind == CONF_SECTION)
		return parse_section(p, item);
	if (!p->in_section)
		return conf_refuse(&p->conf, item->key.at, "this entry belongs to no section: write \"[policy]\" before it");
	return p->section == SECTION_ALLOW ? parse_allow(p, item) : parse_entry(p, item);
}

static int add_file(struct policy_config *c, const char *file, struct error *err)
{
	char **grown = reallocarray(c->files, c->files_count + 1, sizeof(*grown));
	char *name = grown ? strdup(file) : NULL;

	if (grown)
		c->files = grown;
	if (!name)
		return fail(err, EXIT_FAILED, "%s: no memory for the configuration", file);
	c->files[c->files_count++] = name;
	return 0;
}

int policy_config_add(struct policy_config *config, const char *file, const char *text, size_t length,
		      struct error *err)
{
	struct parser p = { .config = config, .file = config->files_count,
			    .conf = { .file = file, .text = text, .length = length, .sections = sections, .err = err } };
	struct conf_item item = { .kind = CONF_ENTRY };
	int rc = add_file(config, file, err);

	while (!rc && item.kind != CONF_END) {
		rc = conf_next(&p.conf, &item);
		if (!rc && item.kind != CONF_END)
			rc = parse_item(&p, &item);
	}
	return rc;
}

int policy_config_check(const struct policy_config *c, struct error *err)
{
	for (int s = PRESSURE_CLEAR + 1; s < PRESSURE_STATES; s++)
		if (c->state[s].below > c->state[s - 1].below)
			return fail(err, EXIT_USAGE, "[state %s] begins below %g%% of min_free, above [state %s] (%g%%): a worse "
				    "state needs a lower bound", pressure_names[s], c->state[s].below * 100,
				    pressure_names[s - 1], c->state[s - 1].below * 100);
	if (c->hang_ns < 4 * c->interval_ns)
		return fail(err, EXIT_USAGE, "[policy] hang (%s) is less than four times the interval (%s): it would be taken for dead "
			    "while it waits", show_seconds((double)c->hang_ns / 1e9).text,
			    show_seconds((double)c->interval_ns / 1e9).text);
	if (c->most_rest_ns < c->rest_ns)
		return fail(err, EXIT_USAGE, "[engine] longest_rest (%s) is shorter than rest (%s)",
			    show_seconds((double)c->most_rest_ns / 1e9).text, show_seconds((double)c->rest_ns / 1e9).text);
	for (uint32_t i = 0; i < c->groups_count; i++)
		if (!c->groups[i].has_rule)
			return fail(err, EXIT_USAGE, "%s:%u:1: no rule says who is in the group %s; add one, or remove it",
				    c->files[c->groups[i].file], c->groups[i].line, c->groups[i].name);
	return 0;
}
