/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sketch that leaves the machine: the k smallest keyed hashes of the
 * contents of a VM or a host, with how many frames hold each. Sketches made
 * with one fleet key (fleet_key.h) can be laid side by side: what would be
 * equal if these ran on one machine?
 *
 * The file is text, one fact a line, so that a database can load it
 * (docs/fleet.md). Hashes have 63 bits, since SQL has signed integers.
 *
 *	ksmscope-sketch 1
 *	page-bytes 4096
 *	key-id 5f0c1ab2334d9e77
 *	label web-1
 *	domain shop
 *	time 1767225600
 *	frames 250000
 *	zero-frames 1200
 *	threshold 150119987579017
 *	contents 4096
 *	35184372088 3
 *	…
 *	checksum 0123456789abcdef
 *
 * A content is in it iff its hash is below the threshold; the largest
 * threshold says that all of them are. It does not know which page, of which
 * process, a hash belongs to, and can't be read back without the key.
 */
#ifndef KSMSCOPE_CORE_PORTABLE_H
#define KSMSCOPE_CORE_PORTABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "core/estimate/regression.h"
#include "core/estimate/sketch.h"

/* Of the format, and of the hash of a page: where either changes, equal pages differ. test_portable.c holds the hash. */
#define PORTABLE_VERSION 1
#define PORTABLE_NAME_MAX 63
#define PORTABLE_DEFAULT_CONTENTS 4096
#define PORTABLE_CONTENTS_MAX (1u << 24)
/* Everything is in the sketch: it is exact. */
#define PORTABLE_ALL INT64_MAX

struct portable_content {
	int64_t hash;			/* 0 … 2^63 - 2 */
	uint32_t frames;
};

struct portable {
	char label[PORTABLE_NAME_MAX + 1];	/* the VM or host */
	char domain[PORTABLE_NAME_MAX + 1];	/* its trust domain; "" where nobody said */
	uint64_t page_bytes;
	uint64_t key_id;
	int64_t time_s;			/* CLOCK_REALTIME of the look */
	uint64_t frames;		/* candidates looked at, zero frames apart */
	uint64_t zero_frames;
	int64_t threshold;
	struct portable_content *contents;	/* ascending hash */
	uint32_t count;
};

/* What the header says; the rest is taken from the sketch. */
struct portable_head {
	const char *label, *domain;
	uint64_t page_bytes, key_id, zero_frames;
	int64_t time_s;
};

/*
 * The k smallest hashes of a sketch whose places are fleet_hash() of its
 * contents: made without a probe and without a phase, else refused. `wanted`
 * says per owner who belongs to it; NULL: everybody.
 */
int portable_make(struct portable *ret, const struct sketch *sketch, const struct portable_head *head,
		  const bool *wanted, uint32_t k, struct error *err);
void portable_free(struct portable *portable);

void portable_write(struct text *out, const struct portable *portable);

/*
 * Refused, with file and line: another format or version, a line that is not
 * as it should be, an end before the last line, a checksum that does not fit.
 */
int portable_read(struct portable *ret, const char *file, const char *bytes, size_t length, struct error *err);

#define PORTABLE_COMPARE_MAX 256

enum compare_measure {
	COMPARE_APART,		/* duplicates inside each of them alone, summed */
	COMPARE_SHARED,		/* what more is equal when they are together */
	COMPARE_INSIDE,		/* of that, between those of one stated trust domain: co-locating saves it */
	COMPARE_CROSSING,	/* the rest: a risk, no saving */
	COMPARE_TOGETHER,	/* apart + shared */
	COMPARE_MEASURES
};

struct comparison {
	double theta;			/* share of the contents that all of them hold a sample of */
	uint64_t frames;		/* of all, zero frames apart */
	uint64_t contents;		/* in the common sample: what the intervals stand on */
	struct estimate of[COMPARE_MEASURES];	/* in frames */
};

/* Refused where the sketches are of different keys or page sizes: equal contents differ in them. */
int portable_compare(struct comparison *ret, const struct portable *const *sets, size_t count, struct error *err);

#endif
