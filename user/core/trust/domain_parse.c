// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration of trust domains. Strict: a line that is not understood
 * would leave somebody in a domain where nobody put him.
 */
#include "core/trust/domain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/trust/glob.h"

#define LINE_MAX_BYTES 4096
#define DOMAINS_MAX 1024

struct parser {
	struct domain_rules *rules;
	uint32_t file;
	unsigned int line;
	const char *begin, *end;	/* of the line */
	struct error *err;
};

/* ---- refusing ---- */

static unsigned int column_of(const struct parser *p, const char *at)
{
	unsigned int column = 1;
	for (const char *c = p->begin; c < at; c++)
		column += ((unsigned char)*c & 0xc0) != 0x80;
	return column;
}

__attribute__((format(printf, 3, 4)))
static int refuse(const struct parser *p, const char *at, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return fail(p->err, EXIT_USAGE, "%s:%u:%u: %s", p->rules->files[p->file], p->line, column_of(p, at), text);
}

static int no_memory(const struct parser *p)
{
	return fail(p->err, EXIT_FAILED, "%s: no memory for the rules of trust domains", p->rules->files[p->file]);
}

/* ---- small pieces of a line ---- */

static const char *skip_blanks(const struct parser *p, const char *at)
{
	while (at < p->end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-';
}

static const char *skip_name(const struct parser *p, const char *at)
{
	while (at < p->end && is_name_byte(*at))
		at++;
	return at;
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
	return fail(p->err, EXIT_USAGE, "%s:%u:1: no rule says who is in the domain %s; add one, or remove it",
		    r->files[p->file], r->domains[last].line, r->domains[last].name);
}

static int domain_add(struct parser *p, const char *at, size_t length)
{
	struct domain_rules *r = p->rules;

	for (uint32_t i = 0; i < r->domains_count; i++)
		if (strlen(r->domains[i].name) == length && !memcmp(r->domains[i].name, at, length))
			return refuse(p, at, "the domain %s is described at %s:%u already", r->domains[i].name,
				      r->files[r->domains[i].file], r->domains[i].line);
	if (r->domains_count == DOMAINS_MAX)
		return refuse(p, at, "more than %d domains", DOMAINS_MAX);
	struct domain_config *grown = reallocarray(r->domains, r->domains_count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(p);
	r->domains = grown;
	char *name = strndup(at, length);
	if (!name)
		return no_memory(p);
	r->domains[r->domains_count++] = (struct domain_config){ .name = name, .file = p->file, .line = p->line };
	return 0;
}

static int parse_section(struct parser *p, const char *at)
{
	static const char word[] = "domain";
	const char *name = skip_blanks(p, at + 1), *word_end = skip_name(p, name);
	int status = domain_is_described(p);

	if (status)
		return status;
	if ((size_t)(word_end - name) != strlen(word) || memcmp(name, word, strlen(word)))
		return refuse(p, name, "expected \"domain NAME]\" after \"[\"");
	name = skip_blanks(p, word_end);
	const char *name_end = skip_name(p, name), *close = skip_blanks(p, name_end);
	if (name == name_end || name == word_end)
		return refuse(p, name, "expected the domain's name: letters, digits, \".\", \"_\" and \"-\"");
	if (name_end - name > DOMAIN_NAME_MAX)
		return refuse(p, name, "the domain's name is longer than %d characters", DOMAIN_NAME_MAX);
	if (close == p->end || *close != ']')
		return refuse(p, close, "expected \"]\" after the domain's name");
	if (skip_blanks(p, close + 1) != p->end)
		return refuse(p, skip_blanks(p, close + 1), "nothing may follow \"]\"");
	return domain_add(p, name, (size_t)(name_end - name));
}

/* ---- values: each checks its text and fills the rule ---- */

static int parse_pattern(struct parser *p, const char *at, const char *end, struct domain_rule *rule)
{
	for (const char *c = at; c < end; c++) {
		if (strchr("[]{}", *c))
			return refuse(p, c, "\"%c\" has no meaning in a pattern: only \"*\" and \"?\" do", *c);
		if (c + 1 < end && c[0] == '*' && c[1] == '*')
			return refuse(p, c, "\"**\" has no meaning: \"*\" stands for any text within one name%s",
				      rule->kind == RULE_CGROUP ? ", and a cgroup covers all that is beneath it" : "");
	}
	rule->pattern = strndup(at, (size_t)(end - at));
	return rule->pattern ? 0 : no_memory(p);
}

static int parse_name(struct parser *p, const char *at, const char *end, struct domain_rule *rule)
{
	if (end - at > GLOB_COMPONENT_MAX)
		return refuse(p, at, "a name longer than %d bytes", GLOB_COMPONENT_MAX);
	return parse_pattern(p, at, end, rule);
}

static int parse_path(struct parser *p, const char *at, const char *end, struct domain_rule *rule)
{
	if (*at != '/')
		return refuse(p, at, "expected a path that begins with \"/\"");
	for (const char *c = at + 1, *stop; c < end; c = stop + 1) {
		for (stop = c; stop < end && *stop != '/'; stop++)
			;
		size_t length = (size_t)(stop - c);
		if (length == 0 || stop + 1 == end)
			return refuse(p, stop, "an empty name in the path: remove this \"/\"");
		if ((length == 1 && c[0] == '.') || (length == 2 && c[0] == '.' && c[1] == '.'))
			return refuse(p, c, "the path has to be written without \".\" and \"..\"");
		if (length > GLOB_COMPONENT_MAX)
			return refuse(p, c, "a name longer than %d bytes", GLOB_COMPONENT_MAX);
	}
	if (rule->kind == RULE_EXECUTABLE && end - at == 1)
		return refuse(p, at, "\"/\" is no executable");
	return parse_pattern(p, at, end, rule);
}

/* A uid at *at; the largest 32-bit number is none (setuid(2)). */
static int parse_uid(struct parser *p, const char **at, const char *end, uint32_t *ret)
{
	const char *begin = *at;
	uint64_t value = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		value = 10 * value + (uint64_t)(**at - '0');
		if (value >= UINT32_MAX)
			return refuse(p, begin, "a uid is at most %u", UINT32_MAX - 1);
	}
	if (*at == begin)
		return refuse(p, begin, "expected a uid: a number, or a range as 1000-1999");
	*ret = (uint32_t)value;
	return 0;
}

static int parse_uids(struct parser *p, const char *at, const char *end, struct domain_rule *rule)
{
	const char *begin = at;
	int status = parse_uid(p, &at, end, &rule->uid_low);

	if (status)
		return status;
	rule->uid_high = rule->uid_low;
	if (at < end && *at == '-') {
		at++;
		status = parse_uid(p, &at, end, &rule->uid_high);
		if (status)
			return status;
		if (rule->uid_high < rule->uid_low)
			return refuse(p, begin, "the range ends before it begins");
	}
	if (at != end)
		return refuse(p, at, "nothing may follow the uid; write one uid or range a line");
	return 0;
}

struct rule_key {
	const char *key;
	int (*parse)(struct parser *p, const char *at, const char *end, struct domain_rule *rule);
};

static const struct rule_key rule_keys[RULE_KINDS] = {
	[RULE_VM] = { "vm", parse_name },
	[RULE_CGROUP] = { "cgroup", parse_path },
	[RULE_EXECUTABLE] = { "executable", parse_path },
	[RULE_UID] = { "uid", parse_uids },
};

/* ---- rules ---- */

static bool rules_overlap(const struct domain_rule *a, const struct domain_rule *b)
{
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

static int rule_fits(struct parser *p, const char *at, const struct domain_rule *rule)
{
	const struct domain_rules *r = p->rules;

	if (r->rules_count == DOMAIN_RULES_MAX)
		return refuse(p, at, "more than %d rules", DOMAIN_RULES_MAX);
	for (uint32_t i = 0; i < r->rules_count; i++) {
		const struct domain_rule *other = &r->rules[i];
		if (other->kind == rule->kind && other->domain != rule->domain && rules_overlap(other, rule))
			return refuse(p, at, "overlaps the rule at %s:%u: who matches both would be in %s and in %s",
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

static int rule_kind_at(struct parser *p, const char *at, const char *end, enum domain_rule_kind *ret)
{
	for (unsigned int kind = 0; kind < RULE_KINDS; kind++)
		if (strlen(rule_keys[kind].key) == (size_t)(end - at) &&
		    !memcmp(rule_keys[kind].key, at, (size_t)(end - at))) {
			*ret = kind;
			return 0;
		}
	return refuse(p, at, "expected \"vm\", \"cgroup\", \"executable\" or \"uid\", or a new \"[domain NAME]\"");
}

static int parse_rule(struct parser *p, const char *at)
{
	struct domain_rules *r = p->rules;
	struct domain_rule rule = { .file = p->file, .line = p->line };
	const char *key_end = skip_name(p, at), *equals = skip_blanks(p, key_end);
	int status = rule_kind_at(p, at, key_end, &rule.kind);

	if (status)
		return status;
	if (equals == p->end || *equals != '=')
		return refuse(p, equals, "expected \"=\" after \"%s\"", rule_keys[rule.kind].key);
	if (!r->domains_count || r->domains[r->domains_count - 1].file != p->file)
		return refuse(p, at, "this rule belongs to no domain: write \"[domain NAME]\" before it");
	rule.domain = r->domains_count - 1;
	const char *value = skip_blanks(p, equals + 1), *end = p->end;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (value == end)
		return refuse(p, value, "expected a value after \"=\"");
	status = rule_keys[rule.kind].parse(p, value, end, &rule);
	if (!status)
		status = rule_keep(p, value, &rule);
	if (status)
		free(rule.pattern);
	return status;
}

/* ---- lines ---- */

static int parse_line(struct parser *p)
{
	if (p->end - p->begin > LINE_MAX_BYTES)
		return refuse(p, p->begin, "a line longer than %d bytes", LINE_MAX_BYTES);
	for (const char *c = p->begin; c < p->end; c++)
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return refuse(p, c, "a control byte (0x%02x)", (unsigned char)*c);
	const char *at = skip_blanks(p, p->begin);
	if (at == p->end || *at == '#' || *at == ';')
		return 0;
	return *at == '[' ? parse_section(p, at) : parse_rule(p, at);
}

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
	struct parser p = { .rules = rules, .file = rules->files_count, .err = err };
	int status = file_add(rules, file, err);

	for (size_t at = 0; at < length && !status;) {
		const char *newline = memchr(text + at, '\n', length - at);
		p.line++;
		p.begin = text + at;
		p.end = newline ? newline : text + length;
		status = parse_line(&p);
		at = (size_t)(p.end - text) + 1;
	}
	return status ? status : domain_is_described(&p);
}
