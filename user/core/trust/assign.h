/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the facts of a sample to the trust domain of each of its processes. */
#ifndef KSMSCOPE_CORE_TRUST_ASSIGN_H
#define KSMSCOPE_CORE_TRUST_ASSIGN_H

#include "core/sample.h"
#include "core/trust/domain.h"

/*
 * Set task.domain of all tasks, in place of what was there. `rules` NULL: no
 * configuration, each uid and each VM is a domain of its own. 0 or -ENOMEM.
 */
int trust_assign(struct sample *sample, const struct domain_rules *rules);

#endif
