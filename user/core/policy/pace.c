// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/policy/pace.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/units.h"
#include "core/model.h"

const char *const pace_names[PACES] = { "stopped", "sweep", "watch", "rest" };

#define SECOND_NS 1e9
#define SWEEP_SLEEP_MS 20
#define WATCH_SLEEP_MS 1000
/* Not measured yet: ksmd's work on a page in the scan in which pages merge (docs/model.md). */
#define PAGE_NS_GUESS 3600
#define PAGE_NS_LEAST 100
#define PAGE_NS_MOST 50000
#define LEAST_MEASURED_PAGES 1000
#define SMOOTH_SECONDS 20
/* Scans that go on bringing a little are a watch's work. */
#define MOST_SCANS 12
#define SETTLE_SECONDS 60
#define WHY 160
#define COSTS_MORE_STEPS 3
/* Arrivals of which less than this part of what was hoped for merges were in vain. */
#define IN_VAIN_SHARE 4
#define MOST_IN_VAIN 10

__attribute__((format(printf, 4, 5)))
static void enter(struct pace_memory *m, enum pace pace, int64_t now_ns, const char *fmt, ...)
{
	va_list args;
	if (m->pace != pace)
		m->since_ns = now_ns;
	m->pace = pace;
	va_start(args, fmt);
	vsnprintf(m->reason, sizeof(m->reason), fmt, args);
	va_end(args);
}

/* ---- what the engine did ---- */

static struct value sum_of(struct value a, struct value b)
{
	return is_known(a) ? value_of(a.number + value_or(b, 0)) : a;
}

static struct value saved_pages(const struct policy_facts *f)
{
	return sum_of(f->knob[KNOB_PAGES_SHARING], f->knob[KNOB_KSM_ZERO_PAGES]);
}

/* Growth of a counter; one that went backwards or is not known tells nothing: -1. */
static double grown(struct value before, struct value now)
{
	bool tells = is_known(before) && is_known(now) && now.number >= before.number;
	return tells ? (double)(now.number - before.number) : -1;
}

static double blend(double old, double now, double weight)
{
	return old + (now - old) * (weight > 1 ? 1 : weight);
}

/* From pages looked at where they are counted (6.6), else from the settings that were in force. */
static double page_cost(const struct policy_facts *f, double cpu_ns, double scanned, double share)
{
	double pages = (double)value_or(f->knob[KNOB_PAGES_TO_SCAN], 0);
	double sleep_ms = (double)value_or(f->knob[KNOB_SLEEP_MILLISECS], 0);

	if (scanned >= 0)
		return scanned >= LEAST_MEASURED_PAGES && cpu_ns > 0 ? cpu_ns / scanned : 0;
	if (pages < 1 || share <= 0 || share >= 0.98 || value_or(f->knob[KNOB_RUN], 0) != 1)
		return 0;
	return share / (1 - share) * sleep_ms * 1e6 / pages;
}

static void measure(struct pace_memory *m, const struct policy_facts *f, int64_t passed_ns)
{
	double cpu_ns = grown(m->ksmd_cpu_ns, f->ksmd_cpu_ns), cow = grown(m->cow_ksm, f->cow_ksm);
	double scanned = is_known(f->knob[KNOB_PAGES_SCANNED]) ? grown(m->scanned_pages, f->knob[KNOB_PAGES_SCANNED]) : -1;
	double passed = (double)passed_ns, weight = passed / (SMOOTH_SECONDS * SECOND_NS);

	if (passed > 0 && cpu_ns >= 0 && cpu_ns <= 2 * passed) {
		double page = page_cost(f, cpu_ns, scanned, cpu_ns / passed);
		m->ksmd_share = blend(m->ksmd_share, cpu_ns / passed, weight);
		if (page > 0) {
			page = page < PAGE_NS_LEAST ? PAGE_NS_LEAST : page > PAGE_NS_MOST ? PAGE_NS_MOST : page;
			m->page_ns = m->page_ns > 0 ? blend(m->page_ns, page, 0.5) : page;
		}
	}
	if (passed > 0 && cow >= 0)
		m->cow_share = blend(m->cow_share, cow * policy_cow_cost_ns(f) / passed, weight);
	m->ksmd_cpu_ns = f->ksmd_cpu_ns;
	m->cow_ksm = f->cow_ksm;
	m->scanned_pages = f->knob[KNOB_PAGES_SCANNED];
}

/* ---- a sweep ---- */

/* Content that exists already need not be where the engine looks: who cried wolf has to cry louder. */
static bool arrivals_suffice(const struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f)
{
	unsigned int shift = m->in_vain < MOST_IN_VAIN ? m->in_vain : MOST_IN_VAIN;
	return m->arrived_pages * (double)f->page_bytes >= (double)c->gain_bytes * (double)(1u << shift);
}

static void start_sweep(struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f,
			int64_t now_ns, const char *why)
{
	m->first_scans = m->last_scans = value_or(f->knob[KNOB_FULL_SCANS], -1);
	m->saved_at_start = m->saved_at_scan = value_or(saved_pages(f), 0);
	m->scanned_at_start = value_or(f->knob[KNOB_PAGES_SCANNED], -1);
	m->proven = m->asked || value_or(f->win_bytes, 0) >= (int64_t)c->gain_bytes;
	m->by_arrivals = !m->asked && arrivals_suffice(m, c, f);
	m->arrived_pages = 0;
	m->asked = false;
	m->costs_more = 0;
	enter(m, PACE_SWEEP, now_ns, "%s", why);
}

static void end_sweep(struct pace_memory *m, const struct policy_facts *f)
{
	m->known_bytes = value_or(f->mergeable_bytes, 0);
	m->win_taken_bytes = value_or(f->win_bytes, 0);
}

static void rest(struct pace_memory *m, const struct policy_config *c, int64_t now_ns, const char *why)
{
	m->rest_ns = m->rest_ns ? 2 * m->rest_ns : c->rest_ns;
	if (m->rest_ns > c->most_rest_ns)
		m->rest_ns = c->most_rest_ns;
	m->rest_until_ns = now_ns + m->rest_ns;
	enter(m, PACE_REST, now_ns, "%s; again in %s at the earliest", why, show_seconds((double)m->rest_ns / 1e9).text);
}

/*
 * Two scans of everything: the first of three ends may belong to a scan that
 * was under way, unless so many pages were looked at that nearly all of it was
 * still to come. (Not all: the last of them may have been mapped meanwhile.)
 */
static bool scanned_twice(const struct pace_memory *m, const struct policy_facts *f)
{
	int64_t ends = f->knob[KNOB_FULL_SCANS].number - m->first_scans;
	int64_t looked = value_or(f->knob[KNOB_PAGES_SCANNED], -1) - m->scanned_at_start;
	int64_t tracked = value_or(f->knob[KNOB_PAGES_SHARED], 0) + value_or(f->knob[KNOB_PAGES_SHARING], 0) +
			  value_or(f->knob[KNOB_PAGES_UNSHARED], 0) + value_or(f->knob[KNOB_PAGES_VOLATILE], 0);

	return ends >= 3 || (ends >= 2 && m->scanned_at_start >= 0 && tracked > 0 && looked >= 2 * tracked / 20 * 19);
}

static void judge_sweep(struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f, int64_t now_ns)
{
	int64_t saved = saved_pages(f).number, won = saved - m->saved_at_start, last = saved - m->saved_at_scan;
	int64_t saved_bytes = saved * (int64_t)f->page_bytes;
	char why[120];

	m->last_scans = f->knob[KNOB_FULL_SCANS].number;
	m->saved_at_scan = saved;
	if (!scanned_twice(m, f))
		return;
	/* a few pages of libraries that merge are no reason for a third scan */
	bool done = saved_bytes < (int64_t)c->gain_bytes || last * 100 <= won || won <= 0 || m->last_scans - m->first_scans >= MOST_SCANS;
	if (!done)
		return;
	end_sweep(m, f);
	if (won * (int64_t)f->page_bytes >= (int64_t)c->gain_bytes / IN_VAIN_SHARE)
		m->in_vain = 0;
	else if (m->by_arrivals)
		m->in_vain++;
	if (saved_bytes < (int64_t)c->gain_bytes) {
		snprintf(why, sizeof(why), "two scans of everything saved %s, less than %s", show_bytes(saved_bytes).text,
			 show_bytes((int64_t)c->gain_bytes).text);
		rest(m, c, now_ns, why);
		return;
	}
	m->rest_ns = 0;
	enter(m, PACE_WATCH, now_ns, "%s won, %s saved in all; the last scan brought %s",
	      show_bytes(won * (int64_t)f->page_bytes).text, show_bytes(saved_bytes).text,
	      show_bytes(last * (int64_t)f->page_bytes).text);
}

static void sweep(struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f, int64_t now_ns)
{
	struct value scans = f->knob[KNOB_FULL_SCANS];

	if (!is_known(scans) || !is_known(saved_pages(f)))
		rest(m, c, now_ns, "the engine's counters can't be read: nobody could tell what it brings");
	else if (m->first_scans < 0 || scans.number < m->last_scans)
		start_sweep(m, c, f, now_ns, "the engine's counters began anew");
	else if (scans.number > m->last_scans)
		judge_sweep(m, c, f, now_ns);
}

/* ---- between sweeps ---- */

/* NULL, or why to scan everything again. */
static const char *news(const struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f)
{
	int64_t gain = (int64_t)c->gain_bytes, more = value_or(f->mergeable_bytes, 0) - m->known_bytes;

	if (m->asked)
		return "memory was opted in";
	if (more >= gain && more > m->known_bytes / 50)
		return "processes that are opted in have more memory than at the last sweep";
	if (arrivals_suffice(m, c, f))
		return "new pages arrived whose content exists already";
	if (is_known(f->win_bytes) && f->win_bytes.number >= m->win_taken_bytes + m->win_taken_bytes / 4 + gain)
		return "more can be won, by the last measurement";
	return NULL;
}

/* The kernel's own figure (6.4), else the same from its counters; not known where one of these is not. */
static struct value profit_of(const struct policy_facts *f)
{
	static const enum knob tracked[] = { KNOB_PAGES_SHARED, KNOB_PAGES_SHARING, KNOB_PAGES_UNSHARED,
					     KNOB_PAGES_VOLATILE };
	struct value saved = saved_pages(f);
	int64_t metadata = 0;

	if (is_known(f->knob[KNOB_GENERAL_PROFIT]) || !is_known(saved))
		return f->knob[KNOB_GENERAL_PROFIT];
	for (size_t i = 0; i < sizeof(tracked) / sizeof(tracked[0]); i++) {
		if (!is_known(f->knob[tracked[i]]))
			return f->knob[tracked[i]];
		metadata += f->knob[tracked[i]].number * RMAP_ITEM_BYTES;
	}
	return value_of(saved.number * (int64_t)f->page_bytes - metadata);
}

static const char *costs_more(struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f,
			      int64_t now_ns, char why[WHY])
{
	double gib = (double)(value_or(saved_pages(f), 0) * (int64_t)f->page_bytes) / (double)(1 << 30);
	double cost = m->ksmd_share + m->cow_share;
	struct value gained = profit_of(f);
	int64_t profit = value_or(gained, 0);

	if (!is_known(f->ksmd_cpu_ns) || !is_known(f->cow_ksm) || !is_known(gained))
		return "what it costs and gains can't be seen";
	if (now_ns - m->since_ns < SETTLE_SECONDS * (int64_t)SECOND_NS)
		return NULL;		/* what the sweep cost is behind us */
	m->costs_more = cost > c->worth * gib || profit < 0 ? m->costs_more + 1 : 0;
	if (m->costs_more < COSTS_MORE_STEPS)
		return NULL;
	if (profit < 0)
		snprintf(why, WHY, "its metadata takes %s more than it saves", show_bytes(-profit).text);
	else
		snprintf(why, WHY, "%.2f %% of a CPU (ksmd %.2f %%, COW breaks %.2f %% at %s) for %.3f GiB saved is more than "
			 "it is worth", cost * 100, m->ksmd_share * 100, m->cow_share * 100, policy_cow_cost_text(f).text, gib);
	return why;
}

static void watch(struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f, int64_t now_ns)
{
	char text[WHY];
	const char *why = costs_more(m, c, f, now_ns, text);

	if (why)
		rest(m, c, now_ns, why);
	else if ((why = news(m, c, f)))
		start_sweep(m, c, f, now_ns, why);
}

/* A rest ends early only for something that was not there when it began. */
static void rest_on(struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f, int64_t now_ns)
{
	int64_t more = value_or(f->mergeable_bytes, 0) - m->known_bytes;

	if (now_ns >= m->rest_until_ns)
		start_sweep(m, c, f, now_ns, "rested long enough: another try");
	else if (m->asked)
		start_sweep(m, c, f, now_ns, "memory was opted in");
	else if (more >= (int64_t)c->gain_bytes && more > m->known_bytes / 2)
		start_sweep(m, c, f, now_ns, "processes that are opted in have half as much memory again");
}

static const char *must_stop(const struct policy_facts *f, const struct state_config *state, const char *barred)
{
	if (barred)
		return barred;
	if (state->engine_cpu <= 0)
		return "this state of memory allows the engine no CPU";
	if (!is_known(f->mergeable_bytes))
		return "it is not known how much memory KSM looks at";
	return f->mergeable_bytes.number <= 0 ? "no process is opted in" : NULL;
}

static void move_on(struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f, int64_t now_ns)
{
	switch (m->pace) {
	case PACE_SWEEP:
		sweep(m, c, f, now_ns);
		break;
	case PACE_WATCH:
		watch(m, c, f, now_ns);
		break;
	case PACE_REST:
		rest_on(m, c, f, now_ns);
		break;
	default:
		if (now_ns < m->rest_until_ns)
			enter(m, PACE_REST, now_ns, "it did not pay, and has not rested long enough");
		else
			start_sweep(m, c, f, now_ns, "there is memory that was not scanned");
	}
}

/* ---- from a share of a CPU to settings ---- */

static void settings(struct pace_now *ret, const struct pace_memory *m, const struct policy_config *c,
		     const struct policy_facts *f)
{
	double page_ns = m->page_ns > 0 ? m->page_ns : PAGE_NS_GUESS, busy = ret->budget / (1 - ret->budget);
	double memory = (double)value_or(f->mergeable_bytes, 0) / (double)(f->page_bytes ? f->page_bytes : 1);

	ret->sleep_millisecs = ret->pace == PACE_WATCH ? WATCH_SLEEP_MS : SWEEP_SLEEP_MS;
	double nap_ns = (double)ret->sleep_millisecs * 1e6, pages = busy * nap_ns / page_ns;
	double most = (double)c->rate_bytes / (double)(f->page_bytes ? f->page_bytes : 1) * nap_ns / SECOND_NS;
	/* where nobody knows that it pays, a scan must not be over before we can look at what it brought, and stop */
	double least_ns = (double)(4 * c->interval_ns > c->hold_ns / 2 ? 4 * c->interval_ns : c->hold_ns / 2);
	if (pages > most)
		pages = most;
	if (!m->proven && pages > memory * nap_ns / least_ns)
		pages = memory * nap_ns / least_ns;
	if (pages > (double)c->most_pages_to_scan)
		pages = (double)c->most_pages_to_scan;
	ret->pages_to_scan = pages < 1 ? 1 : (int64_t)pages;
	double seconds = ret->budget > 0 ? memory * page_ns / SECOND_NS / ret->budget : 0;
	ret->scan_seconds = seconds < 1 ? 1 : seconds > 86400 ? 86400 : (int64_t)seconds;
}

struct pace_now pace_step(struct pace_memory *m, const struct policy_config *c, const struct policy_facts *f,
			  const struct state_config *state, const char *barred, int64_t now_ns, int64_t passed_ns)
{
	enum pace before = m->pace;
	const char *stop = must_stop(f, state, barred);

	measure(m, f, passed_ns);
	m->arrived_pages += (double)value_or(f->new_duplicates, 0) / 1000 * (double)passed_ns / SECOND_NS;
	if (!stop && m->asked && m->pace == PACE_SWEEP)
		start_sweep(m, c, f, now_ns, "more memory was opted in");
	if (stop)
		enter(m, PACE_STOPPED, now_ns, "%s", stop);
	else
		move_on(m, c, f, now_ns);

	struct pace_now ret = { .pace = m->pace, .changed = m->pace != before };
	if (m->pace == PACE_SWEEP)
		ret.budget = state->engine_cpu;
	else if (m->pace == PACE_WATCH)
		ret.budget = c->watch_cpu < state->engine_cpu ? c->watch_cpu : state->engine_cpu;
	settings(&ret, m, c, f);
	return ret;
}
