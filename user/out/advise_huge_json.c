// SPDX-License-Identifier: GPL-2.0-or-later
/* `huge` of schema ksm-advise/1; the keys are described in docs/json.md. */
#include <math.h>

#include "core/huge/frontier.h"
#include "out/advise_huge.h"

/* Points of the curve that are written; the knee and the last are among them. */
#define MOST_POINTS 200

static void ppm(struct json *j, const char *key, double share)
{
	if (isnan(share))
		json_null(j, key);
	else
		json_i64(j, key, llround(share * 1e6));
}

static void point(struct json *j, const struct frontier_point *p)
{
	json_u64(j, "regions_broken", p->regions_broken);
	json_u64(j, "saved_bytes", p->saved_bytes);
	ppm(j, "slowdown_ppm", p->slowdown);
	ppm(j, "slowdown_low_ppm", p->slowdown_low);
	ppm(j, "slowdown_high_ppm", p->slowdown_high);
}

static void frontier(struct json *j, const struct huge *h)
{
	size_t step = h->worth / MOST_POINTS + 1;
	struct huge_knee knee = huge_knee(h);

	json_array(j, "frontier");
	for (size_t i = 0; i <= h->worth; i++) {
		if (i % step && i != h->knee && i != h->worth)
			continue;
		json_object(j, NULL);
		point(j, &h->frontier[i]);
		json_end_object(j);
	}
	json_end_array(j);
	json_object(j, "knee");
	json_string(j, "kind", knee_kind_name(knee.kind));
	point(j, &knee.at);
	json_end_object(j);
}

static void heat(struct json *j, const struct heat_facts *f, double disturbance)
{
	json_string(j, "heat_source", heat_source_name(f ? f->source : HEAT_NOT_LOOKED));
	if (!f) {
		json_null(j, "heat");
		return;
	}
	json_object(j, "heat");
	json_string(j, "why", f->why);
	json_double(j, "seconds", f->seconds);
	json_u64(j, "looks", f->looks);
	json_double(j, "cpu_seconds", f->cpu_seconds);
	json_bool(j, "flushed", f->flushed);
	ppm(j, "disturbance_ppm", disturbance);
	json_end_object(j);
}

static void region(struct json *j, const struct region *r)
{
	bool known = r->heat.known == KNOWN;

	json_object(j, NULL);
	json_i64(j, "pid", r->pid);
	json_u64(j, "address", r->address);
	json_u64(j, "duplicates", r->duplicates);
	json_u64(j, "zero", r->zero);
	json_u64(j, "volatile", r->is_volatile);
	json_u64(j, "unique", r->unique);
	json_u64(j, "unread", r->unread);
	json_bool(j, "shared", r->shared);
	json_double(j, "accesses_per_second", known ? r->heat.per_second : NAN);
	json_double(j, "accesses_low", known ? r->heat.low : NAN);
	json_double(j, "accesses_high", known ? r->heat.high : NAN);
	json_u64(j, "benefit_bytes", r->benefit_bytes);
	json_value(j, "cost_ppm", r->cost_ppm);
	json_bool(j, "breaks_at_knee", r->breaks_at_knee);
	json_end_object(j);
}

void huge_json(struct json *j, const struct sample *s, const struct huge *h, bool ledger)
{
	if (!h) {
		json_null(j, "huge");
		return;
	}
	json_object(j, "huge");
	json_u64(j, "regions", h->count);
	json_u64(j, "region_bytes", h->region_bytes);
	json_u64(j, "saved_unbroken_bytes", h->base_saved_bytes);
	json_bool(j, "calibrated", h->calibrated);
	json_double(j, "utilization", h->utilization > 0 ? h->utilization : NAN);
	heat(j, s->heat, h->disturbance);
	frontier(j, h);
	json_value(j, "hidden_in_hugetlb_frames", h->hidden_frames);
	json_value(j, "hidden_zero_frames", h->hidden_zero);
	if (ledger) {
		json_array(j, "ledger");
		for (size_t i = 0; i < h->count; i++)
			region(j, &h->regions[i]);
		json_end_array(j);
	}
	json_end_object(j);
}
