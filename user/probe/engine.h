/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ksmd does, from the ksm tracepoints (6.4+). Every tracepoint that this
 * kernel lacks or refuses leaves its counters at zero: ask the attachment
 * before showing one as a number.
 */
#ifndef KSMSCOPE_PROBE_ENGINE_H
#define KSMSCOPE_PROBE_ENGINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "bpf/abi.h"
#include "probe/attach.h"

struct engine_probe;

struct engine_process {
	pid_t pid;		/* 0: its owner is gone */
	struct engine_counts counts;
};

/*
 * The record of when pages were merged, which other probes use to tell how
 * long a merge lasted. Without one (`fd` < 0) they know no lifetimes.
 */
struct merge_record {
	int fd;			/* of the map; belongs to the engine's probe */
	uint32_t shift;		/* one page in 2^shift is followed */
};

#define MERGE_RECORD_NONE ((struct merge_record){ .fd = -1 })

/*
 * Load and attach. `merged_pages`: about how many pages are or will be merged
 * (pages_sharing + pages_shared), 0 when unknown; decides how many are followed.
 */
int engine_open(struct engine_probe **ret, uint64_t merged_pages, struct error *err);
void engine_close(struct engine_probe *probe);

/* Counters since engine_open(); programs go on counting while they are copied. */
void engine_read(const struct engine_probe *probe, struct engine_totals *ret);

/* By process, in no order; the caller frees *ret. Processes that have ended stay until engine_forget(). */
int engine_processes(const struct engine_probe *probe, struct engine_process **ret, size_t *ret_count,
		     struct error *err);
void engine_forget(struct engine_probe *probe, pid_t pid);

struct merge_record engine_merges(const struct engine_probe *probe);
const struct attachment *engine_attachment(const struct engine_probe *probe);

#endif
