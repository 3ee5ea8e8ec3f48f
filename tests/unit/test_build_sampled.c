// SPDX-License-Identifier: GPL-2.0-or-later
/* The model of a sample of contents, where the sample holds all of them: then it must be what counting gives. */
#include "core/estimate/sampled.h"
#include "core/judge/build.h"
#include "core/judge/standing.h"
#include "core/mix.h"
#include "unit.h"

#include <math.h>

struct made {
	struct sample sample;
	struct model model;
};

/* Three processes, the last of another user. */
static void begin(struct made *made, double theta)
{
	struct sketch_options options = { .theta = theta, .run = 1, .phase = 77, .bytes = 1 << 20 };
	const uid_t uids[] = { 1000, 1000, 1001 };
	uint64_t zero = mix64(1);

	sample_init(&made->sample);
	made->sample.machine.page_bytes = 4096;
	made->sample.reader = READER_DIRECT_MAP;
	for (int i = 0; i < 3; i++) {
		struct task *task = sample_add_task(&made->sample);
		task->pid = 100 + i;
		task->uid = uids[i];
		task->contents = KNOWN;
	}
	assert_int_equal(sampled_new(&made->sample.sampled, 3, &options, NULL), 0);
	sketch_set_heavy(&made->sample.sampled->sketch, &zero, 1);
}

static void hold(struct made *made, uint32_t task, uint64_t content, uint32_t frames)
{
	struct sampled *s = made->sample.sampled;
	sketch_add(&s->sketch, mix64(content), mix64(content), task, frames);
	s->candidate += frames;
	s->tasks[task].candidate += frames;
	s->zero += content == 1 ? frames : 0;
	s->tasks[task].zero += content == 1 ? frames : 0;
}

/* A mapping of a task: an owner of its own where it is large. The tasks' mappings are made one after the other. */
static uint32_t add_area(struct made *made, uint32_t task, uint64_t pages, bool large, unsigned int flags)
{
	struct sample *s = &made->sample;
	struct area *area = sample_add_area(s);

	*area = (struct area){ .task = task, .start = s->areas_count << 32, .flags = flags, .present_pages = pages,
			       .class = AREA_CANDIDATE };
	area->end = area->start + pages * s->machine.page_bytes;
	if (!s->tasks[task].areas++)
		s->tasks[task].first_area = s->areas_count - 1;
	if (!large)
		return task;
	assert_int_equal(sampled_add_area(s->sampled, s->areas_count - 1, task), 0);
	return s->tasks_count + s->sampled->areas_count - 1;
}

/* hold() through a mapping: the task's counts and the mapping's. */
static void hold_in(struct made *made, uint32_t owner, uint64_t content, uint32_t frames)
{
	struct sampled *s = made->sample.sampled;
	uint32_t task = sampled_task_of(s, owner);

	sketch_add(&s->sketch, mix64(content), mix64(content), owner, frames);
	s->candidate += frames;
	s->tasks[task].candidate += frames;
	s->zero += content == 1 ? frames : 0;
	s->tasks[task].zero += content == 1 ? frames : 0;
	if (owner >= s->tasks_count) {
		s->areas[owner - s->tasks_count].candidate += frames;
		s->areas[owner - s->tasks_count].zero += content == 1 ? frames : 0;
	}
}

static void end(struct made *made)
{
	model_free(&made->model);
	sample_free(&made->sample);
}

/* The domain's interval holds what is true of it; it is a point where `truth` is an exact count. */
static void check_domain(const struct made *made, size_t domain, const char *name, uint32_t processes,
			 uint64_t candidate, uint64_t truth)
{
	const struct domain_counts *d = &made->model.by_domain[domain];

	assert_int_equal(made->model.by_domain_count, 2);
	assert_string_equal(sample_string(&made->sample, made->sample.tasks[d->first_task].domain), name);
	assert_int_equal(d->processes, processes);
	assert_int_equal(d->candidate, candidate);
	assert_true(d->low <= truth && truth <= d->high);
	assert_true(d->low <= d->duplicates && d->duplicates <= d->high);
	if (made->model.duplicates.exact)
		assert_int_equal(d->low, d->high);
	else
		assert_in_range(d->high - d->low, 1, candidate / 10);
}

static void whole_sample_is_exact(void **state)
{
	struct made made = { 0 };

	(void)state;
	begin(&made, 1);
	hold(&made, 0, 1, 5);		/* zeros: 5 + 2 in one domain, 4 in the other */
	hold(&made, 1, 1, 2);
	hold(&made, 2, 1, 4);
	hold(&made, 0, 2, 3);		/* inside one process */
	hold(&made, 0, 3, 1);		/* between two of one user */
	hold(&made, 1, 3, 1);
	hold(&made, 1, 4, 1);		/* across users */
	hold(&made, 2, 4, 1);
	hold(&made, 2, 5, 1);		/* alone */
	assert_int_equal(model_build(&made.model, &made.sample), 0);

	const struct duplicate_counts *d = &made.model.duplicates;
	assert_true(made.model.sampled && d->exact);
	assert_int_equal(made.model.frames.candidate, 19);
	assert_int_equal(d->frames, 14);			/* 19 less 5 contents */
	assert_int_equal(d->low, 14);
	assert_int_equal(d->high, 14);
	assert_int_equal(d->zero, 10);
	assert_int_equal(d->within_processes, 4 + 1 + 3 + 2);
	assert_int_equal(d->between_processes, 4);
	assert_int_equal(d->inside_domains, 6 + 3 + 2 + 1);	/* zeros in each domain, content 2, content 3 */
	assert_int_equal(made.model.crossing_frames, 2);	/* one more zero, and content 4 */
	check_domain(&made, 0, "uid 1000", 2, 13, 9);
	check_domain(&made, 1, "uid 1001", 1, 6, 3);
	assert_int_equal(made.model.domain_sharing_count, 1);
	assert_int_equal(made.model.domain_sharing[0].frames, 1);	/* content 4; zeros are not told */
	assert_int_equal(made.model.domain_sharing[0].low, 1);
	assert_int_equal(made.model.domain_sharing[0].high, 1);
	assert_int_equal(made.model.processes[0].candidate, 9);
	assert_int_equal(made.model.processes[0].self_duplicates, 6);
	assert_float_equal(made.model.processes[0].attributed_frames + made.model.processes[1].attributed_frames +
			   made.model.processes[2].attributed_frames, 14, 1e-6);
	end(&made);
}

/* Nothing that a sample can't tell may look as if it were told; and sums add up though parts are estimated. */
static void part_of_the_contents(void **state)
{
	struct made made = { 0 };

	(void)state;
	begin(&made, 1.0 / 8);
	for (uint32_t content = 2; content < 60002; content++) {
		hold(&made, content % 3, content, 1 + content % 2);	/* every other one twice in one process */
		if (content % 5 == 0)
			hold(&made, (content + 1) % 3, content, 1);
	}
	assert_int_equal(model_build(&made.model, &made.sample), 0);
	const struct duplicate_counts *d = &made.model.duplicates;
	uint64_t truth = 30000 + 12000;
	assert_false(d->exact);
	assert_true(d->low <= truth && truth <= d->high);
	assert_true(d->low < d->frames && d->frames < d->high);
	assert_true(d->high - d->low < made.model.frames.candidate / 50);	/* one point to each side */
	assert_int_equal(d->within_processes + d->between_processes, d->frames);
	assert_int_equal(d->inside_domains + made.model.crossing_frames, d->frames);
	assert_true(d->inside_low <= d->inside_domains && d->inside_domains <= d->inside_high);
	check_domain(&made, 0, "uid 1000", 2, 68000, 24000);
	assert_int_equal(made.model.domain_sharing_count, 1);
	const struct sharing *crossing = &made.model.domain_sharing[0];
	assert_true(crossing->low <= 8000 && 8000 <= crossing->high);
	assert_true(crossing->low < crossing->frames && crossing->frames < crossing->high);
	assert_int_equal(made.model.granularity_levels, 1);
	assert_int_equal(made.model.sharing_count, 3);	/* each two processes hold 4000 contents in common */
	for (size_t i = 0; i < 3; i++) {
		const struct sharing *pair = &made.model.sharing[i];
		assert_true(pair->low < pair->frames && pair->frames < pair->high);
		assert_true(fabs((double)pair->frames - 4000) < 4 * sqrt(4000 * 7));
	}
	end(&made);
}

/* Counted by hand: which mappings are worth it, and what they give inside the domains. */
static void mappings_by_hand(void **state)
{
	struct made made = { 0 };

	(void)state;
	begin(&made, 1);
	uint32_t twice = add_area(&made, 0, 100, true, 0), unique = add_area(&made, 0, 200, true, 0);
	uint32_t secret = add_area(&made, 0, 10, true, AREA_SECRET), small = add_area(&made, 0, 5, false, 0);
	uint32_t other = add_area(&made, 1, 100, true, 0), zeros = add_area(&made, 2, 8, true, 0);
	for (uint64_t i = 0; i < 50; i++)
		hold_in(&made, twice, 100 + i, 2);
	for (uint64_t i = 0; i < 200; i++)
		hold_in(&made, unique, 1000 + i, 1);
	hold_in(&made, secret, 7, 10);
	hold_in(&made, small, 8, 5);
	for (uint64_t i = 0; i < 100; i++)
		hold_in(&made, other, i < 30 ? 100 + i : 2000 + i, 1);	/* 30 contents of `twice` */
	hold_in(&made, zeros, 1, 8);
	made.sample.engine.knob[KNOB_USE_ZERO_PAGES] = value_of(1);
	made.sample.engine.knob[KNOB_PAGES_SHARING] = value_of(11);
	assert_int_equal(model_build(&made.model, &made.sample), 0);

	const bool worthwhile[] = { true, false, false, true, true, true };
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(made.model.worthwhile[i], worthwhile[i]);
	const struct mapping_counts *m = made.model.mappings;
	assert_float_equal(m[0].duplicates, 30 * 2 * (1 - 1.0 / 3) + 20, 1e-6);
	assert_float_equal(m[4].duplicates, 30 * (1 - 1.0 / 3), 1e-6);
	assert_float_equal(m[0].low, m[0].duplicates, 1e-6);
	assert_int_equal(m[0].candidate, 100);
	assert_true(m[3].in_rest && !m[0].in_rest);
	assert_int_equal(made.model.rests[0].candidate, 5);
	assert_int_equal(made.model.rests[1].candidate, 0);
	assert_int_equal(m[5].zero, 8);
	/* 50 + 30 frames of `twice` and `other`, 4 of the small one; with use_zero_pages all 8 zeros */
	assert_int_equal(made.model.duplicates.mergeable, 50 + 30 + 4 + 8);
	assert_int_equal(made.model.duplicates.mergeable_low, made.model.duplicates.mergeable);
	assert_int_equal(made.model.duplicates.mergeable_high, made.model.duplicates.mergeable);
	assert_int_equal(made.model.by_domain[0].mergeable, 84);
	assert_int_equal(made.model.by_domain[1].mergeable, 8);
	assert_int_equal(made.model.tracked_pages, 100 + 5 + 100 + 8);
	assert_int_equal(made.model.net_part_bytes, 92 * 4096 - 213 * 64);
	assert_int_equal(made.model.exposure.needed_predicted_bytes, (92 + 11) * 4096);
	assert_int_equal(made.model.granularity_levels, 1);
	assert_int_equal(made.model.granularity[0].distinct, made.model.duplicates.distinct);
	end(&made);
}

/* What a large mapping holds of its process's zeros and huge pages is not the rest's. */
static void rest_of_a_process(void **state)
{
	struct made made = { 0 };

	(void)state;
	begin(&made, 1);
	uint32_t large = add_area(&made, 0, 9, true, 0), small = add_area(&made, 0, 5, false, 0);
	hold_in(&made, large, 1, 8);
	hold_in(&made, large, 2, 1);
	hold_in(&made, small, 1, 5);
	made.sample.sampled->tasks[0].huge = 7;
	made.sample.sampled->areas[0].huge = 4;
	made.sample.engine.knob[KNOB_USE_ZERO_PAGES] = value_of(1);
	made.sample.engine.knob[KNOB_MAX_PAGE_SHARING] = value_of(3);
	assert_int_equal(model_build(&made.model, &made.sample), 0);

	const struct mapping_counts *told = &made.model.mappings[0], *rest = &made.model.rests[0];
	assert_int_equal(told->zero, 8);
	assert_int_equal(told->huge, 4);
	assert_int_equal(rest->zero, 5);
	assert_int_equal(rest->huge, 3);
	/* Merged with each other 13 zeros would keep 5 frames, 3 pages on each; on the kernel's zero page they keep none. */
	assert_int_equal(made.model.duplicates.mergeable, 13);
	assert_int_equal(made.model.by_domain[0].mergeable, 13);
	end(&made);
}

/*
 * Half of the pages changed in the 10 s between the looks: a half-life of 10 s, and 4000 pairs still alike stand for
 * twice as many that come and go. 8000 pages at 200 a second: a scan of 40 s. What ksmd makes of these figures is
 * test_standing.c's question.
 */
static double merged_of_eight_thousand(void)
{
	const struct ksmd_pages pages = { .pages = 8000, .duplicates = 4000, .rate = M_LN2 / 10 };
	struct ksmd_trees trees;

	ksmd_trees_make(&trees, &pages, 1, (struct ksmd_pace){ .scan_seconds = 40, .smart_seconds = KSMD_NO_SMART });
	return 2 * 4000 * ksmd_merged(&trees, pages.rate);
}

/* What changes at a rate is not there when a slow ksmd comes round. */
static void potential_at_the_pace_of_ksmd(void **state)
{
	struct made made = { 0 };

	(void)state;
	begin(&made, 1);
	uint32_t area = add_area(&made, 0, 8000, true, 0);
	for (uint64_t i = 0; i < 4000; i++)
		hold_in(&made, area, 100 + i, 2);
	for (uint64_t i = 0; i < 4000; i++)
		survival_add(&made.sample.sampled->tasks[0].stays, 2, i % 2 ? 2 : 0, 1);
	made.sample.sampled->told = true;
	made.sample.settle_seconds = 10;
	assert_int_equal(model_build(&made.model, &made.sample), 0);
	assert_false(made.model.duplicates.paced);	/* no engine, no pace */
	model_free(&made.model);
	made.sample.engine.knob[KNOB_RUN] = value_of(1);
	made.sample.engine.knob[KNOB_PAGES_TO_SCAN] = value_of(100);
	made.sample.engine.knob[KNOB_SLEEP_MILLISECS] = value_of(500);	/* 8000 pages in 40 seconds, with the visits */
	assert_int_equal(model_build(&made.model, &made.sample), 0);
	const struct duplicate_counts *d = &made.model.duplicates;
	const struct lasting *l = &made.model.lasts;
	assert_true(l->known && d->paced);
	assert_float_equal(l->share, 0.5, 1e-9);
	assert_float_equal(l->half_life, 10, 1e-6);
	assert_true(l->half_life_low < 10 && 10 < l->half_life_high);
	assert_in_range(made.model.eta_seconds, 79, 82);
	assert_int_equal(d->mergeable, 4000);
	assert_float_equal((double)d->at_pace, merged_of_eight_thousand(), 2);
	/* less than a search that is never misled would give: e^-λT = 1/16, and its mean over the scan 15/16 / λT */
	assert_in_range(d->at_pace, 1, (uint64_t)(8000 * (1.0 / 16) * (15.0 / 16) / (4 * M_LN2)));
	assert_true(d->at_pace_low < d->at_pace && d->at_pace < d->at_pace_high);
	end(&made);
}

/* The intervals of mappings, and of what is worth merging, hold what is true; those of a mapping apart do, too. */
static void mappings_from_a_part(void **state)
{
	struct made made = { 0 };
	uint32_t owner[6];

	(void)state;
	begin(&made, 1.0 / 8);
	for (uint32_t i = 0; i < 6; i++)
		owner[i] = add_area(&made, i / 2, 20000, true, 0);
	made.sample.sampled->told = true;
	for (uint64_t content = 2; content < 60002; content++) {
		hold_in(&made, owner[content % 6], content, 1 + (content % 6 < 3));	/* mappings 0 … 2: all twice */
		if (content % 4 == 0)	/* half of the pages of mappings 0, 2 and 4 changed between two looks */
			sketch_keep_young(&made.sample.sampled->sketch, mix64(content), owner[content % 6], 2);
	}
	assert_int_equal(model_build(&made.model, &made.sample), 0);
	for (uint32_t i = 0; i < 6; i++) {
		const struct mapping_counts *m = &made.model.mappings[i];
		double truth = i < 3 && i % 2 ? 10000 : i < 3 ? 5000 : 0, young = i % 2 ? 0 : i < 3 ? 10000 : 5000;
		assert_int_equal(m->candidate, i < 3 ? 20000 : 10000);
		assert_true(m->low <= truth && truth <= m->high);
		assert_true(m->high - m->low < 1500);
		assert_true(m->volatile_low <= young && young <= m->volatile_high);
		assert_true(m->volatile_high - m->volatile_low < 1500);
		assert_int_equal(made.model.worthwhile[i], i < 3);
	}
	const struct duplicate_counts *d = &made.model.duplicates;
	assert_true(d->mergeable_low <= 20000 && 20000 <= d->mergeable_high);
	assert_true(d->mergeable_high - d->mergeable_low < 2000);
	assert_true(made.model.net_part_low <= made.model.net_part_bytes &&
		    made.model.net_part_bytes <= made.model.net_part_high);
	end(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_sample_is_exact),
		cmocka_unit_test(part_of_the_contents),
		cmocka_unit_test(mappings_by_hand),
		cmocka_unit_test(rest_of_a_process),
		cmocka_unit_test(mappings_from_a_part),
		cmocka_unit_test(potential_at_the_pace_of_ksmd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
