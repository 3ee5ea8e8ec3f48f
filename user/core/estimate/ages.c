// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/ages.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mix.h"
#include "core/sort.h"

/* Flags in `page`, below the page's number and one. */
#define AGE_HEAVY 1u			/* of a frequent content */
#define AGE_MET 2u			/* in the present pass */
#define AGE_NEW 4u			/* for the first time */
#define AGE_FLAGS 3			/* bits of them */

#define FULL_PERCENT 75
/* An index is sorted at the end of a pass. */
#define INDEX_BYTES 8
/* As in sketch.c: it begins with this part of its slots, and grows in the room of the index. */
#define FIRST_PART 8
#define FIRST_SLOTS 1024

static uint32_t full_at(uint32_t slots)
{
	return (uint32_t)((uint64_t)slots * FULL_PERCENT / 100);
}

int ages_init(struct ages *ret, size_t bytes, uint64_t salt)
{
	size_t room = bytes > AGES_MIN_BYTES ? bytes : AGES_MIN_BYTES;

	*ret = (struct ages){ .salt = salt, .last = { UINT32_MAX, UINT32_MAX } };
	ret->slots_max = (uint32_t)fmin((double)room / (sizeof(struct age) + INDEX_BYTES * FULL_PERCENT / 100.0), UINT32_MAX);
	ret->used_max = full_at(ret->slots_max);
	ret->slots_count = ret->slots_max / FIRST_PART > FIRST_SLOTS ? ret->slots_max / FIRST_PART : ret->slots_max;
	ret->slots = calloc(ret->slots_count, sizeof(*ret->slots));
	return ret->slots ? 0 : -ENOMEM;
}

void ages_free(struct ages *a)
{
	free(a->slots);
	*a = (struct ages){ 0 };
}

void ages_clear(struct ages *a)
{
	memset(a->slots, 0, a->slots_count * sizeof(*a->slots));
	memset(a->used, 0, sizeof(a->used));
	memset(a->last, 0xff, sizeof(a->last));
}

void ages_begin(struct ages *a, uint32_t now)
{
	a->now = now;
	for (uint32_t i = 0; i < a->slots_count; i++)
		a->slots[i].page &= ~(uint64_t)(AGE_MET | AGE_NEW);
}

/* ---- the table ---- */

enum sketch_stratum age_stratum(const struct age *age)
{
	return age->page & AGE_HEAVY ? SKETCH_HEAVY : SKETCH_LIGHT;
}

uint64_t age_page(const struct age *age)
{
	return (age->page >> AGE_FLAGS) - 1;
}

bool age_met(const struct age *age)
{
	return age->page & AGE_MET;
}

static uint64_t number_of(const struct age *age)
{
	return age->page >> AGE_FLAGS;
}

static uint32_t home_of(const struct ages *a, uint64_t number, uint32_t owner, uint64_t hash)
{
	uint64_t mixed = mix64(hash ^ mix64(number + owner * UINT64_C(0x9e3779b97f4a7c15))) >> 32;
	return (uint32_t)(mixed * a->slots_count >> 32);
}

static uint32_t after(const struct ages *a, uint32_t i)
{
	return i + 1 == a->slots_count ? 0 : i + 1;
}

static struct age *find(const struct ages *a, uint64_t number, uint32_t owner, uint64_t hash)
{
	uint32_t i = home_of(a, number, owner, hash);

	while (a->slots[i].page &&
	       (a->slots[i].hash != hash || number_of(&a->slots[i]) != number || a->slots[i].owner != owner))
		i = after(a, i);
	return &a->slots[i];
}

/* As in sketch.c: what follows moves up, so that every chain stays whole (Knuth, vol. 3, 6.4, algorithm R). */
static void take_out(struct ages *a, uint32_t i)
{
	a->used[age_stratum(&a->slots[i])]--;
	for (uint32_t j = after(a, i); a->slots[j].page; j = after(a, j)) {
		uint32_t home = home_of(a, number_of(&a->slots[j]), a->slots[j].owner, a->slots[j].hash);
		bool home_between = i <= j ? i < home && home <= j : i < home || home <= j;
		if (home_between)
			continue;
		a->slots[i] = a->slots[j];
		i = j;
	}
	a->slots[i].page = 0;
}

static void drop_what_is_out(struct ages *a)
{
	for (uint32_t i = 0; i < a->slots_count; i++)
		while (a->slots[i].page && a->slots[i].place > a->last[age_stratum(&a->slots[i])])
			take_out(a, i);
}

/* All slots from now on. Where memory is out, what there is has to do. */
static void grow(struct ages *a)
{
	struct age *few = a->slots;
	uint32_t few_count = a->slots_count;

	a->slots = calloc(a->slots_max, sizeof(*a->slots));
	if (!a->slots) {
		a->slots = few;
		a->slots_max = few_count;
		a->used_max = full_at(few_count);
		return;
	}
	a->slots_count = a->slots_max;
	for (uint32_t i = 0; i < few_count; i++)
		if (few[i].page)
			*find(a, number_of(&few[i]), few[i].owner, few[i].hash) = few[i];
	free(few);
}

static void make_room(struct ages *a)
{
	if (a->used[SKETCH_LIGHT] + a->used[SKETCH_HEAVY] >= full_at(a->slots_count) && a->slots_count < a->slots_max)
		grow(a);
	while (a->used[SKETCH_LIGHT] + a->used[SKETCH_HEAVY] >= a->used_max) {
		a->last[a->used[SKETCH_HEAVY] > a->used[SKETCH_LIGHT] ? SKETCH_HEAVY : SKETCH_LIGHT] >>= 1;
		drop_what_is_out(a);
	}
}

uint32_t ages_meet(struct ages *a, uint64_t page, uint32_t owner, uint64_t hash, enum sketch_stratum stratum,
		   uint32_t place)
{
	uint64_t number = page + 1;

	if (stratum == SKETCH_HEAVY)
		place = (uint32_t)(mix64(mix64(page + owner * UINT64_C(0x9e3779b97f4a7c15)) ^ a->salt) >> 32);
	if (place > a->last[stratum])
		return AGE_NOT_FOLLOWED;
	struct age *age = find(a, number, owner, hash);
	if (!age->page) {
		make_room(a);
		if (place > a->last[stratum])
			return AGE_NOT_FOLLOWED;
		age = find(a, number, owner, hash);
		*age = (struct age){ .page = number << AGE_FLAGS | AGE_NEW, .hash = hash, .owner = owner,
				     .since = a->now };
	} else {
		a->used[age_stratum(age)]--;
	}
	age->place = place;
	age->page = (age->page & ~(uint64_t)AGE_HEAVY) | AGE_MET | (stratum == SKETCH_HEAVY ? AGE_HEAVY : 0);
	a->used[stratum]++;
	return a->now - age->since;
}

double ages_share(const struct ages *a, enum sketch_stratum stratum)
{
	return ldexp((double)a->last[stratum], -32) + ldexp(1, -32);
}

static int by_owner_and_page(const void *a, const void *b, void *context)
{
	const struct ages *ages = context;
	const struct age *x = &ages->slots[*(const uint32_t *)a], *y = &ages->slots[*(const uint32_t *)b];

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return x->page < y->page ? -1 : x->page > y->page;
}

uint32_t *ages_list(const struct ages *a, uint32_t *ret_count)
{
	uint32_t *index = malloc(((size_t)a->used[SKETCH_LIGHT] + a->used[SKETCH_HEAVY] + 1) * sizeof(*index));

	*ret_count = 0;
	if (!index)
		return NULL;
	for (uint32_t i = 0; i < a->slots_count; i++)
		if (a->slots[i].page)
			index[(*ret_count)++] = i;
	qsort_r(index, *ret_count, sizeof(*index), by_owner_and_page, (void *)a);
	return index;
}

/* ---- the end of a pass ---- */

static int by_owner_and_content(const void *a, const void *b, void *context)
{
	const struct ages *ages = context;
	const struct age *x = &ages->slots[(uint32_t)*(const uint64_t *)a];
	const struct age *y = &ages->slots[(uint32_t)*(const uint64_t *)b];

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (int)age_stratum(x) - (int)age_stratum(y);
}

/* In any order that puts what has one content side by side. */
static uint64_t key_of(const struct ages *a, uint32_t i)
{
	uint64_t content = mix64(a->slots[i].hash + a->slots[i].owner * UINT64_C(0x9e3779b97f4a7c15));
	return (content & ~(uint64_t)UINT32_MAX) | i;
}

/* Pages that were followed before this pass, of owners that are there: their slots, in the lower halves. */
static uint32_t list_followed(const struct ages *a, const bool *gone, uint64_t *ret)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < a->slots_count; i++)
		if (a->slots[i].page && !(a->slots[i].page & AGE_NEW) && !gone[a->slots[i].owner])
			ret[count++] = key_of(a, i);
	return count;
}

static bool same_content(const struct age *a, const struct age *b)
{
	return a->owner == b->owner && a->hash == b->hash && age_stratum(a) == age_stratum(b);
}

static void sum_up(struct ages *a, const uint64_t *index, uint32_t count, struct survival *sums, uint32_t owners)
{
	for (uint32_t i = 0, end; i < count; i = end) {
		const struct age *first = &a->slots[(uint32_t)index[i]];
		uint32_t stayed = 0;
		for (end = i; end < count && same_content(first, &a->slots[(uint32_t)index[end]]); end++)
			stayed += !!(a->slots[(uint32_t)index[end]].page & AGE_MET);
		if (first->owner < owners)
			survival_add(&sums[first->owner], end - i, stayed, 1 / ages_share(a, age_stratum(first)));
	}
}

int ages_end(struct ages *a, const bool *gone, struct survival *sums, uint32_t owners)
{
	uint64_t *index = malloc(((size_t)a->used[SKETCH_LIGHT] + a->used[SKETCH_HEAVY] + 1) * sizeof(*index));

	if (index) {
		uint32_t count = list_followed(a, gone, index);
		sort_by_upper_half(index, count, by_owner_and_content, a);
		sum_up(a, index, count, sums, owners);
	}
	for (uint32_t i = 0; i < a->slots_count; i++)
		while (a->slots[i].page && (!(a->slots[i].page & AGE_MET) || gone[a->slots[i].owner]))
			take_out(a, i);
	free(index);
	return index ? 0 : -ENOMEM;
}
