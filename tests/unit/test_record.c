// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samples packed for a recording: the same answer follows, to the byte; what is in them tells nothing of hashes; and
 * whatever a file says, reading it ends in a refusal or in a sample that holds together.
 */
#include "made_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/estimate/sampled.h"
#include "core/huge/calibration.h"
#include "core/huge/frontier.h"
#include "core/huge/heat.h"
#include "core/huge/hidden.h"
#include "core/judge/build.h"
#include "core/mix.h"
#include "core/live/pack.h"
#include "core/record/sample_pack.h"
#include "core/trust/assign.h"
#include "out/advise.h"

#define PAGE 16384u	/* of another machine than most */

/* Both answers to a sample, which is used up. */
static void answer(struct text *json, struct text *words, struct sample *s)
{
	const struct advise_style style = { .utf8 = true, .verbose = true };
	const struct frontier_options frontier = { .calibration = s->calibration };
	struct model m;

	assert_int_equal(hidden_count(s), 0);
	assert_int_equal(model_build(&m, s), 0);
	if (!s->sampled && s->reader != READER_NONE)
		assert_int_equal(huge_build(&m.huge, s, &frontier), 0);
	const struct advice advice = { .sample = s, .model = &m, .ledger = true };
	advise_json(json, &advice);
	advise_text(words, &advice, &style);
	assert_false(json->failed || words->failed);
	model_free(&m);
}

static void made_machine(struct sample *s)
{
	made_init(s);
	s->time_ns = 1767225600123456789;
	s->seconds = 1.25;
	s->cpu_seconds = 0.75;
	s->settle_seconds = 1;
	s->frames_read = 4711;
	s->machine.page_bytes = PAGE;
	s->machine.pmd_bytes = 32 * PAGE;
	s->machine.pud_bytes = 32ull * PAGE * PAGE / 8;
	s->machine.cpus = 96;
	snprintf(s->machine.release, sizeof(s->machine.release), "6.12.0-other");
	s->machine.total_bytes = value_of(1ll << 40);
	s->machine.split_frees_zero = (struct value){ .known = DENIED };
	s->engine.knob[KNOB_GENERAL_PROFIT] = value_of(-81920);
	s->engine.knob[KNOB_SMART_SCAN] = (struct value){ .known = ABSENT };
	s->engine.cow_ksm = value_of(12);
	s->reader = READER_COPY;
	s->reader_why = "this kernel refuses to read its direct map (lockdown?)";
	sample_missing(s, "contents of process 12", GONE, "it ended");
	sample_lacks(s, "ksm/smart_scan", ABSENT, "came with Linux %s", "6.7");
}

static void made_processes(struct sample *s)
{
	sample_name(s, "/a name that nobody uses/secret");
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t index = made_task(s, 100 + (pid_t)i, i == 2 ? 1000 : 0);
		struct task *t = &s->tasks[index];
		snprintf(t->comm, sizeof(t->comm), "work\x01er %u", i);
		t->state = 'S';
		t->start_ticks = 12345 + i;
		t->cgroup = sample_name(s, i ? "/system.slice/x.service" : "/");
		t->executable = sample_name(s, "/usr/bin/worker");
		t->executable_known = i == 1 ? DENIED : KNOWN;
		t->ksm.merging_pages = value_of(5 * i);
		t->ksm.merge_any = (struct value){ .known = ABSENT };
	}
	s->tasks[1].vm = sample_name(s, "guest");
}

/* `key` makes the hashes. */
static void made_exact(struct sample *s, uint64_t key)
{
	made_machine(s);
	made_processes(s);
	for (uint32_t t = 0; t < 3; t++) {
		struct area *a = made_area(s, t, 0x100000ull * PAGE * (t + 1), 96);
		s->tasks[t].first_area = s->areas_count - 1;
		a->end = a->start + 96 * PAGE;
		a->name = sample_name(s, t == 1 ? "[heap]" : "");
		a->flags = t == 2 ? AREA_MERGEABLE : 0;
		a->swapped_pages = 3;
		for (uint32_t p = 0; p < 80; p++) {
			uint64_t content = p < 10 ? 0 : p < 50 ? p : 1000 * t + p;
			uint8_t flags = p == 60 ? FRAME_VOLATILE : p == 61 ? FRAME_UNREAD : p == 62 ? FRAME_MERGED : p < 32 ? FRAME_HUGE : 0;
			uint32_t frame = made_page(s, p, content, flags);
			frame_hashes(&s->frames)[frame] = mix64(content ^ key);
		}
		if (t)
			for (uint32_t p = 0; p < 5; p++)
				made_alias(s, 85 + p, 70 + p);
	}
}

static void made_heat_and_calibration(struct sample *s)
{
	static const char why[] = "another program uses it";

	s->heat = heat_facts_new(3, 1);
	s->heat->source = HEAT_REFERENCED;
	s->heat->seconds = 2;
	s->heat->tasks[0].known = DENIED;
	s->heat->tasks[0].why = why;
	s->heat->tasks[1].known = KNOWN;
	s->heat->tasks[1].cpu_seconds = 0.5;
	s->heat->tasks[1].looks.count[3] = 7;
	s->heat->tasks[1].looks.seconds[3] = 0.25;
	s->heat->hits[0].hits[3] = 4;
	assert_int_equal(hidden_begin(s), 0);
	hidden_add(s, frame_hashes(&s->frames)[20], true, false);
	hidden_add(s, frame_hashes(&s->frames)[0], true, true);
	hidden_add(s, 4711, true, false);
	hidden_add(s, 4711, true, false);
	hidden_add(s, 0, false, false);
	s->calibration = calloc(1, sizeof(*s->calibration));
	snprintf(s->calibration->cpu, sizeof(s->calibration->cpu), "some CPU");
	s->calibration->cost[COST_COW_BREAK] = (struct measured){ .known = KNOWN, .median = 3000, .low = 2900, .high = 3100, .count = 9 };
	s->calibration->scans = 1;
	s->calibration->scan[0].pages = 1000;
	s->calibration->scan[0].visit_ns = (struct measured){ .known = KNOWN, .median = 500, .low = 400, .high = 600, .count = 9 };
}

static void made_sampled(struct sample *s, uint64_t key)
{
	struct sketch_options options = { .theta = 0.25, .run = 1, .phase = mix64(key), .bytes = 1 << 20 };
	uint64_t zero = mix64(1 ^ key);

	made_machine(s);
	made_processes(s);
	assert_int_equal(sampled_new(&s->sampled, 3, &options, NULL), 0);
	sketch_set_heavy(&s->sampled->sketch, &zero, 1);
	for (uint32_t i = 0; i < 4; i++) {		/* the second and the last are owners of their own */
		made_area(s, i ? i - 1 : 0, 0x100000ull * PAGE * (i + 1), 3000);
		s->tasks[i ? i - 1 : 0].first_area = i > 1 ? i : 0;
		if (i % 2)
			assert_int_equal(sampled_add_area(s->sampled, i, i - 1), 0);
	}
	for (uint64_t content = 1; content < 1500; content++)
		for (uint32_t owner = 0; owner < 1 + content % 3; owner++) {
			uint64_t hash = mix64(content ^ key);
			sketch_add(&s->sampled->sketch, mix64((content & ~1ull) ^ key ^ 77), hash, owner, 1 + content % 2);
			s->sampled->candidate += 1 + content % 2;
			s->sampled->tasks[owner].candidate += 1 + content % 2;
			if (content % 3 == 0) {
				sketch_add(&s->sampled->sketch, mix64((content & ~1ull) ^ key ^ 77), hash, 3 + owner % 2, 3);
				s->sampled->areas[owner % 2].candidate += 3;
			}
			survival_add(&s->sampled->tasks[owner].stays, 3, content % 8 ? 3 : 1, 1);
		}
	s->sampled->zero = s->sampled->tasks[0].zero = 2;
	s->sampled->followed = 1;
}

static void packed(struct text *ret, const struct sample *s)
{
	*ret = (struct text){ 0 };
	assert_int_equal(sample_pack(ret, s, true), 0);
}

static void same_answer_after(struct sample *s)
{
	struct text bytes, before[2] = { 0 }, after[2] = { 0 };
	struct sample back;
	struct error err;
	bool named_missing = false;

	packed(&bytes, s);
	answer(&before[0], &before[1], s);
	sample_free(s);
	assert_int_equal(sample_unpack(&back, &named_missing, bytes.bytes, bytes.length, &err), 0);
	assert_true(named_missing);
	text_free(&bytes);		/* nothing of the sample points into it */
	answer(&after[0], &after[1], &back);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(before[i].bytes, after[i].bytes);
		text_free(&before[i]);
		text_free(&after[i]);
	}
	sample_free(&back);
}

static void test_the_same_answer(void **state)
{
	struct sample s;
	(void)state;

	made_exact(&s, 1);
	same_answer_after(&s);
	made_exact(&s, 1);
	made_heat_and_calibration(&s);
	assert_int_equal(trust_assign(&s, NULL), 0);
	same_answer_after(&s);
	made_sampled(&s, 1);
	same_answer_after(&s);
	made_machine(&s);		/* nobody looked */
	made_processes(&s);
	s.reader = READER_NONE;
	same_answer_after(&s);
}

/* Another key, other hashes, in another order: the same bytes. So there is nothing of them in it. */
static void test_nothing_of_hashes(void **state)
{
	struct text bytes[2];
	struct sample s;
	(void)state;

	for (int i = 0; i < 2; i++) {
		made_exact(&s, i ? UINT64_C(0x5851f42d4c957f2d) : 3);
		packed(&bytes[i], &s);
		sample_free(&s);
	}
	assert_int_equal(bytes[0].length, bytes[1].length);
	assert_memory_equal(bytes[0].bytes, bytes[1].bytes, bytes[0].length);
	assert_null(memmem(bytes[0].bytes, bytes[0].length, "secret", 6));
	text_free(&bytes[0]);
	text_free(&bytes[1]);
}

/* The largest number in it is a threshold or a count, and ranks are below the number of slots. */
static void test_nothing_of_a_sampled_hash(void **state)
{
	struct text bytes, one = { 0 };
	struct sample s;
	(void)state;

	made_sampled(&s, 9);
	packed(&bytes, &s);
	const struct sketch *k = &s.sampled->sketch;
	for (uint32_t i = 0; i < k->slots_count; i++) {
		if (!k->slots[i].frames || k->slots[i].hash < 1ull << 40)
			continue;
		one.length = 0;
		pack_u64(&one, k->slots[i].hash);
		assert_true(one.length > 4);
		assert_null(memmem(bytes.bytes, bytes.length, one.bytes, one.length));
		assert_null(memmem(bytes.bytes, bytes.length, &k->slots[i].hash, 8));
	}
	text_free(&bytes);
	text_free(&one);
	sample_free(&s);
}

/* ---- files that say what is not so ---- */

static void try_unpack(const void *bytes, size_t length, unsigned int *accepted)
{
	struct text json = { 0 }, words = { 0 };
	struct sample s;
	struct error err = { 0 };
	bool named_missing;

	if (sample_unpack(&s, &named_missing, bytes, length, &err)) {
		assert_int_equal(err.status, EXIT_FAILED);
		assert_true(*err.text);
		return;
	}
	++*accepted;
	answer(&json, &words, &s);
	text_free(&json);
	text_free(&words);
	sample_free(&s);
}

static void test_cut_short(void **state)
{
	struct sample s;
	struct text bytes;
	unsigned int accepted = 0;
	(void)state;

	for (int sampled = 0; sampled < 2; sampled++) {
		(sampled ? made_sampled : made_exact)(&s, 1);
		packed(&bytes, &s);
		for (size_t length = 0; length < bytes.length; length += 1 + length / 500)
			try_unpack(bytes.bytes, length, &accepted);
		text_add(&bytes, "x", 1);
		try_unpack(bytes.bytes, bytes.length, &accepted);
		text_free(&bytes);
		sample_free(&s);
	}
	assert_int_equal(accepted, 0);
}

static void test_changed_bytes(void **state)
{
	static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct sample s;
	struct text bytes;
	unsigned int accepted = 0;
	(void)state;

	for (int sampled = 0; sampled < 2; sampled++) {
		(sampled ? made_sampled : made_exact)(&s, 1);
		if (!sampled)
			made_heat_and_calibration(&s);
		packed(&bytes, &s);
		for (size_t at = 0; at < bytes.length; at += 1 + (sampled ? at / 100 : at / 1000))
			for (size_t v = 0; v < sizeof(values); v++) {
				char old = bytes.bytes[at];
				bytes.bytes[at] = (char)values[v];
				try_unpack(bytes.bytes, bytes.length, &accepted);
				bytes.bytes[at] = old;
			}
		text_free(&bytes);
		sample_free(&s);
	}
	assert_true(accepted > 100);		/* other counts, other names: still samples */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_answer),
		cmocka_unit_test(test_nothing_of_hashes),
		cmocka_unit_test(test_nothing_of_a_sampled_hash),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_changed_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
