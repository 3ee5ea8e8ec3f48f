// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/trust/assign.h"

#include <errno.h>
#include <stdlib.h>

/* A cgroup that is not known has no name: its root is "/". */
static struct domain_subject subject_of(const struct sample *s, const struct task *t)
{
	return (struct domain_subject){
		.pid = t->pid,
		.uid = t->uid,
		.vm = sample_string(s, t->vm),
		.cgroup = t->cgroup ? sample_string(s, t->cgroup) : NULL,
		.executable = t->executable_known == KNOWN ? sample_string(s, t->executable) : NULL,
	};
}

/* The domain's number of each task, in task.domain. */
static int number_tasks(struct sample *s, struct domains *domains)
{
	for (size_t i = 0; i < s->tasks_count; i++) {
		struct domain_subject subject = subject_of(s, &s->tasks[i]);
		s->tasks[i].domain = domain_of(domains, &subject);
		if (s->tasks[i].domain == DOMAIN_NO_MEMORY)
			return -ENOMEM;
	}
	return 0;
}

static int name_tasks(struct sample *s, const struct domains *domains)
{
	uint32_t *names = calloc(domains_count(domains) + 1, sizeof(*names));
	int rc = names ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < s->tasks_count; i++) {
		uint32_t number = s->tasks[i].domain;
		if (!names[number])
			names[number] = sample_name(s, domain_name(domains, number));
		s->tasks[i].domain = names[number];
		rc = names[number] ? 0 : -ENOMEM;
	}
	free(names);
	return rc;
}

int trust_assign(struct sample *s, const struct domain_rules *rules)
{
	static const struct domain_rules none;
	struct domains domains;

	domains_init(&domains, rules ? rules : &none);
	int rc = number_tasks(s, &domains);
	if (!rc)
		rc = name_tasks(s, &domains);
	domains_free(&domains);
	return rc;
}
