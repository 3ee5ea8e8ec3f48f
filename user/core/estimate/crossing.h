/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What owners have in common, from a sample of contents: processes, users,
 * cgroups, or trust domains, between which it would cross if both were merged.
 * The exact count of the same is core/count/sharing.h.
 *
 * It looks at the SHARING_OWNERS owners with the most candidates.
 */
#ifndef KSMSCOPE_CORE_CROSSING_H
#define KSMSCOPE_CORE_CROSSING_H

#include "core/count/sharing.h"
#include "core/estimate/sketch_order.h"

/*
 * Each two owners of a set that hold a content in common, most contents first; from a sketch in order,
 * of each of whose owners task_of says the task (CLASS_NONE: nobody's). 0 or -ENOMEM.
 */
int crossing_estimate(const struct sample *sample, const struct owner_set *owners, struct sketch_order *order,
		      const uint32_t *task_of, struct sharing **ret, size_t *ret_count);

#endif
