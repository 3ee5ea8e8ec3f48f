/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sys/ + probe/ → sample: find the targets, look at every page of them once,
 * and once more after a while. Reads only. The single way in which programs
 * come by a sample.
 */
#ifndef KSMSCOPE_GATHER_GATHER_H
#define KSMSCOPE_GATHER_GATHER_H

#include <signal.h>

#include "base/error.h"
#include "core/sample.h"
#include "sys/sysroot.h"

/* Who is looked at. Several kinds may be given: a process that fits any of them. */
struct target {
	const pid_t *pids;
	size_t pids_count;
	const char *comm;		/* NULL: not asked for */
	const char *cgroup;		/* path of a cgroup, its children included */
	bool by_uid;
	uid_t uid;
	bool all;
};

struct gather_options {
	struct target target;
	enum reader_kind reader;	/* READER_NONE: choose */
	double settle_seconds;		/* 0: one look */
	/* Called every so often with the pages done and expected, both looks together. May be NULL. */
	void (*progress)(void *context, uint64_t done, uint64_t expected);
	void *context;
	const volatile sig_atomic_t *stop;	/* non-zero: give up; may be NULL */
};

/*
 * Take a sample. What could not be read is in ret->missing. It fails when no
 * target is left to look at, or when contents can't be read on this system at
 * all (no BPF, no permission); on a captured system (root not live) the sample
 * has no contents and says so. *ret_named_missing: a PID that was named could
 * not be looked at, though others could.
 */
int gather_sample(struct sample *ret, const struct sysroot *root, const struct gather_options *options,
		  bool *ret_named_missing, struct error *err);

#endif
