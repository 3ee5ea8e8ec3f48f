/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trials of the estimator on a made population: seeded runs with a key of
 * their own, each a pass that scouts for frequent contents and a pass that
 * samples; errors and coverage over all runs.
 */
#ifndef KSMSCOPE_TESTS_TRIAL_H
#define KSMSCOPE_TESTS_TRIAL_H

#include "core/estimate/scout.h"
#include "tests/study/population.h"

#define TRIAL_SKETCH_BYTES ((size_t)2 << 20)

struct trial_measure {
	double squares;			/* of errors, in points of N */
	double *errors;			/* per run, absolute, in points of N */
	uint32_t covered;
};

struct trial {
	uint32_t runs;
	struct trial_measure of[TOTAL_MEASURES];
	uint64_t class_answers[CLASS_MEASURES];	/* per owner and run */
	uint64_t class_covered[CLASS_MEASURES];
};

/* A keyed hash of a small number, standing in for one of a page. */
static inline uint64_t trial_hash(uint64_t key, uint32_t number)
{
	return mix64(mix64(key + number) ^ key);
}

static inline uint32_t trial_scout(const struct population_made *p, uint64_t key, struct scout *scout,
				   uint64_t *ret_heavy)
{
	scout_init(scout, ~key);
	for (size_t i = 0; i < p->count; i++) {
		uint64_t probe = trial_hash(key, p->holdings[i].group);
		for (uint32_t f = 0; f < p->holdings[i].frames; f++)
			scout_see(scout, probe);
	}
	return scout_frequent(scout, ret_heavy, SKETCH_HEAVY_MAX, 0.5);
}

static inline void trial_sample(const struct population_made *p, struct sketch *sketch, uint64_t key)
{
	uint64_t hash_key = mix64(~key);

	for (size_t i = 0; i < p->count; i++) {
		const struct holding *h = &p->holdings[i];
		uint64_t probe = trial_hash(key, h->group);
		uint64_t hash = p->probe_is_hash ? probe : trial_hash(hash_key, h->content);
		sketch_add(sketch, probe, hash, h->owner, h->frames);
	}
}

static inline bool trial_covers(const struct estimate *e, double truth)
{
	/* A hair for the rounding of sums. */
	return e->low <= truth + 1e-6 * (1 + truth) && truth - 1e-6 * (1 + truth) <= e->high;
}

static inline void trial_judge(struct trial *t, const struct population_made *p, const struct estimates *e,
			       uint32_t run)
{
	for (unsigned int m = 0; m < TOTAL_MEASURES; m++) {
		double points = 100 * (e->of[m].value - p->truth[m]) / (double)p->frames;
		t->of[m].squares += points * points;
		t->of[m].errors[run] = fabs(points);
		t->of[m].covered += trial_covers(&e->of[m], p->truth[m]);
	}
	for (uint32_t owner = 0; owner < e->classes_count; owner++)
		for (unsigned int m = 0; m < CLASS_MEASURES; m++) {
			t->class_answers[m]++;
			t->class_covered[m] += trial_covers(&e->classes[owner].of[m], p->class_truth[owner][m]);
		}
}

/* One seeded run: false when the estimator refuses. */
static inline bool trial_run(struct trial *t, const struct population_made *p, struct sketch *sketch,
			     struct scout *scout, double theta, uint32_t run)
{
	uint64_t key = mix64(run + 1), heavy[SKETCH_HEAVY_MAX];
	uint32_t domain_of[256];
	struct estimates e;

	for (uint32_t owner = 0; owner < p->owners; owner++)
		domain_of[owner] = study_domain_of(p, owner);
	sketch_clear(sketch, theta);
	sketch_set_heavy(sketch, heavy, trial_scout(p, key, scout, heavy));
	trial_sample(p, sketch, key);
	struct estimate_options options = { .domain_of = domain_of, .max_page_sharing = STUDY_CAP };
	if (estimate_make(&e, sketch, &options, NULL))
		return false;
	trial_judge(t, p, &e, run);
	estimates_free(&e);
	return true;
}

static inline struct trial trial_make(const struct population_made *p, double theta, uint32_t runs)
{
	struct trial t = { .runs = runs };
	struct sketch_options options = { .bytes = TRIAL_SKETCH_BYTES, .theta = theta, .phase = 12345,
					  .probe_is_hash = p->probe_is_hash };
	struct scout *scout = malloc(sizeof(*scout));
	struct sketch sketch;

	if (!scout || sketch_init(&sketch, &options, NULL))
		abort();
	for (unsigned int m = 0; m < TOTAL_MEASURES; m++)
		if (!(t.of[m].errors = calloc(runs, sizeof(double))))
			abort();
	for (uint32_t run = 0; run < runs; run++)
		if (!trial_run(&t, p, &sketch, scout, theta, run))
			abort();
	sketch_free(&sketch);
	free(scout);
	return t;
}

static inline void trial_free(struct trial *t)
{
	for (unsigned int m = 0; m < TOTAL_MEASURES; m++)
		free(t->of[m].errors);
}

static inline int trial_by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static inline double trial_rms(const struct trial *t, unsigned int measure)
{
	return sqrt(t->of[measure].squares / t->runs);
}

/* The error that 95 % of the runs stay within, in points of N. */
static inline double trial_error95(struct trial *t, unsigned int measure)
{
	qsort(t->of[measure].errors, t->runs, sizeof(double), trial_by_size);
	return t->of[measure].errors[(t->runs * 95 + 99) / 100 - 1];
}

#endif
