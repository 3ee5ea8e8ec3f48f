/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what was asked for to a list of processes. */
#ifndef KSMSCOPE_GATHER_TARGETS_H
#define KSMSCOPE_GATHER_TARGETS_H

#include "base/error.h"
#include "gather/options.h"
#include "sys/sysroot.h"

/*
 * Fill sample->tasks with the targets, ascending. Kernel threads, zombies and
 * ourselves are left out silently unless they were named. A named PID that is
 * none of our business is noted as missing; when nothing is left, the error
 * says why of the first.
 */
int targets_find(struct sample *sample, const struct sysroot *root, const struct target *target,
		 bool *ret_named_missing, struct error *err);

#endif
