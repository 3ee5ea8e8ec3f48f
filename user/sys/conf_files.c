// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/conf_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/whole_file.h"

static int check_file(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return fail_errno(err, "stat", path, NULL);
	if (!S_ISREG(st.st_mode))
		return fail(err, EXIT_USAGE, "%s: not a file", path);
	if (st.st_size > CONF_MOST_BYTES)
		return fail(err, EXIT_USAGE, "%s: larger than %u bytes", path, CONF_MOST_BYTES);
	if ((st.st_uid && st.st_uid != geteuid()) || (st.st_mode & 022))
		return fail(err, EXIT_NOT_PERMITTED, "%s: others may write it (owner %u, mode %03o): what it says is not "
			    "taken for the operator's will; chown root and chmod go-w it", path, (unsigned int)st.st_uid,
			    (unsigned int)st.st_mode & 0777);
	return 0;
}

static int read_all(int fd, const char *path, char **ret, size_t *ret_length, struct error *err)
{
	*ret = malloc(CONF_MOST_BYTES + 1);
	if (!*ret)
		return fail(err, EXIT_FAILED, "%s: out of memory", path);
	ssize_t n = read_fully(fd, *ret, CONF_MOST_BYTES + 1);
	*ret_length = n < 0 ? 0 : (size_t)n;
	return n < 0 ? fail_errno(err, "read", path, NULL) : 0;
}

static int take_file(const char *path, bool must, conf_text_taker *take, void *context, struct error *err)
{
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	scoped_free char *text = NULL;
	size_t length = 0;

	if (fd < 0 && errno == ENOENT && !must)
		return 0;
	if (fd < 0)
		return fail_errno(err, "open", path, NULL);
	int rc = check_file(fd, path, err);
	if (!rc)
		rc = read_all(fd, path, &text, &length, err);
	return rc ? rc : take(context, path, text, length, err);
}

static int is_drop_in(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	return length > 5 && *entry->d_name != '.' && !strcmp(entry->d_name + length - 5, ".conf");
}

int conf_files_read(const char *file, bool must, conf_text_taker *take, void *context, struct error *err)
{
	char directory[4096], path[4096 + 256];
	struct dirent **names = NULL;
	int rc = take_file(file, must, take, context, err);

	snprintf(directory, sizeof(directory), "%s.d", file);
	int count = rc ? 0 : scandir(directory, &names, is_drop_in, alphasort);
	if (count < 0 && errno != ENOENT)
		rc = fail_errno(err, "list", directory, NULL);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]->d_name);
		if (!rc)
			rc = take_file(path, true, take, context, err);
		free(names[i]);
	}
	free(names);
	return rc;
}
