// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/damon_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define KDAMONDS "sys/kernel/mm/damon/admin/kdamonds"
#define CONTEXT KDAMONDS "/0/contexts/0"
/* Splitting and merging takes place between the least and so many times as many. */
#define MOST_OF_LEAST 2

static int fail_write(const char *path, int os, struct error *err)
{
	errno = os;
	int rc = fail_errno(err, "write", path, os == EBUSY ? "a DAMON runs already" : NULL);
	if (os == ENOENT && err)
		err->status = EXIT_KERNEL_CANNOT;
	return os == ENOENT ? -(int)EXIT_KERNEL_CANNOT : rc;
}

static int put(const struct sysroot *root, const char *file, const char *text, struct error *err)
{
	char path[160], now[64] = "";

	snprintf(path, sizeof(path), KDAMONDS "/%s", file);
	scoped_fd int fd = sysroot_open_write(root, path);
	if (fd < 0)
		return fail_write(path, -fd, err);
	if (!root->live && ftruncate(fd, 0))	/* plain files */
		return fail_write(path, errno, err);
	ssize_t n;
	do
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail_write(path, errno, err);
	enum known known = sysroot_read(root, now, sizeof(now), "%s", path);
	now[strcspn(now, "\n")] = '\0';
	if (known != KNOWN || strcmp(now, text))
		return fail(err, EXIT_FAILED, "wrote %s to /%s, but it reads %s", text, path, known == KNOWN ? now : known_name(known));
	return 0;
}

/* `fmt` has at most one number in it, which is i. */
__attribute__((format(printf, 3, 0)))
static int put_number(const struct sysroot *root, uint64_t number, const char *fmt, struct error *err, size_t i)
{
	char file[96], text[24];

	snprintf(file, sizeof(file), fmt, i);
	snprintf(text, sizeof(text), "%" PRIu64, number);
	return put(root, file, text, err);
}

/* The mark comes first: whoever finds it half done knows whose it is. */
static int put_attributes(const struct sysroot *root, const struct damon_setup *s, struct error *err)
{
	const struct {
		const char *file;
		uint64_t number;
	} files[] = {
		{ "nr_kdamonds", 1 },
		{ "0/contexts/nr_contexts", 1 },
		{ "0/contexts/0/monitoring_attrs/intervals/update_us", s->mark },
		{ "0/contexts/0/monitoring_attrs/intervals/sample_us", s->sample_us },
		{ "0/contexts/0/monitoring_attrs/intervals/aggr_us", s->aggregation_us },
		{ "0/contexts/0/monitoring_attrs/nr_regions/max", MOST_OF_LEAST * s->least_regions },
		{ "0/contexts/0/monitoring_attrs/nr_regions/min", s->least_regions },
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(files) / sizeof(files[0]); i++)
		rc = put_number(root, files[i].number, files[i].file, err, 0);
	return rc;
}

static int put_operations(const struct sysroot *root, bool by_process, struct error *err)
{
	const char *name = by_process ? "vaddr" : "paddr";
	int rc = put(root, "0/contexts/0/operations", name, err);

	if (rc && err && err->os == EINVAL)
		return fail(err, EXIT_KERNEL_CANNOT, "this kernel's DAMON does not monitor %s (%s)",
			    by_process ? "processes" : "physical memory", name);
	return rc;
}

static int put_processes(const struct sysroot *root, const struct damon_setup *s, struct error *err)
{
	int rc = put_number(root, s->count, "0/contexts/0/targets/nr_targets", err, 0);

	for (size_t i = 0; !rc && i < s->count; i++)
		rc = put_number(root, s->targets[i].pid, "0/contexts/0/targets/%zu/pid_target", err, i);
	return rc;
}

/* Physical memory is one target. */
static int put_ranges(const struct sysroot *root, const struct damon_setup *s, struct error *err)
{
	int rc = put_number(root, 1, "0/contexts/0/targets/nr_targets", err, 0);

	if (!rc)
		rc = put_number(root, s->count, "0/contexts/0/targets/0/regions/nr_regions", err, 0);
	for (size_t i = 0; !rc && i < s->count; i++) {
		rc = put_number(root, s->targets[i].start, "0/contexts/0/targets/0/regions/%zu/start", err, i);
		if (!rc)
			rc = put_number(root, s->targets[i].end, "0/contexts/0/targets/0/regions/%zu/end", err, i);
	}
	return rc;
}

int damon_start(const struct sysroot *root, const struct damon_setup *s, struct error *err)
{
	int rc = put_attributes(root, s, err);

	if (!rc)
		rc = put_operations(root, s->by_process, err);
	if (!rc)
		rc = s->by_process ? put_processes(root, s, err) : put_ranges(root, s, err);
	if (!rc)
		rc = put(root, "0/state", "on", err);
	return rc;
}

int damon_end(const struct sysroot *root, struct error *err)
{
	char state[16] = "";
	int rc = 0;

	/* turning off what is off is refused; it may end by itself in between, with its targets */
	if (sysroot_read(root, state, sizeof(state), KDAMONDS "/0/state") == KNOWN && !strncmp(state, "on", 2))
		rc = put(root, "0/state", "off", err);
	sysroot_read(root, state, sizeof(state), KDAMONDS "/0/state");
	return rc && !strncmp(state, "on", 2) ? rc : put(root, "nr_kdamonds", "0", err);
}
