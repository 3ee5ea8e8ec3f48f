// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int (fail)(struct error *err, enum exit_status status, const char *fmt, ...)
{
	if (!err)
		return -(int)status;
	va_list args;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	err->status = status;
	err->os = 0;
	return -(int)status;
}

static enum exit_status status_of_errno(int os)
{
	switch (os) {
	case EPERM:
	case EACCES:
		return EXIT_NOT_PERMITTED;
	case ENOSYS:
	case EOPNOTSUPP:
	case ENOTTY:
		return EXIT_KERNEL_CANNOT;
	default:
		return EXIT_FAILED;
	}
}

int (fail_errno)(struct error *err, const char *what, const char *object, const char *remedy)
{
	int os = errno;
	int rc = fail(err, status_of_errno(os), "%s %s: %s%s%s", what, object, strerror(os),
		      remedy ? ": " : "", remedy ? remedy : "");
	if (err)
		err->os = os;
	return rc;
}

int error_print(const char *program, const struct error *err)
{
	fprintf(stderr, "%s: %s\n", program, err->text);
	return err->status;
}
