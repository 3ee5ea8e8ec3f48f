// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/top.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/search.h"

const struct fact_info top_facts[TOP_FACTS] = {
	[FACT_KSMD_CPU_NS] = { "ksmd_cpu_ns", true, NULL },
	[FACT_COW_KSM] = { "cow_ksm", true, NULL },
	[FACT_SWAP_COPIES] = { "ksm_swpin_copy", true, NULL },
	[FACT_PAGE_FAULTS] = { "pgfault", true, NULL },
	[FACT_HUGE_FAULTS] = { "thp_fault_alloc", true, NULL },
	[FACT_COLLAPSES] = { "thp_collapse_alloc", true, NULL },
	[FACT_SPLITS] = { "thp_split_page", true, NULL },
	[FACT_SPLITS_FAILED] = { "thp_split_page_failed", true, NULL },
	[FACT_SPLITS_PMD] = { "thp_split_pmd", true, NULL },
	[FACT_HUGE_BYTES] = { "AnonHugePages", false, NULL },
	[FACT_ANON_BYTES] = { "AnonPages", false, NULL },
	[FACT_TOTAL_BYTES] = { "MemTotal", false, NULL },
	[FACT_AVAILABLE_BYTES] = { "MemAvailable", false, NULL },
	[FACT_SWAP_FREE_BYTES] = { "SwapFree", false, NULL },
	[FACT_STALL_SOME_US] = { "stall_some_us", true, NULL },
	[FACT_STALL_FULL_US] = { "stall_full_us", true, NULL },
	[FACT_STALL_SOME_AVG10] = { "stall_some_avg10", false, NULL },
	[FACT_STALL_FULL_AVG10] = { "stall_full_avg10", false, NULL },
	[FACT_MERGES] = { "merges", true, SOURCE_ENGINE },
	[FACT_ZERO_MERGES] = { "zero_merges", true, SOURCE_ENGINE },
	[FACT_MERGE_FAILURES] = { "merge_failures", true, SOURCE_ENGINE },
	[FACT_REMOVED_PAGES] = { "removed_pages", true, SOURCE_ENGINE },
	[FACT_REMOVED_MAPPINGS] = { "removed_mappings", true, SOURCE_ENGINE },
	[FACT_PASSES] = { "passes", true, SOURCE_ENGINE },
	[FACT_PASS_LAST_NS] = { "pass_last_ns", false, SOURCE_ENGINE },
	[FACT_PASS_RUNNING_NS] = { "pass_running_ns", false, SOURCE_ENGINE },
	[FACT_PASS_LAST_CPU_NS] = { "pass_last_cpu_ns", false, SOURCE_ENGINE },
	[FACT_PASS_TRACKED_PAGES] = { "pass_tracked_pages", false, SOURCE_ENGINE },
	[FACT_ADVISOR_DECISIONS] = { "advisor_decisions", true, SOURCE_ENGINE },
	[FACT_ADVISOR_SCAN_SECONDS] = { "advisor_scan_seconds", false, SOURCE_ENGINE },
	[FACT_ADVISOR_PAGES_TO_SCAN] = { "advisor_pages_to_scan", false, SOURCE_ENGINE },
	[FACT_ADVISOR_CPU_PERCENT] = { "advisor_cpu_percent", false, SOURCE_ENGINE },
	[FACT_COLLAPSE_TRIES] = { "collapse_tries", true, SOURCE_HUGE },
	[FACT_COLLAPSES_UNDOING] = { "collapses_undoing", true, SOURCE_HUGE },
	[FACT_MERGES_UNDONE] = { "merges_undone", true, SOURCE_HUGE },
	[FACT_KSMD_SPLITS] = { "ksmd_splits", true, SOURCE_HUGE },
	[FACT_POTENTIAL_BYTES] = { "potential_bytes", false, SOURCE_CONTENT },
	[FACT_POTENTIAL_LOW_BYTES] = { "potential_low_bytes", false, SOURCE_CONTENT },
	[FACT_POTENTIAL_HIGH_BYTES] = { "potential_high_bytes", false, SOURCE_CONTENT },
	[FACT_VOLATILE_BYTES] = { "volatile_bytes", false, SOURCE_CONTENT },
	[FACT_VOLATILE_LOW_BYTES] = { "volatile_low_bytes", false, SOURCE_CONTENT },
	[FACT_VOLATILE_HIGH_BYTES] = { "volatile_high_bytes", false, SOURCE_CONTENT },
	[FACT_CROSSING_BYTES] = { "crossing_bytes", false, SOURCE_CONTENT },
	[FACT_CROSSING_LOW_BYTES] = { "crossing_low_bytes", false, SOURCE_CONTENT },
	[FACT_CROSSING_HIGH_BYTES] = { "crossing_high_bytes", false, SOURCE_CONTENT },
	[FACT_ZERO_BYTES] = { "zero_bytes", false, SOURCE_CONTENT },
	[FACT_ZERO_IN_HUGE_BYTES] = { "zero_in_huge_bytes", false, SOURCE_CONTENT },
	[FACT_SWEEPS] = { "sweeps", true, SOURCE_CONTENT },
	[FACT_SWEEP_NS] = { "sweep_ns", false, SOURCE_CONTENT },
	[FACT_SWEEP_SHARE] = { "sweep_share", false, SOURCE_CONTENT },
	[FACT_SWEEP_TIME_NS] = { "sweep_time_ns", false, SOURCE_CONTENT },
	[FACT_CANDIDATE_PAGES] = { "candidate_pages", false, SOURCE_CONTENT },
	[FACT_FRONTIER_LOOKS] = { "frontier_looks", true, SOURCE_LEDGER },
	[FACT_FRONTIER_CPU_NS] = { "frontier_cpu_ns", true, SOURCE_LEDGER },
	[FACT_FRONTIER_TIME_NS] = { "frontier_time_ns", false, SOURCE_LEDGER },
	[FACT_FRONTIER_LOOK_NS] = { "frontier_look_ns", false, SOURCE_LEDGER },
	[FACT_FRONTIER_HUGE_PAGES] = { "frontier_huge_pages", false, SOURCE_LEDGER },
	[FACT_FRONTIER_ALL_PAGES] = { "frontier_all_pages", false, SOURCE_LEDGER },
	[FACT_FRONTIER_ALL_BYTES] = { "frontier_all_bytes", false, SOURCE_LEDGER },
	[FACT_FRONTIER_ALL_SLOWDOWN_PPB] = { "frontier_all_slowdown_ppb", false, SOURCE_LEDGER },
	[FACT_KNEE_PAGES] = { "knee_pages", false, SOURCE_LEDGER },
	[FACT_KNEE_BYTES] = { "knee_bytes", false, SOURCE_LEDGER },
	[FACT_KNEE_SLOWDOWN_PPB] = { "knee_slowdown_ppb", false, SOURCE_LEDGER },
	[FACT_COW_COST_NS] = { "cow_cost_ns", false, SOURCE_CALIBRATION },
	[FACT_COW_COST_LOW_NS] = { "cow_cost_low_ns", false, SOURCE_CALIBRATION },
	[FACT_COW_COST_HIGH_NS] = { "cow_cost_high_ns", false, SOURCE_CALIBRATION },
	[FACT_OWN_CPU_NS] = { "own_cpu_ns", true, NULL },
	[FACT_OWN_RSS_BYTES] = { "own_rss_bytes", false, NULL },
};

const struct fact_info task_facts[TASK_FACTS] = {
	[TASK_ANON_BYTES] = { "anon_bytes", false, NULL },
	[TASK_RSS_BYTES] = { "rss_bytes", false, NULL },
	[TASK_SWAP_BYTES] = { "swap_bytes", false, NULL },
	[TASK_HUGE_BYTES] = { "huge_bytes", false, NULL },
	[TASK_MERGED_PAGES] = { "ksm_merging_pages", false, NULL },
	[TASK_ZERO_PAGES] = { "ksm_zero_pages", false, NULL },
	[TASK_TRACKED_PAGES] = { "ksm_rmap_items", false, NULL },
	[TASK_PROFIT_BYTES] = { "ksm_process_profit", false, NULL },
	[TASK_MERGEABLE] = { "ksm_mergeable", false, NULL },
	[TASK_MERGE_ANY] = { "ksm_merge_any", false, NULL },
	[TASK_PAGE_FAULTS] = { "page_faults", true, NULL },
	[TASK_MERGES] = { "merges", true, SOURCE_ENGINE },
	[TASK_COLLAPSES] = { "collapses", true, SOURCE_HUGE },
	[TASK_MERGES_UNDONE] = { "merges_undone", true, SOURCE_HUGE },
	[TASK_KSMD_SPLITS] = { "ksmd_splits", true, SOURCE_HUGE },
	[TASK_POTENTIAL_BYTES] = { "potential_bytes", false, SOURCE_CONTENT },
	[TASK_POTENTIAL_LOW_BYTES] = { "potential_low_bytes", false, SOURCE_CONTENT },
	[TASK_POTENTIAL_HIGH_BYTES] = { "potential_high_bytes", false, SOURCE_CONTENT },
	[TASK_MARGINAL_BYTES] = { "marginal_bytes", false, SOURCE_CONTENT },
	[TASK_VOLATILE_BYTES] = { "volatile_bytes", false, SOURCE_CONTENT },
	[TASK_VOLATILE_LOW_BYTES] = { "volatile_low_bytes", false, SOURCE_CONTENT },
	[TASK_VOLATILE_HIGH_BYTES] = { "volatile_high_bytes", false, SOURCE_CONTENT },
	[TASK_HALF_LIFE_MS] = { "half_life_ms", false, SOURCE_CONTENT },
	[TASK_HALF_LIFE_LOW_MS] = { "half_life_low_ms", false, SOURCE_CONTENT },
	[TASK_HALF_LIFE_HIGH_MS] = { "half_life_high_ms", false, SOURCE_CONTENT },
};

_Static_assert(FAULT_KINDS <= DUTY_KINDS, "every kind of fault has its sums");

const char *const fault_kind_names[FAULT_KINDS] = {
	[FAULT_FIRST_WRITE] = "first_write",
	[FAULT_FIRST_READ] = "first_read",
	[FAULT_COW_MERGED] = "cow_merged",
	[FAULT_COW_ZERO] = "cow_zero",
	[FAULT_COW_OTHER] = "cow_other",
	[FAULT_COW_UNKNOWN] = "cow_unknown",
	[FAULT_OTHER] = "other",
};

const char *top_fact_name(enum top_fact fact)
{
	return fact_is_knob(fact) ? knobs[fact].name : top_facts[fact].name;
}

#define LEAST_ROOM 64

/* What a crowd needed is given back once it has gone: where three quarters and more stayed empty. */
static void give_back(void **items, size_t count, size_t *room)
{
	if (*room <= LEAST_ROOM || count >= *room / 4)
		return;
	free(*items);
	*items = NULL;
	*room = 0;
}

static void give_back_room(struct top_sample *s)
{
	give_back((void **)&s->tasks, s->tasks_count, &s->tasks_room);
	give_back((void **)&s->watches, s->watches_count, &s->watches_room);
	give_back((void **)&s->shares, s->shares_count, &s->shares_room);
	give_back((void **)&s->crossings, s->crossings_count, &s->crossings_room);
	give_back((void **)&s->outcomes, s->outcomes_count, &s->outcomes_room);
	give_back((void **)&s->missing, s->missing_count, &s->missing_room);
	names_give_back(&s->names);
}

void top_sample_clear(struct top_sample *s)
{
	give_back_room(s);
	struct top_sample empty = {
		.tasks = s->tasks, .tasks_room = s->tasks_room,
		.names = s->names,
		.watches = s->watches, .watches_room = s->watches_room,
		.shares = s->shares, .shares_room = s->shares_room,
		.crossings = s->crossings, .crossings_room = s->crossings_room,
		.outcomes = s->outcomes, .outcomes_room = s->outcomes_room,
		.losses = s->losses, .losses_room = s->losses_room,
		.programs = s->programs, .programs_room = s->programs_room,
		.sources = s->sources, .sources_room = s->sources_room,
		.missing = s->missing, .missing_room = s->missing_room,
	};
	names_clear(&empty.names);
	*s = empty;
}

void top_sample_free(struct top_sample *s)
{
	free(s->tasks);
	names_free(&s->names);
	free(s->watches);
	free(s->shares);
	free(s->crossings);
	free(s->outcomes);
	free(s->losses);
	free(s->programs);
	free(s->sources);
	free(s->missing);
	memset(s, 0, sizeof(*s));
}

static void *add_item(void **items, size_t *count, size_t *room, size_t item_bytes)
{
	if (*count == *room) {
		size_t more = *room ? *room * 2 : 16;
		void *grown = realloc(*items, more * item_bytes);
		if (!grown)
			return NULL;
		*items = grown;
		*room = more;
	}
	void *item = (char *)*items + item_bytes * (*count)++;
	memset(item, 0, item_bytes);
	return item;
}

struct top_task *top_sample_add_task(struct top_sample *s)
{
	return add_item((void **)&s->tasks, &s->tasks_count, &s->tasks_room, sizeof(*s->tasks));
}

struct top_watch *top_sample_add_watch(struct top_sample *s)
{
	return add_item((void **)&s->watches, &s->watches_count, &s->watches_room, sizeof(*s->watches));
}

struct top_share *top_sample_add_share(struct top_sample *s)
{
	return add_item((void **)&s->shares, &s->shares_count, &s->shares_room, sizeof(*s->shares));
}

struct top_crossing *top_sample_add_crossing(struct top_sample *s)
{
	return add_item((void **)&s->crossings, &s->crossings_count, &s->crossings_room, sizeof(*s->crossings));
}

static int compare_shares(const struct top_share *a, const char *a_name, size_t a_length, const struct top_share *b,
			  const char *b_name, size_t b_length)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->uid != b->uid)
		return a->uid < b->uid ? -1 : 1;
	int order = memcmp(a_name, b_name, a_length < b_length ? a_length : b_length);
	return order ? order : a_length < b_length ? -1 : a_length > b_length;
}

static int by_share(const void *a, const void *b, void *context)
{
	const struct top_share *x = a, *y = b;
	const char *x_name = top_name(context, x->name), *y_name = top_name(context, y->name);
	return compare_shares(x, x_name, strlen(x_name), y, y_name, strlen(y_name));
}

void top_sample_sort_shares(struct top_sample *s)
{
	if (s->shares_count)
		qsort_r(s->shares, s->shares_count, sizeof(*s->shares), by_share, s);
}

const struct top_share *top_sample_share(const struct top_sample *s, enum share_kind kind, uid_t uid, const char *name,
					 size_t length)
{
	const struct top_share wanted = { .kind = kind, .uid = uid };
	size_t low = 0, high = s->shares_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct top_share *share = &s->shares[middle];
		const char *here = top_name(s, share->name);
		int order = compare_shares(share, here, strlen(here), &wanted, name, length);
		if (!order)
			return share;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct outcome *top_sample_add_outcome(struct top_sample *s)
{
	return add_item((void **)&s->outcomes, &s->outcomes_count, &s->outcomes_room, sizeof(*s->outcomes));
}

static int by_outcome(const void *a, const void *b)
{
	const struct outcome *x = a, *y = b;
	int of = strcmp(x->of, y->of);

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (of)
		return of;
	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->what, y->what);
}

void top_sample_sort_outcomes(struct top_sample *s)
{
	if (s->outcomes_count)
		qsort(s->outcomes, s->outcomes_count, sizeof(*s->outcomes), by_outcome);
}

const struct outcome *top_sample_outcomes(const struct top_sample *s, pid_t pid, size_t *ret_count)
{
	size_t first = partition_point(s->outcomes_count, i, s->outcomes[i].pid < pid), end = first;

	while (end < s->outcomes_count && s->outcomes[end].pid == pid)
		end++;
	*ret_count = end - first;
	return s->outcomes ? s->outcomes + first : NULL;
}

struct loss *top_sample_add_loss(struct top_sample *s)
{
	return add_item((void **)&s->losses, &s->losses_count, &s->losses_room, sizeof(*s->losses));
}

struct program_use *top_sample_add_program(struct top_sample *s)
{
	return add_item((void **)&s->programs, &s->programs_count, &s->programs_room, sizeof(*s->programs));
}

struct source_use *top_sample_add_source(struct top_sample *s)
{
	return add_item((void **)&s->sources, &s->sources_count, &s->sources_room, sizeof(*s->sources));
}

void top_sample_missing(struct top_sample *s, const char *what, enum known state, const char *why, ...)
{
	for (size_t i = 0; i < s->missing_count; i++)
		if (!strcmp(s->missing[i].what, what))
			return;
	struct missing *m = add_item((void **)&s->missing, &s->missing_count, &s->missing_room, sizeof(*m));
	if (!m)
		return;
	snprintf(m->what, sizeof(m->what), "%s", what);
	m->state = state;
	va_list args;
	va_start(args, why);
	vsnprintf(m->why, sizeof(m->why), why, args);
	va_end(args);
}

static int by_pid(const void *key, const void *item)
{
	pid_t a = *(const pid_t *)key, b = ((const struct top_task *)item)->pid;
	return a < b ? -1 : a > b;
}

const struct top_task *top_sample_task(const struct top_sample *s, pid_t pid)
{
	if (!s->tasks_count)
		return NULL;
	return bsearch(&pid, s->tasks, s->tasks_count, sizeof(*s->tasks), by_pid);
}
