// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A recording of a machine that there is not, the same every time: made_recording
 * FILE [SAMPLES [PROCESSES [old|denied]]]. Merging is switched on, goes on for a
 * while and is broken up again in part; a guest ends in the middle, its PID is
 * reused. "old": a kernel of before the ksm tracepoints and counters by process
 * (6.1); "denied": no permission for BPF, nor for what is another user's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/live/top_pack.h"
#include "gather/recording.h"

#define SECOND 1000000000ll
#define PAGE 4096

struct kind {
	const char *comm, *cgroup, *user, *guest;
	uid_t uid;
	int64_t anon_pages;
	int opted;			/* 0 no, 1 some, 2 all */
};

static const struct kind kinds[] = {
	{ "qemu-system-x86", "/machine.slice/web-1.scope", "libvirt", "web-1", 64055, 262144, 1 },
	{ "qemu-system-x86", "/machine.slice/web-2.scope", "libvirt", "web-2", 64055, 262144, 1 },
	{ "qemu-system-x86", "/machine.slice/db.scope", "libvirt", "db", 64055, 1048576, 1 },
	{ "gunicorn", "/system.slice/shop.service", "www-data", "", 33, 30000, 2 },
	{ "gunicorn", "/system.slice/shop.service", "www-data", "", 33, 30100, 2 },
	{ "gunicorn", "/system.slice/shop.service", "www-data", "", 33, 30200, 2 },
	{ "postgres", "/system.slice/postgresql.service", "postgres", "", 117, 52000, 0 },
	{ "redis-server", "/system.slice/redis.service", "redis", "", 118, 9000, 0 },
	{ "systemd", "/init.scope", "root", "", 0, 700, 0 },
	{ "sshd", "/system.slice/ssh.service", "root", "", 0, 300, 0 },
	{ "bash", "/user.slice/user-1000.slice", "ada", "", 1000, 500, 0 },
	{ "\xe6\xbc\xa2\xe5\xad\x97", "/user.slice/user-1000.slice", "ada", "", 1000, 4000, 0 },
	{ "evil\x1b[2J\nname", "/user.slice/user-1001.slice", "", "", 1001, 2000, 0 },
};

#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

static int64_t at_most(int64_t number, int64_t limit)
{
	return number < limit ? number : limit;
}

/* Pages of a process that are merged at a moment. */
static int64_t merged_pages(const struct kind *k, int at)
{
	int64_t most = k->opted ? k->anon_pages / 3 : 0;
	return at < 5 ? 0 : at_most(most, (at - 5) * 6000);
}

static int64_t breaks_until(const struct kind *k, int at)
{
	return k->opted == 2 && at > 20 ? (at - 20) * 331 : 0;
}

static void make_watch(struct top_sample *s, struct top_watch *w, pid_t pid, const struct kind *k, int at)
{
	struct duty_window window = { .seconds = 0.015625 };
	uint64_t counts[DUTY_KINDS] = { 0 };

	w->pid = pid;
	w->now.all = w->horizon.all = (double)(breaks_until(k, at) - breaks_until(k, at - 1) + 100);
	counts[FAULT_FIRST_WRITE] = 2;
	counts[FAULT_COW_MERGED] = (uint64_t)((breaks_until(k, at) - breaks_until(k, at - 1)) / 64);
	for (int i = 0; i < 8; i++)
		duty_add_counts(&w->now, &window, counts);
	w->horizon = w->now;
	w->arrivals = (struct fault_arrivals){ .hashed = 40, .zero = 2, .duplicate = 10 };
	s->watched = KNOWN;
}

static void make_task(struct top_sample *s, int i, int at)
{
	const struct kind *k = &kinds[i % KINDS];
	struct top_task *t = top_sample_add_task(s);
	int64_t merged = merged_pages(k, at), tracked = k->opted ? k->anon_pages : 0;

	t->pid = 1000 + 37 * i;
	t->parent = 1;
	t->start_ticks = 5000 + (uint64_t)i + (i == 1 && at >= 30 ? 3000 : 0);	/* web-2 ends, its PID is reused */
	t->uid = k->uid;
	snprintf(t->comm, sizeof(t->comm), "%s", i == 1 && at >= 30 ? "backup" : k->comm);
	t->cgroup = names_add(&s->names, k->cgroup);
	t->user = names_add(&s->names, k->user);
	t->vm = names_add(&s->names, i == 1 && at >= 30 ? "" : k->guest);
	task_set(t, TASK_ANON_BYTES, value_of((k->anon_pages - merged / 2) * PAGE));
	task_set(t, TASK_RSS_BYTES, value_of((k->anon_pages + 2500) * PAGE));
	task_set(t, TASK_SWAP_BYTES, value_of(0));
	task_set(t, TASK_HUGE_BYTES, value_of(k->opted ? 0 : k->anon_pages / 1024 * 512 * PAGE));
	task_set(t, TASK_MERGED_PAGES, value_of(merged));
	task_set(t, TASK_ZERO_PAGES, value_of(merged / 20));
	task_set(t, TASK_TRACKED_PAGES, value_of(tracked));
	task_set(t, TASK_PROFIT_BYTES, value_of(merged * PAGE - tracked * 64));
	task_set(t, TASK_MERGEABLE, value_of(k->opted > 0));
	task_set(t, TASK_MERGE_ANY, value_of(k->opted == 2));
	task_set(t, TASK_PAGE_FAULTS, value_of(100000 + 100 * at + breaks_until(k, at)));
	task_set(t, TASK_MERGES, value_of(merged));
	task_set(t, TASK_COLLAPSES, value_of(k->opted ? 0 : at / 10));
	task_set(t, TASK_MERGES_UNDONE, value_of(0));
	make_watch(s, top_sample_add_watch(s), t->pid, k, at);
}

/* The machine adds up its processes, all of them at most. */
static void make_machine(struct top_sample *s, int at)
{
	/* memory for all of them: 16 GiB for every one of each kind */
	int64_t total = (int64_t)((s->tasks_count + KINDS - 1) / KINDS) * (16ll << 30), merged = 0, tracked = 0;

	for (size_t i = 0; i < s->tasks_count; i++) {
		merged += task_value(&s->tasks[i], TASK_MERGED_PAGES).number;
		tracked += task_value(&s->tasks[i], TASK_TRACKED_PAGES).number;
	}
	const struct {
		unsigned int fact;
		int64_t number;
	} facts[] = {
		{ KNOB_RUN, at >= 3 }, { KNOB_PAGES_TO_SCAN, 1000 }, { KNOB_SLEEP_MILLISECS, 20 }, { KNOB_SMART_SCAN, 1 },
		{ KNOB_USE_ZERO_PAGES, 0 }, { KNOB_MAX_PAGE_SHARING, 256 }, { KNOB_MERGE_ACROSS_NODES, 1 },
		{ KNOB_ADVISOR_MODE, ADVISOR_NONE }, { KNOB_PAGES_SHARED, merged / 4 },
		{ KNOB_PAGES_SHARING, merged - merged / 4 }, { KNOB_PAGES_UNSHARED, (tracked - merged) / 2 },
		{ KNOB_PAGES_VOLATILE, (tracked - merged) - (tracked - merged) / 2 },
		{ KNOB_PAGES_SCANNED, at < 3 ? 0 : (at - 3) * 45000 }, { KNOB_PAGES_SKIPPED, at * 300 },
		{ KNOB_KSM_ZERO_PAGES, merged / 20 }, { KNOB_FULL_SCANS, at / 8 }, { KNOB_STABLE_NODE_CHAINS, 1 },
		{ KNOB_STABLE_NODE_DUPS, 2 }, { KNOB_GENERAL_PROFIT, merged * PAGE * 3 / 4 - tracked * 64 },
		{ FACT_KSMD_CPU_NS, at < 3 ? 0 : (at - 3) * 52 * 1000000ll }, { FACT_COW_KSM, at > 20 ? (at - 20) * 993 : 0 },
		{ FACT_SWAP_COPIES, 0 }, { FACT_PAGE_FAULTS, 5000000 + at * 2300 }, { FACT_HUGE_FAULTS, 700 + at },
		{ FACT_COLLAPSES, 24 + at / 10 }, { FACT_SPLITS, at < 5 ? 0 : at_most((at - 5) * 12, 300) },
		{ FACT_SPLITS_FAILED, 1 }, { FACT_SPLITS_PMD, at * 13 }, { FACT_HUGE_BYTES, 500ll << 20 },
		{ FACT_ANON_BYTES, total * 7 / 16 - merged / 2 * PAGE }, { FACT_TOTAL_BYTES, total },
		{ FACT_AVAILABLE_BYTES, total / 2 + merged / 2 * PAGE }, { FACT_SWAP_FREE_BYTES, 2ll << 30 },
		{ FACT_STALL_SOME_US, at * 4000 }, { FACT_STALL_FULL_US, at * 500 }, { FACT_STALL_SOME_AVG10, 41 },
		{ FACT_STALL_FULL_AVG10, 5 }, { FACT_MERGES, merged }, { FACT_ZERO_MERGES, merged / 20 },
		{ FACT_MERGE_FAILURES, at * 3 }, { FACT_REMOVED_PAGES, at * 2 }, { FACT_PASSES, at / 8 },
		{ FACT_PASS_LAST_NS, 8 * SECOND }, { FACT_PASS_RUNNING_NS, at % 8 * SECOND },
		{ FACT_PASS_LAST_CPU_NS, 400 * 1000000ll }, { FACT_COLLAPSE_TRIES, at * 16 },
		{ FACT_COLLAPSES_UNDOING, 0 }, { FACT_MERGES_UNDONE, 0 }, { FACT_OWN_CPU_NS, at * 6 * 1000000ll },
		{ FACT_OWN_RSS_BYTES, 9 << 20 },
	};
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		s->fact[facts[i].fact] = value_of(facts[i].number);
}

static void make_rest(struct top_sample *s, int at)
{
	struct duty_window window = { .seconds = 0.015625 };

	s->windows = (struct duty_total){ .seconds = 1, .machine = at > 20 ? 993 : 0 };
	for (int i = 0; i < 8; i++)
		duty_add_window(&s->windows, &window);
	s->horizon = s->windows;
	make_watch(s, &s->machine, 0, &kinds[3], at);
	s->machine.now.all = s->machine.horizon.all = 2300;
	s->lifetimes[4] = (uint64_t)at;
	s->lifetimes[18] = 3 * (uint64_t)at;
	s->lifetimes_unseen = 5;
	*top_sample_add_loss(s) = (struct loss){ "faults", 1000 * (uint64_t)at, 1000 * (uint64_t)at - (at > 10), at > 10 };
	*top_sample_add_loss(s) = (struct loss){ "engine", 50 * (uint64_t)at, 50 * (uint64_t)at, 0 };
	*top_sample_add_program(s) = (struct program_use){ "each_task", 13 * (uint64_t)at, 13000 * (uint64_t)at, 0.125 };
	*top_sample_add_program(s) = (struct program_use){ "fault_in_user", 900 * (uint64_t)at, 90000 * (uint64_t)at, 0.125 };
	*top_sample_add_outcome(s) = (struct outcome){ 0, OUTCOME_MERGES, "EFAULT", 2 };
	*top_sample_add_outcome(s) = (struct outcome){ 0, OUTCOME_SCANS, "exceed_none_pte", 40 * (uint64_t)at };
	*top_sample_add_outcome(s) = (struct outcome){ 0, OUTCOME_SCANS, "succeed", (uint64_t)at };
	*top_sample_add_outcome(s) = (struct outcome){ 0, OUTCOME_COLLAPSES, "succeed", (uint64_t)at };
	top_sample_sort_outcomes(s);
	top_sample_missing(s, SOURCE_CONTENT, NOT_READ, "not asked for: key p, or --potential");
	top_sample_missing(s, SOURCE_LEDGER, NOT_READ, "not asked for: ksm-exporter --knee");
	top_sample_missing(s, "ksmd_splits", NOT_READ, "counted with --precise, where the kernel lets us");
}

struct lack {
	const char *source;
	const char *why;
};

/* What such a machine lacks: the facts of our probes, and the counters by process. */
static void take_away(struct top_sample *s, enum known state, const struct lack *lacks, size_t count)
{
	for (size_t l = 0; l < count; l++) {
		for (enum top_fact f = FACT_KSMD_CPU_NS; f < TOP_FACTS; f++)
			if (top_facts[f].source && !strcmp(top_facts[f].source, lacks[l].source))
				s->fact[f] = (struct value){ .known = state };
		top_sample_missing(s, lacks[l].source, state, "%s", lacks[l].why);
	}
	for (size_t i = 0; i < s->tasks_count; i++)
		for (enum task_fact f = TASK_MERGED_PAGES; f < TASK_FACTS; f++)
			task_set(&s->tasks[i], f, (struct value){ .known = state });
	s->watched = state;
	s->outcomes_count = 0;
	s->losses_count = 0;
	s->programs_count = 0;
}

static void take_away_of(struct top_sample *s, const char *variant)
{
	static const unsigned int later[] = { KNOB_SMART_SCAN, KNOB_ADVISOR_MODE, KNOB_PAGES_SCANNED, KNOB_PAGES_SKIPPED,
					      KNOB_KSM_ZERO_PAGES, KNOB_GENERAL_PROFIT, FACT_COW_KSM };
	static const struct lack old[] = {
		{ SOURCE_ENGINE, "this kernel has no ksm tracepoints (6.4)" },
		{ SOURCE_FAULT, "this kernel has no way to find the frame" },
		{ "ksm_merging_pages", "this kernel has no ksm_stat (6.1)" },
	}, denied[] = {
		{ SOURCE_ENGINE, "BPF needs CAP_BPF and CAP_PERFMON" },
		{ SOURCE_HUGE, "BPF needs CAP_BPF and CAP_PERFMON" },
		{ SOURCE_FAULT, "BPF needs CAP_BPF and CAP_PERFMON" },
		{ "ksm_merging_pages", "it is another user's: run as root" },
	};

	if (!strcmp(variant, "old")) {
		strcpy(s->release, "6.0.0");
		for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
			s->fact[later[i]] = (struct value){ .known = ABSENT };
		take_away(s, ABSENT, old, 3);
	} else if (!strcmp(variant, "denied")) {
		take_away(s, DENIED, denied, 4);
	}
}

static void make_sample(struct top_sample *s, int at, int processes)
{
	top_sample_clear(s);
	s->time_ns = (1800000000ll + at) * SECOND;
	s->clock_ns = (5000ll + at) * SECOND;
	s->page_bytes = PAGE;
	s->cpus = 8;
	strcpy(s->host, "vmhost");
	strcpy(s->release, "6.18.0");
	for (int i = 0; i < processes; i++)
		make_task(s, i, at);
	make_machine(s, at);
	make_rest(s, at);
}

static int make(const char *path, int samples, int processes, const char *variant, struct error *err)
{
	struct text preamble = { 0 }, packed = { 0 };
	struct top_sample sample = { 0 };
	struct recorder *recorder;

	top_pack_preamble(&preamble);
	int rc = recorder_open(&recorder, path, TOP_RECORDING, &preamble, err);
	for (int at = 0; !rc && at < samples; at++) {
		make_sample(&sample, at, processes);
		take_away_of(&sample, variant);
		packed.length = 0;
		top_pack(&packed, &sample);
		rc = recorder_add(recorder, sample.time_ns, &packed, err);
	}
	if (!rc)
		rc = recorder_close(recorder, err);
	text_free(&preamble);
	text_free(&packed);
	top_sample_free(&sample);
	return rc;
}

int main(int argc, char **argv)
{
	struct error err;
	if (argc < 2)
		return EXIT_USAGE;
	int rc = make(argv[1], argc > 2 ? atoi(argv[2]) : 40, argc > 3 ? atoi(argv[3]) : KINDS,
		      argc > 4 ? argv[4] : "", &err);
	return rc ? error_print("made_recording", &err) : EXIT_DONE;
}
