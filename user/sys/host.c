// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/host.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/ksm_read.h"

#define HOST_FILE_BYTES 65536

static struct value find_line(const char *text, const char *name)
{
	size_t length = strlen(name);
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, name, length) && (line[length] == ' ' || line[length] == ':'))
			return value_of(strtoll(line + length + 1, NULL, 10));
	return (struct value){ .known = ABSENT };
}

void host_lines(const struct sysroot *root, const char *path, const struct host_line *lines)
{
	scoped_free char *text = malloc(HOST_FILE_BYTES);
	enum known known = text ? sysroot_read(root, text, HOST_FILE_BYTES, "%s", path) : ABSENT;

	for (; lines->name; lines++)
		*lines->ret = known == KNOWN ? find_line(text, lines->name) : (struct value){ .known = known };
}

/* "some avg10=0.12 avg60=0.00 avg300=0.00 total=345" */
static void parse_pressure(const char *text, const char *kind, struct value *ret_total, struct value *ret_avg10)
{
	const char *line = strstr(text, kind);
	long long total, whole;
	unsigned int hundredths;

	*ret_total = *ret_avg10 = (struct value){ .known = ABSENT };
	if (!line || sscanf(line + strlen(kind), " avg10=%lld.%2u avg60=%*s avg300=%*s total=%lld", &whole, &hundredths,
			    &total) != 3)
		return;
	*ret_total = value_of(total);
	*ret_avg10 = value_of(whole * 100 + hundredths);
}

void host_pressure(const struct sysroot *root, struct host_pressure *ret)
{
	char text[512];
	enum known known = sysroot_read(root, text, sizeof(text), "proc/pressure/memory");

	if (known == KNOWN) {
		parse_pressure(text, "some", &ret->some_total_us, &ret->some_avg10);
		parse_pressure(text, "full", &ret->full_total_us, &ret->full_avg10);
		return;
	}
	struct value missing = { .known = known };
	*ret = (struct host_pressure){ missing, missing, missing, missing };
}

/* The value of the first line "name<tabs>: value" of proc/cpuinfo, appended to `ret`. */
static bool add_cpu_line(const char *text, const char *name, char *ret, size_t size)
{
	size_t used = strlen(ret), length = strlen(name);
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncmp(line, name, length) || !strchr("\t :", line[length]))
			continue;
		const char *value = line + strcspn(line, ":\n");
		value += *value == ':';
		value += strspn(value, " \t");
		snprintf(ret + used, size - used, "%s%.*s", used ? " " : "", (int)strcspn(value, "\n"), value);
		return true;
	}
	return false;
}

void host_cpu_name(const struct sysroot *root, char *ret, size_t size)
{
	static const char *const parts[] = { "CPU implementer", "CPU architecture", "CPU variant", "CPU part",
					     "CPU revision" };
	char text[4096];		/* the first processor stands first */

	*ret = '\0';
	if (sysroot_read(root, text, sizeof(text), "proc/cpuinfo") != KNOWN || add_cpu_line(text, "model name", ret, size))
		return;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		add_cpu_line(text, parts[i], ret, size);
}

struct value host_task_cpu_ns(const struct sysroot *root, pid_t pid)
{
	char text[128];

	if (pid > 0 && sysroot_read(root, text, sizeof(text), "proc/%d/schedstat", pid) == KNOWN &&
	    isdigit((unsigned char)text[0]))
		return value_of(strtoll(text, NULL, 10));
	return value_times(ksmd_cpu_ticks(root, pid), 1000000000 / sysconf(_SC_CLK_TCK));
}

struct value host_own_cpu_ns(void)
{
	struct timespec spent;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent))
		return (struct value){ .known = ABSENT };
	return value_of(spent.tv_sec * 1000000000ll + spent.tv_nsec);
}

struct value host_own_rss(void)
{
	scoped_file FILE *file = fopen("/proc/self/statm", "re");
	long long resident;
	if (!file || fscanf(file, "%*s %lld", &resident) != 1)
		return (struct value){ .known = ABSENT };
	return value_of(resident * sysconf(_SC_PAGESIZE));
}
