// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What /proc/PID/smaps says about each mapping: where it is, whether KSM can
 * take it, and why not. Its resident pages are a first figure; on the live
 * system pagemap counts them again, by frame.
 *
 * Not known from here: whether a file is on a DAX device; statx() on the
 * mapping's file tells (STATX_ATTR_DAX, 5.8).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "sys/proc.h"

/* Largest number of pages in one area; extents count pages in 32 bits. */
#define AREA_MAX_PAGES (1ull << 31)

/* No address space is larger (five levels of page tables): a longer mapping is none. */
#define MAPPING_MAX_BYTES (1ull << 57)

/* One mapping while its lines are read. */
struct mapping {
	uint64_t start, end, inode;
	uint64_t swap_kilobytes, resident_kilobytes;
	char name[4096];
	char flags[256];		/* " rd wr mr … " */
	bool open;
};

/* VmFlags that make KSM refuse a mapping: vma_ksm_compatible() in mm/ksm.c. */
static const struct {
	const char *flag;
	enum area_class class;
} refused[] = {
	{ " ht ", AREA_HUGETLB },
	{ " sh ", AREA_SHARED },
	{ " ms ", AREA_SHARED },
	{ " pf ", AREA_PFNMAP },
	{ " io ", AREA_PFNMAP },
	{ " mm ", AREA_PFNMAP },
	{ " de ", AREA_SPECIAL },
	{ " dp ", AREA_SPECIAL },
};

static bool has_flag(const struct mapping *m, const char *flag)
{
	return strstr(m->flags, flag) != NULL;
}

static bool is_dax(const struct sysroot *root, pid_t pid, const struct mapping *m)
{
	char path[96];
	struct statx stat;

	if (!m->inode || !root->live)
		return false;
	snprintf(path, sizeof(path), "proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, m->start, m->end);
	return !statx(root->dir, path, AT_STATX_DONT_SYNC, 0, &stat) && (stat.stx_attributes & STATX_ATTR_DAX);
}

static enum area_class classify(const struct sysroot *root, pid_t pid, const struct mapping *m)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (has_flag(m, refused[i].flag))
			return refused[i].class;
	return is_dax(root, pid, m) ? AREA_DAX : AREA_CANDIDATE;
}

static unsigned int flags_of(const struct mapping *m)
{
	unsigned int flags = 0;
	if (has_flag(m, " mg "))
		flags |= AREA_MERGEABLE;
	if (has_flag(m, " lo ") || has_flag(m, " dd ") || has_flag(m, " wf "))
		flags |= AREA_SECRET;
	if (has_flag(m, " nh "))
		flags |= AREA_NOHUGEPAGE;
	if (m->inode)
		flags |= AREA_FILE;
	return flags;
}

/* Add the mapping that was read; in parts where it has too many pages. */
static bool finish_mapping(const struct sysroot *root, pid_t pid, uint32_t task, struct mapping *m, struct sample *s)
{
	if (!m->open)
		return true;
	m->open = false;
	uint64_t step = AREA_MAX_PAGES * s->machine.page_bytes;
	enum area_class class = classify(root, pid, m);
	uint32_t name = sample_name(s, m->name);

	/* the vsyscall page is at the end of the address space: at + step would wrap there */
	for (uint64_t at = m->start, next; at < m->end; at = next) {
		struct area *area = sample_add_area(s);
		if (!area)
			return false;
		area->task = task;
		area->name = name;
		area->start = at;
		area->end = next = m->end - at > step ? at + step : m->end;
		area->class = class;
		area->flags = flags_of(m);
		if (at == m->start) {
			area->swapped_pages = m->swap_kilobytes * 1024 / s->machine.page_bytes;
			area->present_pages = m->resident_kilobytes * 1024 / s->machine.page_bytes;
		}
	}
	return true;
}

static bool start_mapping(const char *line, struct mapping *m)
{
	int at = 0;
	uint64_t start, end, inode;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %*x %*s %" SCNu64 " %n", &start, &end, &inode, &at) != 3 || !at ||
	    start >= end || end - start > MAPPING_MAX_BYTES)
		return false;
	*m = (struct mapping){ .start = start, .end = end, .inode = inode, .open = true };
	snprintf(m->name, sizeof(m->name), "%.*s", (int)strcspn(line + at, "\n"), line + at);
	return true;
}

static void read_line(const char *line, struct mapping *m)
{
	uint64_t number;
	if (sscanf(line, "Swap: %" SCNu64, &number) == 1)
		m->swap_kilobytes = number;
	else if (sscanf(line, "Rss: %" SCNu64, &number) == 1 ||
		 sscanf(line, "Private_Hugetlb: %" SCNu64, &number) == 1 ||
		 sscanf(line, "Shared_Hugetlb: %" SCNu64, &number) == 1)
		m->resident_kilobytes += number;
	else if (!strncmp(line, "VmFlags:", 8))
		snprintf(m->flags, sizeof(m->flags), "%.*s ", (int)strcspn(line + 8, "\n"), line + 8);
}

enum known proc_areas(const struct sysroot *root, pid_t pid, uint32_t task, struct sample *s)
{
	int fd = sysroot_openf(root, "proc/%d/smaps", pid);
	if (fd < 0)
		return -fd == ENOENT ? GONE : known_of_errno(-fd);
	scoped_file FILE *file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return ABSENT;
	}
	scoped_free char *line = NULL;
	size_t room = 0;
	struct mapping m = { 0 };
	bool stored = true;

	errno = 0;
	while (stored && getline(&line, &room, file) > 0) {
		struct mapping next;
		if (!start_mapping(line, &next)) {
			read_line(line, &m);
			continue;
		}
		stored = finish_mapping(root, pid, task, &m, s);
		m = next;
	}
	if (ferror(file))
		return known_of_errno(errno);
	return stored && finish_mapping(root, pid, task, &m, s) ? KNOWN : ABSENT;
}
