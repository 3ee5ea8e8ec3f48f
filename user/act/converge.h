/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Has the engine merged what there is? Pure: counters in, answer out.
 *
 * A page is looked at in the first full scan after it was opted in, and can
 * merge in the second (its checksum must not have changed between). Converged
 * is therefore: two whole scans since the start, hence three of their ends,
 * and at least one whole scan since the saving last grew.
 *
 * What it does not know: smart_scan passes over pages that were tracked before
 * the start for up to eight scans, so a late merge of an older page with a new
 * one can still come; and what merged because somebody else opted in counts.
 */
#ifndef KSMSCOPE_ACT_CONVERGE_H
#define KSMSCOPE_ACT_CONVERGE_H

#include <stdbool.h>
#include <stdint.h>

struct convergence {
	int64_t first_scans;		/* full_scans at the start */
	int64_t grown_scans;		/* full_scans when the saving was last seen to have grown */
	int64_t most_pages;		/* the largest saving seen */
};

void convergence_start(struct convergence *ret, int64_t full_scans, int64_t saved_pages);

/*
 * Later readings, full_scans read before saved_pages. Returns true once it has
 * converged. A full_scans that went backwards starts the count anew.
 */
bool convergence_step(struct convergence *c, int64_t full_scans, int64_t saved_pages);

#endif
