// SPDX-License-Identifier: GPL-2.0-or-later
/* The model of a sample of contents, where the sample holds all of them: then it must be what counting gives. */
#include "core/estimate/sampled.h"
#include "core/judge/build.h"
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
	assert_int_equal(made.model.granularity_levels, 0);
	assert_int_equal(made.model.sharing_count, 3);	/* each two processes hold 4000 contents in common */
	for (size_t i = 0; i < 3; i++) {
		const struct sharing *pair = &made.model.sharing[i];
		assert_true(pair->low < pair->frames && pair->frames < pair->high);
		assert_true(fabs((double)pair->frames - 4000) < 4 * sqrt(4000 * 7));
	}
	end(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_sample_is_exact),
		cmocka_unit_test(part_of_the_contents),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
