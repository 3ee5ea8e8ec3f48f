/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often the targets' huge pages are accessed, watched for a while. The one
 * thing in this room that is not only a reader: each look clears the accessed
 * bits of the targets (sys/clear_refs.h), so it is taken only when asked for.
 * A DAMON that runs is not touched.
 *
 * Which source is best is decided here alone: the page tables, read by BPF,
 * which see every access after a look; where BPF is refused, whole mappings.
 * Where all targets are guests, whose accesses are in no page table of the
 * host, and where it is asked for: DAMON (heat_damon.h says which).
 */
#ifndef KSMSCOPE_GATHER_HEAT_H
#define KSMSCOPE_GATHER_HEAT_H

#include "base/error.h"
#include "gather/options.h"
#include "sys/sysroot.h"

/*
 * Fill sample->heat, after look_first(). Where the kernel allows no way, heat
 * stays unknown and the sample says why. An error: out of memory, interrupted.
 */
int heat_watch(struct sample *sample, const struct sysroot *root, const struct gather_options *options,
	       struct error *err);

#endif
