// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/trust/rule.h"

#include <string.h>

#include "core/trust/glob.h"

/* ---- values: each checks its text and fills the rule ---- */

static int parse_pattern(const struct conf_reader *r, const char *at, const char *end, struct domain_rule *rule)
{
	for (const char *c = at; c < end; c++) {
		if (strchr("[]{}", *c))
			return conf_refuse(r, c, "\"%c\" has no meaning in a pattern: only \"*\" and \"?\" do", *c);
		if (c + 1 < end && c[0] == '*' && c[1] == '*')
			return conf_refuse(r, c, "\"**\" has no meaning: \"*\" stands for any text within one name%s",
				      rule->kind == RULE_CGROUP ? ", and a cgroup covers all that is beneath it" : "");
	}
	rule->pattern = strndup(at, (size_t)(end - at));
	return rule->pattern ? 0 : fail(r->err, EXIT_FAILED, "%s: no memory for its rules", r->file);
}

static int parse_name(const struct conf_reader *r, const char *at, const char *end, struct domain_rule *rule)
{
	if (end - at > GLOB_COMPONENT_MAX)
		return conf_refuse(r, at, "a name longer than %d bytes", GLOB_COMPONENT_MAX);
	return parse_pattern(r, at, end, rule);
}

static int parse_path(const struct conf_reader *r, const char *at, const char *end, struct domain_rule *rule)
{
	if (*at != '/')
		return conf_refuse(r, at, "expected a path that begins with \"/\"");
	for (const char *c = at + 1, *stop; c < end; c = stop + 1) {
		for (stop = c; stop < end && *stop != '/'; stop++)
			;
		size_t length = (size_t)(stop - c);
		if (length == 0 || stop + 1 == end)
			return conf_refuse(r, stop, "an empty name in the path: remove this \"/\"");
		if ((length == 1 && c[0] == '.') || (length == 2 && c[0] == '.' && c[1] == '.'))
			return conf_refuse(r, c, "the path has to be written without \".\" and \"..\"");
		if (length > GLOB_COMPONENT_MAX)
			return conf_refuse(r, c, "a name longer than %d bytes", GLOB_COMPONENT_MAX);
	}
	if (rule->kind == RULE_EXECUTABLE && end - at == 1)
		return conf_refuse(r, at, "\"/\" is no executable");
	return parse_pattern(r, at, end, rule);
}

/* A uid at *at; the largest 32-bit number is none (setuid(2)). */
static int parse_uid(const struct conf_reader *r, const char **at, const char *end, uint32_t *ret)
{
	const char *begin = *at;
	uint64_t value = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		value = 10 * value + (uint64_t)(**at - '0');
		if (value >= UINT32_MAX)
			return conf_refuse(r, begin, "a uid is at most %u", UINT32_MAX - 1);
	}
	if (*at == begin)
		return conf_refuse(r, begin, "expected a uid: a number, or a range as 1000-1999");
	*ret = (uint32_t)value;
	return 0;
}

static int parse_uids(const struct conf_reader *r, const char *at, const char *end, struct domain_rule *rule)
{
	const char *begin = at;
	int status = parse_uid(r, &at, end, &rule->uid_low);

	if (status)
		return status;
	rule->uid_high = rule->uid_low;
	if (at < end && *at == '-') {
		at++;
		status = parse_uid(r, &at, end, &rule->uid_high);
		if (status)
			return status;
		if (rule->uid_high < rule->uid_low)
			return conf_refuse(r, begin, "the range ends before it begins");
	}
	if (at != end)
		return conf_refuse(r, at, "nothing may follow the uid; write one uid or range a line");
	return 0;
}

struct rule_key {
	const char *key;
	int (*parse)(const struct conf_reader *r, const char *at, const char *end, struct domain_rule *rule);
};

static const struct rule_key rule_keys[RULE_KINDS] = {
	[RULE_VM] = { "vm", parse_name },
	[RULE_CGROUP] = { "cgroup", parse_path },
	[RULE_EXECUTABLE] = { "executable", parse_path },
	[RULE_UID] = { "uid", parse_uids },
};

/* ---- a rule ---- */

bool rule_kind_of(struct conf_text key, enum domain_rule_kind *ret)
{
	for (unsigned int kind = 0; kind < RULE_KINDS; kind++)
		if (conf_is(key, rule_keys[kind].key)) {
			*ret = kind;
			return true;
		}
	return false;
}

int rule_parse(const struct conf_reader *r, const struct conf_item *item, struct domain_rule *ret)
{
	ret->line = item->line;
	return rule_keys[ret->kind].parse(r, item->value.at, item->value.end, ret);
}

/* The fact that rules of this kind look at; a uid is always known. */
static const char *fact_of(const struct domain_subject *s, enum domain_rule_kind kind)
{
	const char *const facts[RULE_KINDS] = {
		[RULE_VM] = s->vm, [RULE_CGROUP] = s->cgroup, [RULE_EXECUTABLE] = s->executable, [RULE_UID] = "uid",
	};
	return facts[kind];
}

static bool fits(const struct domain_rule *r, const struct domain_subject *s, const char *fact)
{
	switch (r->kind) {
	case RULE_VM:
		return glob_name_matches(r->pattern, fact);
	case RULE_CGROUP:
		return glob_path_matches(r->pattern, fact, true);
	case RULE_EXECUTABLE:
		return glob_path_matches(r->pattern, fact, false);
	default:
		return r->uid_low <= s->uid && s->uid <= r->uid_high;
	}
}

enum rule_match rule_matches(const struct domain_rule *r, const struct domain_subject *s)
{
	const char *fact = fact_of(s, r->kind);
	if (!fact)
		return RULE_UNKNOWN;
	return *fact && fits(r, s, fact) ? RULE_MATCHES : RULE_DIFFERS;
}

bool rules_overlap(const struct domain_rule *a, const struct domain_rule *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case RULE_VM:
		return glob_names_overlap(a->pattern, b->pattern);
	case RULE_CGROUP:
		return glob_paths_overlap(a->pattern, b->pattern, true);
	case RULE_EXECUTABLE:
		return glob_paths_overlap(a->pattern, b->pattern, false);
	default:
		return a->uid_low <= b->uid_high && b->uid_low <= a->uid_high;
	}
}
