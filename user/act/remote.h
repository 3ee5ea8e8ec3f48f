/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two calls that act/ has a stopped process make. Returns and errors as injection_call(). */
#ifndef KSMSCOPE_ACT_REMOTE_H
#define KSMSCOPE_ACT_REMOTE_H

#include <stdbool.h>

#include "sys/inject.h"

/* include/uapi/linux/prctl.h since 6.4, newer than the C library's; older kernels answer EINVAL. */
enum remote_prctl_option {
	REMOTE_SET_MEMORY_MERGE = 67,
	REMOTE_GET_MEMORY_MERGE = 68,
};

/* `advice`: MADV_MERGEABLE or MADV_UNMERGEABLE. */
int remote_madvise(struct injection *injection, uint64_t start, uint64_t end, int advice, int64_t *ret_value,
		   struct error *err);
int remote_prctl(struct injection *injection, enum remote_prctl_option option, bool on, int64_t *ret_value,
		 struct error *err);

#endif
