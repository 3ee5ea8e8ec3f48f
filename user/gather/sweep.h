/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole host, continuously: pass after pass over all candidate frames,
 * within a budget of CPU time and of bytes read, and in a bounded table. After
 * each pass the figures of the host and of everyone who holds memory are ready
 * (core/estimate/holders.h).
 *
 * The share of contents that is kept is chosen so that the table holds them; it
 * is halved in place where it fills. From the second pass on, pages that changed
 * since the last one, or since ksmd could have come round, are told from others
 * and are no potential.
 *
 * Processes that begin during a pass are looked at before it ends; what those
 * held that ended during it is taken back, but for frames that a relative by
 * fork still maps. A process that begins and ends within a pass may never be
 * seen, and nothing is frozen: a page is seen at some moment of the pass.
 */
#ifndef KSMSCOPE_GATHER_SWEEP_H
#define KSMSCOPE_GATHER_SWEEP_H

#include "base/error.h"
#include "core/estimate/holders.h"
#include "core/trust/domain.h"
#include "gather/options.h"
#include "sys/sysroot.h"

#define SWEEP_CPU 0.01			/* of one CPU, where nothing else is asked for */

struct sweep_options {
	struct target target;
	enum reader_kind reader;
	const struct domain_rules *domains;	/* trust domains; NULL: each uid, each VM */
	struct budget budget;		/* zeroed: as fast as can be */
	double burst_seconds;		/* CPU time that may be taken at once in the beginning, beyond the budget */
	double theta;			/* at most this share of the contents; 0: chosen */
	uint64_t memory_bytes;		/* for the tables; 0: SKETCH_DEFAULT_BYTES */
	double settle_seconds;		/* a page that changed so lately is young; 0: what ksmd needs, as far as known */
	/* Every so often, with the pages done and expected of the present pass. May be NULL. */
	void (*progress)(void *context, uint64_t done, uint64_t expected);
	void *context;
	const volatile sig_atomic_t *stop;	/* non-zero: stop at the next pages; may be NULL */
};

/* What a pass told. Valid until the next one. */
struct sweep_pass {
	const struct sample *sample;	/* its tasks; those of `ended` tasks' frames that are left are their heirs' */
	const struct holders *holders;
	uint32_t passes;		/* so far */
	double seconds, cpu_seconds;	/* of this one */
	uint64_t frames, hashed;	/* looked at; of them, by the whole hash */
	uint32_t began, ended;		/* processes, during the pass */
	double settle_seconds;		/* a younger page was young in this pass */
};

struct sweep;

/* Load the reader. Fails where contents can't be read on this system at all. */
int sweep_open(struct sweep **ret, const struct sysroot *root, const struct sweep_options *options, struct error *err);

/*
 * One pass, within the budget; it takes as long as that takes. A host without
 * processes is an empty answer. Negative: nothing is to be had from this pass,
 * and where `stop` was set, nothing else is the matter.
 */
int sweep_pass(struct sweep *sweep, struct sweep_pass *ret, struct error *err);

void sweep_close(struct sweep *sweep);

#endif
