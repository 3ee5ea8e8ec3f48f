// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/configure.h"

#include "sys/conf_files.h"

static int take_policy(void *context, const char *file, const char *text, size_t length, struct error *err)
{
	return policy_config_add(context, file, text, length, err);
}

static int take_domains(void *context, const char *file, const char *text, size_t length, struct error *err)
{
	return domain_rules_add(context, file, text, length, err);
}

int configuration_read(struct configuration *ret, const struct policy_settings *s, struct error *err)
{
	*ret = (struct configuration){ 0 };
	policy_config_init(&ret->policy);
	int rc = conf_files_read(s->config, s->config_given, take_policy, &ret->policy, err);
	if (!rc)
		rc = policy_config_check(&ret->policy, err);
	if (!rc)
		rc = conf_files_read(s->domains, s->domains_given, take_domains, &ret->domains, err);
	if (rc)
		configuration_free(ret);
	ret->policy.apply = (ret->policy.apply || s->apply) && !s->replay;
	return rc;
}

void configuration_free(struct configuration *c)
{
	policy_config_free(&c->policy);
	domain_rules_free(&c->domains);
}
