/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration as its files have it: the policy's own, and the trust domains. */
#ifndef KSMSCOPE_POLICY_CONFIGURE_H
#define KSMSCOPE_POLICY_CONFIGURE_H

#include "core/policy/config.h"
#include "core/trust/domain.h"
#include "policy/options.h"

struct configuration {
	struct policy_config policy;
	struct domain_rules domains;
};

/* A file that was named must be there; the default ones need not. After an error there is nothing to free. */
int configuration_read(struct configuration *ret, const struct policy_settings *settings, struct error *err);
void configuration_free(struct configuration *configuration);

#endif
