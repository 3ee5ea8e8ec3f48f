/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DAMON of our own, for as long as heat is watched. Only where nobody has one
 * (damon_taken()); the kernel refuses it, too, while another one runs. It only
 * monitors: no scheme is set up. The way back is to stop it and take it away,
 * where it is still ours: it is told by its mark, an interval that nobody else
 * would choose.
 */
#ifndef KSMSCOPE_ACT_DAMON_CHANGE_H
#define KSMSCOPE_ACT_DAMON_CHANGE_H

#include "act/journal.h"
#include "act/result.h"
#include "core/judge/plan.h"
#include "sys/sysroot.h"

/* Samples of a region are so far apart, and aggregations: DAMON's own defaults, and ten of those. */
#define OWN_DAMON_SAMPLE_US 5000
#define OWN_DAMON_AGGREGATION_US 1000000

/* CHANGE_DAMONs, all of them: one DAMON with these targets, all processes or all physical memory. */
int damon_change(const struct sysroot *root, struct journal *journal, const struct plan *plan, size_t first, size_t end,
		 struct change_result *results, struct error *err);

/* End the one of record `record`; what is somebody else's by now is left alone. */
void damon_restore(const struct sysroot *root, struct journal *journal, size_t record, struct change_result *ret);

#endif
