// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does this kernel load every BPF program, and what does its verifier have to
 * go through for it? Each probe is opened as the programs open it. What is kept
 * in tests/vm/measured.tsv for this kernel has to hold: a program that is
 * refused has to be refused there as well and has to say why, and none may need
 * more than a tenth above the instructions that are kept. Prints also lines
 * "# program: NAME FIGURE", from which that file is made. Root.
 *
 *	programs_test [MEASURED]
 *
 * Doesn't know what the programs do: the other live tests do.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/error.h"
#include "bpf/abi.h"
#include "bpf/frames.skel.h"
#include "bpf/walk.skel.h"
#include "probe/content.h"
#include "probe/damon.h"
#include "probe/engine.h"
#include "probe/fault.h"
#include "probe/heat.h"
#include "probe/hugepage.h"
#include "probe/scan.h"
#include "probe/tasks.h"

#define MEASURED "tests/vm/measured.tsv"
#define MAX_FDS 1024
#define MAX_PROGRAMS 256

struct opened {
	void *probe;
	struct attachment single;	/* of a probe that is a program and no more */
	const struct attachment *attachments[2];	/* which say what is refused; NULL: none */
};

struct probe_row {
	const char *name;
	int (*open)(struct opened *o, const struct sysroot *root, struct error *err);
	void (*close)(struct opened *o);
};

struct budget {
	FILE *file;		/* lines: kernel, kind of fact, name, value, apart by tabs */
	bool kept;		/* something is kept for this kernel */
	char kernel[64];
	char seen[MAX_PROGRAMS][64];	/* programs that were loaded */
	size_t seen_count;
};

static bool failed;

static void result(bool good, const char *name, const char *what, unsigned long have, unsigned long limit)
{
	failed |= !good;
	printf("%sok - %s: ", good ? "" : "not ", name);
	printf(what, have, limit);
	putchar('\n');
}

/* ---- the probes ---- */

static int open_tasks(struct opened *o, const struct sysroot *root, struct error *err)
{
	(void)root;
	int rc = tasks_open((struct tasks_probe **)&o->probe, err);
	o->attachments[0] = rc ? NULL : tasks_attachment(o->probe);
	return rc;
}

static void close_tasks(struct opened *o)
{
	tasks_close(o->probe);
}

static int open_engine(struct opened *o, const struct sysroot *root, struct error *err)
{
	(void)root;
	int rc = engine_open((struct engine_probe **)&o->probe, 0, err);
	o->attachments[0] = rc ? NULL : engine_attachment(o->probe);
	return rc;
}

static void close_engine(struct opened *o)
{
	engine_close(o->probe);
}

static int open_fault(struct opened *o, const struct sysroot *root, struct error *err)
{
	struct fault_options options = fault_defaults();
	int rc = fault_open((struct fault_probe **)&o->probe, &options, root, err);
	o->attachments[0] = rc ? NULL : fault_attachment(o->probe);
	return rc;
}

static void close_fault(struct opened *o)
{
	fault_close(o->probe);
}

static int open_hugepage(struct opened *o, const struct sysroot *root, struct error *err)
{
	struct hugepage_options options = { .merges = MERGE_RECORD_NONE, .splits = true };
	int rc = hugepage_open((struct hugepage_probe **)&o->probe, &options, root, err);
	o->attachments[0] = rc ? NULL : hugepage_attachment(o->probe);
	o->attachments[1] = rc ? NULL : split_attachment(o->probe);
	return rc;
}

static void close_hugepage(struct opened *o)
{
	hugepage_close(o->probe);
}

static int open_heat(struct opened *o, const struct sysroot *root, struct error *err)
{
	return heat_open((struct heat_probe **)&o->probe, root, err);
}

static void close_heat(struct opened *o)
{
	heat_close(o->probe);
}

static int open_direct(struct opened *o, const struct sysroot *root, struct error *err)
{
	(void)root;
	return content_open((struct content **)&o->probe, READER_DIRECT_MAP, NULL, err);
}

static int open_copy(struct opened *o, const struct sysroot *root, struct error *err)
{
	(void)root;
	return content_open((struct content **)&o->probe, READER_COPY, NULL, err);
}

static void close_content(struct opened *o)
{
	content_close(o->probe);
}

static int open_scan(struct opened *o, const struct sysroot *root, struct error *err)
{
	static const struct scan_probe offsets;

	return scan_open((struct scan **)&o->probe, root, &offsets, err);
}

static void close_scan(struct opened *o)
{
	scan_close(o->probe);
}

static int open_damon(struct opened *o, const struct sysroot *root, struct error *err)
{
	(void)root;
	return damon_open((struct damon_probe **)&o->probe, err);
}

static void close_damon(struct opened *o)
{
	damon_close(o->probe);
}

static void *open_walk_skeleton(const void *options)
{
	(void)options;
	return walk_bpf__open();
}

static void *open_frames_skeleton(const void *options)
{
	(void)options;
	return frames_bpf__open();
}

static int open_walk(struct opened *o, const struct sysroot *root, struct error *err)
{
	(void)root;
	o->attachments[0] = &o->single;
	return attach_load(&o->single, open_walk_skeleton, NULL, err);
}

/* Loaded also where page_flags.c has no need of it. */
static int open_frames(struct opened *o, const struct sysroot *root, struct error *err)
{
	(void)root;
	o->attachments[0] = &o->single;
	return attach_load(&o->single, open_frames_skeleton, NULL, err);
}

static void close_single(struct opened *o)
{
	attach_free(&o->single);
}

static const struct probe_row probes[] = {
	{ "tasks", open_tasks, close_tasks },
	{ "engine", open_engine, close_engine },
	{ "fault", open_fault, close_fault },
	{ "hugepage", open_hugepage, close_hugepage },
	{ "heat", open_heat, close_heat },
	{ "direct", open_direct, close_content },
	{ "copy", open_copy, close_content },
	{ "scan", open_scan, close_scan },
	{ "damon", open_damon, close_damon },
	{ "walk", open_walk, close_single },
	{ "frames", open_frames, close_single },
};

/* ---- what is kept ---- */

/* The name of this kernel in the head of the file: release, architecture and base pages where they are not the usual. */
static void name_kernel(char *ret, size_t size)
{
	struct utsname host;
	unsigned int major = 0, minor = 0;
	long page = sysconf(_SC_PAGESIZE);

	uname(&host);
	sscanf(host.release, "%u.%u", &major, &minor);
	int n = snprintf(ret, size, "%u.%u%s", major, minor, strcmp(host.machine, "x86_64") ? "-" : "");
	if (strcmp(host.machine, "x86_64"))
		n += snprintf(ret + n, size - n, "%s", strcmp(host.machine, "aarch64") ? host.machine : "arm64");
	if (page != 4096)
		snprintf(ret + n, size - n, "-%ldk", page >> 10);
}

struct kept_line {
	char text[512];
	const char *program;
	const char *value;	/* instructions, or "-" for refused */
};

/* The next program that is kept for this kernel; false at the end. */
static bool next_kept(struct budget *b, struct kept_line *ret)
{
	while (fgets(ret->text, sizeof(ret->text), b->file)) {
		char *rest = ret->text;
		const char *kernel = strsep(&rest, "\t"), *kind = strsep(&rest, "\t");
		ret->program = strsep(&rest, "\t");
		ret->value = strsep(&rest, "\t\n");
		if (ret->value && !strcmp(kernel, b->kernel) && !strcmp(kind, "program"))
			return true;
	}
	return false;
}

static bool budget_open(struct budget *b, const char *path)
{
	struct kept_line line;

	name_kernel(b->kernel, sizeof(b->kernel));
	b->file = fopen(path, "re");
	b->kept = b->file && next_kept(b, &line);
	return b->file;
}

/* What is kept of a program on this kernel; "" for nothing. */
static const char *budget_of(struct budget *b, const char *program, struct kept_line *line)
{
	rewind(b->file);
	while (next_kept(b, line))
		if (!strcmp(line->program, program))
			return line->value;
	return "";
}

/* ---- judging ---- */

static void judge_loaded(struct budget *b, const char *program, unsigned long instructions)
{
	struct kept_line line;
	const char *kept = budget_of(b, program, &line);

	printf("# program: %s\t%lu\n", program, instructions);
	if (b->seen_count < MAX_PROGRAMS)
		snprintf(b->seen[b->seen_count++], sizeof(b->seen[0]), "%s", program);
	if (!b->kept)
		return;
	if (!*kept)
		result(false, program, "%lu instructions, and no figure is kept", instructions, 0);
	else if (!strcmp(kept, "-"))
		result(false, program, "%lu instructions: loaded, where it is kept as refused", instructions, 0);
	else
		result(instructions <= strtoul(kept, NULL, 10) * 11 / 10, program,
		       "%lu instructions for the verifier, %lu kept", instructions, strtoul(kept, NULL, 10));
}

static void judge_refused(struct budget *b, const char *program, const char *why)
{
	struct kept_line line;
	const char *kept = budget_of(b, program, &line);
	char text[512];

	printf("# program: %s\t-\n# refused: %s\t%s\n", program, program, why);
	if (!b->kept)
		return;
	snprintf(text, sizeof(text), "%s, refused: %s", program, *why ? why : "without a reason");
	result(*why && !strcmp(kept, "-"), text, "as it is kept", 0, 0);
}

static bool was_seen(const struct budget *b, const char *program)
{
	for (size_t i = 0; i < b->seen_count; i++)
		if (!strcmp(b->seen[i], program))
			return true;
	return false;
}

/* What is kept with a number has to have been loaded. */
static void judge_missing(struct budget *b)
{
	struct kept_line line;

	rewind(b->file);
	while (next_kept(b, &line))
		if (strcmp(line.value, "-") && !was_seen(b, line.program))
			result(false, line.program, "was not loaded, %lu instructions are kept",
			       strtoul(line.value, NULL, 10), 0);
}

static bool is_program(int fd)
{
	char path[64], target[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	return n > 0 && !strncmp(target, "anon_inode:bpf-prog", n);
}

/* All programs that this process holds now. */
static void judge_all_loaded(struct budget *b, const char *probe)
{
	for (int fd = 0; fd < MAX_FDS; fd++) {
		struct bpf_prog_info info = {};
		__u32 length = sizeof(info);
		char name[64];

		if (!is_program(fd) || bpf_obj_get_info_by_fd(fd, &info, &length))
			continue;
		snprintf(name, sizeof(name), "%s/%s", probe, info.name);
		judge_loaded(b, name, info.verified_insns);
	}
}

static void judge_all_refused(struct budget *b, const char *probe, const struct attachment *attachment)
{
	for (size_t i = 0; attachment && i < attachment->count; i++) {
		const struct attach_program *program = &attachment->programs[i];
		char name[64];

		/* the kernel keeps 15 characters of a name */
		snprintf(name, sizeof(name), "%s/%.15s", probe, program->name);
		if (program->state != KNOWN)
			judge_refused(b, name, program->why);
	}
}

static void judge_probe(struct budget *b, const struct probe_row *row, const struct sysroot *root)
{
	struct opened o = { 0 };
	struct error err = { 0 };

	if (row->open(&o, root, &err)) {
		judge_refused(b, row->name, err.text);
		return;
	}
	judge_all_loaded(b, row->name);
	for (int i = 0; i < 2; i++)
		judge_all_refused(b, row->name, o.attachments[i]);
	row->close(&o);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : MEASURED;
	struct budget budget = { 0 };
	struct sysroot root;

	if (geteuid()) {
		printf("ok - programs # SKIP needs root\n");
		return 0;
	}
	if (!budget_open(&budget, path) || sysroot_open(&root, NULL, NULL)) {
		printf("not ok - programs: %s: %s\n", path, strerror(errno));
		return 1;
	}
	printf("# kernel: %s\n", budget.kernel);
	if (!budget.kept)
		printf("ok - programs # SKIP nothing is kept for %s\n", budget.kernel);
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		judge_probe(&budget, &probes[i], &root);
	judge_missing(&budget);
	sysroot_close(&root);
	fclose(budget.file);
	return failed;
}
