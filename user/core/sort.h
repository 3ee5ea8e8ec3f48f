/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sorting in place. qsort(3) allocates as much again, which a look's memory
 * budget does not have.
 */
#ifndef KSMSCOPE_CORE_SORT_H
#define KSMSCOPE_CORE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Ascending. Equal values cost linear time; the depth is logarithmic. */
void sort_u64(uint64_t *values, size_t count);

/* Sort numbers by the key that each one names: key[order[0]] <= key[order[1]] … */
void sort_by_key(uint32_t *order, size_t count, const uint64_t *key);

/*
 * Sort numbers whose upper halves say most of their order: `compare`, as of
 * qsort_r(3), is asked only where upper halves are the same.
 */
void sort_by_upper_half(uint64_t *values, size_t count, int (*compare)(const void *a, const void *b, void *context),
			void *context);

#endif
