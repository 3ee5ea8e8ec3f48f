/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only the tests of probe/content.c see. */
#ifndef KSMSCOPE_PROBE_CONTENT_PRIVATE_H
#define KSMSCOPE_PROBE_CONTENT_PRIVATE_H

#include "probe/content.h"

/* Behave as if the kernel had begun to refuse its direct map. */
void content_forbid_direct_map(struct content *content);

/* The map that contents pass through; it has to be empty between batches. */
int content_scratch_fd(const struct content *content);

/* The hash of a page of our own under this run's key, computed in user space. */
uint64_t content_hash_own(const struct content *content, const void *page);

#endif
