// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/damon.h"

#include <string.h>

#define KDAMONDS "sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT KDAMONDS "%d/contexts/0/"

static bool says(const struct sysroot *root, const char *what, const char *fmt, int kdamond)
{
	char text[64] = "";

	if (sysroot_read(root, text, sizeof(text), fmt, kdamond) != KNOWN)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, what);
}

enum known damon_running(const struct sysroot *root, struct damon_running *ret)
{
	struct value kdamonds = sysroot_number(root, KDAMONDS "nr_kdamonds");
	int found = -1;

	if (!is_known(kdamonds))
		return kdamonds.known;
	for (int i = 0; i < kdamonds.number; i++) {
		if (!says(root, "on", KDAMONDS "%d/state", i))
			continue;
		if (found >= 0)
			return ABSENT;		/* events don't say whose they are */
		found = i;
	}
	if (found < 0 || !says(root, "paddr", CONTEXT "operations", found))
		return ABSENT;
	struct value sample = sysroot_number(root, CONTEXT "monitoring_attrs/intervals/sample_us", found);
	struct value aggregation = sysroot_number(root, CONTEXT "monitoring_attrs/intervals/aggr_us", found);
	if (!is_known(sample) || !is_known(aggregation) || sample.number <= 0 || aggregation.number < sample.number)
		return ABSENT;
	*ret = (struct damon_running){ sample.number, aggregation.number };
	return KNOWN;
}
