/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sys/ → one process in detail (core/live/detail.h), on request: it takes milliseconds for each GiB. Reads only. */
#ifndef KSMSCOPE_GATHER_DETAIL_H
#define KSMSCOPE_GATHER_DETAIL_H

#include "core/live/detail.h"
#include "core/live/top.h"
#include "core/trust/domain.h"
#include "sys/sysroot.h"

/*
 * `others` says who else may share merged frames with it, `domains` who of them
 * is trusted (NULL: each uid and VM trusts itself). At most some hundred
 * milliseconds are spent; what that leaves out is said in the detail. Negative
 * errno when memory is out.
 */
int detail_take(struct detail *ret, const struct sysroot *root, const struct top_sample *others,
		const struct domain_rules *domains, pid_t pid, uint64_t start_ticks);

#endif
