// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/ksm_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/ksm_read.h"

static int check_value(enum knob knob, int64_t value, struct error *err)
{
	const struct knob_info *info = &knobs[knob];
	if (!knob_writable(knob))
		return fail(err, EXIT_FAILED, "%s can only be read", info->name);
	if (value < info->low || value > info->high)
		return fail(err, EXIT_FAILED, "%s takes %" PRId64 " to %" PRId64 ", not %" PRId64, info->name,
			    info->low, info->high, value);
	if (knob == KNOB_RUN && value == 2)
		return fail(err, EXIT_FAILED, "run=2 unmerges everything on this machine: it is never written");
	return 0;
}

/* What to do about a refusal, where the kernel's one word does not say it. */
static const char *remedy_of(enum knob knob, int os)
{
	if (os == EROFS)
		return "it is mounted read-only here (a container?): run this on the host, or mount /sys read-write";
	if (os == EACCES || os == EPERM)
		return "only root may write it";
	if (os == ENOENT)
		return "this kernel does not have it";
	if (os == EINVAL && knob == KNOB_PAGES_TO_SCAN)
		return "the kernel's own advisor sets it: set advisor_mode to none first";
	if (os == EBUSY && (knob == KNOB_MAX_PAGE_SHARING || knob == KNOB_MERGE_ACROSS_NODES))
		return "it can be changed only while nothing is merged";
	return NULL;
}

static int fail_write(enum knob knob, const char *path, int os, struct error *err)
{
	errno = os;
	int rc = fail_errno(err, "write", path, remedy_of(knob, os));
	if (os != EROFS && os != ENOENT)
		return rc;
	enum exit_status status = os == EROFS ? EXIT_NOT_PERMITTED : EXIT_KERNEL_CANNOT;
	if (err)
		err->status = status;
	return -(int)status;
}

static int read_back(const struct sysroot *root, enum knob knob, const char *path, int64_t value, struct error *err)
{
	struct value now = ksm_knob_read(root, knob);
	if (!is_known(now))
		return fail(err, EXIT_FAILED, "wrote %" PRId64 " to %s, but can't read it back (%s)", value, path,
			    known_name(now.known));
	if (now.number != value)
		return fail(err, EXIT_FAILED, "wrote %" PRId64 " to %s, but it reads %" PRId64, value, path,
			    now.number);
	return 0;
}

int ksm_knob_write(const struct sysroot *root, enum knob knob, int64_t value, struct error *err)
{
	if (check_value(knob, value, err))
		return -(int)EXIT_FAILED;
	char path[96], text[32];
	snprintf(path, sizeof(path), "/" KSM_DIRECTORY "/%s", knobs[knob].name);
	if (knob == KNOB_ADVISOR_MODE)
		snprintf(text, sizeof(text), "%s\n", advisor_mode_name(value));
	else
		snprintf(text, sizeof(text), "%" PRId64 "\n", value);

	scoped_fd int fd = sysroot_open_write(root, path + 1);
	if (fd < 0)
		return fail_write(knob, path, -fd, err);
	/* A captured tree has plain files: a shorter number must not leave the tail of a longer one. */
	if (!root->live && ftruncate(fd, 0))
		return fail_write(knob, path, errno, err);
	ssize_t n;
	do	/* whole or not at all: the kernel takes each write for a value */
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail_write(knob, path, errno, err);
	return read_back(root, knob, path, value, err);
}
