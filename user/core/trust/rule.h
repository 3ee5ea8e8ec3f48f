/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rule that names processes: by virtual machine, cgroup, executable or uid.
 * Trust domains (domain.h) are made of such rules, and so is what a policy
 * may touch. docs/model-sampling.md has the grammar.
 */
#ifndef KSMSCOPE_CORE_TRUST_RULE_H
#define KSMSCOPE_CORE_TRUST_RULE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/conf/reader.h"

/* In the order in which they are asked. */
enum domain_rule_kind { RULE_VM, RULE_CGROUP, RULE_EXECUTABLE, RULE_UID, RULE_KINDS };

struct domain_rule {
	enum domain_rule_kind kind;
	uint32_t domain;
	char *pattern;			/* all kinds but RULE_UID */
	uint32_t uid_low, uid_high;	/* RULE_UID, both included */
	uint32_t file;			/* where it stands, for messages */
	unsigned int line;
};

/* What is known of a process. A fact that could not be read is NULL; "" says that there is none. */
struct domain_subject {
	pid_t pid;
	uid_t uid;
	const char *vm;			/* the guest's name; "" for processes that are no VM */
	const char *cgroup;		/* path as in /proc/PID/cgroup, "/" for the root */
	const char *executable;		/* path */
};

/* Is this the key of a rule? */
bool rule_kind_of(struct conf_text key, enum domain_rule_kind *ret);

/*
 * Check the value of an entry and put it into `ret`, whose kind is set already. -EXIT_USAGE with its place, or
 * -EXIT_FAILED when memory is out. The caller frees ret->pattern.
 */
int rule_parse(const struct conf_reader *reader, const struct conf_item *item, struct domain_rule *ret);

enum rule_match { RULE_DIFFERS, RULE_MATCHES, RULE_UNKNOWN /* the fact could not be read */ };
enum rule_match rule_matches(const struct domain_rule *rule, const struct domain_subject *subject);

/* Is there somebody whom both name? Of one kind; between kinds it is not asked: false. */
bool rules_overlap(const struct domain_rule *a, const struct domain_rule *b);

#endif
