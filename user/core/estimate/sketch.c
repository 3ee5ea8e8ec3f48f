// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/sketch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mix.h"

/* The table is kept at most this full: linear probing stays short. */
#define FULL_PERCENT 75
/* It begins with this part of its slots. While it grows both are there, in the room of the index that comes later. */
#define FIRST_PART 8
#define FIRST_SLOTS 1024
/* An estimate sorts an index of the slots in use: it, and the room that qsort takes to merge. */
#define INDEX_BYTES 8
/* The count of probes takes a quarter of a small budget, 512 KiB of a usual one, 1/32 of a large one. */
#define DISTINCT_ENOUGH ((size_t)512 << 10)

static size_t distinct_share(size_t bytes)
{
	size_t share = bytes / 32 > DISTINCT_ENOUGH ? bytes / 32 : DISTINCT_ENOUGH;
	return share < bytes / 4 ? share : bytes / 4;
}

static uint64_t last_place(double theta)
{
	if (theta >= 1)
		return UINT64_MAX;
	uint64_t first_out = (uint64_t)ldexp(theta, 64);
	return first_out ? first_out - 1 : 0;
}

static uint32_t full_at(uint32_t slots)
{
	return (uint32_t)((uint64_t)slots * FULL_PERCENT / 100);
}

/* With all tables empty. */
static void begin(struct sketch *s, double theta)
{
	s->last[SKETCH_LIGHT] = last_place(theta);
	s->last[SKETCH_HEAVY] = UINT64_MAX;
	s->counts_distinct = true;
}

int sketch_init(struct sketch *ret, const struct sketch_options *options, struct error *err)
{
	size_t bytes = options->bytes ? options->bytes : SKETCH_DEFAULT_BYTES;

	*ret = (struct sketch){ .run = options->run, .phase = options->phase,
				.probe_is_hash = options->probe_is_hash };
	if (bytes < SKETCH_MIN_BYTES)
		return fail(err, EXIT_USAGE, "the table of the sample can't work in %zu bytes: give it at least %zu",
			    bytes, SKETCH_MIN_BYTES);
	if (!(options->theta > 0 && options->theta <= 1))
		return fail(err, EXIT_USAGE, "a sample of %g of the contents is none: choose more than 0 and at most 1",
			    options->theta);
	if (distinct_init(&ret->probes, distinct_share(bytes)))
		return fail(err, EXIT_FAILED, "no memory for a sample of %zu bytes", bytes);
	size_t slots = (bytes - sizeof(*ret) - distinct_bytes(&ret->probes)) /
		       (sizeof(struct sketch_slot) + INDEX_BYTES * FULL_PERCENT / 100.0);
	ret->slots_max = slots < UINT32_MAX ? (uint32_t)slots : UINT32_MAX;
	ret->used_max = full_at(ret->slots_max);
	ret->slots_count = ret->slots_max / FIRST_PART > FIRST_SLOTS ? ret->slots_max / FIRST_PART : ret->slots_max;
	ret->slots = calloc(ret->slots_count, sizeof(*ret->slots));
	if (!ret->slots) {
		sketch_free(ret);
		return fail(err, EXIT_FAILED, "no memory for a sample of %zu bytes", bytes);
	}
	begin(ret, options->theta);
	return 0;
}

void sketch_free(struct sketch *s)
{
	distinct_free(&s->probes);
	free(s->slots);
	free(s->owner_frames);
	*s = (struct sketch){ 0 };
}

void sketch_clear(struct sketch *s, double theta)
{
	memset(s->slots, 0, s->slots_count * sizeof(*s->slots));
	distinct_clear(&s->probes);
	memset(s->heavy, 0, sizeof(s->heavy));
	free(s->owner_frames);
	s->owner_frames = NULL;
	s->owners = s->owners_capacity = s->heavy_count = s->used[SKETCH_LIGHT] = s->used[SKETCH_HEAVY] = 0;
	s->probes_gone = s->probes_gone_variance = 0;
	s->failed = 0;
	begin(s, theta);
}

/* ---- frequent probes ---- */

#define HEAVY_SLOTS (4 * SKETCH_HEAVY_MAX)

/* Where the probe is in the table, or where it would go. 0 stands for a free slot, so probe 0 borrows 1. */
static uint32_t heavy_slot(const struct sketch *s, uint64_t *probe)
{
	*probe += *probe == 0;
	uint32_t i = (uint32_t)(mix64(*probe) % HEAVY_SLOTS);
	while (s->heavy[i] && s->heavy[i] != *probe)
		i = (i + 1) % HEAVY_SLOTS;
	return i;
}

bool sketch_is_heavy(const struct sketch *s, uint64_t probe)
{
	return s->heavy_count && s->heavy[heavy_slot(s, &probe)];
}

void sketch_set_heavy(struct sketch *s, const uint64_t *probes, uint32_t count)
{
	for (uint32_t i = 0; i < count && s->heavy_count < SKETCH_HEAVY_MAX; i++) {
		uint64_t probe = probes[i];
		uint32_t slot = heavy_slot(s, &probe);
		if (s->heavy[slot])
			continue;
		s->heavy[slot] = probe;
		s->heavy_count++;
	}
}

/* ---- the table of (content, owner) ---- */

static uint32_t slot_home(const struct sketch *s, uint64_t hash, uint32_t owner)
{
	uint64_t mixed = mix64(hash + owner * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
	return (uint32_t)(mixed * s->slots_count >> 32);
}

static uint32_t slot_after(const struct sketch *s, uint32_t i)
{
	return i + 1 == s->slots_count ? 0 : i + 1;
}

/* The slot that holds this content with this owner, else the free one where it belongs. */
static struct sketch_slot *slot_find(const struct sketch *s, const struct sketch_slot *like)
{
	uint32_t i = slot_home(s, like->hash, like->owner);

	while (s->slots[i].frames &&
	       (s->slots[i].hash != like->hash || s->slots[i].place != like->place || s->slots[i].owner != like->owner))
		i = slot_after(s, i);
	return &s->slots[i];
}

/* Free slot i and move what follows it up, so that every chain stays whole (Knuth, vol. 3, 6.4, algorithm R). */
static void slot_remove(struct sketch *s, uint32_t i)
{
	s->used[s->slots[i].stratum]--;
	for (uint32_t j = slot_after(s, i); s->slots[j].frames; j = slot_after(s, j)) {
		uint32_t home = slot_home(s, s->slots[j].hash, s->slots[j].owner);
		bool home_between = i <= j ? i < home && home <= j : i < home || home <= j;
		if (home_between)
			continue;
		s->slots[i] = s->slots[j];
		i = j;
	}
	s->slots[i].frames = 0;
}

static bool place_is_out(const struct sketch *s, const struct sketch_slot *slot)
{
	return slot->place > s->last[slot->stratum];
}

static void drop_what_is_out(struct sketch *s)
{
	for (uint32_t i = 0; i < s->slots_count; i++)
		while (s->slots[i].frames && place_is_out(s, &s->slots[i]))
			slot_remove(s, i);
}

static uint32_t slots_used(const struct sketch *s)
{
	return s->used[SKETCH_LIGHT] + s->used[SKETCH_HEAVY];
}

/* Halve the threshold of the stratum that holds more. */
static void make_room(struct sketch *s)
{
	while (slots_used(s) >= s->used_max && !s->failed) {
		uint64_t *last = &s->last[s->used[SKETCH_HEAVY] > s->used[SKETCH_LIGHT] ? SKETCH_HEAVY : SKETCH_LIGHT];
		if (*last == 0)
			s->failed = -ENOSPC;
		*last >>= 1;
		drop_what_is_out(s);
	}
}

void sketch_lower(struct sketch *s, enum sketch_stratum stratum, uint64_t last)
{
	if (last >= s->last[stratum])
		return;
	s->last[stratum] = last;
	drop_what_is_out(s);
}

/* All slots from now on. Where memory is out, what there is has to do. */
static void grow(struct sketch *s)
{
	struct sketch_slot *few = s->slots;
	uint32_t few_count = s->slots_count;

	s->slots = calloc(s->slots_max, sizeof(*s->slots));
	if (!s->slots) {
		s->slots = few;
		s->slots_max = few_count;
		s->used_max = full_at(few_count);
		return;
	}
	s->slots_count = s->slots_max;
	for (uint32_t i = 0; i < few_count; i++)
		if (few[i].frames)
			*slot_find(s, &few[i]) = few[i];
	free(few);
}

static uint32_t frames_plus(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static void slot_add(struct sketch *s, const struct sketch_slot *new)
{
	if (place_is_out(s, new))
		return;
	struct sketch_slot *slot = slot_find(s, new);
	if (slot->frames) {
		slot->frames = frames_plus(slot->frames, new->frames);
		slot->young = frames_plus(slot->young, new->young);
		return;
	}
	if (slots_used(s) >= full_at(s->slots_count)) {
		if (s->slots_count < s->slots_max)
			grow(s);
		make_room(s);
		if (s->failed || place_is_out(s, new))
			return;
		slot = slot_find(s, new);
	}
	*slot = *new;
	s->used[new->stratum]++;
}

/* ---- owners ---- */

static bool owners_grow(struct sketch *s, uint32_t owner)
{
	uint32_t capacity = owner + 1 + owner / 4;
	uint64_t (*grown)[SKETCH_STRATA] = reallocarray(s->owner_frames, capacity, sizeof(*grown));

	if (!grown) {
		s->failed = -ENOMEM;
		return false;
	}
	memset(grown + s->owners_capacity, 0, (capacity - s->owners_capacity) * sizeof(*grown));
	s->owner_frames = grown;
	s->owners_capacity = capacity;
	return true;
}

static bool owner_reserve(struct sketch *s, uint32_t owner)
{
	if (owner < s->owners)
		return true;
	if (owner > SKETCH_OWNER_MAX) {
		s->failed = -ENOSPC;
		return false;
	}
	if (owner >= s->owners_capacity && !owners_grow(s, owner))
		return false;
	s->owners = owner + 1;
	return true;
}

bool sketch_see(struct sketch *s, uint64_t probe, uint32_t owner, uint32_t frames)
{
	if (!frames || !owner_reserve(s, owner))
		return false;
	bool heavy = sketch_is_heavy(s, probe);
	s->owner_frames[owner][heavy ? SKETCH_HEAVY : SKETCH_LIGHT] += frames;
	if (heavy)
		return true;
	distinct_add(&s->probes, probe);
	return probe + s->phase <= s->last[SKETCH_LIGHT];
}

void sketch_unsee(struct sketch *s, uint64_t probe, uint32_t owner, uint32_t frames)
{
	if (owner >= s->owners)
		return;
	uint64_t *seen = &s->owner_frames[owner][sketch_is_heavy(s, probe) ? SKETCH_HEAVY : SKETCH_LIGHT];
	*seen -= frames < *seen ? frames : *seen;
}

static struct sketch_slot slot_of(const struct sketch *s, uint64_t probe, uint64_t hash, uint32_t owner)
{
	bool heavy = sketch_is_heavy(s, probe);
	return (struct sketch_slot){
		.place = (heavy ? hash : probe) + s->phase,
		.hash = hash,
		.owner = owner & SKETCH_OWNER_MAX,
		.stratum = heavy ? SKETCH_HEAVY : SKETCH_LIGHT,
	};
}

void sketch_keep(struct sketch *s, uint64_t probe, uint64_t hash, uint32_t owner, uint32_t frames)
{
	if (!frames || owner >= s->owners)
		return;
	struct sketch_slot new = slot_of(s, probe, hash, owner);
	new.frames = frames;
	slot_add(s, &new);
}

void sketch_keep_young(struct sketch *s, uint64_t hash, uint32_t owner, uint32_t young)
{
	uint32_t i = slot_home(s, hash, owner);

	while (s->slots[i].frames && (s->slots[i].hash != hash || s->slots[i].owner != owner))
		i = slot_after(s, i);
	struct sketch_slot *slot = &s->slots[i];
	if (slot->frames)
		slot->young = young < slot->frames - slot->young ? slot->young + young : slot->frames;
}

void sketch_add(struct sketch *s, uint64_t probe, uint64_t hash, uint32_t owner, uint32_t frames)
{
	if (sketch_see(s, probe, owner, frames))
		sketch_keep(s, probe, hash, owner, frames);
}

void sketch_forget(struct sketch *s, uint32_t owner)
{
	if (owner >= s->owners)
		return;
	for (uint32_t i = 0; i < s->slots_count; i++)
		while (s->slots[i].frames && s->slots[i].owner == owner)
			slot_remove(s, i);
	if (s->owner_frames[owner][SKETCH_LIGHT])
		s->counts_distinct = false;
	memset(s->owner_frames[owner], 0, sizeof(s->owner_frames[owner]));
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static size_t list_places(const struct sketch *s, const bool *gone, bool which, uint64_t *ret)
{
	size_t count = 0;
	for (uint32_t i = 0; i < s->slots_count; i++)
		if (s->slots[i].frames && s->slots[i].stratum == SKETCH_LIGHT && gone[s->slots[i].owner] == which)
			ret[count++] = s->slots[i].place;
	qsort(ret, count, sizeof(*ret), by_place);
	return count;
}

/* Different values in `a` that are not in `b`; both ascend. */
static size_t only_in(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count)
{
	size_t only = 0;
	for (size_t i = 0, j = 0; i < a_count; i++) {
		if (i && a[i] == a[i - 1])
			continue;
		while (j < b_count && b[j] < a[i])
			j++;
		only += j == b_count || b[j] != a[i];
	}
	return only;
}

static void drop_owners(struct sketch *s, const bool *gone)
{
	for (uint32_t i = 0; i < s->slots_count; i++)
		while (s->slots[i].frames && gone[s->slots[i].owner])
			slot_remove(s, i);
	for (uint32_t owner = 0; owner < s->owners; owner++)
		if (gone[owner])
			memset(s->owner_frames[owner], 0, sizeof(s->owner_frames[owner]));
}

static bool any_left(const struct sketch *s, const bool *gone)
{
	for (uint32_t owner = 0; owner < s->owners; owner++)
		if (gone[owner] && (s->owner_frames[owner][SKETCH_LIGHT] || s->owner_frames[owner][SKETCH_HEAVY]))
			return true;
	return false;
}

int sketch_forget_many(struct sketch *s, const bool *gone)
{
	if (!any_left(s, gone))
		return 0;
	size_t room = s->used[SKETCH_LIGHT] + 1;
	uint64_t *leaving = malloc(room * sizeof(*leaving)), *staying = malloc(room * sizeof(*staying));

	if (leaving && staying) {
		size_t leave = list_places(s, gone, true, leaving), stay = list_places(s, gone, false, staying);
		double theta = sketch_theta(s, SKETCH_LIGHT), only = (double)only_in(leaving, leave, staying, stay);
		s->probes_gone += only / theta;
		s->probes_gone_variance += only * (1 - theta) / (theta * theta);
		drop_owners(s, gone);
	}
	int rc = leaving && staying ? 0 : -ENOMEM;
	free(leaving);
	free(staying);
	return rc;
}

/* ---- joining ---- */

static bool same_heavy(const struct sketch *a, const struct sketch *b)
{
	if (a->heavy_count != b->heavy_count)
		return false;
	for (uint32_t i = 0; i < HEAVY_SLOTS; i++)
		if (a->heavy[i] && !sketch_is_heavy(b, a->heavy[i]))
			return false;
	return true;
}

static int merge_refused(const struct sketch *a, const struct sketch *b, struct error *err)
{
	if (a->run != b->run || a->phase != b->phase || a->probe_is_hash != b->probe_is_hash)
		return fail(err, EXIT_USAGE, "two samples of different keys can't be joined: equal contents differ in them");
	if (!same_heavy(a, b))
		return fail(err, EXIT_USAGE, "two samples that follow different frequent contents can't be joined");
	return 0;
}

static void merge_owners(struct sketch *into, const struct sketch *from, const uint32_t *owner_map)
{
	for (uint32_t i = 0; i < from->owners; i++) {
		const uint64_t *seen = from->owner_frames[i];
		uint32_t owner = owner_map ? owner_map[i] : i;
		if (!(seen[SKETCH_LIGHT] | seen[SKETCH_HEAVY]) || !owner_reserve(into, owner))
			continue;
		for (int stratum = 0; stratum < SKETCH_STRATA; stratum++)
			into->owner_frames[owner][stratum] += seen[stratum];
	}
}

int sketch_merge(struct sketch *into, const struct sketch *from, const uint32_t *owner_map, struct error *err)
{
	int status = merge_refused(into, from, err);
	if (status)
		return status;
	for (int stratum = 0; stratum < SKETCH_STRATA; stratum++)
		if (from->last[stratum] < into->last[stratum])
			into->last[stratum] = from->last[stratum];
	drop_what_is_out(into);
	into->counts_distinct = into->counts_distinct && from->counts_distinct &&
				distinct_join(&into->probes, &from->probes);
	if (from->failed && !into->failed)
		into->failed = from->failed;
	into->probes_gone += from->probes_gone;
	into->probes_gone_variance += from->probes_gone_variance;
	merge_owners(into, from, owner_map);
	for (uint32_t i = 0; i < from->slots_count; i++) {
		struct sketch_slot slot = from->slots[i];
		if (!slot.frames)
			continue;
		slot.owner = (owner_map ? owner_map[slot.owner] : slot.owner) & SKETCH_OWNER_MAX;
		slot_add(into, &slot);
	}
	if (into->failed)
		return fail(err, EXIT_FAILED, "%s while two samples were joined",
			    into->failed == -ENOMEM ? "no memory was left" : "no room was left");
	return 0;
}

uint64_t sketch_owner_frames(const struct sketch *s, uint32_t owner, enum sketch_stratum stratum)
{
	return owner < s->owners ? s->owner_frames[owner][stratum] : 0;
}

uint64_t sketch_frames(const struct sketch *s)
{
	uint64_t frames = 0;
	for (uint32_t i = 0; i < s->owners; i++)
		frames += s->owner_frames[i][SKETCH_LIGHT] + s->owner_frames[i][SKETCH_HEAVY];
	return frames;
}

double sketch_theta(const struct sketch *s, enum sketch_stratum stratum)
{
	return ldexp((double)s->last[stratum], -64) + ldexp(1, -64);
}
