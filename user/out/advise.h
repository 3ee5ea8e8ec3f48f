/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer of ksm-advise, as text for people and as JSON for programs (schema ksm-advise/1). */
#ifndef KSMSCOPE_OUT_ADVISE_H
#define KSMSCOPE_OUT_ADVISE_H

#include "base/text.h"
#include "core/judge/plan.h"
#include "core/model.h"

/* What --apply did: predicted against actual. */
struct applied {
	uint64_t predicted_bytes;
	int64_t actual_bytes;		/* frames that the targets gave back, by counting them again */
	int64_t kernel_bytes;		/* what the kernel's own counters gained: pages_sharing + ksm_zero_pages */
	double seconds;
	struct value ksmd_milliseconds;	/* CPU time of ksmd */
	bool converged;
	const struct plan *plan;
	const char **outcomes;		/* one per change: "done", "refused: …" */
	const char *nobody;		/* of the outcomes: that of the first who should have opted in, where nobody did; else NULL */
};

struct advice {
	const struct sample *sample;
	const struct model *model;
	const struct applied *applied;	/* NULL without --apply */
	bool ledger;			/* one row per huge page */
};

struct json;

/* What a planned change is, as keys of the object that is open: for whoever reports changes. */
void change_json(struct json *j, const struct change *change);

void advise_json(struct text *out, const struct advice *advice);

struct advise_style {
	bool colour;
	bool utf8;		/* bars of block characters instead of '#' */
	bool verbose;		/* all mappings, pairs and reasons instead of the largest */
};

void advise_text(struct text *out, const struct advice *advice, const struct advise_style *style);

/* The plan in words: what would be done, why, and what it crosses. */
void plan_text(struct text *out, const struct sample *sample, const struct plan *plan);

#endif
