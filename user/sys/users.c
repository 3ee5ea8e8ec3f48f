// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/users.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

static int by_uid(const void *a, const void *b)
{
	uid_t x = ((const struct user *)a)->uid, y = ((const struct user *)b)->uid;
	return x < y ? -1 : x > y;
}

void users_read(struct users *ret, const struct sysroot *root)
{
	int fd = sysroot_openf(root, "etc/passwd");
	scoped_file FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	struct passwd *entry;

	*ret = (struct users){ 0 };
	if (fd >= 0 && !file)
		close(fd);
	while (file && (entry = fgetpwent(file))) {
		if ((ret->count & (ret->count - 1)) == 0) {	/* room doubles at powers of two */
			struct user *more = realloc(ret->list, (ret->count ? ret->count * 2 : 1) * sizeof(*more));
			if (!more)
				break;
			ret->list = more;
		}
		struct user *user = &ret->list[ret->count++];
		user->uid = entry->pw_uid;
		snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
	}
	if (ret->count)
		qsort(ret->list, ret->count, sizeof(*ret->list), by_uid);
}

void users_free(struct users *users)
{
	free(users->list);
	*users = (struct users){ 0 };
}

const char *users_name(const struct users *users, uid_t uid)
{
	struct user key = { .uid = uid };
	const struct user *found = users->count ? bsearch(&key, users->list, users->count, sizeof(key), by_uid) : NULL;
	return found ? found->name : NULL;
}
