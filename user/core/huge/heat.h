/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heat: how often a huge page is accessed, from looks at whether it was.
 *
 * Accesses are taken for a Poisson process of rate λ per second of the
 * target's own processor time: a look with exposure x finds the page accessed
 * with probability (1 − ε)(1 − exp(−λx)). ε is the share of looks in which the
 * target did not run for most of the exposure although its clock says so: its
 * processor may be a virtual one, which the host stops; without it one such
 * look in a hundred would make a hot page lukewarm. λ is the most likely rate;
 * with n looks of one exposure and h hits it is −ln(1 − h/(n(1 − ε)))/x. The
 * interval holds the λ whose log-likelihood is within 1.92 of the greatest
 * (Wilks 1938: χ² with one degree of freedom, 95 %). A target that works in
 * the kernel for a while, as a server does, accesses nothing meanwhile, all of
 * its regions alike: such looks are told by that (heat_drop_dead) and do not
 * count, but their time does, so that rates stay means over all of it. Time in which the target
 * does not run tells nothing, hence processor time; short exposures tell fast
 * pages apart, long ones slow. Clearing and reading the bits of many regions
 * takes a while, and each look begins with another of them, so an exposure is
 * any of those from x − w/2 to x + w/2, w being that while: the probability is
 * the mean.
 *
 * It does not know accesses that set no bit: those of a guest by its own page
 * tables (KVM), of the kernel by its direct map, and of translations that
 * stayed in the TLB. So a rate is a lower bound, but for the first two, which
 * make the heat unknown.
 */
#ifndef KSMSCOPE_CORE_HUGE_HEAT_H
#define KSMSCOPE_CORE_HUGE_HEAT_H

#include "core/huge/region.h"

enum heat_source {
	HEAT_NOT_LOOKED,	/* nobody asked */
	HEAT_PAGE_TABLES,	/* accessed bits, by BPF */
	HEAT_DAMON,		/* the events of a DAMON that runs already */
	HEAT_REFERENCED,	/* smaps: a whole mapping at a time */
	HEAT_OWN_DAMON,		/* a DAMON that watched for us alone */
	HEAT_SOURCES
};

/* "none", "page-tables", "damon", "referenced", "own-damon". */
const char *heat_source_name(enum heat_source source);

/* ε; seen: 2 looks of 110 on a loaded virtual machine. */
#define HEAT_DEAD_LOOKS 0.02

/* Looks are gathered by exposure, four bins to a factor of ten, from 10 µs on. */
#define HEAT_BINS 32

/* The looks at one process. */
struct heat_looks {
	uint32_t count[HEAT_BINS];
	double seconds[HEAT_BINS];	/* exposures, added up */
	double reading[HEAT_BINS];	/* what clearing and reading the bits took, added up: any moment of it counts */
};

/* What they found of one region. */
struct heat_hits {
	uint16_t hits[HEAT_BINS];
	uint16_t unseen;		/* looks at which there was nothing to be seen */
	uint16_t broken;		/* looks at which it was mapped page by page */
};
/* What looks at one process found of all its regions together. */
struct heat_totals {
	double hits[HEAT_BINS];
	uint32_t none[HEAT_BINS];	/* looks that found no region accessed */
};

/*
 * Take the dead looks out of the count: those that found no region accessed,
 * where looks of the same or a shorter exposure found HEAT_DEAD_FEWEST on
 * average. Were accesses of regions independent, that would come about with
 * e^−5 at most: the process was in the kernel, or did not run. Their exposures
 * are left in.
 */
#define HEAT_DEAD_FEWEST 5
void heat_drop_dead(struct heat_looks *looks, const struct heat_totals *totals);

/* A look whose exposure is nought tells nothing: HEAT_BINS. */
size_t heat_bin(double exposure_seconds);

/*
 * Per second of processor time. No look that tells anything: NOT_READ. Nothing
 * to be seen at most looks: GONE.
 */
struct heat heat_estimate(const struct heat_looks *looks, const struct heat_hits *hits);

/* What was observed of one process. */
struct heat_task {
	struct heat_looks looks;
	double cpu_seconds;		/* that it ran during the observation */
	double user_share;		/* of that, in user mode; 0: not known */
	enum known known;		/* else why nothing is known of its pages */
	const char *why;		/* static; NULL while KNOWN */
};

/* What looking at heat brought. */
struct heat_facts {
	enum heat_source source;
	char why[160];			/* why not a better source; "" for the best */
	double seconds;			/* of the observation */
	double cpu_seconds;		/* that it took of us, the clearing of bits included */
	uint32_t looks;			/* each of which cleared the accessed bits of all targets */
	bool flushed;			/* translations were flushed as well: no access is missed by the TLB */
	struct heat_task *tasks;	/* one per sample.tasks */
	size_t tasks_count;
	struct heat_hits *hits;		/* one per region, in the order of regions_list() */
	size_t regions;
};

/* Zeroed, for so many; NULL when memory is out. */
struct heat_facts *heat_facts_new(size_t tasks, size_t regions);
void heat_facts_free(struct heat_facts *facts);

/*
 * Fill in the regions' heat, as accesses per second of wall time. Does nothing
 * where the sample has no heat, or of other regions.
 */
void heat_fill(const struct sample *sample, struct region *regions, size_t count);

/*
 * The share of the targets' processor time that the watching took of them, by
 * its looks: each hit is an access that had to walk the page tables because
 * the translation had been flushed, or set a bit that had been cleared;
 * walk_ns is what that takes at most (an access to memory). The flush itself
 * is not in it. NAN: they did not run, nothing was cleared, or walk_ns is not
 * known (0).
 */
double heat_disturbance(const struct sample *sample, double walk_ns);

/* Processor seconds per second that the targets use; 0 where nobody looked. */
double heat_utilization(const struct sample *sample);

/* The share of it that they spend in user mode, where all accesses are that count; 1 where that is not known. */
double heat_user_share(const struct sample *sample);

#endif
