/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine had done when a run began, to tell what it did since. */
#ifndef KSMSCOPE_ACT_WAIT_H
#define KSMSCOPE_ACT_WAIT_H

#include "core/known.h"
#include "sys/sysroot.h"

#include <sys/types.h>

struct engine_start {
	struct value full_scans;
	struct value saved_pages;	/* pages_sharing + ksm_zero_pages */
	struct value ksmd_ticks;
	pid_t ksmd;
};

void engine_start(struct engine_start *ret, const struct sysroot *root);

#endif
