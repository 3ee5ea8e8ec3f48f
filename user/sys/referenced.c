// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/referenced.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/search.h"

static bool add_mapping(struct referenced **list, size_t *count, const struct referenced *mapping)
{
	/* doubled each time that a power of two is reached */
	if (!(*count & (*count - 1))) {
		struct referenced *more = realloc(*list, (*count ? 2 * *count : 1) * sizeof(*more));
		if (!more)
			return false;
		*list = more;
	}
	(*list)[(*count)++] = *mapping;
	return true;
}

static bool read_line(const char *line, struct referenced **list, size_t *count)
{
	struct referenced mapping = { 0 };

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &mapping.start, &mapping.end) == 2)
		return add_mapping(list, count, &mapping);
	if (*count)
		sscanf(line, "Referenced: %" SCNu64, &(*list)[*count - 1].kilobytes);
	return true;
}

enum known referenced_read(const struct sysroot *root, pid_t pid, struct referenced **ret, size_t *ret_count)
{
	scoped_free char *line = NULL;
	size_t room = 0;
	bool stored = true;

	*ret = NULL;
	*ret_count = 0;
	int fd = sysroot_openf(root, "proc/%d/smaps", pid);
	if (fd < 0)
		return -fd == ENOENT ? GONE : known_of_errno(-fd);
	scoped_file FILE *file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return ABSENT;
	}
	while (stored && getline(&line, &room, file) > 0)
		stored = read_line(line, ret, ret_count);
	if (stored && *ret_count)
		return KNOWN;
	free(*ret);
	*ret = NULL;
	*ret_count = 0;
	return stored ? GONE : ABSENT;
}

const struct referenced *referenced_at(const struct referenced *list, size_t count, uint64_t address)
{
	size_t at = partition_point(count, i, list[i].end <= address);

	return at < count && list[at].start <= address ? &list[at] : NULL;
}
