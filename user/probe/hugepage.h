/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Huge pages: collapses by process and result, the merges that they undid
 * (bpf/hugepage.bpf.c), and splits by ksmd (bpf/split.bpf.c). How many huge
 * pages were split in all is in vmstat: thp_split_page, thp_split_pmd.
 */
#ifndef KSMSCOPE_PROBE_HUGEPAGE_H
#define KSMSCOPE_PROBE_HUGEPAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "bpf/abi.h"
#include "core/known.h"
#include "probe/attach.h"
#include "probe/engine.h"
#include "sys/sysroot.h"

struct hugepage_probe;

/*
 * Load and attach. Without `merges` collapses are counted, but not what they
 * undid. Splits cost ksmd, and everything else that migrates pages, some 70 ns
 * per page: `splits` asks for them.
 */
struct hugepage_options {
	struct merge_record merges;
	bool splits;
};

int hugepage_open(struct hugepage_probe **ret, const struct hugepage_options *options, const struct sysroot *root,
		  struct error *err);
void hugepage_close(struct hugepage_probe *probe);

struct hugepage_facts {
	struct hugepage_totals totals;		/* collapses */
	struct split_totals splits;
	enum known tells_undone;	/* is it known what collapses undid? */
	enum known tells_splits;
};

/* Since hugepage_open(). */
void hugepage_read(const struct hugepage_probe *probe, struct hugepage_facts *ret);

/* One kind of outcome of one process's collapses. */
struct collapse_count {
	struct collapse_key key;	/* tgid 0: its owner is gone */
	uint64_t count;
};

/* All outcomes, in no order; the caller frees *ret. */
int hugepage_collapses(const struct hugepage_probe *probe, struct collapse_count **ret, size_t *ret_count,
		       struct error *err);

/* Processes to which something was done, in no order; the caller frees *ret. */
struct hugepage_process {
	pid_t pid;
	struct hugepage_counts counts;
	uint64_t ksmd_splits;
};

int hugepage_processes(const struct hugepage_probe *probe, struct hugepage_process **ret, size_t *ret_count,
		       struct error *err);

/* Results are below this. */
#define COLLAPSE_RESULTS 64

/* A result as this kernel names it, without its prefix: "succeed", "exceed_shared_pte"; "?" where it has no such. */
const char *collapse_result_name(const struct hugepage_probe *probe, unsigned int result);

/* Of the collapses, and of the splits: zeroed where there is none. */
const struct attachment *hugepage_attachment(const struct hugepage_probe *probe);
const struct attachment *split_attachment(const struct hugepage_probe *probe);

#endif
