/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a look is asked for: whom, by which reader, how often. */
#ifndef KSMSCOPE_GATHER_OPTIONS_H
#define KSMSCOPE_GATHER_OPTIONS_H

#include <signal.h>

#include "base/error.h"
#include "core/judge/plan.h"
#include "core/sample.h"
#include "gather/pace.h"

/* Who is looked at. Several kinds may be given: a process that fits any of them. */
struct target {
	const pid_t *pids;
	size_t pids_count;
	const char *comm;		/* NULL: not asked for */
	const char *cgroup;		/* path of a cgroup, its children included */
	bool by_uid;
	uid_t uid;
	const char *vm;			/* a QEMU guest, by the name on its command line; NULL: not asked for */
	bool all;
	bool maybe_none;		/* an empty list of targets is an answer */
};

enum look_mode {
	LOOK_AUTO,			/* exact below LOOK_EXACT_BYTES of resident anonymous memory, else sampled */
	LOOK_EXACT,
	LOOK_SAMPLED,
};

#define LOOK_EXACT_BYTES (4ull << 30)
#define LOOK_THETA (1.0 / 16)

/*
 * Who has a DAMON watch for us, by a plan of CHANGE_DAMONs: act/ does, since this room only reads. `plan` stays as it
 * is until end(), which takes it away again; that may fail, and says so.
 */
struct damon_lender {
	int (*begin)(struct damon_lender *lender, const struct plan *plan, struct error *err);
	int (*end)(struct damon_lender *lender, struct error *err);
};

struct gather_options {
	struct target target;
	enum reader_kind reader;	/* READER_NONE: choose */
	double settle_seconds;		/* 0: one look */
	enum look_mode mode;
	double theta;			/* LOOK_SAMPLED: share of the contents to keep; 0: LOOK_THETA */
	uint64_t memory_bytes;		/* for the table of a sample; 0: SKETCH_DEFAULT_BYTES */
	bool ledger;			/* look into huge pages that KSM can't take, too */
	int heat_source;		/* enum heat_source; HEAT_NOT_LOOKED: the best that this kernel allows */
	struct damon_lender *lender;	/* NULL: no DAMON is started for it */
	double heat_seconds;		/* watch so long how often huge pages are accessed; 0: don't */
	const struct fleet_key *fleet;	/* LOOK_SAMPLED: a sample whose places are fleet_hash() of whole pages, zeros left out */
	struct budget budget;		/* from the start of this process; zeroed: as fast as can be */
	const struct pace *paced_by;	/* a pace that began before, and the bytes read at it so far; NULL: it begins here */
	uint64_t paced_bytes;
	const char *calibration;	/* file of the machine's calibration; NULL: none is read */
	/* Called every so often with the pages done and expected, both looks together. May be NULL. */
	void (*progress)(void *context, uint64_t done, uint64_t expected);
	void *context;
	const volatile sig_atomic_t *stop;	/* non-zero: give up; may be NULL */
};

#endif
