// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/trust/domain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/search.h"


enum own_kind { OWN_UID, OWN_VM, OWN_PID };

/* A domain that no rule made. */
struct domain_own {
	enum own_kind kind;
	uint32_t number;		/* uid or pid */
	uint32_t domain;
	char *name;			/* of a VM; NULL for the others */
};

bool domain_is_configured(const struct domain_rules *r, const char *name)
{
	for (uint32_t i = 0; i < r->domains_count; i++)
		if (!strcmp(r->domains[i].name, name))
			return true;
	return false;
}

void domain_rules_free(struct domain_rules *r)
{
	for (uint32_t i = 0; i < r->rules_count; i++)
		free(r->rules[i].pattern);
	for (uint32_t i = 0; i < r->domains_count; i++)
		free(r->domains[i].name);
	for (uint32_t i = 0; i < r->files_count; i++)
		free(r->files[i]);
	free(r->rules);
	free(r->domains);
	free(r->files);
	*r = (struct domain_rules){ 0 };
}

void domains_init(struct domains *ret, const struct domain_rules *rules)
{
	*ret = (struct domains){ .rules = rules };
}

void domains_free(struct domains *d)
{
	for (uint32_t i = 0; i < d->own_count; i++) {
		free(d->own[i].name);
		free(d->names[i]);
	}
	free(d->own);
	free(d->names);
	*d = (struct domains){ 0 };
}

uint32_t domains_count(const struct domains *d)
{
	return d->rules->domains_count + d->own_count;
}

const char *domain_name(const struct domains *d, uint32_t domain)
{
	uint32_t configured = d->rules->domains_count;
	return domain < configured ? d->rules->domains[domain].name : d->names[domain - configured];
}

/* ---- rules ---- */

enum ruling { RULED, NO_RULE, FACT_UNKNOWN };

/* What the rules of one kind say; a fact that could not be read is unknown to all of them. */
static enum ruling kind_says(const struct domain_rules *r, const struct domain_subject *s, enum domain_rule_kind kind,
			     uint32_t *ret_domain)
{
	for (uint32_t i = 0; i < r->rules_count; i++) {
		enum rule_match match = r->rules[i].kind == kind ? rule_matches(&r->rules[i], s) : RULE_DIFFERS;
		if (match == RULE_DIFFERS)
			continue;
		*ret_domain = r->rules[i].domain;
		return match == RULE_MATCHES ? RULED : FACT_UNKNOWN;
	}
	return NO_RULE;
}

static enum ruling rules_say(const struct domain_rules *r, const struct domain_subject *s, uint32_t *ret_domain)
{
	enum ruling ruling = NO_RULE;
	for (unsigned int kind = 0; kind < RULE_KINDS && ruling == NO_RULE; kind++)
		if (r->of_kind[kind])
			ruling = kind_says(r, s, kind, ret_domain);
	return ruling;
}

/* ---- domains of their own ---- */

static int own_compare(const struct domain_own *a, const struct domain_own *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == OWN_VM)
		return strcmp(a->name, b->name);
	return (a->number > b->number) - (a->number < b->number);
}

/* Index of the first one that is not below `key`. */
static uint32_t own_find(const struct domains *d, const struct domain_own *key)
{
	return (uint32_t)partition_point(d->own_count, i, own_compare(&d->own[i], key) < 0);
}

static bool own_reserve(struct domains *d)
{
	if (d->own_count < d->own_capacity)
		return true;
	uint32_t capacity = d->own_capacity ? 2 * d->own_capacity : 64;
	struct domain_own *own = reallocarray(d->own, capacity, sizeof(*own));
	if (!own)
		return false;
	d->own = own;
	char **names = reallocarray(d->names, capacity, sizeof(*names));
	if (!names)
		return false;
	d->names = names;
	d->own_capacity = capacity;
	return true;
}

static char *own_name(const struct domain_own *key)
{
	static const char *const words[] = { [OWN_UID] = "uid", [OWN_VM] = "vm", [OWN_PID] = "pid" };
	char *name;
	int length = key->kind == OWN_VM ? asprintf(&name, "vm %s", key->name)
					 : asprintf(&name, "%s %u", words[key->kind], key->number);
	return length < 0 ? NULL : name;
}

static uint32_t own_domain(struct domains *d, struct domain_own key)
{
	uint32_t at = own_find(d, &key);

	if (at < d->own_count && !own_compare(&d->own[at], &key))
		return d->own[at].domain;
	if (!own_reserve(d))
		return DOMAIN_NO_MEMORY;
	char *shown = own_name(&key);
	key.name = key.kind == OWN_VM ? strdup(key.name) : NULL;
	if (!shown || (key.kind == OWN_VM && !key.name)) {
		free(shown);
		free(key.name);
		return DOMAIN_NO_MEMORY;
	}
	key.domain = domains_count(d);
	d->names[d->own_count] = shown;
	memmove(&d->own[at + 1], &d->own[at], (d->own_count - at) * sizeof(*d->own));
	d->own[at] = key;
	d->own_count++;
	return key.domain;
}

uint32_t domain_of(struct domains *d, const struct domain_subject *s)
{
	uint32_t domain;

	switch (rules_say(d->rules, s, &domain)) {
	case RULED:
		return domain;
	case FACT_UNKNOWN:
		return own_domain(d, (struct domain_own){ .kind = OWN_PID, .number = (uint32_t)s->pid });
	default:
		break;
	}
	if (!s->vm)
		return own_domain(d, (struct domain_own){ .kind = OWN_PID, .number = (uint32_t)s->pid });
	if (*s->vm)
		return own_domain(d, (struct domain_own){ .kind = OWN_VM, .name = (char *)s->vm });
	return own_domain(d, (struct domain_own){ .kind = OWN_UID, .number = s->uid });
}
