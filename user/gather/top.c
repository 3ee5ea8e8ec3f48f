// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/calibration.h"
#include "gather/top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gather/knee.h"
#include "gather/potential.h"
#include "gather/top_private.h"
#include "sys/host.h"
#include "sys/ksm_read.h"
#include "sys/proc.h"

struct top_source {
	const struct sysroot *root;
	const struct domain_rules *domains;
	struct machine machine;
	struct calibration calibration;	/* of this machine; holds when `calibrated` is KNOWN */
	enum known calibrated;
	char uncalibrated[256];		/* why not */
	char host[65];
	pid_t ksmd;
	struct top_tasks tasks;
	struct top_probes probes;
	struct potential *potential;	/* NULL: not asked for */
	struct knee *knee;		/* NULL: not asked for */
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* ---- life ---- */

static void learn_host(struct top_source *s)
{
	char text[65];
	if (sysroot_read(s->root, text, sizeof(text), "proc/sys/kernel/hostname") == KNOWN)
		snprintf(s->host, sizeof(s->host), "%.*s", (int)strcspn(text, "\n"), text);
}

/* Read once: a machine is calibrated seldom. A captured one has a calibration only where one is named. */
static void learn_costs(struct top_source *s, const char *path)
{
	s->calibrated = ABSENT;
	snprintf(s->uncalibrated, sizeof(s->uncalibrated), "this is a captured system");
	if (path || s->root->live)
		s->calibrated = calibration_read(&s->calibration, s->root, path ? path : CALIBRATION_FILE,
						 s->uncalibrated);
}

static void ask_knee(struct top_source *s, const struct top_options *options)
{
	const struct knee_options knee = { .interval_seconds = options->knee_seconds, .domains = options->domains,
					   .calibration = options->calibration, .most_bytes = options->knee_bytes };
	if (options->knee_seconds > 0 && s->root->live)
		s->knee = knee_open(s->root, &knee);
}

int top_source_open(struct top_source **ret, const struct sysroot *root, const struct top_options *options,
		    struct error *err)
{
	struct top_source *s = calloc(1, sizeof(*s));

	*ret = NULL;
	if (!s)
		return fail(err, EXIT_FAILED, "out of memory");
	s->root = root;
	s->domains = options->domains;
	proc_machine(root, &s->machine);
	learn_host(s);
	learn_costs(s, options->calibration);
	s->ksmd = ksmd_find(root);
	top_tasks_open(&s->tasks, root);
	s->tasks.pmd_bytes = s->machine.pmd_bytes;
	if (options->probes && root->live) {
		uint64_t merged = value_or(ksm_knob_read(root, KNOB_PAGES_SHARED), 0) +
				  value_or(ksm_knob_read(root, KNOB_PAGES_SHARING), 0);
		top_probes_open(&s->probes, root, options->precise, merged);
	} else {
		struct absence none = { .state = ABSENT };
		snprintf(none.why, sizeof(none.why), "%s", root->live ? "switched off" : "this is a captured system");
		s->probes = (struct top_probes){ .costs = -1, .no_tasks = none, .no_engine = none, .no_fault = none,
						 .no_huge = none };
	}
	if (options->potential)
		top_source_ask_potential(s);
	ask_knee(s, options);
	*ret = s;
	return 0;
}

void top_source_ask_potential(struct top_source *s)
{
	if (!s->potential && s->root->live)
		s->potential = potential_open(s->root, s->domains);
}

void top_source_close(struct top_source *s)
{
	if (!s)
		return;
	potential_close(s->potential);
	knee_close(s->knee);
	top_probes_close(&s->probes);
	top_tasks_close(&s->tasks);
	free(s);
}

void top_source_tick(struct top_source *s, int64_t *ret_next_ns)
{
	struct error err;
	*ret_next_ns = INT64_MAX;
	/* what goes wrong here shows as windows that were not there */
	if (s->probes.fault)
		fault_tick(s->probes.fault, ret_next_ns, &err);
}

/* ---- the machine ---- */

static void take_vmstat(const struct sysroot *root, struct value *fact)
{
	const struct host_line lines[] = {
		{ "cow_ksm", &fact[FACT_COW_KSM] },
		{ "ksm_swpin_copy", &fact[FACT_SWAP_COPIES] },
		{ "pgfault", &fact[FACT_PAGE_FAULTS] },
		{ "thp_fault_alloc", &fact[FACT_HUGE_FAULTS] },
		{ "thp_collapse_alloc", &fact[FACT_COLLAPSES] },
		{ "thp_split_page", &fact[FACT_SPLITS] },
		{ "thp_split_page_failed", &fact[FACT_SPLITS_FAILED] },
		{ "thp_split_pmd", &fact[FACT_SPLITS_PMD] },
		{ 0 },
	};
	host_lines(root, "proc/vmstat", lines);
}

static void take_meminfo(const struct sysroot *root, struct value *fact)
{
	static const enum top_fact kilobytes[] = { FACT_HUGE_BYTES, FACT_ANON_BYTES, FACT_TOTAL_BYTES,
						   FACT_AVAILABLE_BYTES, FACT_SWAP_FREE_BYTES };
	const struct host_line lines[] = {
		{ "AnonHugePages", &fact[FACT_HUGE_BYTES] },
		{ "AnonPages", &fact[FACT_ANON_BYTES] },
		{ "MemTotal", &fact[FACT_TOTAL_BYTES] },
		{ "MemAvailable", &fact[FACT_AVAILABLE_BYTES] },
		{ "SwapFree", &fact[FACT_SWAP_FREE_BYTES] },
		{ 0 },
	};
	host_lines(root, "proc/meminfo", lines);
	for (size_t i = 0; i < sizeof(kilobytes) / sizeof(kilobytes[0]); i++)
		fact[kilobytes[i]] = value_times(fact[kilobytes[i]], 1024);
}

static void take_pressure(const struct sysroot *root, struct value *fact)
{
	struct host_pressure p;
	host_pressure(root, &p);
	fact[FACT_STALL_SOME_US] = p.some_total_us;
	fact[FACT_STALL_FULL_US] = p.full_total_us;
	fact[FACT_STALL_SOME_AVG10] = p.some_avg10;
	fact[FACT_STALL_FULL_AVG10] = p.full_avg10;
}

static void take_costs(const struct top_source *s, struct top_sample *ret)
{
	struct measured cost = s->calibrated == KNOWN ? s->calibration.cost[COST_COW_BREAK]
						      : (struct measured){ .known = s->calibrated };
	const char *why = s->calibrated == KNOWN ? cost.why : s->uncalibrated;
	if (cost.known != KNOWN) {
		enum known known = cost.known == DENIED ? DENIED : ABSENT;
		for (enum top_fact f = FACT_COW_COST_NS; f <= FACT_COW_COST_HIGH_NS; f++)
			ret->fact[f] = (struct value){ .known = known };
		top_sample_missing(ret, SOURCE_CALIBRATION, known, "%s", why);
		return;
	}
	ret->fact[FACT_COW_COST_NS] = value_of((int64_t)cost.median);
	ret->fact[FACT_COW_COST_LOW_NS] = value_of((int64_t)cost.low);
	ret->fact[FACT_COW_COST_HIGH_NS] = value_of((int64_t)cost.high);
}

static void take_machine(struct top_source *s, struct top_sample *ret)
{
	snprintf(ret->host, sizeof(ret->host), "%s", s->host);
	snprintf(ret->release, sizeof(ret->release), "%s", s->machine.release);
	ret->page_bytes = s->machine.page_bytes;
	ret->cpus = s->machine.cpus;
	for (enum knob knob = 0; knob < KNOB_COUNT; knob++)
		ret->fact[knob] = ksm_knob_read(s->root, knob);
	ret->fact[FACT_KSMD_CPU_NS] = host_task_cpu_ns(s->root, s->ksmd);
	take_vmstat(s->root, ret->fact);
	take_meminfo(s->root, ret->fact);
	take_pressure(s->root, ret->fact);
	take_costs(s, ret);
	ret->fact[FACT_OWN_CPU_NS] = host_own_cpu_ns();
	ret->fact[FACT_OWN_RSS_BYTES] = host_own_rss();
}

/* ---- what is missing ---- */

static const char *why_fact(enum top_fact fact, enum known known)
{
	if (known == DENIED)
		return "permission denied";
	if (fact == FACT_KSMD_CPU_NS)
		return "ksmd is not to be seen: no KSM, or another PID namespace";
	return "this kernel does not have it";
}

static void note_missing(struct top_sample *s)
{
	for (enum top_fact f = 0; f < TOP_FACTS; f++) {
		if (is_known(s->fact[f]) || s->fact[f].known == NOT_READ)
			continue;
		if (fact_is_knob(f) && s->fact[f].known == ABSENT)
			top_sample_missing(s, top_fact_name(f), ABSENT, "this kernel does not have it; it came with %s",
					   knobs[f].since);
		else if (fact_is_knob(f) || !top_facts[f].source)
			top_sample_missing(s, top_fact_name(f), s->fact[f].known, "%s", why_fact(f, s->fact[f].known));
	}
}

/* Of how many processes is a fact absent or denied? One entry says so for all. */
static void note_missing_of_tasks(struct top_sample *s)
{
	for (enum task_fact f = 0; f < TASK_FACTS; f++) {
		size_t count[GONE + 1] = { 0 };
		for (size_t i = 0; i < s->tasks_count && !task_facts[f].source; i++)
			count[s->tasks[i].known[f]]++;
		if (count[DENIED])
			top_sample_missing(s, task_facts[f].name, DENIED, "permission denied for %zu of %zu processes",
					   count[DENIED], s->tasks_count);
		else if (count[ABSENT])
			top_sample_missing(s, task_facts[f].name, ABSENT, "this kernel does not tell, of %zu of %zu processes",
					   count[ABSENT], s->tasks_count);
	}
}

/* ---- sources, each with its time ---- */

static enum known state_of_files(const struct top_sample *s)
{
	return s->fact[KNOB_RUN].known;
}

/* A measurement counts as an answer for as long as it is shown. */
static enum known state_of_potential(const struct top_sample *s)
{
	return s->fact[FACT_POTENTIAL_BYTES].known;
}

/* From *begin to now; *begin is now afterwards. */
static void put_source(struct top_sample *s, const char *name, enum known state, int64_t *begin)
{
	struct source_use *use = top_sample_add_source(s);
	int64_t end = now_ns(CLOCK_MONOTONIC);

	if (use) {
		snprintf(use->name, sizeof(use->name), "%s", name);
		use->state = state;
		use->seconds = (end - *begin) / 1e9;
	}
	*begin = end;
}

static void take_potential(struct top_source *s, struct top_sample *ret, int64_t *begin)
{
	if (s->potential)
		potential_take(s->potential, ret);
	else
		top_sample_missing(ret, SOURCE_CONTENT, NOT_READ, "not asked for: key p, or --potential");
	put_source(ret, SOURCE_CONTENT, state_of_potential(ret), begin);
}

static void take_knee(struct top_source *s, struct top_sample *ret, int64_t *begin)
{
	if (s->knee)
		knee_take(s->knee, ret);
	else
		top_sample_missing(ret, SOURCE_LEDGER, NOT_READ, "not asked for: ksm-exporter --knee");
	put_source(ret, SOURCE_LEDGER, ret->fact[FACT_FRONTIER_HUGE_PAGES].known, begin);
}

int top_source_take(struct top_source *s, struct top_sample *ret, struct error *err)
{
	scoped_free struct process_facts *facts = NULL;
	int64_t begin = now_ns(CLOCK_MONOTONIC);
	size_t count;

	top_sample_clear(ret);
	ret->time_ns = now_ns(CLOCK_REALTIME);
	ret->clock_ns = begin;
	take_machine(s, ret);
	put_source(ret, "files", state_of_files(ret), &begin);
	int rc = top_tasks_read(&s->tasks, s->root, &s->probes, ret->clock_ns, &facts, &count, err);
	if (rc)
		return rc;
	put_source(ret, "task iterator", s->probes.no_tasks.state, &begin);
	top_probes_take_faults(&s->probes, facts, count, ret);
	put_source(ret, SOURCE_FAULT, ret->watched, &begin);
	rc = top_tasks_take(&s->tasks, s->root, facts, count, ret, err);
	if (rc)
		return rc;
	put_source(ret, "processes", KNOWN, &begin);
	top_probes_take_engine(&s->probes, ret);
	put_source(ret, SOURCE_ENGINE, s->probes.no_engine.state, &begin);
	top_probes_take_huge(&s->probes, ret);
	put_source(ret, SOURCE_HUGE, s->probes.no_huge.state, &begin);
	take_potential(s, ret, &begin);
	take_knee(s, ret, &begin);
	note_missing(ret);
	note_missing_of_tasks(ret);
	return 0;
}
