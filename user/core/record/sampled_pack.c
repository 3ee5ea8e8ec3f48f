// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A sample of contents: what an estimate needs of it. Of the count of probes
 * only how many bits of each level are set; which ones says nothing more to the
 * estimate, and would say something of the hashes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/estimate/sampled.h"
#include "core/record/parts.h"

_Static_assert(sizeof(void *) != 8 || (sizeof(struct sketch_slot) == 28 &&
				       sizeof(struct sampled) - sizeof(struct sketch) == 112 && sizeof(struct sketch) == 32896 &&
				       sizeof(struct sampled_task) == 80 && sizeof(struct sampled_area) == 32),
	       "what was added to them has to be recorded");

static uint64_t bits_set(const struct distinct *d, unsigned int level)
{
	size_t words = (size_t)1 << (d->level_bits_log2 - 6);
	uint64_t set = 0;
	for (size_t i = 0; i < words; i++)
		set += (uint64_t)__builtin_popcountll(d->words[level * words + i]);
	return set;
}

/* The first `set` bits of a level, in place of others. */
static void set_bits(struct distinct *d, unsigned int level, uint64_t set)
{
	uint64_t *words = d->words + ((size_t)level << (d->level_bits_log2 - 6));
	memset(words, 0xff, set / 64 * 8);
	if (set % 64)
		words[set / 64] = (UINT64_C(1) << (set % 64)) - 1;
}

static int code_probes(struct codec *c, struct distinct *d)
{
	unsigned int log2 = code_below(c, d->level_bits_log2, 32);

	if (code_reads(c) && (log2 < 6 || log2 > 26))
		code_refuse(c);		/* 26: 128 MiB, more than the largest of ours */
	if (code_failed(c))
		return 0;
	if (code_reads(c)) {
		distinct_free(d);
		d->level_bits_log2 = log2;
		d->words = calloc(1, distinct_bytes(d));
		if (!d->words)
			return -ENOMEM;
	}
	for (unsigned int level = 0; level < DISTINCT_LEVELS; level++) {
		uint64_t set = code_below(c, code_reads(c) ? 0 : bits_set(d, level), UINT64_C(1) << log2);
		if (code_reads(c))
			set_bits(d, level, set);
	}
	return 0;
}

static int code_owners(struct codec *c, struct sketch *s, size_t owners)
{
	size_t count = code_count(c, s->owners);

	if (count > owners)
		code_refuse(c);
	if (code_reads(c) && !code_failed(c)) {
		s->owner_frames = calloc(count + 1, sizeof(*s->owner_frames));
		if (!s->owner_frames)
			return -ENOMEM;
		s->owners = s->owners_capacity = count;
	}
	for (size_t i = 0; i < count && !code_failed(c); i++)
		for (int k = 0; k < SKETCH_STRATA; k++)
			s->owner_frames[i][k] = code_u64(c, s->owner_frames[i][k]);
	return 0;
}

/* Place and hash as ranks. An estimate asks for their order alone. */
static int code_slots(struct codec *c, struct sketch *s, const struct sketch_slot *slots, uint64_t *place,
		      uint64_t *hash, size_t count)
{
	for (size_t i = 0; i < count && !code_failed(c); i++) {
		struct sketch_slot slot = slots ? slots[i] : (struct sketch_slot){ 0 };
		slot.place = code_u64(c, slots ? place[i] : 0);
		slot.hash = code_u64(c, slots ? hash[i] : 0);
		slot.owner = code_below(c, slot.owner, s->owners ? s->owners - 1 : 0);
		slot.stratum = code_below(c, slot.stratum, SKETCH_STRATA - 1);
		slot.frames = code_below(c, slot.frames, UINT32_MAX);
		slot.young = code_below(c, slot.young, slot.frames);
		if (!slot.frames)
			code_refuse(c);
		if (code_reads(c) && !code_failed(c)) {
			s->slots[i] = slot;
			s->used[slot.stratum]++;
		}
	}
	return 0;
}

static int write_slots(struct codec *c, struct sketch *s)
{
	size_t used = (size_t)s->used[SKETCH_LIGHT] + s->used[SKETCH_HEAVY], count = 0, different;
	struct sketch_slot *slots = calloc(used + 1, sizeof(*slots));
	uint64_t *place = calloc(used + 1, sizeof(*place)), *hash = calloc(used + 1, sizeof(*hash));
	int rc = slots && place && hash ? 0 : -ENOMEM;

	for (uint32_t i = 0; !rc && i < s->slots_count && count < used; i++) {
		if (!s->slots[i].frames)
			continue;
		place[count] = s->slots[i].place;
		hash[count] = s->slots[i].hash;
		slots[count++] = s->slots[i];
	}
	if (!rc && !(rc = ranks_of(place, count, &different)) && !(rc = ranks_of(hash, count, &different))) {
		code_count(c, count);
		rc = code_slots(c, s, slots, place, hash, count);
	}
	free(slots);
	free(place);
	free(hash);
	return rc;
}

static int read_slots(struct codec *c, struct sketch *s)
{
	size_t count = code_count(c, 0);

	if (count > UINT32_MAX - 1)
		code_refuse(c);
	if (code_failed(c))
		return 0;
	free(s->slots);
	s->slots = calloc(count + 1, sizeof(*s->slots));
	if (!s->slots)
		return -ENOMEM;
	s->slots_count = count;
	return code_slots(c, s, NULL, NULL, NULL, count);
}

static int code_sketch(struct codec *c, struct sketch *s, size_t owners)
{
	s->probe_is_hash = code_bool(c, s->probe_is_hash);
	s->counts_distinct = code_bool(c, s->counts_distinct);
	for (int k = 0; k < SKETCH_STRATA; k++)
		s->last[k] = code_u64(c, s->last[k]);
	s->probes_gone = code_double(c, s->probes_gone);
	s->probes_gone_variance = code_double(c, s->probes_gone_variance);
	int rc = code_probes(c, &s->probes);
	if (!rc)
		rc = code_owners(c, s, owners);
	return rc ? rc : code_reads(c) ? read_slots(c, s) : write_slots(c, s);
}

static void code_survival(struct codec *c, struct survival *s)
{
	s->pages = code_double(c, s->pages);
	s->stayed = code_double(c, s->stayed);
	s->pages_pages = code_double(c, s->pages_pages);
	s->stayed_pages = code_double(c, s->stayed_pages);
	s->stayed_stayed = code_double(c, s->stayed_stayed);
	s->contents = code_u64(c, s->contents);
}

static void code_task(struct codec *c, struct sampled_task *t)
{
	t->candidate = code_u64(c, t->candidate);
	t->zero = code_u64(c, t->zero);
	t->huge = code_u64(c, t->huge);
	code_survival(c, &t->stays);
}

/* Mappings that are owners, in ascending order: each belongs to the task that the sample says. */
static int code_areas(struct codec *c, const struct sample *sample, struct sampled *s)
{
	size_t count = code_count(c, s->areas_count), next = 0;

	for (size_t i = 0; i < count && !code_failed(c); i++) {
		size_t area = code_below(c, code_reads(c) ? 0 : s->areas[i].area - next, SIZE_MAX) + next;
		if (area < next || area >= sample->areas_count)
			code_refuse(c);
		if (code_failed(c))
			break;
		if (code_reads(c) && sampled_add_area(s, area, sample->areas[area].task))
			return -ENOMEM;
		s->areas[i].candidate = code_u64(c, s->areas[i].candidate);
		s->areas[i].zero = code_u64(c, s->areas[i].zero);
		s->areas[i].huge = code_u64(c, s->areas[i].huge);
		next = area + 1;
	}
	return 0;
}

int code_sampled(struct codec *c, struct sample *sample)
{
	const struct sketch_options smallest = { .bytes = SKETCH_MIN_BYTES, .theta = 1 };

	if (code_reads(c) && sampled_new(&sample->sampled, sample->tasks_count, &smallest, NULL))
		return -ENOMEM;
	struct sampled *s = sample->sampled;
	uint64_t *const counts[] = { &s->candidate, &s->zero, &s->zero_in_huge, &s->merged, &s->huge, &s->unread, &s->multi,
				     &s->hashed };
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		*counts[i] = code_u64(c, *counts[i]);
	s->told = code_bool(c, s->told);
	s->followed = code_below(c, s->followed, UINT32_MAX);
	for (size_t i = 0; i < sample->tasks_count; i++)
		code_task(c, &s->tasks[i]);
	int rc = code_areas(c, sample, s);
	return rc ? rc : code_sketch(c, &s->sketch, sampled_owners(s));
}
