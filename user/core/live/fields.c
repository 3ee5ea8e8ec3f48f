// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/fields.h"

#include <stdio.h>
#include <string.h>

/* Sets of fault kinds. */
#define KIND(kind) (1u << (kind))
#define ANY_KIND (KIND(FAULT_KINDS) - 1)
#define FIRST_TOUCH (KIND(FAULT_FIRST_WRITE) | KIND(FAULT_FIRST_READ))
#define WRITE_PRESENT (KIND(FAULT_COW_MERGED) | KIND(FAULT_COW_ZERO) | KIND(FAULT_COW_OTHER) | KIND(FAULT_COW_UNKNOWN))

static const char *const advisor_choices[] = { "none", "scan-time", NULL };
static const char *const opted_choices[] = { "no", "some", "all", NULL };

/* Rows of the table: a file of the engine, a host fact, a rate, an estimate, a formula; a process's the same way. */
#define KNOB_AS(JSON, TITLE, KNOB_ID, UNIT, METRIC, HELP) \
	{ .name = JSON, .title = TITLE, .group = "engine", .json = JSON, .metric = METRIC, .help = HELP, \
	  .unit = UNIT, .origin = ORIGIN_FACT, .fact = KNOB_ID, .scale = 1 }
#define KNOB(JSON, TITLE, KNOB_ID, UNIT, HELP) KNOB_AS(JSON, TITLE, KNOB_ID, UNIT, "ksm_" JSON, HELP)
#define FACT(GROUP, JSON, TITLE, FACT_ID, UNIT, METRIC, HELP) \
	{ .name = JSON, .title = TITLE, .group = GROUP, .json = JSON, .metric = METRIC, .help = HELP, .unit = UNIT, \
	  .origin = ORIGIN_FACT, .fact = FACT_ID, .scale = 1 }
#define RATE(GROUP, JSON, TITLE, FACT_ID, METRIC, HELP) \
	{ .name = JSON, .title = TITLE, .group = GROUP, .json = JSON, .metric = METRIC, .help = HELP, \
	  .unit = UNIT_PER_SECOND, .origin = ORIGIN_RATE, .fact = FACT_ID, .scale = 1 }
#define SEEN(GROUP, JSON, TITLE, KINDS, METRIC, HELP) \
	{ .name = JSON, .title = TITLE, .group = GROUP, .json = JSON, .metric = METRIC, .help = HELP, \
	  .unit = UNIT_PER_SECOND, .origin = ORIGIN_SEEN, .fact = KINDS, .scale = 1 }
#define MADE(GROUP, JSON, TITLE, UNIT, METRIC, HELP) \
	{ .name = JSON, .title = TITLE, .group = GROUP, .json = JSON, .metric = METRIC, .help = HELP, .unit = UNIT, \
	  .origin = ORIGIN_COMPUTED }
#define SLOWDOWN(JSON, TITLE, FACT_ID, METRIC, HELP) \
	{ .name = JSON, .title = TITLE, .group = "huge", .json = JSON, .metric = METRIC, .help = HELP, \
	  .unit = UNIT_RATIO, .origin = ORIGIN_FACT, .fact = FACT_ID, .scale = 1e-9 }
#define PROC(NAME, TITLE, WIDTH, RANK, JSON, UNIT, ORIGIN, FACT_ID, SUMS, METRIC, HELP) \
	{ .name = NAME, .title = TITLE, .width = WIDTH, .rank = RANK, .json = JSON, .metric = METRIC, .help = HELP, \
	  .unit = UNIT, .origin = ORIGIN, .fact = FACT_ID, .scale = 1, .sums = SUMS }
#define TEXT(NAME, TITLE, WIDTH, RANK, HELP) \
	{ .name = NAME, .title = TITLE, .width = WIDTH, .rank = RANK, .json = NAME, .help = HELP, \
	  .unit = UNIT_TEXT, .origin = ORIGIN_TEXT }

const struct field_info fields[FIELD_COUNT] = {
	[HOST_RUN] = KNOB("run", "run", KNOB_RUN, UNIT_COUNT, "the engine: 0 stopped, 1 running, 2 unmerged"),
	[HOST_PAGES_TO_SCAN] = KNOB("pages_to_scan", "batch", KNOB_PAGES_TO_SCAN, UNIT_PAGES,
		"pages that ksmd looks at before it sleeps"),
	[HOST_SLEEP_MILLISECS] = KNOB_AS("sleep_millisecs", "sleep", KNOB_SLEEP_MILLISECS, UNIT_MILLISECONDS,
		"ksm_sleep_seconds", "sleep between two batches"),
	[HOST_SMART_SCAN] = KNOB_AS("smart_scan", "smart scan", KNOB_SMART_SCAN, UNIT_FLAG,
		"ksm_smart_scan_enabled", "pages that did not merge are skipped for some scans"),
	[HOST_USE_ZERO_PAGES] = KNOB_AS("use_zero_pages", "zero pages", KNOB_USE_ZERO_PAGES, UNIT_FLAG,
		"ksm_use_zero_pages_enabled", "zero-filled pages merge with the kernel's zero page"),
	[HOST_MAX_PAGE_SHARING] = KNOB("max_page_sharing", "max sharing", KNOB_MAX_PAGE_SHARING, UNIT_COUNT,
		"mappings that one merged frame may have"),
	[HOST_MERGE_ACROSS_NODES] = KNOB_AS("merge_across_nodes", "across nodes", KNOB_MERGE_ACROSS_NODES, UNIT_FLAG,
		"ksm_merge_across_nodes_enabled", "pages of different NUMA nodes are merged"),
	[HOST_ADVISOR_MODE] = { .name = "advisor_mode", .title = "advisor", .group = "engine", .json = "advisor_mode",
		.metric = "ksm_advisor_mode", .help = "whether the kernel sets pages_to_scan itself", .unit = UNIT_CHOICE, .origin = ORIGIN_FACT,
		.fact = KNOB_ADVISOR_MODE, .scale = 1, .choices = advisor_choices },
	[HOST_PAGES_SHARED] = KNOB("pages_shared", "shared", KNOB_PAGES_SHARED, UNIT_PAGES, "merged frames in use"),
	[HOST_PAGES_SHARING] = KNOB("pages_sharing", "sharing", KNOB_PAGES_SHARING, UNIT_PAGES,
		"further mappings of merged frames: frames saved"),
	[HOST_PAGES_UNSHARED] = KNOB("pages_unshared", "unshared", KNOB_PAGES_UNSHARED, UNIT_PAGES,
		"unique pages that are looked at again and again"),
	[HOST_PAGES_VOLATILE] = KNOB("pages_volatile", "volatile", KNOB_PAGES_VOLATILE, UNIT_PAGES,
		"pages that change too fast to be merged"),
	[HOST_PAGES_SCANNED] = KNOB_AS("pages_scanned", "scanned", KNOB_PAGES_SCANNED, UNIT_PAGES,
		NULL, "pages looked at since boot"),
	[HOST_PAGES_SKIPPED] = KNOB_AS("pages_skipped", "skipped", KNOB_PAGES_SKIPPED, UNIT_PAGES,
		"ksm_pages_skipped_total", "pages that smart_scan passed over"),
	[HOST_ZERO_PAGES] = FACT("engine", "zero_pages", "zero", KNOB_KSM_ZERO_PAGES, UNIT_PAGES, "ksm_zero_pages",
		"mappings replaced by the kernel's zero page: frames saved"),
	[HOST_STABLE_NODE_CHAINS] = KNOB("stable_node_chains", "chains", KNOB_STABLE_NODE_CHAINS, UNIT_COUNT,
		"contents that exceeded max_page_sharing"),
	[HOST_STABLE_NODE_DUPS] = KNOB("stable_node_dups", "chain dups", KNOB_STABLE_NODE_DUPS, UNIT_COUNT,
		"merged frames within those chains"),
	[HOST_FULL_SCANS] = KNOB_AS("full_scans", "scans", KNOB_FULL_SCANS, UNIT_COUNT,
		"ksm_full_scans_total", "scans of all mergeable memory completed"),
	[HOST_SAVED] = MADE("engine", "saved_bytes", "saved", UNIT_BYTES, "saved_bytes",
		"memory saved now: pages_sharing and ksm_zero_pages"),
	[HOST_PROFIT] = MADE("engine", "profit_bytes", "profit", UNIT_BYTES, "profit_bytes",
		"saved less the engine's metadata; negative where merging costs memory"),
	[HOST_POTENTIAL] = FACT("engine", "potential_bytes", "potential", FACT_POTENTIAL_BYTES, UNIT_BYTES,
		"potential_bytes", "what merging more would free"),
	[HOST_POTENTIAL_NET] = MADE("engine", "potential_net_bytes", "net", UNIT_BYTES, "potential_net_bytes",
		"the potential less the metadata that the engine would need for it; negative where merging would cost memory"),
	[HOST_VOLATILE] = FACT("engine", "volatile_bytes", "volatile", FACT_VOLATILE_BYTES, UNIT_BYTES,
		"volatile_bytes", "memory that changed too lately to be merged: none of the potential"),
	[HOST_SWEEP_SECONDS] = { .name = "sweep_seconds", .title = "sweep", .group = "engine", .json = "sweep_seconds",
		.metric = "sweep_seconds", .help = "duration of the last whole pass of the content sampler",
		.unit = UNIT_SECONDS, .origin = ORIGIN_FACT, .fact = FACT_SWEEP_NS, .scale = 1e-9 },
	[HOST_SWEEP_RATIO] = { .name = "sweep_ratio", .title = "swept", .group = "engine", .json = "sweep_ratio",
		.metric = "sweep_ratio", .help = "how far the content sampler is in its present pass",
		.unit = UNIT_RATIO, .origin = ORIGIN_FACT, .fact = FACT_SWEEP_SHARE, .scale = 1e-4 },
	[HOST_KSMD_CPU] = { .name = "ksmd_cpu_ratio", .title = "ksmd", .group = "engine", .json = "ksmd_cpu_ratio",
		.metric = "ksmd_cpu_seconds_total", .help = "share of one CPU that ksmd takes",
		.metric_help = "CPU time of ksmd", .unit = UNIT_RATIO,
		.origin = ORIGIN_RATE, .fact = FACT_KSMD_CPU_NS, .scale = 1e-9 },
	[HOST_SCAN_RATE] = RATE("engine", "pages_scanned_per_second", "scan rate", KNOB_PAGES_SCANNED,
		"ksm_pages_scanned_total", "pages that ksmd looks at"),
	[HOST_MERGE_RATE] = RATE("engine", "merges_per_second", "merges", FACT_MERGES, "merges_total", "pages merged"),
	[HOST_ZERO_MERGE_RATE] = RATE("engine", "zero_merges_per_second", "zero merges", FACT_ZERO_MERGES,
		"zero_merges_total", "pages merged with the zero page"),
	[HOST_MERGE_FAILURE_RATE] = RATE("engine", "merge_failures_per_second", "failures", FACT_MERGE_FAILURES,
		"merge_failures_total", "merges that were tried and failed"),
	[HOST_REMOVED_RATE] = RATE("engine", "pages_removed_per_second", "removed", FACT_REMOVED_PAGES,
		"ksm_pages_removed_total", "merged frames given up"),
	[HOST_REMOVED_MAPPING_RATE] = RATE("engine", "mappings_removed_per_second", "removed maps",
		FACT_REMOVED_MAPPINGS, "ksm_mappings_removed_total", "mappings of merged frames given up with them"),
	[HOST_PASS_SECONDS] = MADE("engine", "pass_seconds", "pass", UNIT_SECONDS, "pass_seconds",
		"duration of the last scan of all mergeable memory"),
	[HOST_PASS_ETA] = MADE("engine", "pass_eta_seconds", "ETA", UNIT_SECONDS, NULL,
		"until the present scan ends, at the pace of the last one"),
	[HOST_PASS_CPU_SECONDS] = { .name = "pass_cpu_seconds", .title = "pass CPU", .group = "engine",
		.json = "pass_cpu_seconds",
		.metric = "pass_cpu_seconds", .help = "CPU time that the last scan took", .unit = UNIT_SECONDS,
		.origin = ORIGIN_FACT, .fact = FACT_PASS_LAST_CPU_NS, .scale = 1e-9 },
	[HOST_PASS_TRACKED] = FACT("engine", "pass_tracked_pages", "pass pages", FACT_PASS_TRACKED_PAGES, UNIT_PAGES,
		"pass_tracked_pages", "pages that ksmd tracked at the end of the last scan"),
	[HOST_ADVISOR_DECISION_RATE] = RATE("engine", "advisor_decisions_per_second", "decisions",
		FACT_ADVISOR_DECISIONS, "advisor_decisions_total", "decisions of the kernel's own advisor"),
	[HOST_ADVISOR_SCAN_SECONDS] = FACT("engine", "advisor_scan_seconds", "advisor scan", FACT_ADVISOR_SCAN_SECONDS,
		UNIT_SECONDS, "advisor_scan_seconds", "duration of the scan that the advisor decided by last"),
	[HOST_ADVISOR_PAGES_TO_SCAN] = FACT("engine", "advisor_pages_to_scan", "advisor batch",
		FACT_ADVISOR_PAGES_TO_SCAN, UNIT_PAGES, "advisor_pages_to_scan", "what the advisor decided last"),
	[HOST_ADVISOR_CPU] = { .name = "advisor_cpu_ratio", .title = "advisor CPU", .group = "engine",
		.json = "advisor_cpu_ratio", .metric = "advisor_cpu_ratio",
		.help = "share of one CPU that the advisor saw ksmd take", .unit = UNIT_RATIO, .origin = ORIGIN_FACT,
		.fact = FACT_ADVISOR_CPU_PERCENT, .scale = 0.01 },

	[HOST_FAULTS_ALL] = RATE("faults", "all", "all faults", FACT_PAGE_FAULTS, "page_faults_total",
		"page faults handled, by vmstat"),
	[HOST_FAULTS_USER] = SEEN("faults", "user", "faults", ANY_KIND, "user_faults_total",
		"page faults of processes"),
	[HOST_FAULTS_FIRST] = SEEN("faults", "first_touch", "first touch", FIRST_TOUCH, "first_touch_faults_total",
		"faults where nothing was mapped"),
	[HOST_FAULTS_WRITE_PRESENT] = SEEN("faults", "write_present", "write faults", WRITE_PRESENT,
		"write_present_faults_total", "writes to a page that was present"),
	[HOST_FAULTS_COW] = RATE("faults", "cow_ksm", "COW breaks", FACT_COW_KSM, "cow_breaks_total",
		"merged pages broken by a write, by vmstat"),
	[HOST_COW_COST] = MADE("faults", "cow_cost_seconds", "break cost", UNIT_SECONDS, "cow_break_seconds",
		"CPU time of a write to a merged page, as calibrated on this machine"),
	[HOST_COW_CPU] = MADE("faults", "cow_cpu_ratio", "breaks' CPU", UNIT_RATIO, "cow_breaks_cpu_ratio",
		"share of one CPU that breaks of merged pages take, as calibrated on this machine"),
	[HOST_FAULTS_COW_SEEN] = SEEN("faults", "cow_ksm_attributed", "attributed", KIND(FAULT_COW_MERGED),
		"cow_breaks_attributed_total", "merged pages broken by a write, with the process known"),
	[HOST_FAULTS_COW_ZERO] = SEEN("faults", "cow_zero", "zero breaks", KIND(FAULT_COW_ZERO),
		"cow_zero_breaks_total", "pages merged with the zero page, broken by a write"),
	[HOST_FAULTS_COW_UNKNOWN] = SEEN("faults", "cow_unknown", "COW unknown", KIND(FAULT_COW_UNKNOWN),
		"cow_unknown_total", "writes to a present page of which it could not be told whether it was merged"),
	[HOST_WASTE] = MADE("faults", "waste_ratio", "waste", UNIT_RATIO, "waste_ratio",
		"share of the breaks that came within a minute of the merge: merged in vain"),
	[HOST_NEW_DUPLICATES] = MADE("faults", "new_duplicates", "new duplicates", UNIT_PER_SECOND,
		"new_duplicates_total", "new pages whose content already exists elsewhere"),
	[HOST_SWAP_COPIES] = RATE("faults", "swap_in_copies", "swap-in copies", FACT_SWAP_COPIES,
		"swap_in_copies_total", "merged pages copied when they were swapped in"),
	[HOST_WATCHED_RATIO] = MADE("faults", "watched_ratio", "watched", UNIT_RATIO, "faults_watched_ratio",
		"share of the time in which faults are looked at one by one"),

	[HOST_HUGE_BYTES] = FACT("huge", "anon_bytes", "huge pages", FACT_HUGE_BYTES, UNIT_BYTES, "huge_bytes",
		"anonymous memory in huge pages"),
	[HOST_HUGE_FAULTS] = RATE("huge", "faults_per_second", "huge faults", FACT_HUGE_FAULTS, "huge_faults_total",
		"huge pages allocated on first touch"),
	[HOST_COLLAPSES] = RATE("huge", "collapses_per_second", "collapses", FACT_COLLAPSES, "collapses_total",
		"ranges of base pages made into huge pages"),
	[HOST_COLLAPSE_TRIES] = RATE("huge", "collapse_tries_per_second", "tries", FACT_COLLAPSE_TRIES,
		"collapse_tries_total", "ranges that khugepaged looked at"),
	[HOST_COLLAPSES_UNDOING] = RATE("huge", "collapses_undoing_merges_per_second", "undoing",
		FACT_COLLAPSES_UNDOING, "collapses_undoing_total", "collapses of ranges that held merged pages"),
	[HOST_MERGES_UNDONE] = RATE("huge", "merges_undone_per_second", "undone", FACT_MERGES_UNDONE,
		"merges_undone_total", "merged pages that collapses undid"),
	[HOST_SPLITS] = RATE("huge", "splits_per_second", "splits", FACT_SPLITS, "splits_total",
		"huge pages split into base pages"),
	[HOST_SPLITS_PMD] = RATE("huge", "pmd_splits_per_second", "PMD splits", FACT_SPLITS_PMD, "pmd_splits_total",
		"mappings of huge pages split"),
	[HOST_KSMD_SPLITS] = RATE("huge", "ksmd_splits_per_second", "ksmd splits", FACT_KSMD_SPLITS,
		"ksmd_splits_total", "huge pages that ksmd split; counted with --precise"),
	[HOST_SPLITS_FAILED] = RATE("huge", "splits_failed_per_second", "splits failed", FACT_SPLITS_FAILED,
		"splits_failed_total", "huge pages that could not be split"),
	[HOST_KNEE_PAGES] = FACT("huge", "knee_huge_pages", "worth breaking", FACT_KNEE_PAGES, UNIT_COUNT,
		"frontier_knee_huge_pages", "huge pages that are worth breaking: those up to the frontier's knee"),
	[HOST_KNEE_BYTES] = FACT("huge", "knee_saved_bytes", "knee saves", FACT_KNEE_BYTES, UNIT_BYTES,
		"frontier_knee_saved_bytes", "what breaking these lets merging free besides"),
	[HOST_KNEE_SLOWDOWN] = SLOWDOWN("knee_slowdown_ratio", "knee costs", FACT_KNEE_SLOWDOWN_PPB,
		"frontier_knee_slowdown_ratio", "slow-down of the programs that breaking these is predicted to cost at most"),
	[HOST_FRONTIER_HUGE_PAGES] = FACT("huge", "frontier_huge_pages", "looked into", FACT_FRONTIER_HUGE_PAGES,
		UNIT_COUNT, "frontier_huge_pages", "huge pages that were looked into"),
	[HOST_FRONTIER_PAGES] = FACT("huge", "all_huge_pages", "hiding", FACT_FRONTIER_ALL_PAGES, UNIT_COUNT,
		"frontier_all_huge_pages", "of these, such that breaking them frees anything"),
	[HOST_FRONTIER_BYTES] = FACT("huge", "all_saved_bytes", "all save", FACT_FRONTIER_ALL_BYTES, UNIT_BYTES,
		"frontier_all_saved_bytes", "what breaking all of those lets merging free besides"),
	[HOST_FRONTIER_SLOWDOWN] = SLOWDOWN("all_slowdown_ratio", "all cost", FACT_FRONTIER_ALL_SLOWDOWN_PPB,
		"frontier_all_slowdown_ratio", "slow-down of the programs that breaking all of those is predicted to cost at most"),

	[HOST_TOTAL] = FACT("pressure", "total_bytes", "memory", FACT_TOTAL_BYTES, UNIT_BYTES, "memory_total_bytes",
		"memory of the machine"),
	[HOST_AVAILABLE] = FACT("pressure", "available_bytes", "available", FACT_AVAILABLE_BYTES, UNIT_BYTES,
		"memory_available_bytes", "memory that can be had without swapping"),
	[HOST_ANON] = FACT("pressure", "anon_bytes", "anonymous", FACT_ANON_BYTES, UNIT_BYTES, "memory_anon_bytes",
		"anonymous memory in use"),
	[HOST_SWAP_FREE] = FACT("pressure", "swap_free_bytes", "swap free", FACT_SWAP_FREE_BYTES, UNIT_BYTES,
		"swap_free_bytes", "swap space that is free"),
	[HOST_STALL_SOME] = { .name = "some_ratio", .title = "some", .group = "pressure", .json = "some_ratio",
		.metric = "memory_stall_some_seconds_total",
		.help = "share of the time in which some task waited for memory",
		.metric_help = "time in which some task waited for memory", .unit = UNIT_RATIO,
		.origin = ORIGIN_RATE, .fact = FACT_STALL_SOME_US, .scale = 1e-6 },
	[HOST_STALL_FULL] = { .name = "full_ratio", .title = "full", .group = "pressure", .json = "full_ratio",
		.metric = "memory_stall_full_seconds_total",
		.help = "share of the time in which all tasks waited for memory",
		.metric_help = "time in which all tasks waited for memory", .unit = UNIT_RATIO,
		.origin = ORIGIN_RATE, .fact = FACT_STALL_FULL_US, .scale = 1e-6 },
	[HOST_STALL_SOME_AVG10] = { .name = "some_avg10_ratio", .title = "some 10 s", .group = "pressure",
		.json = "some_avg10_ratio",
		.help = "the same, the kernel's average over ten seconds", .unit = UNIT_RATIO,
		.origin = ORIGIN_FACT, .fact = FACT_STALL_SOME_AVG10, .scale = 1e-4 },
	[HOST_STALL_FULL_AVG10] = { .name = "full_avg10_ratio", .title = "full 10 s", .group = "pressure",
		.json = "full_avg10_ratio",
		.help = "the same, the kernel's average over ten seconds", .unit = UNIT_RATIO,
		.origin = ORIGIN_FACT, .fact = FACT_STALL_FULL_AVG10, .scale = 1e-4 },

	[HOST_EXPOSURE] = MADE("pressure", "exposure_bytes", "exposure", UNIT_BYTES, "exposure_bytes",
		"memory needed if every merged page were written"),
	[HOST_EXPOSURE_RATIO] = MADE("pressure", "exposure_ratio", "exposure", UNIT_RATIO, "exposure_ratio",
		"exposure as a share of the available memory"),
	[HOST_OWN_CPU] = { .name = "cpu_ratio", .title = "own CPU", .group = "own", .json = "cpu_ratio",
		.metric = "own_cpu_seconds_total",
		.help = "share of one CPU that this program takes",
		.metric_help = "CPU time of the process that reads the system", .unit = UNIT_RATIO,
		.origin = ORIGIN_RATE, .fact = FACT_OWN_CPU_NS, .scale = 1e-9 },
	[HOST_OWN_RSS] = FACT("own", "rss_bytes", "own memory", FACT_OWN_RSS_BYTES, UNIT_BYTES, "own_resident_bytes",
		"resident memory of this program"),

	[PROC_PID] = PROC("pid", "PID", 7, 1, "pid", UNIT_COUNT, ORIGIN_COMPUTED, 0, false, NULL, "process ID"),
	[PROC_UID] = PROC("uid", "UID", 10, 0, "uid", UNIT_COUNT, ORIGIN_COMPUTED, 0, false, NULL, "effective user ID"),
	[PROC_USER] = TEXT("user", "USER", 8, 9, "effective user"),
	[PROC_ANON] = PROC("anon", "ANON", 6, 3, "anon_bytes", UNIT_BYTES, ORIGIN_FACT, TASK_ANON_BYTES, true,
		"anon_bytes", "anonymous memory that is resident"),
	[PROC_HUGE] = PROC("huge", "HUGE", 6, 8, "huge_bytes", UNIT_BYTES, ORIGIN_FACT, TASK_HUGE_BYTES, true,
		"huge_bytes", "anonymous memory in huge pages"),
	[PROC_MERGED] = PROC("merged", "MERGED", 6, 4, "merged_pages", UNIT_PAGES, ORIGIN_FACT, TASK_MERGED_PAGES,
		true, "merged_pages",
		"pages that map a merged frame; the kernel brings it up to date at ksmd's next visit"),
	[PROC_PROFIT] = PROC("profit", "PROFIT", 7, 5, "profit_bytes", UNIT_BYTES, ORIGIN_FACT, TASK_PROFIT_BYTES,
		true, "profit_bytes", "saved less the engine's metadata, by the kernel's account"),
	[PROC_POTENTIAL] = PROC("potential", "POTENT", 6, 20, "potential_bytes", UNIT_BYTES, ORIGIN_COMPUTED,
		TASK_POTENTIAL_BYTES, true, "potential_bytes", "its share of what merging more would free"),
	[PROC_MARGINAL] = PROC("marginal", "MARGIN", 6, 0, "marginal_bytes", UNIT_BYTES, ORIGIN_FACT,
		TASK_MARGINAL_BYTES, false, "marginal_bytes", "what it adds to the potential by being there"),
	[PROC_VOLATILE] = PROC("volatile", "VOLAT", 6, 0, "volatile_bytes", UNIT_BYTES, ORIGIN_COMPUTED,
		TASK_VOLATILE_BYTES, true, "volatile_bytes", "its memory that changed too lately to be merged"),
	[PROC_HALF_LIFE] = PROC("halflife", "HALFLIFE", 8, 0, "half_life_seconds", UNIT_SECONDS, ORIGIN_COMPUTED,
		TASK_HALF_LIFE_MS, false, "page_half_life_seconds",
		"until half of its pages hold something else, at the rate since the last pass"),
	[PROC_OPTED] = { .name = "opted", .title = "OPT", .width = 4, .rank = 6, .json = "opted_in",
		.unit = UNIT_CHOICE,
		.help = "opted in to merging: all of it (prctl), some mappings (madvise), or no",
		.origin = ORIGIN_COMPUTED,
		.choices = opted_choices },
	[PROC_MERGEABLE] = PROC("mergeable", "MG", 3, 0, "mergeable", UNIT_FLAG, ORIGIN_COMPUTED, TASK_MERGEABLE,
		false, NULL, "KSM looks at some or all of its mappings"),
	[PROC_COW] = PROC("cow", "COW/s", 6, 7, "cow_breaks_per_second", UNIT_PER_SECOND, ORIGIN_SEEN,
		KIND(FAULT_COW_MERGED), true, "cow_breaks_total", "merged pages that it broke by writing"),
	[PROC_COW_ZERO] = PROC("cowzero", "COWZ/s", 6, 0, "cow_zero_breaks_per_second", UNIT_PER_SECOND, ORIGIN_SEEN,
		KIND(FAULT_COW_ZERO), true, "cow_zero_breaks_total",
		"pages merged with the zero page that it broke by writing"),
	[PROC_NEW_DUPLICATES] = PROC("newdup", "NEW/s", 6, 10, "new_duplicates_per_second", UNIT_PER_SECOND,
		ORIGIN_COMPUTED, 0, true, "new_duplicates_total",
		"its new pages whose content already exists elsewhere"),
	[PROC_FAULTS] = PROC("faults", "FLT/s", 6, 11, "faults_per_second", UNIT_PER_SECOND, ORIGIN_RATE,
		TASK_PAGE_FAULTS, true, "page_faults_total", "page faults, by the kernel's account"),
	[PROC_FIRST] = PROC("first", "1ST/s", 6, 0, "first_touch_per_second", UNIT_PER_SECOND, ORIGIN_SEEN,
		FIRST_TOUCH, true, "first_touch_faults_total", "faults where nothing was mapped"),
	[PROC_WRITE_PRESENT] = PROC("writes", "WRP/s", 6, 0, "write_present_per_second", UNIT_PER_SECOND, ORIGIN_SEEN,
		WRITE_PRESENT, true, "write_present_faults_total", "writes to a page that was present"),
	[PROC_MERGES] = PROC("merges", "MRG/s", 6, 12, "merges_per_second", UNIT_PER_SECOND, ORIGIN_RATE, TASK_MERGES,
		true, "merges_total", "its pages that ksmd merged"),
	[PROC_COLLAPSES] = PROC("collapses", "CLP/s", 6, 0, "collapses_per_second", UNIT_PER_SECOND, ORIGIN_RATE,
		TASK_COLLAPSES, true, "collapses_total", "its ranges that were made into huge pages"),
	[PROC_UNDONE] = PROC("undone", "UND/s", 6, 0, "merges_undone_per_second", UNIT_PER_SECOND, ORIGIN_RATE,
		TASK_MERGES_UNDONE, true, "merges_undone_total", "its merged pages that collapses undid"),
	[PROC_SPLITS] = PROC("splits", "SPL/s", 6, 0, "ksmd_splits_per_second", UNIT_PER_SECOND, ORIGIN_RATE,
		TASK_KSMD_SPLITS, true, "ksmd_splits_total", "its huge pages that ksmd split; counted with --precise"),
	[PROC_ZERO_PAGES] = PROC("zero", "ZERO", 6, 14, "zero_pages", UNIT_PAGES, ORIGIN_FACT, TASK_ZERO_PAGES, true,
		"zero_pages", "pages merged with the kernel's zero page"),
	[PROC_TRACKED] = PROC("tracked", "TRACK", 6, 13, "tracked_pages", UNIT_PAGES, ORIGIN_FACT, TASK_TRACKED_PAGES,
		true, "tracked_pages", "pages that the engine keeps an item for, 64 bytes each"),
	[PROC_RSS] = PROC("rss", "RSS", 6, 15, "rss_bytes", UNIT_BYTES, ORIGIN_FACT, TASK_RSS_BYTES, true, "rss_bytes",
		"resident memory, files and shared memory included"),
	[PROC_SWAP] = PROC("swap", "SWAP", 6, 17, "swap_bytes", UNIT_BYTES, ORIGIN_FACT, TASK_SWAP_BYTES, true,
		"swap_bytes", "memory that is swapped out"),
	[PROC_VM] = TEXT("vm", "VM", 12, 19, "name of the QEMU guest"),
	[PROC_CGROUP] = TEXT("cgroup", "CGROUP", 24, 18, "control group"),
	[PROC_DOMAIN] = TEXT("domain", "DOMAIN", 16, 0, "trust domain; known once contents were looked at"),
	[PROC_COMM] = TEXT("comm", "COMMAND", 10, 2, "name of the command"),
};

bool field_is_counter(enum field f)
{
	const char *metric = fields[f].metric;
	size_t length = metric ? strlen(metric) : 0, end = strlen("_total");
	return length > end && !strcmp(metric + length - end, "_total");
}

enum field field_by_name(const char *name, size_t length)
{
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++)
		if (strlen(fields[f].name) == length && !strncmp(fields[f].name, name, length))
			return f;
	return FIELD_COUNT;
}

const char *field_fact(enum field f)
{
	const struct field_info *info = &fields[f];
	if (info->origin == ORIGIN_FACT || info->origin == ORIGIN_RATE)
		return field_is_process(f) ? task_facts[info->fact].name : top_fact_name(info->fact);
	switch (f) {
	case HOST_SAVED:
	case HOST_EXPOSURE:
	case HOST_EXPOSURE_RATIO:
		return knobs[KNOB_PAGES_SHARING].name;
	case HOST_POTENTIAL_NET:
		return top_facts[FACT_POTENTIAL_BYTES].name;
	case HOST_PROFIT:
		return knobs[KNOB_GENERAL_PROFIT].name;
	case HOST_FAULTS_COW_SEEN:
	case PROC_COW:
		return fault_kind_names[FAULT_COW_MERGED];
	case PROC_MERGEABLE:
		return task_facts[TASK_MERGEABLE].name;
	case PROC_OPTED:
		return task_facts[TASK_MERGE_ANY].name;
	case PROC_POTENTIAL:
	case PROC_VOLATILE:
	case PROC_HALF_LIFE:
		return task_facts[fields[f].fact].name;
	default:
		return NULL;
	}
}

const char *field_source(enum field f)
{
	const struct field_info *info = &fields[f];
	if (info->origin == ORIGIN_FACT || info->origin == ORIGIN_RATE)
		return field_is_process(f) ? task_facts[info->fact].source
			: fact_is_knob(info->fact) ? NULL : top_facts[info->fact].source;
	if (info->origin == ORIGIN_SEEN || f == HOST_WASTE || f == HOST_WATCHED_RATIO || f == HOST_NEW_DUPLICATES ||
	    f == PROC_NEW_DUPLICATES)
		return SOURCE_FAULT;
	if (f == HOST_POTENTIAL_NET || f == PROC_POTENTIAL || f == PROC_VOLATILE || f == PROC_HALF_LIFE ||
	    f == PROC_DOMAIN)
		return SOURCE_CONTENT;
	return f == HOST_COW_COST || f == HOST_COW_CPU ? SOURCE_CALIBRATION : NULL;
}

const char *field_text(const struct top_sample *s, const struct top_task *t, enum field f, char ret[16])
{
	switch (f) {
	case PROC_COMM:
		return t->comm;
	case PROC_CGROUP:
		return top_name(s, t->cgroup);
	case PROC_VM:
		return top_name(s, t->vm);
	case PROC_DOMAIN:
		return top_name(s, t->domain);
	case PROC_USER:
		if (t->user)
			return top_name(s, t->user);
		snprintf(ret, 16, "%u", t->uid);
		return ret;
	default:
		return "";
	}
}

static bool contains(const enum field *list, size_t count, enum field f)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == f)
			return true;
	return false;
}

size_t field_list_parse(const char *list, enum field *ret, size_t count, size_t room, const char **ret_bad)
{
	if (*list == '+')
		list++;
	else
		count = 0;
	while (true) {
		size_t length = strcspn(list, ",");
		enum field f = field_by_name(list, length);
		if (f == FIELD_COUNT) {
			*ret_bad = list;
			return 0;
		}
		if (!contains(ret, count, f) && count < room)
			ret[count++] = f;
		if (!list[length])
			return count;
		list += length + 1;
	}
}

const char *field_choice(enum field f, double value)
{
	const char *const *choices = fields[f].choices;
	for (int i = 0; choices[i]; i++)
		if (value == i)
			return choices[i];
	return "?";
}
