/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made populations of frames whose truth is known by counting, for the study
 * of the estimator (study.c) and its small edition among the unit tests.
 *
 * A holding is one content with one owner. Contents of one group share a
 * probe. The truth is counted here on the holdings themselves, by no code of
 * the estimator.
 */
#ifndef KSMSCOPE_TESTS_POPULATION_H
#define KSMSCOPE_TESTS_POPULATION_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/estimate/estimate.h"
#include "core/mix.h"

struct holding {
	uint32_t content;
	uint32_t group;
	uint32_t owner;
	uint32_t frames;
};

struct population_made {
	const char *name;
	struct holding *holdings;	/* by content, then owner */
	size_t count, capacity;
	uint32_t contents, groups, owners, domains;
	bool probe_is_hash;		/* groups are contents: no probe is shared */
	uint64_t frames;
	double truth[TOTAL_MEASURES];
	double (*class_truth)[CLASS_MEASURES];	/* per owner */
};

#define STUDY_CAP 256

static inline uint32_t study_domain_of(const struct population_made *p, uint32_t owner)
{
	return owner % p->domains;
}

static inline void population_hold(struct population_made *p, uint32_t content, uint32_t group, uint32_t owner,
				   uint32_t frames)
{
	if (p->count && p->holdings[p->count - 1].content == content && p->holdings[p->count - 1].owner == owner) {
		p->holdings[p->count - 1].frames += frames;
	} else {
		if (p->count == p->capacity) {
			p->capacity = p->capacity ? 2 * p->capacity : 4096;
			p->holdings = realloc(p->holdings, p->capacity * sizeof(*p->holdings));
			if (!p->holdings)
				abort();
		}
		p->holdings[p->count++] = (struct holding){ content, group, owner, frames };
	}
	p->frames += frames;
	if (content >= p->contents)
		p->contents = content + 1;
	if (group >= p->groups)
		p->groups = group + 1;
}

static inline double uniform(uint64_t *random)
{
	return ldexp((double)(random64(random) >> 11), -53);
}

static inline uint32_t below(uint64_t *random, uint32_t bound)
{
	return (uint32_t)((random64(random) >> 32) * bound >> 32);
}

/*
 * `copies` copies of a new content, each with an owner at random. One content
 * in `per_group` begins a new probe group.
 */
static inline void population_scatter(struct population_made *p, uint64_t *random, uint32_t copies, bool new_group)
{
	uint32_t content = p->contents, group = new_group || !p->groups ? p->groups : p->groups - 1;
	uint32_t left = copies, owners[64];

	/* A frequent content spreads over all owners, a rare one copy by copy: holdings stay sorted and few. */
	if (copies > 64) {
		for (uint32_t o = 0; o < p->owners; o++) {
			uint32_t here = o + 1 == p->owners ? left : left / (p->owners - o);
			if (here)
				population_hold(p, content, group, o, here);
			left -= here;
		}
		return;
	}
	for (uint32_t i = 0; i < copies; i++) {
		uint32_t owner = below(random, p->owners), j = i;
		for (; j > 0 && owners[j - 1] > owner; j--)
			owners[j] = owners[j - 1];
		owners[j] = owner;
	}
	for (uint32_t i = 0; i < copies; i++)
		population_hold(p, content, group, owners[i], 1);
}

/* ---- the truth, by counting ---- */

static inline void truth_domain(struct population_made *p, const struct holding *h, size_t count, uint32_t domain)
{
	uint64_t copies = 0;
	uint32_t classes = 0;

	for (size_t i = 0; i < count; i++)
		if (study_domain_of(p, h[i].owner) == domain) {
			copies += h[i].frames;
			classes++;
		}
	if (!copies)
		return;
	double stay = ceil((double)copies / STUDY_CAP);
	p->truth[TOTAL_POLICY] += (double)copies - 1;
	p->truth[TOTAL_CAPPED] += (double)copies - stay;
	p->truth[TOTAL_BETWEEN] += classes - 1;
	p->truth[TOTAL_CROSSING] += 1;		/* less one for the content, below */
	for (size_t i = 0; i < count; i++) {
		if (study_domain_of(p, h[i].owner) != domain)
			continue;
		double *of = p->class_truth[h[i].owner], held = h[i].frames;
		p->truth[TOTAL_WITHIN] += held - 1;
		of[CLASS_SELF] += held - 1;
		of[CLASS_BETWEEN] += classes > 1;
		of[CLASS_ATTRIBUTED] += held - held / (double)copies;
		of[CLASS_MARGINAL] += classes > 1 ? held : held - 1;
		of[CLASS_CAPPED] += held - held * stay / (double)copies;
	}
}

static inline void population_count_truth(struct population_made *p)
{
	p->class_truth = calloc(p->owners, sizeof(*p->class_truth));
	if (!p->class_truth)
		abort();
	for (size_t i = 0, end; i < p->count; i = end) {
		for (end = i; end < p->count && p->holdings[end].content == p->holdings[i].content; end++)
			p->truth[TOTAL_UNION] += p->holdings[end].frames;
		p->truth[TOTAL_UNION] -= 1;
		p->truth[TOTAL_CROSSING] -= 1;
		for (uint32_t d = 0; d < p->domains; d++)
			truth_domain(p, p->holdings + i, end - i, d);
	}
}

static inline void population_free(struct population_made *p)
{
	free(p->holdings);
	free(p->class_truth);
	*p = (struct population_made){ 0 };
}

/* ---- the populations; `frames` is how many there are at least ---- */

static inline void make_unique(struct population_made *p, uint64_t frames, uint64_t *random)
{
	while (p->frames < frames)
		population_scatter(p, random, 1, true);
}

static inline void make_pairs(struct population_made *p, uint64_t frames, uint64_t *random)
{
	while (p->frames < frames)
		population_scatter(p, random, 2, true);
}

/* One pair in a thousand contents. */
static inline void make_rare(struct population_made *p, uint64_t frames, uint64_t *random)
{
	while (p->frames < frames)
		population_scatter(p, random, p->contents % 1000 == 0 ? 2 : 1, true);
}

/* P(copies >= c) = c^-1.2, as far as a twentieth of all frames. */
static inline uint32_t power_law(uint64_t *random, uint64_t frames)
{
	double copies = floor(pow(1 - uniform(random), -1 / 1.2));
	return copies < (double)frames / 20 ? (uint32_t)copies : (uint32_t)(frames / 20);
}

static inline void make_power_law(struct population_made *p, uint64_t frames, uint64_t *random)
{
	while (p->frames < frames)
		population_scatter(p, random, power_law(random, frames), true);
}

/* Twenty contents of 0.2 … 4 % of all frames each, the rest single or in pairs. */
static inline void make_heavy(struct population_made *p, uint64_t frames, uint64_t *random)
{
	for (uint32_t i = 1; i <= 20; i++)
		population_scatter(p, random, (uint32_t)(frames * i / 500), true);
	while (p->frames < frames)
		population_scatter(p, random, 1 + (random64(random) % 4 == 0), true);
}

/* Every copy number from 1 to 12, rarer the higher: 1/2, 1/4 … */
static inline void make_mixed(struct population_made *p, uint64_t frames, uint64_t *random)
{
	while (p->frames < frames)
		population_scatter(p, random, 1 + ((uint32_t)__builtin_ctzll(random64(random)) % 12), true);
}

/* 100 VMs of one image: half of each in all of them, a fifth in about half of them, the rest its own. */
static inline void make_vms(struct population_made *p, uint64_t frames, uint64_t *random)
{
	uint64_t each = frames / p->owners + 1;
	uint32_t c = 0;

	for (; c < each / 2; c++)
		for (uint32_t vm = 0; vm < p->owners; vm++)
			population_hold(p, c, c, vm, 1);
	for (; c < each / 2 + 2 * each / 5; c++)
		for (uint32_t vm = 0; vm < p->owners; vm++)
			if (random64(random) >> 63)
				population_hold(p, c, c, vm, 1);
	for (uint32_t vm = 0; p->frames < frames; vm = (vm + 1) % p->owners, c++)
		population_hold(p, c, c, vm, 1);
}

/*
 * The mix of the power law, where one content in thirty shares its probe with
 * one to three others: Σ n² / D = 1.2, like heaps of an interpreter.
 */
static inline void make_shared_probes(struct population_made *p, uint64_t frames, uint64_t *random)
{
	while (p->frames < frames) {
		uint32_t more = below(random, 30) == 0 ? 1 + below(random, 3) : 0;
		population_scatter(p, random, power_law(random, frames), true);
		while (more--)
			population_scatter(p, random, power_law(random, frames), false);
	}
}

/*
 * A sanitizer's processes: most contents single or in pairs, some in twenty
 * copies; and a few probes that up to 29 nearly empty pages share, of which a
 * sample has one or two, or none.
 */
static inline void make_few_shared(struct population_made *p, uint64_t frames, uint64_t *random)
{
	const uint32_t apart = (uint32_t)(frames / 57);		/* contents; so that there are about 30 such probes */

	while (p->frames < frames) {
		uint32_t more = p->contents % apart == 0 ? 5 + below(random, 24) : 0;
		population_scatter(p, random, p->contents % 25 == 1 ? 20 : 1 + (random64(random) % 8 == 0), true);
		while (more--)
			population_scatter(p, random, 1, false);
	}
}

struct population_kind {
	const char *name;
	void (*make)(struct population_made *p, uint64_t frames, uint64_t *random);
	uint32_t owners, domains;
};

static const struct population_kind population_kinds[] = {
	{ "no duplicates", make_unique, 40, 4 },
	{ "all pairs", make_pairs, 40, 4 },
	{ "rare pairs", make_rare, 40, 4 },
	{ "power law", make_power_law, 40, 4 },
	{ "heavy hitters", make_heavy, 40, 4 },
	{ "mixed", make_mixed, 40, 4 },
	{ "100 like VMs", make_vms, 100, 10 },
	{ "power law, shared probes", make_shared_probes, 40, 4 },
	{ "few shared probes", make_few_shared, 40, 1 },
};
#define POPULATION_KINDS (sizeof(population_kinds) / sizeof(population_kinds[0]))

static inline struct population_made population_make(const struct population_kind *kind, uint64_t frames)
{
	struct population_made p = { .name = kind->name, .owners = kind->owners, .domains = kind->domains };
	uint64_t random = UINT64_C(0x6b736d73636f7065) + frames;

	kind->make(&p, frames, &random);
	p.probe_is_hash = p.groups == p.contents;
	population_count_truth(&p);
	return p;
}

struct probe_sharing {
	double inflation;		/* V = Σ n² / D: what sharing probes adds to the variance of a plain count */
	uint32_t shared;		/* groups of more than one content */
};

static inline struct probe_sharing population_sharing(const struct population_made *p)
{
	double *size = calloc(p->groups, sizeof(*size)), squares = 0;
	struct probe_sharing ret = { 0 };
	if (!size)
		abort();
	for (size_t i = 0; i < p->count; i++)
		if (i == 0 || p->holdings[i].content != p->holdings[i - 1].content)
			size[p->holdings[i].group]++;
	for (uint32_t g = 0; g < p->groups; g++) {
		squares += size[g] * size[g];
		ret.shared += size[g] > 1;
	}
	free(size);
	ret.inflation = squares / p->contents;
	return ret;
}

/* A handful of shared probes in the sample, or none: the estimate moves in steps, and its interval may cover more often. */
static inline bool sharing_in_steps(const struct probe_sharing *sharing, double theta)
{
	return sharing->shared && sharing->shared * theta < 10;
}

#endif
