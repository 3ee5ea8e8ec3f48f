// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/huge/frontier.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/huge/hidden.h"
#include "core/huge/ledger.h"
#include "core/huge/slowdown.h"
#include "core/sort.h"

/* Without a calibration: accesses per second that weigh as much as losing the huge page at all. */
#define IDLE_RATE 1.0

const char *knee_kind_name(enum knee_kind kind)
{
	static const char *const names[] = { "none", "chord", "exchange-rate" };
	return names[kind];
}

static struct slowdown slowdown_of(const struct huge *h, const struct sample *s, const struct frontier_options *o)
{
	struct slowdown ret = {
		.calibration = o->calibration,
		.region_bytes = h->region_bytes,
		.utilization = h->utilization,
		.user_share = heat_user_share(s),
		.settle_seconds = s->settle_seconds,
		.life_seconds = o->life_seconds > 0 ? o->life_seconds : FRONTIER_LIFE_SECONDS,
	};
	slowdown_begin(&ret, h->regions, h->count);
	return ret;
}

/* What each region costs where all are broken. */
static void fill_costs(struct huge *h, const struct slowdown *begin)
{
	struct slowdown s = *begin;

	for (size_t i = 0; i < h->count; i++)
		slowdown_add(&s, &h->regions[i]);
	for (size_t i = 0; i < h->count; i++) {
		struct region *r = &h->regions[i];
		double share = slowdown_of_region(&s, r);
		h->calibrated |= !isnan(share);
		r->cost = isnan(share) ? NAN : share * (h->utilization > 0 ? h->utilization : 1);
		r->cost_ppm = isnan(share) ? (struct value){ .known = NOT_READ } : value_of(llround(share * 1e6));
	}
}

/* Benefit per cost: the larger the sooner. The key sorts ascending, so it is the inverse; no benefit comes last. */
static uint64_t order_key(const struct region *r, const struct slowdown *s, bool calibrated)
{
	if (r->attributed_frames <= 0)
		return UINT64_MAX;
	double cost = calibrated ? r->cost + 1e-9 : slowdown_rate(s, r) * (s->utilization > 0 ? s->utilization : 1) +
		      IDLE_RATE;
	union { double number; uint64_t bits; } key = { .number = cost / r->attributed_frames };
	return key.bits;	/* of positive numbers the bits are in the same order */
}

static int put_in_order(struct huge *h, const struct slowdown *s)
{
	uint64_t *keys = calloc(h->count + 1, sizeof(*keys));
	h->order = calloc(h->count + 1, sizeof(*h->order));
	if (!keys || !h->order) {
		free(keys);
		return -ENOMEM;
	}
	for (size_t i = 0; i < h->count; i++) {
		h->order[i] = i;
		keys[i] = order_key(&h->regions[i], s, h->calibrated);
		h->worth += keys[i] != UINT64_MAX;
	}
	sort_by_key(h->order, h->count, keys);
	free(keys);
	return 0;
}

static int cumulate(struct huge *h, const struct sample *sample, const struct slowdown *begin)
{
	struct slowdown s = *begin;
	double *marginal = calloc(h->worth + 1, sizeof(*marginal)), frames = 0;

	h->frontier = calloc(h->worth + 1, sizeof(*h->frontier));
	int rc = marginal && h->frontier ? ledger_marginal(sample, h->regions, h->order, h->worth, marginal) : -ENOMEM;
	for (size_t i = 0; !rc && i < h->worth; i++) {
		slowdown_add(&s, &h->regions[h->order[i]]);
		struct slowdown_share share = slowdown_so_far(&s);
		frames += marginal[i];
		h->frontier[i + 1] = (struct frontier_point){
			.regions_broken = i + 1,
			.saved_bytes = (uint64_t)llround(frames * sample->machine.page_bytes),
			.slowdown = share.most_likely,
			.slowdown_low = share.low,
			.slowdown_high = share.high,
		};
	}
	if (!rc)
		h->frontier[0].slowdown = h->frontier[0].slowdown_low = h->frontier[0].slowdown_high =
			h->calibrated ? 0 : NAN;
	h->beyond = s.beyond;
	free(marginal);
	return rc;
}

size_t frontier_knee(const struct frontier_point *points, size_t count, enum knee_kind *ret_kind)
{
	const struct frontier_point *last = &points[count - 1];
	bool known = !isnan(last->slowdown);
	double width = known ? fmax(last->slowdown, FRONTIER_NEGLIGIBLE) : last->regions_broken;
	double best = FRONTIER_FLAT;
	size_t knee = 0;

	for (size_t i = 1; i < count && last->saved_bytes; i++) {
		double x = known ? points[i].slowdown : points[i].regions_broken;
		double above = (double)points[i].saved_bytes / last->saved_bytes - x / width;
		if (above > best) {
			best = above;
			knee = i;
		}
	}
	*ret_kind = knee ? KNEE_CHORD : KNEE_NONE;
	return knee;
}

/* As far as each region pays: κ · benefit above its cost. The order is by their ratio, so the first that does not ends it. */
static size_t exchange_point(const struct huge *h, double rate)
{
	size_t n = 0;
	while (n < h->worth && rate * h->regions[h->order[n]].benefit_bytes / (1ull << 30) > h->regions[h->order[n]].cost)
		n++;
	return n;
}

static void choose(struct huge *h, const struct frontier_options *o)
{
	if (o->exchange_rate > 0 && h->calibrated) {
		h->knee = exchange_point(h, o->exchange_rate);
		h->knee_kind = KNEE_EXCHANGE;
	} else {
		h->knee = frontier_knee(h->frontier, h->worth + 1, &h->knee_kind);
	}
	for (size_t i = 0; i < h->knee; i++)
		h->regions[h->order[i]].breaks_at_knee = true;
}

struct huge_knee huge_knee(const struct huge *h)
{
	const struct frontier_point nothing = { .slowdown = NAN, .slowdown_low = NAN, .slowdown_high = NAN };

	if (!h)
		return (struct huge_knee){ .kind = KNEE_NONE, .at = nothing, .all = nothing };
	return (struct huge_knee){ h->knee_kind, h->count, h->base_saved_bytes, h->frontier[h->knee], h->frontier[h->worth] };
}

size_t frontier_within(const struct huge *h, double slowdown)
{
	size_t n = h->worth;
	while (n > 0 && !(h->frontier[n].slowdown <= slowdown))
		n--;
	return n;
}

static int build(struct huge *h, const struct sample *s, const struct frontier_options *o)
{
	uint64_t base_frames = 0;
	int rc = regions_list(s, &h->regions, &h->count);

	if (!rc)
		rc = ledger_count(s, h->regions, h->count, &base_frames);
	if (rc)
		return rc;
	h->region_bytes = s->machine.pmd_bytes;
	h->base_saved_bytes = base_frames * s->machine.page_bytes;
	h->utilization = heat_utilization(s);
	struct measured access = calibration_huge_access(o->calibration, h->count * h->region_bytes);
	h->disturbance = heat_disturbance(s, access.known == KNOWN ? access.median : 0);
	hidden_result(s, &h->hidden_frames, &h->hidden_zero);
	heat_fill(s, h->regions, h->count);
	struct slowdown begin = slowdown_of(h, s, o);
	fill_costs(h, &begin);
	rc = put_in_order(h, &begin);
	if (!rc)
		rc = cumulate(h, s, &begin);
	if (!rc)
		choose(h, o);
	return rc;
}

int huge_build(struct huge **ret, const struct sample *s, const struct frontier_options *o)
{
	*ret = NULL;
	if (s->sampled)
		return 0;
	struct huge *h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	int rc = build(h, s, o);
	if (rc)
		huge_free(h);
	else
		*ret = h;
	return rc;
}

void huge_free(struct huge *h)
{
	if (!h)
		return;
	free(h->regions);
	free(h->order);
	free(h->frontier);
	free(h);
}
