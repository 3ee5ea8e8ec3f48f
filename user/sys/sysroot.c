// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "sys/pid_space.h"
#include "sys/whole_file.h"

int sysroot_open(struct sysroot *ret, const char *path, struct error *err)
{
	const char *root = path ? path : "/";
	ret->live = !strcmp(root, "/");
	ret->dir = -1;
	int rc = ret->live ? pid_space_check_proc(err) : 0;
	if (rc)
		return rc;
	ret->dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->dir < 0)
		return fail_errno(err, "open", root, "--sysroot takes a directory with proc and sys in it");
	if (!ret->live && faccessat(ret->dir, "proc", R_OK, 0) && faccessat(ret->dir, "sys", R_OK, 0)) {
		rc = fail_errno(err, "open", root, "there is neither proc nor sys in it");
		sysroot_close(ret);
		return rc;
	}
	return 0;
}

void sysroot_close(struct sysroot *root)
{
	if (root->dir >= 0)
		close(root->dir);
	root->dir = -1;
}

static int open_formatted(const struct sysroot *root, const char *fmt, va_list args)
{
	char path[PATH_MAX];
	if (vsnprintf(path, sizeof(path), fmt, args) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int fd = openat(root->dir, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysroot_openf(const struct sysroot *root, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int fd = open_formatted(root, fmt, args);
	va_end(args);
	return fd;
}

DIR *sysroot_dir(const struct sysroot *root, const char *path)
{
	int fd = openat(root->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	DIR *dir = fdopendir(fd);
	if (!dir)
		close(fd);
	return dir;
}

int sysroot_open_write(const struct sysroot *root, const char *path)
{
	int fd = openat(root->dir, path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

enum known known_of_errno(int os)
{
	switch (os) {
	case EPERM:
	case EACCES:
	/* it is there and can't be read now: a process must not be taken for one that has ended */
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return DENIED;
	case ESRCH:
		return GONE;
	default:
		return ABSENT;
	}
}

static enum known read_whole(int fd, char *ret, size_t size)
{
	ssize_t n = read_fully(fd, ret, size - 1);
	ret[n < 0 ? 0 : n] = '\0';
	return n < 0 ? known_of_errno(errno) : KNOWN;
}

static enum known read_formatted(const struct sysroot *root, char *ret, size_t size, const char *fmt, va_list args)
{
	ret[0] = '\0';
	scoped_fd int fd = open_formatted(root, fmt, args);
	return fd < 0 ? known_of_errno(-fd) : read_whole(fd, ret, size);
}

enum known sysroot_read(const struct sysroot *root, char *ret, size_t size, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	enum known known = read_formatted(root, ret, size, fmt, args);
	va_end(args);
	return known;
}

struct value sysroot_number(const struct sysroot *root, const char *fmt, ...)
{
	char text[64];
	struct value v = { 0 };
	va_list args;
	va_start(args, fmt);
	v.known = read_formatted(root, text, sizeof(text), fmt, args);
	va_end(args);
	if (v.known == KNOWN && !parse_i64(text, &v.number))
		v.known = ABSENT;
	return v;
}
