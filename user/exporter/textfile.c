// SPDX-License-Identifier: GPL-2.0-or-later
#include "exporter/textfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Beside it, of the same file system, and not taken for a page: the textfile collector reads *.prom. */
static int name_temporary(char ret[PATH_MAX], const char *path, struct error *err)
{
	int n = snprintf(ret, PATH_MAX, "%s.%d.tmp", path, (int)getpid());
	return n > 0 && n < PATH_MAX ? 0 : fail(err, EXIT_USAGE, "--textfile: the path is too long");
}

static int write_to(const char *temporary, const struct text *page, struct error *err)
{
	unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	scoped_file FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file)
		return fail_errno(err, "create", temporary, "the folder has to be writable");
	int rc = text_write(page, file, err);
	if (!rc && (fchmod(fd, 0644) || fsync(fd)))
		rc = fail_errno(err, "write", temporary, NULL);
	return rc;
}

int textfile_write(const char *path, const struct text *page, struct error *err)
{
	char temporary[PATH_MAX];

	if (!strcmp(path, "-"))
		return text_write(page, stdout, err);
	int rc = name_temporary(temporary, path, err);
	if (!rc)
		rc = write_to(temporary, page, err);
	if (!rc && rename(temporary, path))
		rc = fail_errno(err, "rename to", path, NULL);
	if (rc)
		unlink(temporary);
	return rc;
}
