// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/content_order.h"

#include <string.h>

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)

_Static_assert(CONTENT_BATCH <= UINT16_MAX, "indices are 16 bits wide");

/* Seven of eight are the next frame: as good as sorted. */
static bool nearly_ascending(const struct page_ref *pages, size_t count)
{
	size_t next = 0;
	for (size_t i = 1; i < count; i++)
		next += pages[i].pfn == pages[i - 1].pfn + 1;
	return next >= count - count / 8 - 1;
}

static void frame_range(const struct page_ref *pages, size_t count, uint64_t *ret_lowest, uint64_t *ret_width)
{
	uint64_t lowest = UINT64_MAX, highest = 0;
	for (size_t i = 0; i < count; i++) {
		lowest = pages[i].pfn < lowest ? pages[i].pfn : lowest;
		highest = pages[i].pfn > highest ? pages[i].pfn : highest;
	}
	*ret_lowest = lowest;
	*ret_width = highest - lowest;
}

/* One pass of a radix sort, lowest digit first: stable, so that later passes keep it. */
static void sort_digit(struct content_order *order, const struct page_ref *pages, size_t count, uint64_t lowest,
		       unsigned int shift)
{
	uint16_t start[DIGITS + 1] = { 0 };

	for (size_t i = 0; i < count; i++)
		start[((pages[i].pfn - lowest) >> shift) % DIGITS + 1]++;
	for (unsigned int digit = 0; digit < DIGITS; digit++)
		start[digit + 1] = (uint16_t)(start[digit + 1] + start[digit]);
	for (size_t i = 0; i < count; i++) {
		uint16_t page = order->page[i];
		order->spare[start[((pages[page].pfn - lowest) >> shift) % DIGITS]++] = page;
	}
	memcpy(order->page, order->spare, count * sizeof(*order->page));
}

void content_order_frames(struct content_order *ret, const struct page_ref *pages, size_t count)
{
	uint64_t lowest, width;

	for (size_t i = 0; i < count; i++)
		ret->page[i] = (uint16_t)i;
	if (nearly_ascending(pages, count))
		return;
	frame_range(pages, count, &lowest, &width);
	for (unsigned int shift = 0; shift < 64 && width >> shift; shift += DIGIT_BITS)
		sort_digit(ret, pages, count, lowest, shift);
}
