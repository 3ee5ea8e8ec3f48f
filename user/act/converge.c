// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/converge.h"

#define SCANS_AT_LEAST 3	/* ends of scans: the first ends a scan that began before the start */
#define SCANS_WITHOUT 2		/* ends of scans, hence one whole scan, without growth */

void convergence_start(struct convergence *ret, int64_t full_scans, int64_t saved_pages)
{
	*ret = (struct convergence){ full_scans, full_scans, saved_pages };
}

bool convergence_step(struct convergence *c, int64_t full_scans, int64_t saved_pages)
{
	if (full_scans < c->first_scans) {
		convergence_start(c, full_scans, saved_pages);
		return false;
	}
	if (saved_pages > c->most_pages) {
		c->most_pages = saved_pages;
		c->grown_scans = full_scans;
	}
	return full_scans - c->first_scans >= SCANS_AT_LEAST && full_scans - c->grown_scans >= SCANS_WITHOUT;
}
