/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Take ranges out of a process that has opted itself in, so that ksmd keeps
 * off them: MADV_UNMERGEABLE inside it, which gives each merged page in them a
 * frame of its own again, at once. Refused while the memory for it is not
 * there. The way back is MADV_MERGEABLE on what was mergeable; ksmd merges it
 * anew.
 *
 * Children that are forked meanwhile inherit the ranges as they are then, and
 * keep them: what they lack is a saving, nothing else.
 */
#ifndef KSMSCOPE_ACT_OPT_OUT_H
#define KSMSCOPE_ACT_OPT_OUT_H

#include "act/journal.h"
#include "act/result.h"
#include "core/judge/plan.h"
#include "sys/sysroot.h"

/* CHANGE_OPT_OUTs of one process, as reshape(). */
int opt_out(const struct sysroot *root, struct journal *journal, const struct plan *plan, size_t first, size_t end,
	    struct change_result *results, struct error *err);
void opt_out_back(const struct sysroot *root, struct journal *journal, const size_t *records, size_t count,
		  struct change_result *ret);

#endif
