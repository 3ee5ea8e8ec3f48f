/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the measurements share: memory to measure on, a clock, and room for
 * values. For measure/ alone. All of it runs in a child process that ends when
 * its part is done; what it found is left in shared memory.
 */
#ifndef KSMSCOPE_MEASURE_BENCH_H
#define KSMSCOPE_MEASURE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/huge/calibration.h"
#include "sys/pagemap.h"
#include "sys/sysroot.h"

/* Values of one figure. More are not needed: the interval is narrow by then. */
#define BENCH_VALUES 512

struct values {
	double of[BENCH_VALUES];
	size_t count;
};

#define MERGING_SIZES 3

/* What several children find one after the other. */
struct merging_values {
	struct values visit[MERGING_SIZES], merge[MERGING_SIZES];
	uint64_t tracked[MERGING_SIZES];	/* pages of everybody while visits were measured */
	struct values cow, fault, extra;
	char why[112];			/* what went wrong at last; "" for nothing */
};

/* What a child is given, and where it puts what it found: `found` and `share` are shared with the parent. */
struct bench {
	const struct sysroot *root;
	struct calibration *found;
	volatile double *share;		/* of this part that is done */
	double seconds;			/* about so long */
	double started;			/* monotonic seconds */
	uint64_t memory_bytes;		/* at most */
	struct merging_values *merging;	/* shared, too */
	size_t size;			/* index of the size that bench_merging() is for */
	uint64_t pages;			/* that size */
	struct pagemap map;		/* of the child itself */
	int kpageflags;			/* -1: may not be read */
};

double bench_clock(void);
/* CPU time of this thread, in nanoseconds. */
double bench_cpu_ns(void);
/* Share of the part's time that is over. */
double bench_over(const struct bench *b);

static inline bool values_full(const struct values *v)
{
	return v->count == BENCH_VALUES;
}

static inline void values_add(struct values *v, double value)
{
	if (!values_full(v))
		v->of[v->count++] = value;
}

/* The figure of the values; where there is none, absent with this reason. */
__attribute__((format(printf, 3, 4)))
void bench_figure(struct measured *ret, struct values *v, const char *why, ...);
__attribute__((format(printf, 3, 4)))
void bench_absent(struct measured *ret, enum known known, const char *why, ...);

/* Private anonymous memory, aligned to `align`, not touched yet; NULL where there is none. */
char *bench_map(size_t bytes, size_t align);
/* Different words everywhere; `seed` makes one filling differ from another. */
void bench_fill(char *at, size_t bytes, uint64_t seed);

/* Have [at, at + bytes) in huge pages, whole; false where not nearly all of it can be. It is written to. */
bool bench_huge(struct bench *b, char *at, size_t bytes);
bool bench_is_huge(struct bench *b, const char *at);

/*
 * The parts. The first two fill in their figures of `b->found`; merging, while
 * the engine runs, adds values to `b->merging`, as often as it is called.
 */
void bench_shape(struct bench *b);
void bench_access(struct bench *b);
void bench_merging(struct bench *b);

#endif
