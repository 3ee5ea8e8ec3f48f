/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which huge pages of this host would be worth breaking (core/huge/frontier.h),
 * measured in the background at an interval: a child looks at every page, for
 * a ledger can't be drawn from a sample, and tells the frontier's ends and its
 * knee.
 *
 * Heat is not looked at, since that would clear accessed bits: every huge page
 * counts as hot, so the slow-down is an upper bound. A host that holds more
 * anonymous memory than a look may hold is not looked at, and says so.
 */
#ifndef KSMSCOPE_GATHER_KNEE_H
#define KSMSCOPE_GATHER_KNEE_H

#include "core/live/top.h"
#include "core/trust/domain.h"
#include "gather/pace.h"
#include "sys/sysroot.h"

/* Of one CPU, while a look is under way. */
#define KNEE_CPU 0.01
/* CPU time that a look may take at once, before that holds. */
#define KNEE_BURST_SECONDS 2
/* From the beginning of one look to that of the next. */
#define KNEE_SECONDS 900
/* Anonymous memory that a look may hold: its tables take 4 bytes for each KiB. */
#define KNEE_BYTES (4ull << 30)

struct knee_options {
	double interval_seconds;
	const struct domain_rules *domains;	/* inside these trust domains; NULL: each uid, each VM */
	const char *calibration;	/* file; NULL: the usual one */
	struct budget budget;		/* zeroed: KNEE_CPU of one CPU */
	uint64_t most_bytes;		/* 0: KNEE_BYTES */
};

struct knee;

/* NULL when memory is out. The first look begins with the first call of knee_take(). */
struct knee *knee_open(const struct sysroot *root, const struct knee_options *options);
/* Ends a look that is under way. NULL is fine. */
void knee_close(struct knee *knee);

/*
 * Put the last look into the sample: the facts of SOURCE_LEDGER; or into
 * `missing` why there is none, or which part of it. Begins the next look when
 * it is due. Never waits. After FACT_ANON_BYTES was read.
 */
void knee_take(struct knee *knee, struct top_sample *sample);

#endif
