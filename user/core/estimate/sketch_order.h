/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sketch in the order in which it is reckoned with: stratum, group (contents
 * that are kept or left together), content, trust domain, class. A class is a
 * set of owners that is reported as one.
 *
 * Contents are sorted once; owners may then be put into classes by one rule
 * after the other, which sorts within each content only.
 */
#ifndef KSMSCOPE_CORE_SKETCH_ORDER_H
#define KSMSCOPE_CORE_SKETCH_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/estimate/sketch.h"

struct sketch_order {
	const struct sketch *sketch;
	const uint32_t *class_of;	/* per owner; NULL: each owner its own */
	const uint32_t *domain_of;	/* per owner; NULL: one domain */
	uint32_t classes_count;		/* an owner of a class at or above it is of class classes_count: none */
	uint64_t *index;		/* of the slots in use: the slot's number in the lower half, above it the upper part of its place */
	uint32_t count;
};

/* The slots [begin, end) of the order hold one content. */
struct content_run {
	uint32_t begin, end;
	uint64_t group;			/* counts groups from 1, over both strata */
};

/*
 * The contents in order, each owner a class, in one domain: O(n log n), 8 bytes
 * a slot in use. False when memory is out; freed in any case by sketch_order_free().
 */
bool sketch_order_init(struct sketch_order *ret, const struct sketch *sketch);
void sketch_order_free(struct sketch_order *order);

/* Put the owners into other classes and domains: O(n), and the copies of a content that several have are sorted. */
void sketch_order_group(struct sketch_order *order, const uint32_t *class_of, uint32_t classes_count,
			const uint32_t *domain_of);

/* The next content; a run of zeros before the first. False at the end. */
bool sketch_order_next(const struct sketch_order *order, struct content_run *run);

/* Where sketch_order_next() begins with the first content of a stratum. */
struct content_run sketch_order_before(const struct sketch_order *order, enum sketch_stratum stratum);

uint32_t sketch_order_class_of(const struct sketch_order *order, uint32_t owner);
uint32_t sketch_order_domain_of(const struct sketch_order *order, uint32_t owner);

static inline const struct sketch_slot *sketch_order_slot(const struct sketch_order *order, uint32_t i)
{
	return &order->sketch->slots[(uint32_t)order->index[i]];
}

static inline uint32_t sketch_order_class(const struct sketch_order *order, uint32_t i)
{
	return sketch_order_class_of(order, sketch_order_slot(order, i)->owner);
}

static inline uint32_t sketch_order_domain(const struct sketch_order *order, uint32_t i)
{
	return sketch_order_domain_of(order, sketch_order_slot(order, i)->owner);
}

#endif
