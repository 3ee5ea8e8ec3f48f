// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How far the estimator is off, and how often its intervals hold: seeded runs
 * over made populations of 250,000 frames, and over the memory of processes
 * where it is given some. Prints the table of docs/model-sampling.md.
 *
 *	study [RUNS [PID…]]	RUNS default 400
 *
 * Ends with 1 when a bound is not kept: 95 % of the errors of the total within
 * 1 point of N at θ = 1/16 and 1.5 at 1/64; coverage of 93 … 97 %, or more where
 * less than ten groups of several contents are to be expected in the sample.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tests/study/real.h"
#include "tests/study/trial.h"

#define STUDY_FRAMES 250000
#define STUDY_RUNS 400

static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static void print_head(uint32_t runs)
{
	printf("%u runs. Errors in points of N (1 point: 1 %% of all frames); \"95 %%\" is what 95 %% of the runs stay "
	       "within.\n\n", runs);
	printf("| population | N | probes shared, V | θ | duplicates | RMS | 95 %% | covered | inside domains | RMS | "
	       "95 %% | covered | classes covered |\n");
	printf("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
}

static void print_measure(struct trial *t, const struct population_made *p, unsigned int measure)
{
	printf(" %.1f %% | %.2f | %.2f | %.1f %% |", percent(p->truth[measure], (double)p->frames),
	       trial_rms(t, measure), trial_error95(t, measure), percent(t->of[measure].covered, t->runs));
}

static bool study_theta(const struct population_made *p, int theta_log2, double bound, uint32_t runs)
{
	struct probe_sharing sharing = population_sharing(p);
	struct trial t = trial_make(p, ldexp(1, -theta_log2), runs);

	printf("| %s | %" PRIu64 " | %.2f | 1/%d |", p->name, p->frames, sharing.inflation, 1 << theta_log2);
	print_measure(&t, p, TOTAL_UNION);
	print_measure(&t, p, TOTAL_POLICY);
	printf(" %.1f %% |\n", percent((double)t.class_covered[CLASS_ATTRIBUTED],
				       (double)t.class_answers[CLASS_ATTRIBUTED]));
	fflush(stdout);

	bool in_steps = sharing_in_steps(&sharing, ldexp(1, -theta_log2));
	double covered = percent(t.of[TOTAL_UNION].covered, runs);
	bool kept = trial_error95(&t, TOTAL_UNION) <= bound && covered >= 93 && (covered <= 97 || in_steps);
	if (!kept)
		fprintf(stderr, "study: %s at 1/%d is out of bounds\n", p->name, 1 << theta_log2);
	trial_free(&t);
	return kept;
}

static bool study_population(const struct population_made *p, uint32_t runs)
{
	bool sixteenth = study_theta(p, 4, 1, runs), sixty_fourth = study_theta(p, 6, 1.5, runs);
	return sixteenth && sixty_fourth;
}

int main(int argc, char **argv)
{
	uint32_t runs = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : STUDY_RUNS;
	bool kept = true;

	if (!runs) {
		fprintf(stderr, "usage: study [RUNS [PID...]]\n");
		return 2;
	}
	print_head(runs);
	for (size_t k = 0; k < POPULATION_KINDS; k++) {
		struct population_made p = population_make(&population_kinds[k], STUDY_FRAMES);
		kept = study_population(&p, runs) && kept;
		population_free(&p);
	}
	for (int by_hash = 1; argc > 2 && by_hash >= 0; by_hash--) {
		struct population_made p = real_population(argv + 2, (uint32_t)argc - 2, by_hash);
		if (p.frames >= STUDY_FRAMES)
			kept = study_population(&p, runs) && kept;
		else
			fprintf(stderr, "study: only %" PRIu64 " frames in these processes: left out\n", p.frames);
		population_free(&p);
	}
	return kept ? 0 : 1;
}
