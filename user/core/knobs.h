/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every file of /sys/kernel/mm/ksm, once: name, meaning, bounds, whether it
 * can be written. Readers, writers, reports, metrics and man pages walk this
 * table. Source: mm/ksm.c and Documentation/admin-guide/mm/ksm.rst.
 */
#ifndef KSMSCOPE_CORE_KNOBS_H
#define KSMSCOPE_CORE_KNOBS_H

#include <stdbool.h>
#include <stdint.h>

enum knob {
	KNOB_RUN,
	KNOB_PAGES_TO_SCAN,
	KNOB_SLEEP_MILLISECS,
	KNOB_SMART_SCAN,
	KNOB_USE_ZERO_PAGES,
	KNOB_MAX_PAGE_SHARING,
	KNOB_MERGE_ACROSS_NODES,
	KNOB_STABLE_NODE_CHAINS_PRUNE_MILLISECS,
	KNOB_ADVISOR_MODE,			/* enum advisor_mode */
	KNOB_ADVISOR_MAX_CPU,
	KNOB_ADVISOR_MIN_PAGES_TO_SCAN,
	KNOB_ADVISOR_MAX_PAGES_TO_SCAN,
	KNOB_ADVISOR_TARGET_SCAN_TIME,
	KNOB_PAGES_SHARED,
	KNOB_PAGES_SHARING,
	KNOB_PAGES_UNSHARED,
	KNOB_PAGES_VOLATILE,
	KNOB_PAGES_SCANNED,
	KNOB_PAGES_SKIPPED,
	KNOB_FULL_SCANS,
	KNOB_KSM_ZERO_PAGES,
	KNOB_STABLE_NODE_CHAINS,
	KNOB_STABLE_NODE_DUPS,
	KNOB_GENERAL_PROFIT,
	KNOB_COUNT
};

enum advisor_mode {
	ADVISOR_NONE,
	ADVISOR_SCAN_TIME,
};

struct knob_info {
	const char *name;		/* the file's name */
	const char *help;
	const char *since;		/* first release; "2.6.32" is the oldest */
	int64_t low, high;		/* what the kernel accepts; both 0: read-only */
	bool counter;			/* only grows (until it wraps or the engine is reset) */
};

extern const struct knob_info knobs[KNOB_COUNT];

static inline bool knob_writable(enum knob knob)
{
	return knobs[knob].high > 0;
}

#endif
