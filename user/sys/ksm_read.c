// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/ksm_read.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"

#define PF_KTHREAD 0x00200000u		/* include/linux/sched.h; field "flags" of /proc/PID/stat */

static const char *const advisor_names[] = {
	[ADVISOR_NONE] = "none",
	[ADVISOR_SCAN_TIME] = "scan-time",
};

const char *advisor_mode_name(enum advisor_mode mode)
{
	return advisor_names[mode];
}

bool advisor_mode_parse(const char *text, enum advisor_mode *ret)
{
	const char *start = strchr(text, '['), *end = start ? strchr(start, ']') : NULL;
	if (start && !end)
		return false;
	start = start ? start + 1 : text;
	size_t length = end ? (size_t)(end - start) : strcspn(start, "\n");
	for (size_t mode = 0; mode < sizeof(advisor_names) / sizeof(advisor_names[0]); mode++) {
		if (strlen(advisor_names[mode]) == length && !strncmp(start, advisor_names[mode], length)) {
			*ret = mode;
			return true;
		}
	}
	return false;
}

static struct value advisor_mode_read(const struct sysroot *root)
{
	char text[64];
	enum advisor_mode mode;
	struct value v = { 0 };
	v.known = sysroot_read(root, text, sizeof(text), KSM_DIRECTORY "/%s", knobs[KNOB_ADVISOR_MODE].name);
	if (v.known != KNOWN)
		return v;
	if (!advisor_mode_parse(text, &mode))
		return (struct value){ .known = ABSENT };
	return value_of(mode);
}

struct value ksm_knob_read(const struct sysroot *root, enum knob knob)
{
	if (knob == KNOB_ADVISOR_MODE)
		return advisor_mode_read(root);
	return sysroot_number(root, KSM_DIRECTORY "/%s", knobs[knob].name);
}

/*
 * Number `field` (3 is the state) of a line of /proc/PID/stat. The name before
 * it may hold blanks and brackets: count from the last one.
 */
static bool stat_field(const char *line, int field, uint64_t *ret)
{
	const char *at = strrchr(line, ')');
	for (int i = 2; at && i < field; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	char text[32];
	size_t length = strcspn(++at, " \n");
	if (length >= sizeof(text))
		return false;
	memcpy(text, at, length);
	text[length] = '\0';
	return parse_u64(text, ret);
}

static bool is_ksmd(const char *line)
{
	uint64_t flags;
	return strstr(line, " (ksmd) ") && stat_field(line, 9, &flags) && (flags & PF_KTHREAD);
}

pid_t ksmd_find(const struct sysroot *root)
{
	scoped_dir DIR *dir = sysroot_dir(root, "proc");
	char line[1024];
	uint64_t pid;
	for (struct dirent *entry; dir && (entry = readdir(dir)); ) {
		if (!parse_u64(entry->d_name, &pid))
			continue;
		if (sysroot_read(root, line, sizeof(line), "proc/%s/stat", entry->d_name) == KNOWN && is_ksmd(line))
			return (pid_t)pid;
	}
	return 0;
}

struct value ksmd_cpu_ticks(const struct sysroot *root, pid_t ksmd)
{
	char line[1024];
	uint64_t user, system;
	struct value v = { .known = ABSENT };
	if (ksmd <= 0)
		return v;
	v.known = sysroot_read(root, line, sizeof(line), "proc/%d/stat", (int)ksmd);
	if (v.known != KNOWN)
		return v;
	if (!stat_field(line, 14, &user) || !stat_field(line, 15, &system))
		return (struct value){ .known = ABSENT };
	return value_of((int64_t)(user + system));
}

static struct value cow_ksm_read(const struct sysroot *root)
{
	static const char name[] = "\ncow_ksm ";
	char text[32768];
	struct value v = { 0 };
	v.known = sysroot_read(root, text, sizeof(text), "proc/vmstat");
	if (v.known != KNOWN)
		return v;
	char *line = strstr(text, name);
	if (!line)
		return (struct value){ .known = ABSENT };
	line += strlen(name);
	line[strcspn(line, "\n")] = '\0';
	v.known = parse_i64(line, &v.number) ? KNOWN : ABSENT;
	return v;
}

void ksm_read(const struct sysroot *root, struct engine *ret)
{
	for (enum knob knob = 0; knob < KNOB_COUNT; knob++)
		ret->knob[knob] = ksm_knob_read(root, knob);
	ret->ksmd_cpu_ticks = ksmd_cpu_ticks(root, ksmd_find(root));
	ret->cow_ksm = cow_ksm_read(root);
}
