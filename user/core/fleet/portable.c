// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/fleet/portable.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void portable_free(struct portable *p)
{
	free(p->contents);
	*p = (struct portable){ 0 };
}

/* ---- from a sketch ---- */

/* The one hash that would equal PORTABLE_ALL gives way; so does the threshold that keeps it. */
static int64_t portable_hash(uint64_t hash)
{
	uint64_t half = hash >> 1;
	return half == INT64_MAX ? INT64_MAX - 1 : (int64_t)half;
}

static int64_t portable_threshold(uint64_t last)
{
	uint64_t first_out = (last >> 1) + 1;
	return last == UINT64_MAX || first_out >= INT64_MAX ? PORTABLE_ALL : (int64_t)first_out;
}

static int by_hash(const void *a, const void *b)
{
	const struct portable_content *x = a, *y = b;
	return (x->hash > y->hash) - (x->hash < y->hash);
}

static uint32_t frames_plus(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* One entry per hash, in place. */
static uint32_t join_equal(struct portable_content *contents, uint32_t count)
{
	uint32_t joined = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (joined && contents[joined - 1].hash == contents[i].hash)
			contents[joined - 1].frames = frames_plus(contents[joined - 1].frames, contents[i].frames);
		else
			contents[joined++] = contents[i];
	}
	return joined;
}

static bool name_is_plain(const char *name)
{
	size_t length = strlen(name);

	if (length > PORTABLE_NAME_MAX || (length && (name[0] == ' ' || name[length - 1] == ' ')))
		return false;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c < 0x20 || *c == 0x7f || strchr("\"'\\,", *c))
			return false;
	return true;
}

static int head_is_good(const struct sketch *s, const struct portable_head *head, struct error *err)
{
	if (s->failed)
		return fail(err, EXIT_FAILED, "the sample is not whole: its table ran out of memory");
	if (!s->probe_is_hash || s->phase)
		return fail(err, EXIT_FAILED, "this sample was not made with a fleet key: its hashes stay here");
	if (!*head->label || !name_is_plain(head->label) || !name_is_plain(head->domain))
		return fail(err, EXIT_USAGE, "a sketch and its domain need plain names of at most %d bytes, without "
			    "quotes, commas, backslashes and control bytes", PORTABLE_NAME_MAX);
	return 0;
}

static uint32_t gather(struct portable_content *ret, const struct sketch *s, uint64_t last, const bool *wanted)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->slots_count; i++) {
		const struct sketch_slot *slot = &s->slots[i];
		if (!slot->frames || slot->place > last || (wanted && !wanted[slot->owner]))
			continue;
		ret[count++] = (struct portable_content){ .hash = portable_hash(slot->hash), .frames = slot->frames };
	}
	return count;
}

int portable_make(struct portable *ret, const struct sketch *s, const struct portable_head *head,
		  const bool *wanted, uint32_t k, struct error *err)
{
	int status = head_is_good(s, head, err);
	/* A frequent content that is followed above the common threshold has no like in other sketches. */
	uint64_t last = s->last[SKETCH_LIGHT] < s->last[SKETCH_HEAVY] ? s->last[SKETCH_LIGHT] : s->last[SKETCH_HEAVY];

	if (status)
		return status;
	*ret = (struct portable){ .page_bytes = head->page_bytes, .key_id = head->key_id,
				  .time_s = head->time_s > 0 ? head->time_s : 0,
				  .zero_frames = head->zero_frames, .threshold = portable_threshold(last) };
	strcpy(ret->label, head->label);
	strcpy(ret->domain, head->domain);
	for (uint32_t owner = 0; owner < s->owners; owner++)
		if (!wanted || wanted[owner])
			ret->frames += s->owner_frames[owner][SKETCH_LIGHT] + s->owner_frames[owner][SKETCH_HEAVY];
	ret->contents = calloc((size_t)s->used[SKETCH_LIGHT] + s->used[SKETCH_HEAVY] + 1, sizeof(*ret->contents));
	if (!ret->contents)
		return fail(err, EXIT_FAILED, "no memory for a sketch to write");
	ret->count = gather(ret->contents, s, last, wanted);
	qsort(ret->contents, ret->count, sizeof(*ret->contents), by_hash);
	ret->count = join_equal(ret->contents, ret->count);
	if (k > PORTABLE_CONTENTS_MAX)
		k = PORTABLE_CONTENTS_MAX;
	if (ret->count > k) {
		ret->threshold = ret->contents[k].hash;
		ret->count = k;
	}
	return 0;
}

/* ---- side by side ---- */

struct held {
	int64_t hash;
	uint32_t frames;
	uint32_t set;
};

/* By content, and in it by trust domain. */
static int by_content(const void *a, const void *b, void *context)
{
	const struct portable *const *sets = context;
	const struct held *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	int order = strcmp(sets[x->set]->domain, sets[y->set]->domain);
	return order ? order : (x->set > y->set) - (x->set < y->set);
}

static int sets_are_comparable(const struct portable *const *sets, size_t count, struct error *err)
{
	if (!count || count > PORTABLE_COMPARE_MAX)
		return fail(err, EXIT_USAGE, "%zu sketches can't be compared: give 1 to %d", count,
			    PORTABLE_COMPARE_MAX);
	for (size_t i = 1; i < count; i++) {
		if (sets[i]->page_bytes != sets[0]->page_bytes)
			return fail(err, EXIT_USAGE, "%s has pages of %" PRIu64 " bytes and %s of %" PRIu64
				    ": such pages are never equal", sets[0]->label, sets[0]->page_bytes,
				    sets[i]->label, sets[i]->page_bytes);
		if (sets[i]->key_id != sets[0]->key_id)
			return fail(err, EXIT_USAGE, "%s and %s were made with different fleet keys (%016" PRIx64
				    " and %016" PRIx64 "): equal pages differ in them", sets[0]->label,
				    sets[i]->label, sets[0]->key_id, sets[i]->key_id);
	}
	return 0;
}

static size_t hold_common(struct held *ret, const struct portable *const *sets, size_t count, int64_t threshold)
{
	size_t held = 0;

	for (uint32_t set = 0; set < count; set++)
		for (uint32_t i = 0; i < sets[set]->count; i++) {
			const struct portable_content *c = &sets[set]->contents[i];
			if (c->hash >= threshold)
				break;
			ret[held++] = (struct held){ .hash = c->hash, .frames = c->frames, .set = set };
		}
	return held;
}

static bool same_stated_domain(const struct portable *a, const struct portable *b)
{
	return *a->domain && !strcmp(a->domain, b->domain);
}

/* One content: held[0 … count) has its holders, those of one domain together. */
static double measure_content(const struct held *held, size_t count, const struct portable *const *sets,
			      double y[COMPARE_MEASURES])
{
	double frames = 0, domains = 0;

	for (size_t i = 0; i < count; i++) {
		frames += held[i].frames;
		domains += i == 0 || !same_stated_domain(sets[held[i].set], sets[held[i - 1].set]);
	}
	y[COMPARE_APART] = frames - (double)count;
	y[COMPARE_SHARED] = (double)count - 1;
	y[COMPARE_INSIDE] = (double)count - domains;
	y[COMPARE_CROSSING] = domains - 1;
	y[COMPARE_TOGETHER] = frames - 1;
	return frames;
}

static void walk_held(struct regression *r, const struct held *held, size_t count,
		      const struct portable *const *sets,
		      void (*take)(struct regression *, double, const double *, unsigned int))
{
	for (size_t i = 0, run; i < count; i += run) {
		double y[COMPARE_MEASURES];
		for (run = 1; i + run < count && held[i + run].hash == held[i].hash; run++)
			;
		double frames = measure_content(held + i, run, sets, y);
		take(r, frames, y, COMPARE_MEASURES);
	}
}

static double threshold_share(int64_t threshold)
{
	return threshold == PORTABLE_ALL ? 1 : ldexp((double)threshold, -63);
}

/* Of one stated domain nothing crosses, and of none that two have in common nothing is inside: that is no estimate. */
static void tell_by_domain(struct comparison *c, const struct portable *const *sets, size_t count)
{
	const struct estimate nothing = { .exact = true };
	size_t alike = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			alike += same_stated_domain(sets[i], sets[k]);
	if (alike == count * (count - 1) / 2)
		c->of[COMPARE_CROSSING] = nothing;
	if (!alike)
		c->of[COMPARE_INSIDE] = nothing;
}

int portable_compare(struct comparison *ret, const struct portable *const *sets, size_t count, struct error *err)
{
	int status = sets_are_comparable(sets, count, err);
	int64_t threshold = PORTABLE_ALL;
	size_t most = 1;

	*ret = (struct comparison){ 0 };
	if (status)
		return status;
	for (size_t i = 0; i < count; i++) {
		threshold = sets[i]->threshold < threshold ? sets[i]->threshold : threshold;
		most += sets[i]->count;
		ret->frames += sets[i]->frames;
	}
	struct held *held = calloc(most, sizeof(*held));
	if (!held)
		return fail(err, EXIT_FAILED, "no memory to compare %zu sketches", count);
	size_t held_count = hold_common(held, sets, count, threshold);
	qsort_r(held, held_count, sizeof(*held), by_content, (void *)sets);

	struct regression r = { 0 };
	struct population of = { .theta = threshold_share(threshold), .frames = (double)ret->frames,
				 .groups_variance = INFINITY, .never_whole = (1u << COMPARE_MEASURES) - 1 };
	walk_held(&r, held, held_count, sets, regression_sum);
	regression_fit(&r, &of, COMPARE_MEASURES);
	walk_held(&r, held, held_count, sets, regression_residual);
	for (unsigned int m = 0; m < COMPARE_MEASURES; m++) {
		struct part part = regression_part(&r, m, &of);
		ret->of[m] = part_estimate(&part);
	}
	tell_by_domain(ret, sets, count);
	ret->theta = of.theta;
	ret->contents = r.groups;
	free(held);
	return 0;
}
