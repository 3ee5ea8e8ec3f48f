/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where /proc and /sys are. Every path that the project reads or writes goes
 * through here, so that a captured system can stand in for the real one
 * (--sysroot DIR, with DIR/proc and DIR/sys).
 */
#ifndef KSMSCOPE_SYS_SYSROOT_H
#define KSMSCOPE_SYS_SYSROOT_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "core/known.h"

struct sysroot {
	int dir;		/* descriptor of the root directory */
	bool live;		/* this very system: page contents can be had */
};

/* `path` NULL or "/": the live system; refused where its /proc has the PIDs of another namespace (sys/pid_space.h). */
int sysroot_open(struct sysroot *ret, const char *path, struct error *err);
void sysroot_close(struct sysroot *root);

/*
 * Open for reading; `path` is relative, as "proc/1/stat". A descriptor, or
 * -errno. sysroot_dir() opens a directory to list, NULL with errno set.
 */
__attribute__((format(printf, 2, 3)))
int sysroot_openf(const struct sysroot *root, const char *fmt, ...);
DIR *sysroot_dir(const struct sysroot *root, const char *path);

/* Open a file that is written: O_WRONLY, no creation. A descriptor, or -errno. */
int sysroot_open_write(const struct sysroot *root, const char *path);

/*
 * Read a whole small file (at most size - 1 bytes) and terminate it. KNOWN, or
 * why not: ABSENT (ENOENT…), DENIED (EACCES, EPERM), GONE (ESRCH: the process
 * ended). A file that does not fit is cut; `size` is the caller's business.
 */
__attribute__((format(printf, 4, 5)))
enum known sysroot_read(const struct sysroot *root, char *ret, size_t size, const char *fmt, ...);

/* A file that holds one number, signed or not. */
__attribute__((format(printf, 2, 3)))
struct value sysroot_number(const struct sysroot *root, const char *fmt, ...);

/* What an errno says about a value that was to be read. */
enum known known_of_errno(int os);

#endif
