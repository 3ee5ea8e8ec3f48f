// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/record/parts.h"
#include "core/sort.h"

static size_t find(const uint64_t *sorted, size_t count, uint64_t value)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sorted[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int ranks_of(uint64_t *values, size_t count, size_t *ret_count)
{
	uint64_t *sorted = malloc((count + 1) * sizeof(*sorted));
	size_t different = 0;

	if (!sorted)
		return -ENOMEM;
	if (count)
		memcpy(sorted, values, count * sizeof(*sorted));
	sort_u64(sorted, count);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || sorted[i] != sorted[different - 1])
			sorted[different++] = sorted[i];
	for (size_t i = 0; i < count; i++)
		values[i] = find(sorted, different, values[i]);
	free(sorted);
	*ret_count = different;
	return 0;
}
