// SPDX-License-Identifier: GPL-2.0-or-later
#include "measure/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "out/calibration.h"
#include "sys/whole_file.h"

/* The folder that `path` is in; "." where none is named. */
static int folder_of(const char *path, char ret[PATH_MAX], struct error *err)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 1;
	if (length >= PATH_MAX - 64)
		return fail(err, EXIT_FAILED, "%.100s…: the name is too long", path);
	snprintf(ret, PATH_MAX, "%.*s", slash && !length ? 1 : (int)length, slash ? path : ".");
	if (mkdir(ret, 0755) && errno != EEXIST)
		return fail_errno(err, "make", ret, "--calibration names another file");
	return 0;
}

static int write_all(int fd, const struct text *text)
{
	return write_fully(fd, text->bytes, text->length) || fsync(fd) ? -errno : 0;
}

static int put_in_place(int folder, const char *made, const char *path)
{
	const char *slash = strrchr(path, '/');
	if (renameat(folder, made, folder, slash ? slash + 1 : path))
		return -errno;
	return fsync(folder) ? -errno : 0;
}

static int write_beside(int folder, const struct text *text, const char *path)
{
	char made[64];
	snprintf(made, sizeof(made), ".calibration-%d", (int)getpid());
	scoped_fd int fd = openat(folder, made, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	int rc = write_all(fd, text);
	if (!rc)
		rc = put_in_place(folder, made, path);
	if (rc)
		unlinkat(folder, made, 0);
	return rc;
}

int calibration_store(const struct calibration *c, const char *path, struct error *err)
{
	scoped_text struct text text = { 0 };
	char folder[PATH_MAX];
	int rc = folder_of(path, folder, err);
	if (rc)
		return rc;
	calibration_json(&text, c);
	if (text.failed)
		return fail(err, EXIT_FAILED, "out of memory writing %s", path);
	scoped_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -errno : write_beside(fd, &text, path);
	errno = -rc;
	return rc ? fail_errno(err, "write", path, "--calibration names another file") : 0;
}
