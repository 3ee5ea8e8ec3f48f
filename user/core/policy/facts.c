// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/search.h"

void policy_facts_free(struct policy_facts *f)
{
	domains_free(&f->domains);
	free(f->tasks);
	*f = (struct policy_facts){ 0 };
}

/* ---- the machine ---- */

/* No machine has more; sums and products of these fit into 64 bits. */
#define MOST_BYTES (INT64_C(1) << 48)
#define MOST_PAGE_BYTES (1 << 20)
#define MOST_PAGES (INT64_C(1) << 40)
#define MOST_COW_NS 1000000

/* Figures that cannot be are not known: what does not add up must not lead to an action. */
static struct value plausible(struct value v, int64_t most)
{
	if (is_known(v) && (v.number < 0 || v.number > most))
		v.known = NOT_READ;
	return v;
}

static void take_knobs(struct policy_facts *f, const struct top_sample *s)
{
	memcpy(f->knob, s->fact, sizeof(f->knob));
	for (enum knob k = 0; k < KNOB_COUNT; k++)
		if (!knob_writable(k) && !knobs[k].counter && k != KNOB_GENERAL_PROFIT)
			f->knob[k] = plausible(f->knob[k], MOST_PAGES);
	if (f->knob[KNOB_GENERAL_PROFIT].number < -MOST_BYTES || f->knob[KNOB_GENERAL_PROFIT].number > MOST_BYTES)
		f->knob[KNOB_GENERAL_PROFIT] = (struct value){ 0 };
	f->knob[KNOB_PAGES_SCANNED] = plausible(f->knob[KNOB_PAGES_SCANNED], INT64_MAX / 4);
	f->knob[KNOB_FULL_SCANS] = plausible(f->knob[KNOB_FULL_SCANS], INT64_MAX / 4);
}

static void take_machine(struct policy_facts *f, const struct top_model *m)
{
	const struct top_sample *s = m->sample;

	f->clock_ns = s->clock_ns;
	f->page_bytes = s->page_bytes && s->page_bytes <= MOST_PAGE_BYTES ? s->page_bytes : 1;
	f->total_bytes = plausible(s->fact[FACT_TOTAL_BYTES], MOST_BYTES);
	f->available_bytes = plausible(s->fact[FACT_AVAILABLE_BYTES], value_or(f->total_bytes, -1));
	f->stall_some = plausible(s->fact[FACT_STALL_SOME_AVG10], 10000);
	f->stall_full = plausible(s->fact[FACT_STALL_FULL_AVG10], 10000);
	take_knobs(f, s);
	f->ksmd_cpu_ns = plausible(s->fact[FACT_KSMD_CPU_NS], INT64_MAX);
	f->cow_ksm = plausible(s->fact[FACT_COW_KSM], INT64_MAX);
	f->cow_cost_ns = plausible(s->fact[FACT_COW_COST_NS], MOST_COW_NS);
	f->new_duplicates = (struct value){ .known = m->host[HOST_NEW_DUPLICATES].known };
}

/* ---- who else drives the engine ---- */

/*
 * By their names, as /proc/PID/comm has them (15 bytes; a script has its own).
 * KubeVirt's virt-handler is not among them: it is on every node and writes
 * only where it was told to, which shows as a foreign write.
 */
static const char *const rivals[] = { "ksmtuned", "momd", "uksmd", "ksm-throttler", "kata-ksm-thrott", "harvester-node-" };

static void find_rival(struct policy_facts *f, const struct top_sample *s)
{
	for (size_t i = 0; i < s->tasks_count && !*f->rival; i++)
		for (size_t k = 0; k < sizeof(rivals) / sizeof(rivals[0]); k++)
			if (!strncmp(s->tasks[i].comm, rivals[k], 15))
				snprintf(f->rival, sizeof(f->rival), "%s (process %d)", rivals[k], s->tasks[i].pid);
}

/* ---- processes ---- */

static double rate_of(const struct top_row *row, enum field field)
{
	struct quantity q = top_row_value(row, field);
	return q.known == KNOWN && q.value > 0 ? q.value : 0;
}

/* The least of what it can be. */
static double least_of(const struct top_row *row, enum field field)
{
	struct quantity q = top_row_value(row, field);
	return q.known == KNOWN && q.low > 0 && q.low < 1e9 ? q.low : 0;
}

/*
 * Does KSM look at it? Where the kernel does not say, what it counts for the
 * process does; and what cannot be ruled out is taken to be so.
 */
static bool is_mergeable(const struct top_task *t)
{
	struct value any = task_value(t, TASK_MERGE_ANY), some = task_value(t, TASK_MERGEABLE);
	struct value tracked = task_value(t, TASK_TRACKED_PAGES);

	if (value_or(any, 0) || value_or(some, 0) || value_or(tracked, 0) > 0)
		return true;
	return !is_known(some) && some.known != ABSENT && !is_known(tracked);
}

static struct policy_task *add_task(struct policy_facts *f)
{
	if (f->tasks_count == f->tasks_room) {
		size_t room = f->tasks_room ? f->tasks_room * 2 : 64;
		struct policy_task *more = reallocarray(f->tasks, room, sizeof(*more));
		if (!more)
			return NULL;
		f->tasks = more;
		f->tasks_room = room;
	}
	f->tasks[f->tasks_count] = (struct policy_task){ 0 };
	return &f->tasks[f->tasks_count++];
}

/* Nobody asks who the others are. */
static int take_task(struct policy_facts *f, const struct top_model *m, const struct top_row *row,
		     const struct policy_config *config, const char *executable)
{
	const struct top_task *t = row->task;
	const struct domain_subject subject = {
		.pid = t->pid, .uid = t->uid, .vm = top_name(m->sample, t->vm),
		.cgroup = t->cgroup ? top_name(m->sample, t->cgroup) : NULL, .executable = executable,
	};
	const struct allow_group *group = policy_allows(config, &subject);
	bool mergeable = is_mergeable(t);

	if (!group && !mergeable)
		return 0;
	struct policy_task *task = add_task(f);
	if (!task)
		return -ENOMEM;
	*task = (struct policy_task){
		.pid = t->pid, .start_ticks = t->start_ticks, .allowed = group, .inject = group && group->inject,
		.mergeable = mergeable, .domain = domain_of(&f->domains, &subject),
		.anon_bytes = plausible(task_value(t, TASK_ANON_BYTES), MOST_BYTES),
		.huge_bytes = plausible(task_value(t, TASK_HUGE_BYTES), MOST_BYTES),
		.merged_pages = plausible(task_value(t, TASK_MERGED_PAGES), MOST_PAGES),
		.potential_bytes = plausible(task_value(t, TASK_POTENTIAL_BYTES), MOST_BYTES),
		.cow_per_second = rate_of(row, PROC_COW), .undone_per_second = rate_of(row, PROC_UNDONE),
		.new_duplicates = least_of(row, PROC_NEW_DUPLICATES),
	};
	return task->domain == DOMAIN_NO_MEMORY ? -ENOMEM : 0;
}

/* Unknown parts make the sum unknown. */
static void add_to(struct value *sum, struct value part)
{
	if (!is_known(part) || sum->number > MOST_BYTES)
		sum->known = is_known(part) ? NOT_READ : part.known;
	else
		sum->number += part.number;
}

static void count_domain(struct policy_facts *f, uint32_t domain, uint32_t first)
{
	const char *name = domain_name(&f->domains, domain);
	if (f->mergeable_domains == 0)
		snprintf(f->domain_a, sizeof(f->domain_a), "%s", name);
	else if (f->mergeable_domains == 1 && domain != first)
		snprintf(f->domain_b, sizeof(f->domain_b), "%s", name);
	f->mergeable_domains += f->mergeable_domains == 0 || (f->mergeable_domains == 1 && domain != first);
}

static void sum_up(struct policy_facts *f)
{
	uint32_t first = 0;
	double arrivals = 0;

	f->mergeable_bytes = value_of(0);
	f->win_bytes = value_of(0);
	for (size_t i = 0; i < f->tasks_count; i++) {
		const struct policy_task *t = &f->tasks[i];
		if (!t->mergeable)
			continue;
		add_to(&f->mergeable_bytes, t->anon_bytes);
		add_to(&f->win_bytes, t->potential_bytes);
		arrivals += t->new_duplicates;
		if (!f->mergeable_domains)
			first = t->domain;
		count_domain(f, t->domain, first);
	}
	if (is_known(f->new_duplicates))
		f->new_duplicates = value_of((int64_t)(arrivals * 1000));
}

/* ---- the domain in which it opts in ---- */

static int choose(struct policy_facts *f, const struct policy_config *config)
{
	uint32_t count = domains_count(&f->domains);
	double *bytes = calloc(count ? count : 1, sizeof(*bytes));

	if (!bytes)
		return -ENOMEM;
	f->chosen = DOMAIN_NO_MEMORY;
	for (size_t i = 0; i < f->tasks_count; i++) {
		const struct policy_task *t = &f->tasks[i];
		bool named = !*config->domain || !strcmp(config->domain, domain_name(&f->domains, t->domain));
		if (!t->allowed || !named)
			continue;
		bytes[t->domain] += (double)value_or(t->anon_bytes, 0);
		if (f->chosen == DOMAIN_NO_MEMORY || bytes[t->domain] > bytes[f->chosen])
			f->chosen = t->domain;
	}
	free(bytes);
	return 0;
}

int policy_facts_take(struct policy_facts *f, const struct top_model *m, const struct policy_config *config,
		      const struct domain_rules *rules, policy_executable *executable, void *context)
{
	f->tasks_count = 0;
	f->mergeable_domains = 0;
	f->domain_a[0] = f->domain_b[0] = f->rival[0] = '\0';
	domains_free(&f->domains);
	domains_init(&f->domains, rules);
	take_machine(f, m);
	find_rival(f, m->sample);
	for (size_t i = 0; i < m->count; i++) {
		int rc = take_task(f, m, &m->rows[i], config,
				   executable ? executable(context, m->rows[i].task) : NULL);
		if (rc)
			return rc;
	}
	sum_up(f);
	return choose(f, config);
}

double policy_cow_cost_ns(const struct policy_facts *f)
{
	return is_known(f->cow_cost_ns) ? (double)f->cow_cost_ns.number : COW_COST_ASSUMED_NS;
}

struct policy_cow_text policy_cow_cost_text(const struct policy_facts *f)
{
	struct policy_cow_text text;

	snprintf(text.text, sizeof(text.text), "%.1f µs each%s", policy_cow_cost_ns(f) / 1e3,
		 is_known(f->cow_cost_ns) ? " by the calibration" : ", assumed");
	return text;
}

const struct policy_task *policy_facts_task(const struct policy_facts *f, pid_t pid, uint64_t start_ticks)
{
	size_t at = partition_point(f->tasks_count, i, f->tasks[i].pid < pid);
	bool found = at < f->tasks_count && f->tasks[at].pid == pid && f->tasks[at].start_ticks == start_ticks;

	return found ? &f->tasks[at] : NULL;
}
