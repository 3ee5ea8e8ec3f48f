/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sample of contents, in bounded memory, for the question how much is stored
 * twice and by whom.
 *
 * A content is kept when its place, a keyed 64-bit number made from it, is
 * below θ 2^64. Every frame is looked at, so equal frames are all in or all
 * out, and the copies of a content that is kept are counted exactly, by owner.
 * When the table is full, θ is halved in place; what stays is what a smaller θ
 * would have kept from the start.
 *
 * The place comes from the `probe`: the hash of the whole page, or of a few of
 * its cache lines, so that most pages never get the full hash. Contents that
 * share a probe are kept or left together; estimate.h reckons with that.
 *
 * Frequent probes (scout.h) are the second stratum. They dominate the variance,
 * or are shared by so many contents that they say nothing; of their pages the
 * full hash is the place, and the threshold of this stratum stays at 1 as long
 * as they fill less than half of the table.
 *
 * A frame belongs to the owner through which it was met first. Everything is
 * integer here. The key and the phase are random per run, so nobody can make
 * a page that is always or never sampled; neither is kept in a portable form.
 *
 * It does not know contents that it left out, nor which frames hold one.
 */
#ifndef KSMSCOPE_CORE_SKETCH_H
#define KSMSCOPE_CORE_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/estimate/distinct.h"

#define SKETCH_DEFAULT_BYTES ((size_t)16 << 20)
#define SKETCH_MIN_BYTES ((size_t)64 << 10)

/* Frequent probes that one sketch follows. */
#define SKETCH_HEAVY_MAX 1024

/* Owners are small numbers that the caller gives out; 16 … 20 bytes each, beside the table. */
#define SKETCH_OWNER_MAX ((UINT32_C(1) << 31) - 1)

enum sketch_stratum { SKETCH_LIGHT, SKETCH_HEAVY, SKETCH_STRATA };

/* One content with one of its owners. Packed: 28 bytes, and a table has a hundred thousand of them. */
struct __attribute__((packed, aligned(4))) sketch_slot {
	uint64_t place;			/* probe (light) or hash (heavy), moved by the phase */
	uint64_t hash;
	uint32_t owner : 31;
	uint32_t stratum : 1;
	uint32_t frames;		/* 0: the slot is free */
	uint32_t young;			/* of them, frames that did not hold it long enough: see sketch_keep_young() */
};

struct sketch_options {
	size_t bytes;			/* for everything but owners, an estimate's own needs included; 0: default */
	double theta;			/* to begin with; 0 < theta <= 1 */
	uint64_t run;			/* names the key and the probe's offsets, tells nothing of them */
	uint64_t phase;			/* random per run */
	bool probe_is_hash;		/* no probe: the place comes from the hash of the whole page */
};

struct sketch {
	uint64_t run, phase;
	bool probe_is_hash;
	bool counts_distinct;		/* `probes` is whole: no owner was forgotten */
	int failed;			/* sticky: -ENOMEM, or -ENOSPC when no smaller θ helps */
	uint64_t last[SKETCH_STRATA];	/* the last place that is kept: θ 2^64 - 1 */

	struct sketch_slot *slots;
	uint32_t slots_count;		/* an eighth of slots_max, or all of them: a small host's stay in the cache */
	uint32_t slots_max;
	uint32_t used_max;
	uint32_t used[SKETCH_STRATA];

	struct distinct probes;		/* of the light stratum, kept or not */
	double probes_gone;		/* of them, an estimate of those that only forgotten owners had */
	double probes_gone_variance;
	uint64_t heavy[4 * SKETCH_HEAVY_MAX];	/* a table of probes; 0: free */
	uint32_t heavy_count;

	uint64_t (*owner_frames)[SKETCH_STRATA];
	uint32_t owners;		/* one more than the largest that was met */
	uint32_t owners_capacity;
};

int sketch_init(struct sketch *ret, const struct sketch_options *options, struct error *err);
void sketch_free(struct sketch *sketch);

/* For the next pass: empty, at this θ, no frequent probes, no owners. Same run. */
void sketch_clear(struct sketch *sketch, double theta);

/* Follow these probes; only while the sketch is empty. More than SKETCH_HEAVY_MAX are not looked at. */
void sketch_set_heavy(struct sketch *sketch, const uint64_t *probes, uint32_t count);

/*
 * `frames` frames of an owner have this probe. True: give their full hash to
 * sketch_keep(). One whose hash can't be had goes back by sketch_unsee().
 */
bool sketch_see(struct sketch *sketch, uint64_t probe, uint32_t owner, uint32_t frames);
void sketch_unsee(struct sketch *sketch, uint64_t probe, uint32_t owner, uint32_t frames);
void sketch_keep(struct sketch *sketch, uint64_t probe, uint64_t hash, uint32_t owner, uint32_t frames);

/*
 * `young` more of the frames that were given to sketch_keep() with this hash
 * have held it too short a time to be merged. Nothing where the content is not
 * kept; never more than the frames that are there.
 */
void sketch_keep_young(struct sketch *sketch, uint64_t hash, uint32_t owner, uint32_t young);

/* The place of a light content in the sample, by its probe. */
static inline uint64_t sketch_place(const struct sketch *sketch, uint64_t probe)
{
	return probe + sketch->phase;
}

/* Lower the threshold of a stratum to `last`, the last place that is kept; nothing where it is lower already. */
void sketch_lower(struct sketch *sketch, enum sketch_stratum stratum, uint64_t last);

/* Both at once, where the hash is at hand anyway. */
void sketch_add(struct sketch *sketch, uint64_t probe, uint64_t hash, uint32_t owner, uint32_t frames);

/* Is the probe one of those that are followed? Then its pages need the full hash. */
bool sketch_is_heavy(const struct sketch *sketch, uint64_t probe);

/* An owner ended and its frames are gone: as if it had never been met. O(size). */
void sketch_forget(struct sketch *sketch, uint32_t owner);

/*
 * The same for all owners that `gone` says, at the end of a pass: probes stay
 * counted, since those that nobody else holds are known from the sample. O(size
 * log size). 0 or -ENOMEM, and nothing done.
 */
int sketch_forget_many(struct sketch *sketch, const bool *gone);

/*
 * Add what another sketch of the same run saw; owner i of `from` becomes
 * owner_map[i] (NULL: stays i). Refused, with the reason, where the two don't
 * speak of the same places: another run, another phase, other frequent probes.
 * A frame that both saw counts twice.
 */
int sketch_merge(struct sketch *into, const struct sketch *from, const uint32_t *owner_map, struct error *err);

/* Frames seen: of an owner in a stratum; of all. */
uint64_t sketch_owner_frames(const struct sketch *sketch, uint32_t owner, enum sketch_stratum stratum);
uint64_t sketch_frames(const struct sketch *sketch);

/* The threshold as a share, 0 < θ <= 1. */
double sketch_theta(const struct sketch *sketch, enum sketch_stratum stratum);

#endif
