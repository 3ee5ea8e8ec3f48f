/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One law for errors.
 *
 * A function that can fail takes a `struct error *` as its last parameter and
 * returns 0, or a negative exit status that `fail()` handed back:
 *
 *	if (fd < 0)
 *		return fail_errno(err, "open", path, "is procfs mounted?");
 *
 * The message is complete when it is made (what failed, on what, why, what to
 * do); callers pass the number upwards and print once, in the program.
 */
#ifndef KSMSCOPE_BASE_ERROR_H
#define KSMSCOPE_BASE_ERROR_H

#include <stdbool.h>

/* Exit statuses of every program of the project. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_KERNEL_CANNOT = 3,
	EXIT_NOT_PERMITTED = 4,
};

struct error {
	enum exit_status status;
	int os;			/* errno behind it, 0 where there is none */
	char text[512];
};

/*
 * Record a message and return -status. `err` may be NULL when the caller does
 * not care why. A message that is already there is replaced.
 */
__attribute__((format(printf, 3, 4)))
int fail(struct error *err, enum exit_status status, const char *fmt, ...);

/*
 * The same for a failed system call: "<what> <object>: <strerror>: <remedy>".
 * EPERM and EACCES become EXIT_NOT_PERMITTED; ENOSYS, EOPNOTSUPP and ENOTTY
 * become EXIT_KERNEL_CANNOT; everything else EXIT_FAILED. `remedy` may be NULL.
 */
int fail_errno(struct error *err, const char *what, const char *object, const char *remedy);

/*
 * Static analysis sees one file at a time: that these, and those that say so by
 * NEVER_ZERO() as well, never return 0 is to be said to it. Such a function is
 * defined with its name in parentheses, which a macro leaves alone.
 */
#ifdef __clang_analyzer__
#define NEVER_ZERO(call) ((call), -(int)EXIT_FAILED)
#define fail(err, status, ...) (fail(err, status, __VA_ARGS__), -(int)(status))
#define fail_errno(...) NEVER_ZERO(fail_errno(__VA_ARGS__))
#endif

/* Print "<program>: <text>" on standard error; returns the status to exit with. */
int error_print(const char *program, const struct error *err);

#endif
