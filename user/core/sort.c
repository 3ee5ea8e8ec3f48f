// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/sort.h"

#include <stdlib.h>

/*
 * Three-way quicksort (Dijkstra's flag): [0, low) < pivot = [low, high) < [high, n).
 * The smaller side is sorted by recursion, the larger in the loop, so that the
 * depth is at most log2(n) whatever the input is.
 */
#define DEFINE_SORT(name, type, extra_parameter, extra_argument, KEY)			\
static void name(type *v, size_t n extra_parameter)					\
{											\
	while (n > 1) {									\
		uint64_t pivot = KEY(v[n / 2]);						\
		size_t low = 0, at = 0, high = n;					\
		while (at < high) {							\
			type item = v[at];						\
			if (KEY(item) < pivot) {					\
				v[at++] = v[low];					\
				v[low++] = item;					\
			} else if (KEY(item) > pivot) {					\
				v[at] = v[--high];					\
				v[high] = item;						\
			} else {							\
				at++;							\
			}								\
		}									\
		if (low < n - high) {							\
			name(v, low extra_argument);					\
			v += high;							\
			n -= high;							\
		} else {								\
			name(v + high, n - high extra_argument);			\
			n = low;							\
		}									\
	}										\
}

#define COMMA ,
#define ITSELF(item) (item)
#define BY_KEY(item) (key[item])
DEFINE_SORT(sort_values, uint64_t, , , ITSELF)
DEFINE_SORT(sort_numbers, uint32_t, COMMA const uint64_t *key, COMMA key, BY_KEY)

void sort_u64(uint64_t *values, size_t count)
{
	sort_values(values, count);
}

void sort_by_key(uint32_t *order, size_t count, const uint64_t *key)
{
	sort_numbers(order, count, key);
}

void sort_by_upper_half(uint64_t *values, size_t count, int (*compare)(const void *a, const void *b, void *context),
			void *context)
{
	sort_values(values, count);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && values[end] >> 32 == values[i] >> 32; end++)
			;
		if (end > i + 1)
			qsort_r(values + i, end - i, sizeof(*values), compare, context);
	}
}
