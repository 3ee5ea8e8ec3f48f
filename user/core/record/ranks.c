// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/search.h"
#include "core/record/parts.h"
#include "core/sort.h"

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
		values[i] = partition_point(different, rank, sorted[rank] < values[i]);
	free(sorted);
	*ret_count = different;
	return 0;
}
