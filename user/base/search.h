/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Searching what is in order. bsearch(3) finds an equal one; most questions are
 * where one would stand.
 */
#ifndef KSMSCOPE_BASE_SEARCH_H
#define KSMSCOPE_BASE_SEARCH_H

#include <stddef.h>

/*
 * The partition point: the first index I below COUNT for which BEFORE is false,
 * COUNT where there is none. BEFORE is an expression in I, true up to some
 * index and false from there on; it is evaluated log2(COUNT) + 1 times at most.
 */
#define partition_point(COUNT, I, BEFORE) ({				\
	size_t low_ = 0, high_ = (COUNT);				\
	while (low_ < high_) {						\
		size_t I = low_ + (high_ - low_) / 2;			\
		if (BEFORE)						\
			low_ = I + 1;					\
		else							\
			high_ = I;					\
	}								\
	low_;								\
})

#endif
