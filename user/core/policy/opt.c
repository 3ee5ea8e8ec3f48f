// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy/opt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

#define CHURN_LOOKS 2
/* khugepaged undoes more than this share of the merged pages while patience lasts: it and ksmd play ping-pong. */
#define UNDONE_SHARE 0.1
#define LEAST_COW_SHARE 1e-5
#define LEAST_UNDONE 1.0

/* ---- decisions ---- */

int decision_add(struct policy_decision *d, struct change change, const char *fmt, ...)
{
	struct plan *plan = &d->plan;
	va_list args;

	/* room doubles at powers of two: it follows from the count */
	if ((plan->count & (plan->count - 1)) == 0) {
		struct change *more = reallocarray(plan->changes, plan->count ? plan->count * 2 : 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		plan->changes = more;
	}
	va_start(args, fmt);
	vsnprintf(change.reason, sizeof(change.reason), fmt, args);
	va_end(args);
	plan->changes[plan->count++] = change;
	return 0;
}

void decision_tell(struct policy_decision *d, enum policy_priority priority, const char *fmt, ...)
{
	va_list args;

	if (d->events_count == POLICY_EVENTS)
		return;
	struct policy_event *event = &d->events[d->events_count++];
	event->priority = priority;
	va_start(args, fmt);
	vsnprintf(event->text, sizeof(event->text), fmt, args);
	va_end(args);
}

/* ---- what is ours ---- */

static struct own_process *find_own(const struct policy_memory *m, pid_t pid, uint64_t start_ticks)
{
	for (size_t i = 0; i < m->own_count; i++)
		if (m->own[i].pid == pid && m->own[i].start_ticks == start_ticks)
			return &m->own[i];
	return NULL;
}

bool opt_is_ours(const struct policy_memory *m, pid_t pid, uint64_t start_ticks)
{
	const struct own_process *own = find_own(m, pid, start_ticks);
	return own && own->count;
}

static struct own_process *own_of(struct policy_memory *m, pid_t pid, uint64_t start_ticks)
{
	struct own_process *own = find_own(m, pid, start_ticks);

	if (own)
		return own;
	own = reallocarray(m->own, m->own_count + 1, sizeof(*own));
	if (!own)
		return NULL;
	m->own = own;
	own[m->own_count] = (struct own_process){ .pid = pid, .start_ticks = start_ticks };
	return &own[m->own_count++];
}

static void forget(struct policy_memory *m, size_t i)
{
	free(m->own[i].ranges);
	m->own[i] = m->own[--m->own_count];
}

static bool add_range(struct own_process *own, uint64_t start, uint64_t end)
{
	struct own_range *more = reallocarray(own->ranges, own->count + 1, sizeof(*more));
	if (!more)
		return false;
	own->ranges = more;
	more[own->count++] = (struct own_range){ .start = start, .end = end };
	return true;
}

static void drop_ranges(struct own_process *own, uint64_t start, uint64_t end)
{
	size_t kept = 0;
	for (size_t i = 0; i < own->count; i++) {
		const struct own_range *r = &own->ranges[i];
		if (!(r->end && r->start < end && start < r->end) && !(r->end == 0 && end == UINT64_MAX))
			own->ranges[kept++] = *r;
	}
	own->count = kept;
}

int opt_note(const struct policy_config *config, struct policy_memory *m, const struct change *c,
	     enum policy_outcome outcome)
{
	struct own_process *own = own_of(m, c->pid, c->start_ticks);

	if (!own)
		return -ENOMEM;
	if (outcome != POLICY_MADE) {
		own->shunned_until_ns = m->now_ns + config->rest_ns;
		return 0;
	}
	if (c->kind == CHANGE_RELEASE) {
		drop_ranges(own, c->start, c->end);
		own->shunned_until_ns = m->now_ns + config->rest_ns;
		return 0;
	}
	m->pace.asked = true;
	return add_range(own, c->kind == CHANGE_PRCTL ? 0 : c->start, c->kind == CHANGE_PRCTL ? 0 : c->end) ? 0 : -ENOMEM;
}

/* ---- those that cost more than they gain ---- */

static int release(struct policy_decision *d, struct policy_memory *m, struct own_process *own, uint64_t start,
		   uint64_t end, const char *why)
{
	own->changed_ns = m->now_ns;
	own->bad_ns = 0;
	own->cow_rate = own->undone_rate = 0;
	return decision_add(d, (struct change){ .kind = CHANGE_RELEASE, .pid = own->pid, .start_ticks = own->start_ticks,
						.start = start, .end = end }, "%s", why);
}

/* Both come in bursts (khugepaged sleeps between scans, breaks are seen part of the time): the mean over patience. */
static void smooth(const struct policy_config *c, const struct policy_task *t, struct own_process *own,
		   int64_t passed_ns)
{
	double weight = (double)passed_ns / (double)c->patience_ns;

	if (weight > 1)
		weight = 1;
	own->cow_rate += (t->cow_per_second - own->cow_rate) * weight;
	own->undone_rate += (t->undone_per_second - own->undone_rate) * weight;
}

/* NULL, or what is wrong with it. */
static const char *is_bad(const struct policy_config *c, const struct policy_facts *f, const struct policy_task *t,
			  const struct own_process *own, char why[160])
{
	double merged = (double)value_or(t->merged_pages, 0), patience = (double)c->patience_ns / 1e9;
	double gain = c->worth * merged * (double)f->page_bytes / (double)(1 << 30);
	double cost = own->cow_rate * policy_cow_cost_ns(f) / 1e9;

	if (is_known(t->merged_pages) && cost > gain && cost > LEAST_COW_SHARE)
		snprintf(why, 160, "it breaks %.0f merged pages a second (%s), %.2f %% of a CPU, for %s merged", own->cow_rate,
			 policy_cow_cost_text(f).text, cost * 100,
			 show_bytes((int64_t)(merged * (double)f->page_bytes)).text);
	else if (own->undone_rate * patience > merged * UNDONE_SHARE && own->undone_rate > LEAST_UNDONE)
		snprintf(why, 160, "khugepaged undoes %.0f merges a second: the huge pages win", own->undone_rate);
	else
		return NULL;
	return why;
}

static int check_one(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
		     const struct policy_task *t, struct own_process *own, int64_t passed_ns, struct policy_decision *d)
{
	char why[160];

	smooth(c, t, own, passed_ns);
	const char *bad = is_bad(c, f, t, own, why);
	own->bad_ns = bad ? own->bad_ns + passed_ns : 0;
	if (!own->count || own->bad_ns < c->patience_ns || m->now_ns - own->changed_ns < c->patience_ns)
		return 0;
	return release(d, m, own, 0, UINT64_MAX, why);
}

int opt_check_own(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
		  int64_t passed_ns, struct policy_decision *d)
{
	for (size_t i = 0; i < m->own_count;) {
		const struct policy_task *t = policy_facts_task(f, m->own[i].pid, m->own[i].start_ticks);
		if (!t) {
			forget(m, i);
			continue;
		}
		int rc = check_one(c, m, f, t, &m->own[i], passed_ns, d);
		if (rc)
			return rc;
		i++;
	}
	return 0;
}

/* ---- a new look ---- */

/* What breaking costs decides which huge pages may go; what is not known to be cold may be hot. */
static bool huge_allows(const struct policy_config *c, const struct policy_range *r, int break_huge)
{
	double share = r->pages ? (double)r->duplicates / (double)r->pages : 0;

	if (!r->huge || break_huge == BREAK_ALL)
		return true;
	if (break_huge == BREAK_NONE)
		return false;
	if (r->huge_cold == r->huge)
		return true;
	return break_huge == BREAK_RICH && !r->huge_hot && share >= c->rich;
}

static bool is_worth_it(const struct policy_config *c, const struct policy_range *r, uint64_t page_bytes)
{
	return (double)r->duplicates >= c->least_share * (double)r->pages &&
	       r->duplicates * page_bytes > r->pages * RMAP_ITEM_BYTES && r->duplicates * page_bytes >= c->least_bytes &&
	       (double)r->is_volatile < c->churn * (double)r->pages;
}

struct choice {
	const struct policy_range *range;
	bool cold;
	double share;
};

/* Without huge pages, or with cold ones, first; then the richest. */
static int by_worth(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;
	if (x->cold != y->cold)
		return x->cold ? -1 : 1;
	if (x->share != y->share)
		return x->share > y->share ? -1 : 1;
	if (x->range->pid != y->range->pid)
		return x->range->pid < y->range->pid ? -1 : 1;
	return x->range->start < y->range->start ? -1 : x->range->start > y->range->start;
}

static bool may_opt_in(const struct policy_config *c, const struct policy_memory *m, const struct policy_facts *f,
		       const struct policy_range *r)
{
	const struct policy_task *t = policy_facts_task(f, r->pid, r->start_ticks);
	const struct own_process *own = find_own(m, r->pid, r->start_ticks);

	return t && t->allowed && t->inject && t->domain == f->chosen && !r->mergeable && !r->secret &&
	       !(own && m->now_ns < own->shunned_until_ns) && is_worth_it(c, r, f->page_bytes) &&
	       huge_allows(c, r, c->state[m->pressure.state].break_huge);
}

static int plan_one(struct policy_memory *m, const struct policy_config *c, const struct choice *choice,
		    struct policy_decision *d)
{
	const struct policy_range *r = choice->range;
	bool whole = c->state[m->pressure.state].opt_in == OPT_IN_WHOLE;
	struct change change = { .kind = whole ? CHANGE_PRCTL : CHANGE_MADVISE, .pid = r->pid,
				 .start_ticks = r->start_ticks };

	for (size_t i = 0; whole && i < d->plan.count; i++)
		if (d->plan.changes[i].kind == CHANGE_PRCTL && d->plan.changes[i].pid == r->pid)
			return 0;
	if (!whole) {
		change.start = r->start;
		change.end = r->end;
	}
	return decision_add(d, change, "%" PRIu64 " of %" PRIu64 " pages are duplicates, %" PRIu64 " in huge pages (%" PRIu64
			    " cold), %" PRIu64 " volatile", r->duplicates, r->pages, r->huge, r->huge_cold, r->is_volatile);
}

static int by_process(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* So many neighbours may become one range. */
#define RANGES_JOINED 1024

/* Neighbours are one range: huge pages side by side, and what lies between them. The first one's reason stays. */
static void join(struct plan *plan, size_t first)
{
	size_t kept = first;

	for (size_t i = first + 1; i < plan->count; i++) {
		struct change *last = &plan->changes[kept], *next = &plan->changes[i];
		if (last->kind == CHANGE_MADVISE && next->kind == CHANGE_MADVISE && last->pid == next->pid &&
		    last->end == next->start) {
			last->end = next->end;
		} else {
			plan->changes[++kept] = *next;
		}
	}
	plan->count = kept + 1;
}

static int opt_in(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
		  const struct policy_look *look, struct policy_decision *d)
{
	struct choice *choices = calloc(look->count ? look->count : 1, sizeof(*choices));
	size_t count = 0, first = d->plan.count;
	int rc = choices ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < look->count; i++) {
		const struct policy_range *r = &look->ranges[i];
		if (may_opt_in(c, m, f, r))
			choices[count++] = (struct choice){ r, r->huge == r->huge_cold,
							    (double)r->duplicates / (double)r->pages };
	}
	if (count)
		qsort(choices, count, sizeof(*choices), by_worth);
	for (size_t i = 0; !rc && i < count && i < c->most_ranges * RANGES_JOINED; i++)
		rc = plan_one(m, c, &choices[i], d);
	/* one stop for all ranges of a process */
	if (d->plan.count > first) {
		qsort(d->plan.changes + first, d->plan.count - first, sizeof(*d->plan.changes), by_process);
		join(&d->plan, first);
		if (d->plan.count > first + c->most_ranges)
			d->plan.count = first + c->most_ranges;
	}
	free(choices);
	return rc;
}

static bool only_churns(const struct policy_config *c, const struct policy_range *r)
{
	return (double)r->is_volatile > c->churn * (double)r->pages &&
	       (double)r->duplicates < c->least_share * (double)r->pages;
}

/* A strike for each range of ours of which this look says that it churns; two in a row, and it is taken out. */
static int strike(const struct policy_config *c, struct policy_memory *m, const struct policy_look *look,
		  struct own_process *own, struct policy_decision *d)
{
	int rc = 0;
	for (size_t k = 0; !rc && k < own->count; k++) {
		struct own_range *range = &own->ranges[k];
		bool churns = false;
		for (size_t i = 0; i < look->count; i++) {
			const struct policy_range *r = &look->ranges[i];
			if (r->pid == own->pid && r->start_ticks == own->start_ticks && range->end &&
			    r->start < range->end && range->start < r->end)
				churns |= only_churns(c, r);
		}
		range->strikes = churns ? range->strikes + 1 : 0;
		if (range->strikes >= CHURN_LOOKS)
			rc = release(d, m, own, range->start, range->end, "it changes from look to look and hardly merges");
	}
	return rc;
}

int opt_by_look(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f,
		const struct policy_look *look, struct policy_decision *d)
{
	int64_t by_cost = (int64_t)(look->cpu_seconds / c->look_cpu * 1e9);
	int rc = 0;

	for (size_t i = 0; !rc && i < m->own_count; i++)
		rc = strike(c, m, look, &m->own[i], d);
	size_t before = d->plan.count;
	bool same_domain = f->chosen != DOMAIN_NO_MEMORY && !strcmp(look->domain, domain_name(&f->domains, f->chosen));
	if (!rc && same_domain && c->state[m->pressure.state].opt_in != OPT_IN_NONE)
		rc = opt_in(c, m, f, look, d);
	/* a look that led to nothing makes the next one rarer */
	m->look_pause_ns = d->plan.count > before || !m->look_pause_ns ? c->look_interval_ns : 2 * m->look_pause_ns;
	if (m->look_pause_ns > c->most_rest_ns)
		m->look_pause_ns = c->most_rest_ns;
	m->looked_ns = m->now_ns;
	m->looked_bytes = m->allowed_bytes;
	m->next_look_ns = m->now_ns + (by_cost > m->look_pause_ns ? by_cost : m->look_pause_ns);
	return rc;
}

/* Processes that were started since, or grew: what the last look said is about something else. */
#define GROWN 1.25
#define GROWN_PAUSE_NS INT64_C(10000000000)
/* While they are being filled there is nothing to see yet. */
#define SETTLED 1.05

static double allowed_bytes(const struct policy_facts *f)
{
	double bytes = 0;

	for (size_t i = 0; i < f->tasks_count; i++)
		if (f->tasks[i].allowed && f->tasks[i].inject && f->tasks[i].domain == f->chosen)
			bytes += (double)value_or(f->tasks[i].anon_bytes, 0);
	return bytes;
}

bool opt_wants_look(const struct policy_config *c, struct policy_memory *m, const struct policy_facts *f)
{
	double bytes = allowed_bytes(f), before = m->allowed_bytes;

	m->allowed_bytes = bytes;
	if (c->state[m->pressure.state].opt_in == OPT_IN_NONE || f->chosen == DOMAIN_NO_MEMORY || *m->hands_off)
		return false;
	if (bytes < (double)c->gain_bytes || bytes > (double)c->look_bytes || bytes > before * SETTLED)
		return false;
	bool grown = bytes > m->looked_bytes * GROWN && m->now_ns - m->looked_ns >= GROWN_PAUSE_NS;
	return m->now_ns >= m->next_look_ns || grown;
}
