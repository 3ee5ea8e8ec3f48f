/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sys/ + probe/ → sample: find the targets, look at every page of them once,
 * and once more after a while. Reads only. The single way in which programs
 * come by a sample.
 */
#ifndef KSMSCOPE_GATHER_GATHER_H
#define KSMSCOPE_GATHER_GATHER_H

#include "base/error.h"
#include "gather/options.h"
#include "sys/sysroot.h"

/*
 * Take a sample. What could not be read is in ret->missing. It fails when no
 * target is left to look at, or when contents can't be read on this system at
 * all (no BPF, no permission); on a captured system (root not live) the sample
 * has no contents and says so. *ret_named_missing: a PID that was named could
 * not be looked at, though others could.
 */
int gather_sample(struct sample *ret, const struct sysroot *root, const struct gather_options *options,
		  bool *ret_named_missing, struct error *err);

#endif
