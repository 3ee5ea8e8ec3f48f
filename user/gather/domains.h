/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's configuration of trust domains (core/trust/domain.h), from its file. */
#ifndef KSMSCOPE_GATHER_DOMAINS_H
#define KSMSCOPE_GATHER_DOMAINS_H

#include "core/trust/domain.h"

/*
 * Read it. Refused with file, line and column where it is not understood
 * (EXIT_USAGE). The caller frees *ret with domain_rules_free(), also after an
 * error.
 */
int domains_load(struct domain_rules *ret, const char *path, struct error *err);

#endif
