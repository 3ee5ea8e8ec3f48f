/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a sample of contents (sketch.h): how much is stored twice, inside whom,
 * between whom, and across which trust domains, each with its 95 % interval.
 *
 * Everything is in frames, zero frames included where the caller added them.
 * A class is a set of owners that is reported as one: a process, a cgroup, a
 * VM, a uid. Its sharing with others is counted inside a trust domain only;
 * what equal contents across domains would give is TOTAL_CROSSING, a risk and
 * no saving. Formulas, sources and errors: docs/model-sampling.md.
 *
 * It says nothing of frames that nobody looked at; `coverage` says how many
 * those are.
 */
#ifndef KSMSCOPE_CORE_ESTIMATE_H
#define KSMSCOPE_CORE_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/estimate/regression.h"
#include "core/estimate/sketch.h"
#include "core/estimate/sketch_order.h"

enum total_measure {
	TOTAL_UNION,		/* frames less distinct contents, as if there were one domain */
	TOTAL_POLICY,		/* the same inside each trust domain, summed: what may be merged */
	TOTAL_CROSSING,		/* union less policy */
	TOTAL_WITHIN,		/* of the policy: inside each class alone */
	TOTAL_BETWEEN,		/* of the policy: the rest, between classes of one domain */
	TOTAL_CAPPED,		/* of the policy: with max_page_sharing mappings to a merged frame */
	TOTAL_YOUNG,		/* frames that have not held their content long enough; only where `settled`, else 0 */
	TOTAL_MEASURES
};

enum class_measure {
	CLASS_SELF,		/* frames less distinct contents inside the class alone */
	CLASS_BETWEEN,		/* its contents that others of the domain hold too */
	CLASS_ATTRIBUTED,	/* its share of the policy: 1 - 1/copies per frame; shares add up */
	CLASS_MARGINAL,		/* what it adds to the policy by being there */
	CLASS_CAPPED,		/* attributed, with the cap */
	CLASS_YOUNG,		/* its frames that have not held their content long enough; likewise */
	CLASS_MEASURES
};

#define CLASS_NONE UINT32_MAX

struct estimate_options {
	const uint32_t *class_of;	/* per owner, below classes_count or CLASS_NONE; NULL: each owner its own */
	uint32_t classes_count;		/* read only with class_of */
	const uint32_t *domain_of;	/* per owner; NULL: one domain */
	uint32_t max_page_sharing;	/* 0 or 1: no cap */
	/* Count only frames that have held their content long enough; young ones are contents of their own. */
	bool settled;
	const uint64_t *candidates;	/* per class: frames that there are; NULL: all were looked at */
	uint64_t total_candidates;	/* of all; 0: all were looked at */
	bool classes_only;		/* nothing is asked of all: `of` and `distinct` stay zeroed */
};

struct class_estimate {
	uint64_t frames;		/* looked at */
	double coverage;		/* frames / candidates, 0 … 1 */
	uint64_t groups;		/* of contents in the sample: what the intervals stand on */
	struct estimate of[CLASS_MEASURES];
};

struct estimates {
	uint64_t frames;		/* looked at */
	double coverage;
	double theta, theta_heavy;	/* shares of the light and of the frequent contents that were kept */
	struct estimate distinct;
	struct estimate of[TOTAL_MEASURES];
	struct class_estimate *classes;
	uint32_t classes_count;
};

/*
 * Needs 8 bytes per slot in use and about 700 bytes per class while it runs.
 * Fails when memory is out, and where the sketch itself had failed.
 */
int estimate_make(struct estimates *ret, const struct sketch *sketch, const struct estimate_options *options,
		  struct error *err);

/* The same of a sketch that is in order already: for several questions, which leave the order in other classes. */
int estimate_ordered(struct estimates *ret, struct sketch_order *order, const struct estimate_options *options,
		     struct error *err);
void estimates_free(struct estimates *estimates);

/* Classes that one matrix can hold. */
#define ESTIMATE_MATRIX_MAX 64

/*
 * Contents that two classes both hold, for each pair: ret[a * count + b] and
 * its mirror; the diagonal stays 0. class_of as above, `count` classes; an
 * owner of CLASS_NONE is left out. Across domains this is what would cross.
 */
int estimate_matrix(struct estimate *ret, struct sketch_order *order, const uint32_t *class_of, uint32_t count,
		    struct error *err);

#endif
