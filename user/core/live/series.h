/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What metrics need to remember from moment to moment: rates made counters
 * that only grow, and of the groups that processes form a bounded number, the
 * rest together as `other`.
 *
 * What a group had gained before it got a place of its own stays in `other`,
 * and what it gains without one goes there: whatever is shown, the increments
 * of all series add up to those of all processes. A process that comes and
 * goes between two moments is not seen.
 */
#ifndef KSMSCOPE_CORE_SERIES_H
#define KSMSCOPE_CORE_SERIES_H

#include "core/live/top_model.h"
#include "core/trust/domain.h"

enum series_kind {
	SERIES_CGROUP,
	SERIES_UNIT,			/* systemd's: service or scope, else slice */
	SERIES_VM,
	SERIES_DOMAIN,			/* trust domain, as core/trust/domain.h calls it */
	SERIES_KINDS
};

/* "cgroup", "unit", "vm", "domain": the label and a part of the metrics' names. */
extern const char *const series_kind_names[SERIES_KINDS];

/* The domain of processes of which it can't be told: a rule names executables, and these are not read here. */
#define SERIES_UNKNOWN "unknown"

/* The label that all others have together. */
#define SERIES_OTHER "other"

/* Places per kind, and bytes that all their labels of a kind may have together. */
#define SERIES_MOST 500
#define SERIES_LABEL_BYTES (64u << 10)

struct series_group {
	char *label;			/* valid UTF-8, not escaped */
	double rank;
	uint32_t processes;
	struct quantity value[PROC_FIELDS];	/* of this moment */
	double counter[PROC_FIELDS];	/* since it has its place; of fields that are rates */
	bool counted[PROC_FIELDS];
};

struct series_set {
	struct series_group *groups;	/* by label */
	size_t count;
	struct series_group other;
	uint32_t others;		/* groups in it now */
	uint64_t dropped;		/* groups that lost their place to a larger one, so far */
};

struct series {
	size_t most;			/* places per kind: 1 … SERIES_MOST */
	const struct domain_rules *rules;	/* NULL: each uid and each VM is a domain */
	struct series_set set[SERIES_KINDS];
	double host_counter[HOST_FIELDS];	/* estimates of rates, summed up */
	bool host_counted[HOST_FIELDS];
};

/* Zeroed but for `most` and `rules` at first. The next moment: 0 or -ENOMEM, with the groups as they were. */
int series_update(struct series *series, const struct top_model *model);
void series_free(struct series *series);

/*
 * The unit that a cgroup belongs to: the last part of its path that is the
 * name of a service or scope, else of a slice. Its bytes within `cgroup`;
 * *ret_length 0 where there is none.
 */
const char *series_unit(const char *cgroup, size_t *ret_length);

#endif
