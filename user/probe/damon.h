/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening to a DAMON that runs already (bpf/damon.bpf.c), without touching it. */
#ifndef KSMSCOPE_PROBE_DAMON_H
#define KSMSCOPE_PROBE_DAMON_H

#include <stddef.h>

#include "base/error.h"
#include "bpf/abi.h"

struct damon_probe;

/* EXIT_KERNEL_CANNOT: no such tracepoint (CONFIG_DAMON); EXIT_NOT_PERMITTED, EXIT_FAILED. */
int damon_open(struct damon_probe **ret, struct error *err);
/* NULL is fine. */
void damon_close(struct damon_probe *probe);

/* What was heard so far, in order; the events stay where they are until damon_close(). */
const struct damon_event *damon_heard(const struct damon_probe *probe, size_t *ret_count);

#endif
