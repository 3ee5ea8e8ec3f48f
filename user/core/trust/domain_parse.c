// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration of trust domains. Strict: a line that is not understood
 * would leave somebody in a domain where nobody put him.
 */
#include "core/trust/domain.h"

#include <stdlib.h>
#include <string.h>

#include "core/conf/reader.h"

#define DOMAINS_MAX 1024

static const struct conf_section sections[] = {
	{ "domain", "the domain's name" },
	{ 0 },
};

struct parser {
	struct conf_reader conf;
	struct domain_rules *rules;
	uint32_t file;
};

static int no_memory(const struct parser *p)
{
	return fail(p->conf.err, EXIT_FAILED, "%s: no memory for the rules of trust domains", p->conf.file);
}

/* ---- [domain NAME] ---- */

static int domain_is_described(struct parser *p)
{
	const struct domain_rules *r = p->rules;
	uint32_t last = r->domains_count - 1;

	if (!r->domains_count || r->domains[last].file != p->file)
		return 0;
	for (uint32_t i = r->rules_count; i-- > 0;)
		if (r->rules[i].domain == last)
			return 0;
	return fail(p->conf.err, EXIT_USAGE, "%s:%u:1: no rule says who is in the domain %s; add one, or remove it",
		    r->files[p->file], r->domains[last].line, r->domains[last].name);
}

static int domain_add(struct parser *p, struct conf_text text)
{
	struct domain_rules *r = p->rules;

	for (uint32_t i = 0; i < r->domains_count; i++)
		if (conf_is(text, r->domains[i].name))
			return conf_refuse(&p->conf, text.at, "the domain %s is described at %s:%u already", r->domains[i].name,
					   r->files[r->domains[i].file], r->domains[i].line);
	if (r->domains_count == DOMAINS_MAX)
		return conf_refuse(&p->conf, text.at, "more than %d domains", DOMAINS_MAX);
	struct domain_config *grown = reallocarray(r->domains, r->domains_count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(p);
	r->domains = grown;
	char *name = conf_dup(text);
	if (!name)
		return no_memory(p);
	r->domains[r->domains_count++] = (struct domain_config){ .name = name, .file = p->file,
								.line = p->conf.line };
	return 0;
}

static int parse_section(struct parser *p, struct conf_text name)
{
	int status = domain_is_described(p);
	return status ? status : domain_add(p, name);
}

/* ---- rules ---- */

static int rule_fits(struct parser *p, const char *at, const struct domain_rule *rule)
{
	const struct domain_rules *r = p->rules;

	if (r->rules_count == DOMAIN_RULES_MAX)
		return conf_refuse(&p->conf, at, "more than %d rules", DOMAIN_RULES_MAX);
	for (uint32_t i = 0; i < r->rules_count; i++) {
		const struct domain_rule *other = &r->rules[i];
		if (other->domain != rule->domain && rules_overlap(other, rule))
			return conf_refuse(&p->conf, at, "overlaps the rule at %s:%u: who matches both would be in %s and in %s",
					   r->files[other->file], other->line, r->domains[other->domain].name,
					   r->domains[rule->domain].name);
	}
	return 0;
}

static int rule_keep(struct parser *p, const char *at, const struct domain_rule *rule)
{
	struct domain_rules *r = p->rules;
	int status = rule_fits(p, at, rule);

	if (status)
		return status;
	struct domain_rule *grown = reallocarray(r->rules, r->rules_count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(p);
	r->rules = grown;
	r->rules[r->rules_count++] = *rule;
	r->of_kind[rule->kind]++;
	return 0;
}

static int parse_rule(struct parser *p, const struct conf_item *item)
{
	struct domain_rules *r = p->rules;
	struct domain_rule rule = { .file = p->file };

	if (!rule_kind_of(item->key, &rule.kind))
		return conf_refuse(&p->conf, item->key.at, "expected \"vm\", \"cgroup\", \"executable\" or \"uid\", "
				   "or a new \"[domain NAME]\"");
	if (!r->domains_count || r->domains[r->domains_count - 1].file != p->file)
		return conf_refuse(&p->conf, item->key.at,
				   "this rule belongs to no domain: write \"[domain NAME]\" before it");
	rule.domain = r->domains_count - 1;
	int status = rule_parse(&p->conf, item, &rule);
	if (!status)
		status = rule_keep(p, item->value.at, &rule);
	if (status)
		free(rule.pattern);
	return status;
}

/* ---- files ---- */

static int file_add(struct domain_rules *r, const char *file, struct error *err)
{
	char **grown = reallocarray(r->files, r->files_count + 1, sizeof(*grown));
	char *name = grown ? strdup(file) : NULL;

	if (grown)
		r->files = grown;
	if (!name)
		return fail(err, EXIT_FAILED, "%s: no memory for the rules of trust domains", file);
	r->files[r->files_count++] = name;
	return 0;
}

int domain_rules_add(struct domain_rules *rules, const char *file, const char *text, size_t length,
		     struct error *err)
{
	struct parser p = { .rules = rules, .file = rules->files_count,
			    .conf = { .file = file, .text = text, .length = length, .sections = sections, .err = err } };
	struct conf_item item = { .kind = CONF_ENTRY };
	int status = file_add(rules, file, err);

	while (!status && item.kind != CONF_END) {
		status = conf_next(&p.conf, &item);
		if (!status && item.kind == CONF_SECTION)
			status = parse_section(&p, item.name);
		else if (!status && item.kind == CONF_ENTRY)
			status = parse_rule(&p, &item);
	}
	return status ? status : domain_is_described(&p);
}
