/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sys/ + probe/ → the facts of one moment (core/live/top.h): the only way in which
 * programs come by them. Reads only. A probe that this kernel refuses costs
 * what it would have told, and `missing` says why.
 */
#ifndef KSMSCOPE_GATHER_TOP_H
#define KSMSCOPE_GATHER_TOP_H

#include "base/error.h"
#include "core/live/top.h"
#include "core/trust/domain.h"
#include "sys/sysroot.h"

struct top_source;

struct top_options {
	bool precise;			/* look at every fault: exact, and dearer for the machine */
	bool probes;			/* load BPF programs at all */
	const char *calibration;	/* file; NULL: the usual one */
	bool potential;			/* measure what merging more would free, from the beginning */
	double knee_seconds;		/* look at so many seconds' distance which huge pages are worth breaking; 0: never */
	uint64_t knee_bytes;		/* as long as there is no more anonymous memory; 0: KNEE_BYTES (gather/knee.h) */
	const struct domain_rules *domains;	/* both are inside these; NULL: each uid and VM. Outlives the source */
};

int top_source_open(struct top_source **ret, const struct sysroot *root, const struct top_options *options,
		    struct error *err);
void top_source_close(struct top_source *source);

/* Take a sample. `ret` is cleared and filled. Rates need two, and the first few lack what is read in turns. */
int top_source_take(struct top_source *source, struct top_sample *ret, struct error *err);

/*
 * What has to happen between samples (windows of the fault probe). When to
 * call again goes to *ret_next_ns, CLOCK_MONOTONIC; INT64_MAX: not at all.
 */
void top_source_tick(struct top_source *source, int64_t *ret_next_ns);

/* Measure it from now on (gather/potential.h). */
void top_source_ask_potential(struct top_source *source);

#endif
