// SPDX-License-Identifier: GPL-2.0-or-later
/* The exact count against a naive one, on made and on random populations. */
#include "made_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/huge/calibration.h"
#include "core/judge/build.h"
#include "core/judge/doctor.h"
#include "core/judge/verdict.h"
#include "core/trust/assign.h"

static struct model build(struct sample *s)
{
	struct model m;
	assert_int_equal(model_build(&m, s), 0);
	return m;
}

static void done(struct sample *s, struct model *m)
{
	model_free(m);
	sample_free(s);
}

static void test_nothing(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	made_task(&s, 10, 0);
	struct model m = build(&s);
	assert_int_equal(m.frames.candidate, 0);
	assert_int_equal(m.duplicates.frames, 0);
	assert_int_equal(m.verdict, VERDICT_LEAVE);
	assert_int_equal(m.granularity[0].blocks, 0);
	done(&s, &m);
}

static void test_pairs_and_zero(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	made_task(&s, 10, 0);
	made_area(&s, 0, 0x10000, 64);
	for (uint32_t i = 0; i < 23; i++)
		made_page(&s, i, 1 + i / 2, 0);		/* 11 pairs and a single one */
	for (uint32_t i = 23; i < 30; i++)
		made_page(&s, i, 0, i < 26 ? FRAME_HUGE : 0);
	struct model m = build(&s);
	assert_int_equal(m.frames.candidate, 30);
	assert_int_equal(m.frames.zero, 7);
	assert_int_equal(m.frames.zero_in_huge, 3);
	assert_int_equal(m.duplicates.frames, 11 + 6);
	assert_int_equal(m.duplicates.zero, 6);
	assert_int_equal(m.duplicates.within_processes, 17);
	assert_int_equal(m.duplicates.between_processes, 0);
	assert_int_equal(m.domains[0].frames, 17);
	assert_int_equal(m.domains[0].frames_split, 11 + 3 + 3);	/* three freed by the split, four merge to one */
	assert_int_equal(m.granularity[0].blocks, 30);
	assert_int_equal(m.granularity[0].distinct, 13);
	assert_int_equal(m.net_bytes, 17 * 4096 - 30 * RMAP_ITEM_BYTES);
	done(&s, &m);
}

static void test_volatile_and_unread_stand_alone(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	made_task(&s, 10, 0);
	made_area(&s, 0, 0x10000, 64);
	for (uint32_t i = 0; i < 8; i++)
		made_page(&s, i, 5, i < 3 ? FRAME_VOLATILE : i == 3 ? FRAME_UNREAD : 0);
	made_page(&s, 8, 0, FRAME_VOLATILE);
	struct model m = build(&s);
	assert_int_equal(m.frames.is_volatile, 4);
	assert_int_equal(m.duplicates.frames, 3);	/* four stable copies */
	assert_int_equal(m.duplicates.distinct, 6);
	done(&s, &m);
}

/* A parent with frames 1 1 2; its child shares them by fork and has written one page to 1. */
static void test_fork(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	made_task(&s, 10, 0);
	made_area(&s, 0, 0x10000, 8);
	uint32_t f[3];
	for (uint32_t i = 0; i < 3; i++)
		f[i] = made_page(&s, i, 1 + i / 2, 0);
	made_task(&s, 11, 0);
	made_area(&s, 1, 0x10000, 8);
	made_alias(&s, 0, f[0]);
	made_alias(&s, 1, f[1]);
	made_page(&s, 2, 1, 0);
	struct model m = build(&s);
	assert_int_equal(m.frames.candidate, 4);
	assert_int_equal(m.frames.multi, 2);
	assert_int_equal(m.duplicates.frames, 2);
	assert_int_equal(m.duplicates.within_processes, 2);
	assert_int_equal(m.processes[0].candidate, 3);
	assert_int_equal(m.processes[0].self_duplicates, 1);
	assert_int_equal(m.processes[1].candidate, 3);
	assert_int_equal(m.processes[1].self_duplicates, 2);
	assert_int_equal(m.sharing_count, 0);		/* content 1 is common by fork already */
	double sum = m.processes[0].attributed_frames + m.processes[1].attributed_frames;
	assert_true(fabs(sum - 2) < 1e-9);
	done(&s, &m);
}

static void test_merged_frame_mapped_often(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	made_task(&s, 10, 0);
	struct area *a = made_area(&s, 0, 0x10000, 1024);
	uint32_t f = made_page(&s, 0, 7, FRAME_MERGED);
	for (uint32_t i = 1; i < 100; i++)
		made_alias(&s, i, f);
	a->merged_pages = 100;
	assert_int_equal(s.frames.extents.count, 2);	/* a run of one frame is one extent */
	struct model m = build(&s);
	assert_int_equal(m.frames.candidate, 1);
	assert_int_equal(m.frames.merged, 1);
	assert_int_equal(m.frames.saved_now, 99);
	assert_int_equal(m.processes[0].candidate, 1);
	assert_int_equal(m.duplicates.frames, 0);
	done(&s, &m);
}

static void test_cap(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	s.engine.knob[KNOB_MAX_PAGE_SHARING] = value_of(10);
	made_task(&s, 10, 0);
	made_area(&s, 0, 0x10000, 64);
	for (uint32_t i = 0; i < 23; i++)
		made_page(&s, i, 1, 0);
	struct model m = build(&s);
	assert_int_equal(m.duplicates.frames, 22);
	assert_int_equal(m.duplicates.capped, 20);	/* 23 copies at 10 each: three frames stay */
	assert_int_equal(m.duplicates.mergeable, 20);
	done(&s, &m);
}

static void check_domain(const struct sample *s, const struct model *m, const char *name, uint32_t processes,
			 uint64_t candidate, uint64_t duplicates)
{
	const struct domain_counts *found = NULL;

	for (size_t i = 0; i < m->by_domain_count; i++)
		if (!strcmp(sample_string(s, s->tasks[m->by_domain[i].first_task].domain), name))
			found = &m->by_domain[i];
	assert_non_null(found);
	assert_int_equal(found->processes, processes);
	assert_int_equal(found->candidate, candidate);
	assert_int_equal(found->duplicates, duplicates);
	assert_int_equal(found->low, duplicates);
	assert_int_equal(found->high, duplicates);
}

/* Who is named one domain shares as one, whatever the uid; the potential is the sum; the rest crosses. */
static void test_configured_domains(void **state)
{
	static const char config[] = "[domain shop]\nuid = 0-1\nexecutable = /usr/bin/shop\n"
				     "[domain ci]\ncgroup = /ci\nvm = ci-*\n";
	struct domain_rules rules = { 0 };
	struct sample s;

	(void)state;
	made_init(&s);
	for (uint32_t p = 0; p < 6; p++) {
		made_task(&s, 10 + p, p);
		s.tasks[p].cgroup = sample_name(&s, p == 3 ? "/ci/job" : "/other");
		s.tasks[p].executable_known = p == 4 ? DENIED : KNOWN;
		s.tasks[p].executable = sample_name(&s, p == 2 ? "/usr/bin/shop" : "/usr/bin/other");
		made_area(&s, p, 0x10000, 64);
		for (uint32_t i = 0; i < 20; i++)
			made_page(&s, i, 1 + i, 0);
	}
	s.tasks[5].vm = sample_name(&s, "ci-7");
	assert_int_equal(domain_rules_add(&rules, "d", config, strlen(config), NULL), 0);
	assert_int_equal(trust_assign(&s, &rules), 0);
	domain_rules_free(&rules);
	struct model m = build(&s);
	assert_int_equal(m.duplicates.frames, 100);
	assert_int_equal(m.by_domain_count, 3);
	check_domain(&s, &m, "shop", 3, 60, 40);	/* by uid, by uid, by executable */
	check_domain(&s, &m, "ci", 2, 40, 20);		/* by cgroup, by VM */
	check_domain(&s, &m, "pid 14", 1, 20, 0);	/* nobody knows what it runs: it shares with nobody */
	assert_int_equal(m.duplicates.inside_domains, 60);
	assert_int_equal(m.crossing_frames, 40);
	assert_int_equal(m.domain_sharing_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(m.domain_sharing[i].frames, 20);
		assert_true(m.domain_sharing[i].crosses);
	}
	done(&s, &m);
}

/* Equal contents of different uids are a risk, not a saving; a guest is a domain of its own. */
static void test_domains(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	for (uint32_t p = 0; p < 3; p++) {
		made_task(&s, 10 + p, p == 1 ? 1000 : 0);
		made_area(&s, p, 0x10000, 64);
		for (uint32_t i = 0; i < 20; i++)
			made_page(&s, i, 1 + i, 0);
	}
	s.tasks[2].vm = sample_name(&s, "guest");
	struct model m = build(&s);
	assert_int_equal(m.duplicates.frames, 40);
	assert_int_equal(m.duplicates.inside_domains, 0);
	assert_int_equal(m.crossing_frames, 40);
	assert_int_equal(m.duplicates.mergeable, 0);
	assert_int_equal(m.together.frames, 40);
	assert_int_equal(m.sharing_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(m.sharing[i].frames, 20);
		assert_true(m.sharing[i].crosses);
	}
	assert_int_equal(m.verdict, VERDICT_LEAVE);
	done(&s, &m);
}

static void test_secret_areas_are_left_out(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	made_task(&s, 10, 0);
	for (uint32_t k = 0; k < 2; k++) {
		struct area *a = made_area(&s, 0, 0x10000 + k * 0x100000, 64);
		if (k)
			a->flags |= AREA_SECRET;
		for (uint32_t i = 0; i < 20; i++)
			made_page(&s, i, 1 + i / 2 + k * 100, 0);
	}
	struct model m = build(&s);
	assert_true(m.worthwhile[0]);
	assert_false(m.worthwhile[1]);
	assert_int_equal(m.duplicates.frames, 20);
	assert_int_equal(m.duplicates.mergeable, 10);
	done(&s, &m);
}

static void test_granularity(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	made_task(&s, 10, 0);
	made_area(&s, 0, 0x100000, 64);		/* aligned to 64 KiB */
	uint32_t f[64];
	for (uint32_t i = 0; i < 32; i++)	/* two equal runs of 64 KiB */
		f[i] = made_page(&s, i, 1 + i % 16, 0);
	for (uint32_t i = 33; i < 64; i++)	/* a hole at page 32, then all the same */
		f[i] = made_page(&s, i, 99, 0);
	made_task(&s, 11, 0);
	made_area(&s, 1, 0x100000, 64);
	for (uint32_t i = 0; i < 16; i++)	/* the child's view is no block of its own */
		made_alias(&s, i, f[i]);
	struct model m = build(&s);
	assert_int_equal(m.granularity[1].block_bytes, 16384);
	assert_int_equal(m.granularity[1].blocks, 15);
	assert_int_equal(m.granularity[1].distinct, 5);
	assert_int_equal(m.granularity[2].block_bytes, 65536);
	assert_int_equal(m.granularity[2].blocks, 3);
	assert_int_equal(m.granularity[2].distinct, 2);
	assert_int_equal(m.granularity[3].blocks, 0);
	done(&s, &m);
}

/* ---- against a naive count ---- */

#define PROCESSES 5
#define PAGES 400

struct naive {
	uint32_t frame[PROCESSES][PAGES];	/* FRAME_NONE: not present */
	uint64_t content[PROCESSES * PAGES];
	uint32_t frames;
};

/* Random processes; some pages are another process's frames, some the same frame again. */
static void make_random(struct sample *s, struct naive *n)
{
	made_init(s);
	memset(n, 0, sizeof(*n));
	for (uint32_t p = 0; p < PROCESSES; p++) {
		made_task(s, 10 + p, p % 2);
		made_area(s, p, 0x100000, PAGES);
		for (uint32_t i = 0; i < PAGES; i++) {
			int dice = rand() % 10;
			n->frame[p][i] = FRAME_NONE;
			if (dice == 0)
				continue;
			if (dice == 1 && n->frames) {
				n->frame[p][i] = rand() % n->frames;
				made_alias(s, i, n->frame[p][i]);
			} else if (dice < 4 && p && n->frame[p - 1][i] != FRAME_NONE) {
				n->frame[p][i] = n->frame[p - 1][i];
				made_alias(s, i, n->frame[p][i]);
			} else {
				n->content[n->frames] = rand() % 300;
				n->frame[p][i] = made_page(s, i, n->content[n->frames], 0);
				n->frames++;
			}
		}
	}
}

static bool maps(const struct naive *n, uint32_t process, uint32_t frame)
{
	for (uint32_t i = 0; i < PAGES; i++)
		if (n->frame[process][i] == frame)
			return true;
	return false;
}

static bool holds(const struct naive *n, uint32_t process, uint64_t content)
{
	for (uint32_t i = 0; i < PAGES; i++)
		if (n->frame[process][i] != FRAME_NONE && n->content[n->frame[process][i]] == content)
			return true;
	return false;
}

static void check_process(const struct naive *n, const struct model *m, uint32_t p)
{
	uint64_t frames = 0, contents = 0;
	for (uint32_t f = 0; f < n->frames; f++)
		frames += maps(n, p, f);
	for (uint64_t c = 0; c < 300; c++)
		contents += holds(n, p, c);
	assert_int_equal(m->processes[p].candidate, frames);
	assert_int_equal(m->processes[p].self_duplicates, frames - contents);
}

static uint64_t naive_sharing(const struct naive *n, uint32_t a, uint32_t b)
{
	uint64_t both = 0;
	for (uint64_t c = 1; c < 300; c++) {
		bool common = false;
		for (uint32_t f = 0; f < n->frames; f++)
			common |= n->content[f] == c && maps(n, a, f) && maps(n, b, f);
		both += !common && holds(n, a, c) && holds(n, b, c);
	}
	return both;
}

static void check_sharing(const struct naive *n, const struct model *m)
{
	for (uint32_t a = 0; a < PROCESSES; a++) {
		for (uint32_t b = a + 1; b < PROCESSES; b++) {
			uint64_t got = 0;
			for (size_t i = 0; i < m->sharing_count; i++)
				if (m->sharing[i].a == a && m->sharing[i].b == b)
					got = m->sharing[i].frames;
			assert_int_equal(got, naive_sharing(n, a, b));
		}
	}
}

static void check_totals(const struct naive *n, const struct model *m)
{
	uint64_t copies[300] = { 0 }, distinct = 0, within = 0;
	double attributed = 0;

	for (uint32_t f = 0; f < n->frames; f++) {
		bool self = false;
		copies[n->content[f]]++;
		for (uint32_t p = 0; p < PROCESSES; p++)
			for (uint32_t g = 0; g < f && maps(n, p, f); g++)
				self |= n->content[g] == n->content[f] && maps(n, p, g);
		within += self;
	}
	for (int c = 0; c < 300; c++)
		distinct += copies[c] > 0;
	for (uint32_t p = 0; p < PROCESSES; p++)
		attributed += m->processes[p].attributed_frames;
	assert_int_equal(m->frames.candidate, n->frames);
	assert_int_equal(m->frames.zero, copies[0]);
	assert_int_equal(m->duplicates.frames, n->frames - distinct);
	assert_int_equal(m->duplicates.within_processes, within);
	assert_true(fabs(attributed - m->duplicates.frames) < 1e-6);
}

static void test_random_against_naive(void **state)
{
	static struct naive n;
	(void)state;
	for (int run = 0; run < 5; run++) {
		struct sample s;
		srand(1009 + run);
		make_random(&s, &n);
		struct model m = build(&s);
		check_totals(&n, &m);
		for (uint32_t p = 0; p < PROCESSES; p++)
			check_process(&n, &m, p);
		check_sharing(&n, &m);
		done(&s, &m);
	}
}

/* Large enough that hashes are sorted in buckets. */
static void test_many_frames(void **state)
{
	struct sample s;
	(void)state;
	made_init(&s);
	made_task(&s, 10, 0);
	made_area(&s, 0, 1ull << 32, 300007);
	for (uint32_t i = 0; i < 300007; i++)
		made_page(&s, i, 1 + i % 100003, 0);
	struct model m = build(&s);
	assert_int_equal(m.duplicates.frames, 200004);
	assert_int_equal(m.duplicates.distinct, 100003);
	done(&s, &m);
}

/* ---- reasons ---- */

static bool has_reason(const struct model *m, enum reason_code code, pid_t pid)
{
	for (size_t i = 0; i < m->reasons_count; i++)
		if (m->reasons[i].code == code && m->reasons[i].pid == pid)
			return true;
	return false;
}

static void one_process_with_pairs(struct sample *s)
{
	made_init(s);
	made_task(s, 10, 0);
	made_area(s, 0, 0x10000, 64);
	for (uint32_t i = 0; i < 20; i++)
		made_page(s, i, 1 + i / 2, 0);
}

static void test_reasons_engine(void **state)
{
	static const struct {
		enum knob knob;
		struct value value;
		enum reason_code code;
	} cases[] = {
		{ KNOB_RUN, { 0, KNOWN }, REASON_ENGINE_OFF },
		{ KNOB_RUN, { 2, KNOWN }, REASON_ENGINE_UNMERGING },
		{ KNOB_RUN, { 0, ABSENT }, REASON_NO_KSM },
		{ KNOB_RUN, { 0, DENIED }, REASON_DENIED },
		{ KNOB_RUN, { 1, KNOWN }, REASON_TWO_PASSES },
		{ KNOB_GENERAL_PROFIT, { 0, ABSENT }, REASON_KERNEL_OLD },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sample s;
		one_process_with_pairs(&s);
		s.engine.knob[cases[i].knob] = cases[i].value;
		struct model m = build(&s);
		assert_true(has_reason(&m, cases[i].code, 0));
		for (enum reason_code c = REASON_ENGINE_OFF; c <= REASON_NO_KSM; c++)
			assert_int_equal(has_reason(&m, c, 0), c == cases[i].code ||
					 (c == REASON_ENGINE_OFF && cases[i].knob != KNOB_RUN));
		done(&s, &m);
	}
}

static void test_reasons_of_a_process(void **state)
{
	struct sample s;
	(void)state;
	one_process_with_pairs(&s);
	made_area(&s, 0, 0x900000, 8)->class = AREA_SHARED;
	s.areas[1].present_pages = 5;
	struct model m = build(&s);
	assert_true(has_reason(&m, REASON_NOT_OPTED_IN, 10));
	assert_true(has_reason(&m, REASON_SHARED, 10));
	assert_false(has_reason(&m, REASON_HUGETLB, 10));
	assert_int_equal(m.frames.not_mergeable[AREA_SHARED], 5);
	done(&s, &m);

	one_process_with_pairs(&s);
	s.areas[0].flags = AREA_MERGEABLE;
	m = build(&s);
	assert_false(has_reason(&m, REASON_NOT_OPTED_IN, 10));
	done(&s, &m);

	one_process_with_pairs(&s);
	s.tasks[0].ksm.merge_any = value_of(1);
	m = build(&s);
	assert_false(has_reason(&m, REASON_NOT_OPTED_IN, 10));
	done(&s, &m);
}

static void test_scan_time(void **state)
{
	struct engine e = { 0 };
	(void)state;
	assert_true(doctor_scan_seconds(&e, NULL, 1000) < 0);		/* nothing known */
	e.knob[KNOB_RUN] = value_of(1);
	assert_true(doctor_scan_seconds(&e, NULL, 1000) < 0);
	e.knob[KNOB_PAGES_TO_SCAN] = value_of(100);
	e.knob[KNOB_SLEEP_MILLISECS] = value_of(20);
	/* 64 GiB at the defaults: 56 minutes of naps, and three of work */
	double seconds = doctor_scan_seconds(&e, NULL, 16777216);
	assert_true(seconds > 58.5 * 60 && seconds < 59.5 * 60);
	e.knob[KNOB_PAGES_TO_SCAN] = value_of(1000000);
	e.knob[KNOB_SLEEP_MILLISECS] = value_of(0);
	seconds = doctor_scan_seconds(&e, NULL, 262144);	/* 6.7 to 7.0 µs a page were measured */
	assert_true(seconds > 6.5e-6 * 262144 && seconds < 7.1e-6 * 262144);
	assert_true(doctor_scan_seconds(&e, NULL, 16) == 16 * 1.1e-6);
	assert_true(doctor_scan_seconds(&e, NULL, 0) == 0);
	/* measured here: instead of the fit */
	struct calibration c = { .scans = 1, .scan = { { .pages = 1u << 18, .visit_ns = { .known = KNOWN, .median = 2000 } } } };
	double by_fit = seconds, measured = doctor_scan_seconds(&e, &c, 262144);
	assert_true(fabs((by_fit - measured) - 262144 * (0.65e-6 * 10.5 - 2e-6)) < 1e-6);
	assert_true(doctor_scan_seconds(&e, &c, 16) == 16 * 1.1e-6);	/* too far from what was measured */
	e.knob[KNOB_ADVISOR_MODE] = value_of(ADVISOR_SCAN_TIME);
	e.knob[KNOB_ADVISOR_TARGET_SCAN_TIME] = value_of(200);
	assert_true(doctor_scan_seconds(&e, NULL, 16777216) == 200);
	e.knob[KNOB_RUN] = value_of(0);
	assert_true(doctor_scan_seconds(&e, NULL, 1000) < 0);
	e.knob[KNOB_RUN] = value_of(1);
	e.knob[KNOB_ADVISOR_MODE] = (struct value){ .known = ABSENT };
	e.knob[KNOB_PAGES_TO_SCAN] = value_of(0);
	assert_true(doctor_scan_seconds(&e, NULL, 1000) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_pairs_and_zero),
		cmocka_unit_test(test_volatile_and_unread_stand_alone),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_merged_frame_mapped_often),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_configured_domains),
		cmocka_unit_test(test_secret_areas_are_left_out),
		cmocka_unit_test(test_granularity),
		cmocka_unit_test(test_random_against_naive),
		cmocka_unit_test(test_many_frames),
		cmocka_unit_test(test_reasons_engine),
		cmocka_unit_test(test_reasons_of_a_process),
		cmocka_unit_test(test_scan_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
