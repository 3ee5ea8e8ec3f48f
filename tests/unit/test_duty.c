// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Do rates made of windows hit, and do their 95 % intervals cover what really
 * happened in 95 of 100 seconds? Simulated programs, from steady ones to such
 * that do everything in one burst a second, are looked at through the default
 * windows, with all random numbers from a fixed seed.
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/live/duty.h"

#define MILLISECONDS 1000
#define SECONDS 64	/* per run; the first ten fill the horizon */
#define HORIZON 10
#define RUNS 24
#define COW 2		/* the kind that the machine counts, too */
#define OTHER 0

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static double uniform(uint64_t *state)
{
	return (double)(next_random(state) >> 11) * 0x1p-53;
}

static unsigned int poisson(uint64_t *state, double mean)
{
	double limit = exp(-mean), product = uniform(state);
	unsigned int count = 0;
	while (product > limit) {
		product *= uniform(state);
		count++;
	}
	return count;
}

/* Events of one millisecond: of the process that is looked at, and COW breaks of another one. */
struct moment {
	unsigned int cow, other;
	unsigned int unseen;	/* counted by the kernel, seen by no window */
	unsigned int elsewhere;
};

struct program {
	uint64_t random;
	int millisecond;
	int burst_at;		/* in this second */
	double share;		/* of COW breaks, at the moment */
};

static struct moment steady(struct program *p)
{
	return (struct moment){ .cow = poisson(&p->random, 0.997), .other = poisson(&p->random, 3) };
}

/* Everything within five milliseconds of each second, at another time in each. */
static struct moment burst(struct program *p)
{
	int at = p->millisecond % MILLISECONDS;
	if (!at)
		p->burst_at = (int)(uniform(&p->random) * (MILLISECONDS - 5));
	return (struct moment){ .cow = at >= p->burst_at && at < p->burst_at + 5 ? 199 : 0 };
}

/* Such a burst beside steady faults of another kind: its own faults don't tell how many are missing. */
static struct moment burst_beside_others(struct program *p)
{
	struct moment m = burst(p);
	m.other = poisson(&p->random, 4);
	return m;
}

/* Short bursts, twenty a second, beside those of another process. */
static struct moment many_bursts(struct program *p)
{
	struct moment m = { .other = poisson(&p->random, 2) };
	if (uniform(&p->random) < 0.02)
		m.cow = 20 + poisson(&p->random, 30);
	if (uniform(&p->random) < 0.05)
		m.elsewhere = poisson(&p->random, 25);
	return m;
}

/* What it does changes every tenth of a second or so. */
static struct moment moods(struct program *p)
{
	if (uniform(&p->random) < 0.01)
		p->share = uniform(&p->random);
	unsigned int all = poisson(&p->random, 5);
	struct moment m = {};
	for (unsigned int i = 0; i < all; i++) {
		if (uniform(&p->random) < p->share)
			m.cow++;
		else
			m.other++;
	}
	m.elsewhere = poisson(&p->random, 1);
	return m;
}

/* A guest: most of its faults come from KVM, where no window sees them, and break merged pages too. */
static struct moment guest(struct program *p)
{
	return (struct moment){
		.cow = poisson(&p->random, 0.5),
		.other = poisson(&p->random, 1),
		.unseen = poisson(&p->random, 6),
	};
}

struct look {
	struct duty_plan plan;
	uint64_t random;
	int64_t begin_ms, end_ms;	/* of the window that is or will be open */
	int64_t long_ms;		/* spent in long windows */
	struct duty_patience patience;
	struct duty_window window;
	uint64_t counts[DUTY_KINDS];
};

static void look_begin(struct look *look, uint64_t seed)
{
	memset(look, 0, sizeof(*look));
	look->plan = (struct duty_plan){ .window_ns = 25000000, .period_ns = 200000000 };
	look->random = seed;
	look->begin_ms = duty_next(&look->plan, -100000000, next_random(&look->random)) / 1000000;
	look->end_ms = look->begin_ms + look->plan.window_ns / 1000000;
}

/* Enter what the window has seen so far. */
static void look_enter(struct look *look, struct duty_process *process, struct duty_total *total)
{
	if (look->window.seconds <= 0)
		return;
	duty_add_window(total, &look->window);
	duty_add_counts(process, &look->window, look->counts);
	look->window = (struct duty_window){};
	memset(look->counts, 0, sizeof(look->counts));
}

static void look_at(struct look *look, int64_t ms, const struct moment *m, struct duty_process *process,
		    struct duty_total *total)
{
	if (ms < look->begin_ms)
		return;
	look->window.seconds += 1e-3;
	look->window.machine += m->cow + m->elsewhere;
	look->counts[COW] += m->cow;
	look->counts[OTHER] += m->other;
	if (look->window.seconds > 2e-9 * (double)look->plan.window_ns)
		look_enter(look, process, total);	/* a long window comes in pieces */
	if (ms < look->end_ms - 1)
		return;
	look_enter(look, process, total);
	look->begin_ms = duty_next(&look->plan, look->begin_ms * 1000000, next_random(&look->random)) / 1000000;
	look->end_ms = look->begin_ms + look->plan.window_ns / 1000000;
}

struct outcome {
	int seconds, covered;
	double truth, estimated;
	double width;		/* of the intervals, as a share of the truth */
	double long_share;	/* of the time: spent in long windows */
};

struct second {
	struct duty_process process;
	struct duty_total total;
	double cow;
};

static void sum_up(const struct second *seconds, int last, struct duty_process *ret, struct duty_total *ret_total)
{
	*ret = (struct duty_process){};
	*ret_total = (struct duty_total){};
	for (int i = last < HORIZON ? 0 : last - HORIZON + 1; i <= last; i++) {
		duty_process_add(ret, &seconds[i].process);
		duty_total_add(ret_total, &seconds[i].total);
	}
}

static void judge(const struct second *seconds, int last, struct outcome *ret)
{
	struct duty_process horizon;
	struct duty_total horizon_total;

	sum_up(seconds, last, &horizon, &horizon_total);
	struct duty_case c = {
		.now = &seconds[last].process, .horizon = &horizon,
		.now_total = &seconds[last].total, .horizon_total = &horizon_total,
		.machine_kind = COW,
	};
	struct duty_estimate e = duty_estimate(&c, COW);
	assert_true(e.low <= e.count && e.count <= e.high);
	ret->seconds++;
	ret->covered += seconds[last].cow >= e.low - 1e-6 && seconds[last].cow <= e.high + 1e-6;
	ret->truth += seconds[last].cow;
	ret->estimated += e.count;
	ret->width += (e.high - e.low) / fmax(1, seconds[last].cow);
}

/* After each second, as the probe does after each reading. */
static void look_longer(struct look *look, const struct second *seconds, int last)
{
	struct duty_process horizon;
	struct duty_total total;
	int64_t now_ms = (int64_t)(last + 1) * MILLISECONDS;

	sum_up(seconds, last, &horizon, &total);
	if (look->begin_ms < now_ms || !duty_wants_long(&look->patience, now_ms * 1000000, &total))
		return;
	look->begin_ms = now_ms;
	look->end_ms = now_ms + DUTY_LONG_NS / 1000000;
	look->long_ms += DUTY_LONG_NS / 1000000;
}

enum knowledge { ALL_KNOWN, TIME_ONLY };

static struct outcome simulate(struct moment (*what)(struct program *), enum knowledge knowledge)
{
	struct outcome outcome = {};
	for (int run = 0; run < RUNS; run++) {
		struct program program = { .random = 1000 + run, .share = 0.5 };
		struct second seconds[SECONDS] = {};
		struct look look;

		look_begin(&look, 7919 * (run + 1));
		for (int s = 0; s < SECONDS; s++) {
			struct second *now = &seconds[s];
			now->total.seconds = 1;
			for (int i = 0; i < MILLISECONDS; i++, program.millisecond++) {
				struct moment m = what(&program);
				now->cow += m.cow;
				now->process.all += m.cow + m.other + m.unseen;
				now->total.machine += m.cow + m.elsewhere + m.unseen;
				look_at(&look, program.millisecond, &m, &now->process, &now->total);
			}
			/* a window that is open when the interval ends is divided */
			look_enter(&look, &now->process, &now->total);
			if (knowledge == TIME_ONLY)
				now->process.all = now->total.machine = -1;
			if (s >= HORIZON)
				judge(seconds, s, &outcome);
			look_longer(&look, seconds, s);
		}
		outcome.long_share += (double)look.long_ms / (RUNS * SECONDS * MILLISECONDS);
	}
	return outcome;
}

static void check(const char *name, struct moment (*what)(struct program *), enum knowledge knowledge,
		  double worst_bias, double widest)
{
	struct outcome o = simulate(what, knowledge);
	double coverage = (double)o.covered / o.seconds, bias = o.estimated / o.truth - 1, width = o.width / o.seconds;

	print_message("%s: %d seconds, covered %.1f %%, bias %+.1f %%, width %.0f %%, long windows %.1f %%\n", name,
		      o.seconds, 100 * coverage, 100 * bias, 100 * width, 100 * o.long_share);
	assert_true(coverage >= 0.93);
	assert_true(fabs(bias) <= worst_bias);
	assert_true(width <= widest);
}

static void test_coverage(void **state)
{
	(void)state;
	check("steady", steady, ALL_KNOWN, 0.01, 0.05);
	check("steady, by time", steady, TIME_ONLY, 0.02, 0.25);
	check("burst", burst, ALL_KNOWN, 0.05, 0.5);
	check("burst beside others", burst_beside_others, ALL_KNOWN, 0.05, 0.5);
	check("many bursts", many_bursts, ALL_KNOWN, 0.03, 1.6);
	check("many bursts, by time", many_bursts, TIME_ONLY, 0.03, 2.2);
	check("moods", moods, ALL_KNOWN, 0.02, 0.35);
	check("guest", guest, ALL_KNOWN, 0.02, 0.25);
}

/* Beginnings of windows are a period apart on average, never closer than half of one, and anywhere in between. */
static void test_beginnings(void **state)
{
	const struct duty_plan plan = { .window_ns = 25000000, .period_ns = 200000000 };
	uint64_t random = 1;
	int64_t begin = 0, thirds[3] = {};

	(void)state;
	for (int i = 0; i < 30000; i++) {
		int64_t next = duty_next(&plan, begin, next_random(&random)), gap = next - begin;
		assert_in_range(gap, plan.period_ns / 2, plan.period_ns * 3 / 2);
		thirds[(gap - plan.period_ns / 2) * 3 / plan.period_ns]++;
		begin = next;
	}
	assert_in_range(begin / 30000, 199000000, 201000000);
	for (int i = 0; i < 3; i++)
		assert_in_range(thirds[i], 9700, 10300);
}

static struct duty_estimate of_one_interval(struct duty_process *process, struct duty_total *total)
{
	struct duty_case c = { process, process, total, total, COW };
	return duty_estimate(&c, COW);
}

static void test_looking_all_the_time_is_exact(void **state)
{
	struct duty_window window = { .seconds = 9.9999, .machine = 997 };
	uint64_t counts[DUTY_KINDS] = { [COW] = 997, [OTHER] = 12 };
	struct duty_total total = { .seconds = 10, .machine = 1009 };
	struct duty_process process = { .all = 1013 };

	(void)state;
	duty_add_window(&total, &window);
	duty_add_counts(&process, &window, counts);
	struct duty_estimate e = of_one_interval(&process, &total);
	assert_int_equal(e.basis, DUTY_EXACT);
	assert_true(e.count == 997 && e.low == 997 && e.high == 997);
}

/* No window, or one that saw nothing: nothing is claimed that the counters don't bound. */
static void test_nothing_seen_claims_nothing(void **state)
{
	struct duty_total total = { .seconds = 1, .machine = 50 };
	struct duty_process process = { .all = 40 };
	struct duty_window window = { .seconds = 0.025 };

	(void)state;
	assert_int_equal(of_one_interval(&process, &total).basis, DUTY_NOTHING);
	duty_add_window(&total, &window);
	struct duty_estimate e = of_one_interval(&process, &total);
	assert_true(e.low == 0 && e.high == 40);
	process.all = -1;
	e = of_one_interval(&process, &total);
	assert_true(e.low == 0 && e.high == 50);
	total.machine = -1;
	e = of_one_interval(&process, &total);
	assert_true(e.low == 0 && e.high > 100);	/* three expected in the window at most: 3 · 0.975 / 0.025 */
}

/*
 * Five windows that saw four events each, alike by chance: single events still
 * scatter. 20 were seen in an eighth of the time, 140 ± 1.96 · √(140 · (1 + 140 / 20)) are to come.
 */
static void test_alike_windows_are_not_certain(void **state)
{
	struct duty_total total = { .seconds = 1, .machine = -1 };
	struct duty_process process = { .all = -1 };
	struct duty_window window = { .seconds = 0.025 };
	uint64_t counts[DUTY_KINDS] = { [COW] = 4 };

	(void)state;
	for (int i = 0; i < 5; i++) {
		duty_add_window(&total, &window);
		duty_add_counts(&process, &window, counts);
	}
	struct duty_estimate e = of_one_interval(&process, &total);
	assert_true(fabs(e.count - 160) < 1e-9);
	assert_true(fabs(e.low - (160 - 65.6)) < 0.1 && fabs(e.high - (160 + 65.6)) < 0.1);
}

static void test_sums_add_up(void **state)
{
	struct duty_window window[2] = { { .seconds = 0.1, .machine = 5 }, { .seconds = 0.3, .machine = 2 } };
	uint64_t counts[2][DUTY_KINDS] = { { [COW] = 3, [OTHER] = 7 }, { [COW] = 11 } };
	struct duty_process both = { .all = 30 }, part[2] = { { .all = 10 }, { .all = 20 } };
	struct duty_total all = { .seconds = 2, .machine = 40 };
	struct duty_total piece[2] = { { .seconds = 1, .machine = 15 }, { .seconds = 1, .machine = 25 } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		duty_add_window(&all, &window[i]);
		duty_add_window(&piece[i], &window[i]);
		duty_add_counts(&both, &window[i], counts[i]);
		duty_add_counts(&part[i], &window[i], counts[i]);
	}
	duty_process_add(&part[0], &part[1]);
	duty_total_add(&piece[0], &piece[1]);
	assert_memory_equal(&part[0], &both, sizeof(both));
	assert_memory_equal(&piece[0], &all, sizeof(all));
	part[1].all = -1;
	duty_process_add(&part[0], &part[1]);
	assert_true(part[0].all < 0);
}

/* Wilson (1927), worked by hand: 3 of 20, and the ends. */
static void test_shares(void **state)
{
	(void)state;
	struct duty_estimate e = duty_share(3, 20);
	assert_true(fabs(e.count - 0.15) < 1e-9 && fabs(e.low - 0.0524) < 1e-3 && fabs(e.high - 0.3604) < 1e-3);
	e = duty_share(0, 20);
	assert_true(e.low == 0 && e.high > 0.1 && e.high < 0.2);
	e = duty_share(20, 20);
	assert_true(e.high == 1 && e.low > 0.8 && e.low < 0.9);
	e = duty_share(0, 0);
	assert_true(e.low == 0 && e.high == 1);
}

static void test_patience(void **state)
{
	struct duty_total missed = { .seconds = 10, .machine = 1000, .t = 1.25 };
	struct duty_total explained = missed;
	struct duty_patience patience = {};
	int windows = 0;

	(void)state;
	explained.m = 100;
	for (int s = 0; s < 3600; s++)
		windows += duty_wants_long(&patience, s * 1000000000ll, &missed);
	assert_in_range(windows, 8, 14);	/* at 0, 5, 15, 35, … s, then every 640 s */
	assert_false(duty_wants_long(&patience, 3600000000000ll, &explained));
	missed.machine = -1;
	assert_false(duty_wants_long(&patience, 7200000000000ll, &missed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_beginnings),
		cmocka_unit_test(test_looking_all_the_time_is_exact),
		cmocka_unit_test(test_nothing_seen_claims_nothing),
		cmocka_unit_test(test_alike_windows_are_not_certain),
		cmocka_unit_test(test_sums_add_up),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_patience),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
