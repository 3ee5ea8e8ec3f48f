// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/knobs.h"

#include <limits.h>

const struct knob_info knobs[KNOB_COUNT] = {
	[KNOB_RUN] = { "run", "0 stopped, 1 running, 2 stopped and everything unmerged", "2.6.32", 0, 2, false },
	[KNOB_PAGES_TO_SCAN] = { "pages_to_scan", "pages that ksmd looks at before it sleeps", "2.6.32", 0, UINT_MAX, false },
	[KNOB_SLEEP_MILLISECS] = { "sleep_millisecs", "milliseconds that ksmd sleeps between two batches", "2.6.32", 0, UINT_MAX, false },
	[KNOB_SMART_SCAN] = { "smart_scan", "1: pages that did not merge are skipped for some scans", "6.7", 0, 1, false },
	[KNOB_USE_ZERO_PAGES] = { "use_zero_pages", "1: zero-filled pages merge with the kernel's zero page", "4.11", 0, 1, false },
	[KNOB_MAX_PAGE_SHARING] = { "max_page_sharing", "mappings that one merged frame may have", "4.13", 2, INT_MAX, false },
	[KNOB_MERGE_ACROSS_NODES] = { "merge_across_nodes", "0: pages of different NUMA nodes are not merged", "3.9", 0, 1, false },
	[KNOB_STABLE_NODE_CHAINS_PRUNE_MILLISECS] = { "stable_node_chains_prune_millisecs", "how often full chains are searched for stale entries", "4.13", 0, UINT_MAX, false },
	[KNOB_ADVISOR_MODE] = { "advisor_mode", "0 none, 1 scan-time: the kernel sets pages_to_scan itself", "6.8", 0, 1, false },
	[KNOB_ADVISOR_MAX_CPU] = { "advisor_max_cpu", "most CPU that the advisor lets ksmd take, per cent", "6.8", 1, 100, false },
	[KNOB_ADVISOR_MIN_PAGES_TO_SCAN] = { "advisor_min_pages_to_scan", "pages_to_scan that the advisor starts from", "6.8", 1, INT_MAX, false },
	[KNOB_ADVISOR_MAX_PAGES_TO_SCAN] = { "advisor_max_pages_to_scan", "most pages_to_scan that the advisor sets", "6.8", 1, INT_MAX, false },
	[KNOB_ADVISOR_TARGET_SCAN_TIME] = { "advisor_target_scan_time", "seconds that the advisor aims at for one scan", "6.8", 1, INT_MAX, false },
	[KNOB_PAGES_SHARED] = { "pages_shared", "merged frames in use", "2.6.32", 0, 0, false },
	[KNOB_PAGES_SHARING] = { "pages_sharing", "further mappings of merged frames: frames saved", "2.6.32", 0, 0, false },
	[KNOB_PAGES_UNSHARED] = { "pages_unshared", "unique pages that are looked at again and again", "2.6.32", 0, 0, false },
	[KNOB_PAGES_VOLATILE] = { "pages_volatile", "pages that change too fast to be merged", "2.6.32", 0, 0, false },
	[KNOB_PAGES_SCANNED] = { "pages_scanned", "pages looked at since boot", "6.6", 0, 0, true },
	[KNOB_PAGES_SKIPPED] = { "pages_skipped", "pages that smart_scan passed over", "6.7", 0, 0, true },
	[KNOB_FULL_SCANS] = { "full_scans", "scans of all mergeable memory completed", "2.6.32", 0, 0, true },
	[KNOB_KSM_ZERO_PAGES] = { "ksm_zero_pages", "mappings replaced by the kernel's zero page: frames saved", "6.6", 0, 0, false },
	[KNOB_STABLE_NODE_CHAINS] = { "stable_node_chains", "contents that exceeded max_page_sharing", "4.13", 0, 0, false },
	[KNOB_STABLE_NODE_DUPS] = { "stable_node_dups", "merged frames within those chains", "4.13", 0, 0, false },
	[KNOB_GENERAL_PROFIT] = { "general_profit", "bytes saved less bytes of metadata, signed", "6.4", 0, 0, false },
};
