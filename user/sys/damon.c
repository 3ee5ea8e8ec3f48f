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

static enum known read_intervals(const struct sysroot *root, int kdamond, bool by_process, struct damon_running *ret)
{
	struct value sample = sysroot_number(root, CONTEXT "monitoring_attrs/intervals/sample_us", kdamond);
	struct value aggregation = sysroot_number(root, CONTEXT "monitoring_attrs/intervals/aggr_us", kdamond);

	if (!is_known(sample) || !is_known(aggregation) || sample.number <= 0 || aggregation.number < sample.number)
		return ABSENT;
	*ret = (struct damon_running){ sample.number, aggregation.number, by_process };
	return KNOWN;
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
	return read_intervals(root, found, false, ret);
}

enum known damon_of_our_own(const struct sysroot *root, struct damon_running *ret)
{
	if (!says(root, "on", KDAMONDS "%d/state", 0))
		return ABSENT;
	return read_intervals(root, 0, says(root, "vaddr", CONTEXT "operations", 0), ret);
}

const char *damon_taken(const struct sysroot *root)
{
	static const char *const modules[] = { "damon_reclaim", "damon_lru_sort", "damon_stat" };
	struct value kdamonds = sysroot_number(root, KDAMONDS "nr_kdamonds");
	char enabled[8];

	if (kdamonds.known == DENIED)
		return "DAMON's settings may not be read";
	if (!is_known(kdamonds))
		return "this kernel has no DAMON that can be set up (CONFIG_DAMON_SYSFS)";
	if (kdamonds.number)
		return "somebody else has set up a DAMON";
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (sysroot_read(root, enabled, sizeof(enabled), "sys/module/%s/parameters/enabled", modules[i]) == KNOWN &&
		    enabled[0] == 'Y')
			return "a module of the kernel runs a DAMON (damon_reclaim, damon_lru_sort or damon_stat)";
	return NULL;
}

enum damon_owner damon_owner(const struct sysroot *root, uint64_t mark)
{
	struct value kdamonds = sysroot_number(root, KDAMONDS "nr_kdamonds");

	if (!is_known(kdamonds))
		return DAMON_UNKNOWN;
	if (kdamonds.number != 1)
		return kdamonds.number ? DAMON_FOREIGN : DAMON_NOBODYS;
	if (!value_or(sysroot_number(root, KDAMONDS "0/contexts/nr_contexts"), 0))
		return DAMON_OURS;
	struct value update = sysroot_number(root, CONTEXT "monitoring_attrs/intervals/update_us", 0);
	if (is_known(update) && (uint64_t)update.number == mark)
		return DAMON_OURS;
	struct value targets = sysroot_number(root, CONTEXT "targets/nr_targets", 0);
	if (!is_known(update) || !is_known(targets))
		return DAMON_UNKNOWN;
	return targets.number ? DAMON_FOREIGN : DAMON_OURS;
}
