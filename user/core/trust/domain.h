/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes may share memory with each other? Rules of a configuration
 * map virtual machines, cgroups, executables and users to named trust domains;
 * what no rule names is in a domain of its own: each VM, and each uid.
 *
 *	[domain shop]
 *	cgroup = /system.slice/shop-*.service
 *	uid = 1000-1999
 *
 *	[domain build]
 *	vm = ci-*
 *	executable = /usr/bin/make
 *
 * A VM rule goes before a cgroup rule, that before one of an executable, that
 * before one of a uid. Between rules of one kind there is no order, so two that
 * could both match, for different domains, are refused. docs/model-sampling.md
 * has the grammar.
 *
 * It does not know whether the operator is right to trust.
 */
#ifndef KSMSCOPE_CORE_DOMAIN_H
#define KSMSCOPE_CORE_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "core/trust/rule.h"

#define DOMAIN_RULES_MAX 4096

struct domain_config {
	char *name;
	uint32_t file;
	unsigned int line;
};

/* Zero-initialised: no rules. */
struct domain_rules {
	struct domain_rule *rules;
	uint32_t rules_count;
	uint32_t of_kind[RULE_KINDS];	/* how many */
	struct domain_config *domains;
	uint32_t domains_count;
	char **files;
	uint32_t files_count;
};

/*
 * Add what the text of a configuration file says; several files make one
 * configuration. Refused (EXIT_USAGE) with file, line and column where it is
 * not understood, where rules overlap, and where a domain is described twice
 * or by no rule. Columns count characters of UTF-8 from 1. After a refusal the
 * rules are only good for domain_rules_free().
 */
int domain_rules_add(struct domain_rules *rules, const char *file, const char *text, size_t length,
		     struct error *err);
/* Does the configuration describe a domain of this name? */
bool domain_is_configured(const struct domain_rules *rules, const char *name);
void domain_rules_free(struct domain_rules *rules);

struct domain_own;

/*
 * Domains by number: those of the rules first, then those that were made for
 * VMs and uids that no rule names, as they came.
 */
struct domains {
	const struct domain_rules *rules;
	struct domain_own *own;		/* by what they are of */
	uint32_t own_count, own_capacity;
	char **names;			/* of domain rules->domains_count + i */
};

void domains_init(struct domains *ret, const struct domain_rules *rules);
void domains_free(struct domains *domains);

#define DOMAIN_NO_MEMORY UINT32_MAX

/*
 * The domain of a process, O(rules + log own). Where a rule could match a fact
 * that could not be read, the process is in a domain of its own: nobody says
 * who may share with it. DOMAIN_NO_MEMORY when memory is out.
 */
uint32_t domain_of(struct domains *domains, const struct domain_subject *subject);

/* "shop", "uid 1000", "vm web-1", "pid 77"; raw bytes, as they were read. */
const char *domain_name(const struct domains *domains, uint32_t domain);
uint32_t domains_count(const struct domains *domains);

#endif
