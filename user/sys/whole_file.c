// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* ---- reading ---- */

ssize_t read_fully(int fd, void *ret, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, (char *)ret + used, size - used);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)used;
}

static int read_all(int fd, struct text *ret, const char *path, size_t most, struct error *err)
{
	char block[16384];
	ssize_t n = 0;
	int rc = 0;

	while (!rc && ret->length <= most && ((n = read(fd, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			text_add(ret, block, n);
	if (n < 0)
		rc = fail_errno(err, "read", path, NULL);
	else if (ret->failed)
		rc = fail(err, EXIT_FAILED, "%s: no memory to read it", path);
	else if (ret->length > most)
		rc = fail(err, EXIT_USAGE, "%s: longer than %zu bytes: that is none of ours", path, most);
	explicit_bzero(block, sizeof(block));
	return rc;
}

int file_read(struct text *ret, const char *path, size_t most, struct error *err)
{
	struct stat stat;
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	*ret = (struct text){ 0 };
	if (fd < 0 || fstat(fd, &stat))
		return fail_errno(err, "read", path, NULL);
	if (S_ISDIR(stat.st_mode))
		return fail(err, EXIT_USAGE, "%s: is a directory", path);
	return read_all(fd, ret, path, most, err);
}

int file_read_secret(struct text *ret, const char *path, size_t most, struct error *err)
{
	struct stat stat;
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*ret = (struct text){ 0 };
	if (fd < 0 || fstat(fd, &stat))
		return fail_errno(err, "read", path, NULL);
	if (!S_ISREG(stat.st_mode))
		return fail(err, EXIT_NOT_PERMITTED, "%s: is no ordinary file; a secret is kept in one", path);
	if (stat.st_uid != geteuid() && stat.st_uid != 0)
		return fail(err, EXIT_NOT_PERMITTED, "%s: belongs to uid %u, who could change it: chown it", path,
			    stat.st_uid);
	if (stat.st_mode & (S_IRWXG | S_IRWXO))
		return fail(err, EXIT_NOT_PERMITTED, "%s: others may use it (mode %03o): a secret is its owner's alone: "
			    "chmod 600 it, and make a new one if others did", path, stat.st_mode & 0777);
	return read_all(fd, ret, path, most, err);
}

void text_wipe(struct text *text)
{
	if (text->bytes)
		explicit_bzero(text->bytes, text->capacity);
	text_free(text);
}

/* ---- writing ---- */

int write_fully(int fd, const void *bytes, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = write(fd, (const char *)bytes + at, size - at);
		if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int write_all(int fd, const struct text *text, const char *path, struct error *err)
{
	return write_fully(fd, text->bytes, text->length) || fsync(fd) ? fail_errno(err, "write", path, NULL) : 0;
}

/* The new name is on disk when the directory is. */
static void sync_directory(char *name)
{
	scoped_fd int fd = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

int file_write_private(const char *path, const struct text *text, struct error *err)
{
	scoped_free char *name = NULL;
	struct stat stat;

	if (text->failed || asprintf(&name, "%s.XXXXXX", path) < 0)
		return fail(err, EXIT_FAILED, "%s: no memory to write it", path);
	if (!lstat(path, &stat) && !S_ISREG(stat.st_mode))
		return fail(err, EXIT_FAILED, "%s: is no ordinary file; it is left alone", path);
	scoped_fd int fd = mkostemp(name, O_CLOEXEC);	/* 0600 */
	if (fd < 0)
		return fail_errno(err, "create", path, NULL);
	int rc = write_all(fd, text, path, err);
	if (!rc && rename(name, path))
		rc = fail_errno(err, "write", path, NULL);
	if (rc)
		unlink(name);
	else
		sync_directory(name);
	return rc;
}
