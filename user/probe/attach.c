// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/attach.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define NEEDS "needs CAP_BPF and CAP_PERFMON, or root"

/* How every skeleton that bpftool makes begins. */
struct any_skeleton {
	struct bpf_object_skeleton *skeleton;
	struct bpf_object *object;
};

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static void skeleton_free(struct any_skeleton *skeleton)
{
	if (!skeleton)
		return;
	bpf_object__destroy_skeleton(skeleton->skeleton);
	free(skeleton);
}

static void refuse(struct attach_program *program, enum known state, const char *why)
{
	program->state = state;
	snprintf(program->why, sizeof(program->why), "%s", why);
}

/* EPERM is about us; everything else is about the kernel (EACCES too: the verifier says no with it). */
static void refuse_errno(struct attach_program *program, const char *what, int os)
{
	char why[sizeof(program->why)];
	if (os == EPERM)
		snprintf(why, sizeof(why), "%s: %s; %s", what, strerror(os), NEEDS);
	else
		snprintf(why, sizeof(why), "%s: %s", what, strerror(os));
	refuse(program, os == EPERM ? DENIED : ABSENT, why);
}

static const struct btf_type *tracepoint_type(const struct btf *kernel, const char *tracepoint)
{
	char name[128];
	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	int id = btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF);
	return id < 0 ? NULL : btf__type_by_id(kernel, id);
}

unsigned int tracepoint_arguments(const struct btf *kernel, const char *tracepoint)
{
	const struct btf_type *type = tracepoint_type(kernel, tracepoint);
	while (type && (btf_is_typedef(type) || btf_is_ptr(type)))
		type = btf__type_by_id(kernel, type->type);
	/* the first parameter is the tracepoint's own data, which no program sees */
	return type && btf_is_func_proto(type) && btf_vlen(type) ? btf_vlen(type) - 1 : 0;
}

/* The names and states of all programs, before anything is loaded. */
static int list_programs(struct attachment *a, const struct any_skeleton *skeleton, const struct btf *kernel)
{
	struct bpf_program *program;
	size_t count = 0;

	bpf_object__for_each_program(program, skeleton->object)
		count++;
	a->programs = calloc(count + 1, sizeof(*a->programs));
	if (!a->programs)
		return -ENOMEM;
	bpf_object__for_each_program(program, skeleton->object) {
		struct attach_program *entry = &a->programs[a->count++];
		const char *section = bpf_program__section_name(program);
		char why[sizeof(entry->why)];

		snprintf(entry->name, sizeof(entry->name), "%s", bpf_program__name(program));
		entry->state = KNOWN;
		if (strncmp(section, "tp_btf/", 7) || !kernel || tracepoint_type(kernel, section + 7))
			continue;
		snprintf(why, sizeof(why), "this kernel has no tracepoint %s", section + 7);
		refuse(entry, ABSENT, why);
	}
	return 0;
}

int attach_load_skeleton(struct bpf_object_skeleton *skeleton)
{
	int rc = bpf_object__load_skeleton(skeleton);

	for (int i = 0; !rc && i < skeleton->map_cnt; i++)
		if (skeleton->maps[i].mmaped && !*skeleton->maps[i].mmaped)
			rc = -ENOMEM;
	return rc;
}

/* Load those programs that are still KNOWN; `only`: that one alone, NULL: all. A negative errno. */
static int load(struct attachment *a, attach_opener open, const void *options, const struct attach_program *only)
{
	struct any_skeleton *skeleton = open(options);
	struct bpf_program *program;
	size_t i = 0;

	if (!skeleton)
		return errno ? -errno : -ENOMEM;
	bpf_object__for_each_program(program, skeleton->object) {
		struct attach_program *entry = &a->programs[i++];
		bpf_program__set_autoload(program, entry->state == KNOWN && (!only || only == entry));
		entry->program = program;
	}
	int rc = attach_load_skeleton(skeleton->skeleton);
	if (rc || only)
		skeleton_free(skeleton);
	else
		a->skeleton = skeleton;
	return rc;
}

static bool any_known(const struct attachment *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->programs[i].state == KNOWN)
			return true;
	return false;
}

static int fail_all(struct attachment *a, struct error *err)
{
	const struct attach_program *worst = NULL;
	for (size_t i = 0; i < a->count; i++)
		if (!worst || a->programs[i].state == DENIED)
			worst = &a->programs[i];
	int rc = fail(err, worst && worst->state == DENIED ? EXIT_NOT_PERMITTED : EXIT_KERNEL_CANNOT, "%s",
		      worst ? worst->why : "no BPF program");
	attach_free(a);
	return rc;
}

/* What is refused is found out one by one, only after all together were refused. */
static int load_allowed(struct attachment *a, attach_opener open, const void *options, struct error *err)
{
	if (any_known(a) && !load(a, open, options, NULL))
		return 0;
	for (size_t i = 0; i < a->count; i++) {
		int refused = a->programs[i].state == KNOWN ? load(a, open, options, &a->programs[i]) : 0;
		if (refused)
			refuse_errno(&a->programs[i], "the kernel refused to load it", -refused);
	}
	int rc = any_known(a) ? load(a, open, options, NULL) : 0;
	for (size_t i = 0; rc && i < a->count; i++)
		if (a->programs[i].state == KNOWN)
			refuse_errno(&a->programs[i], "the kernel refused to load it", -rc);
	return any_known(a) ? 0 : fail_all(a, err);
}

int attach_load(struct attachment *ret, attach_opener open, const void *options, struct error *err)
{
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	struct any_skeleton *first = open(options);
	struct btf *kernel = btf__load_vmlinux_btf();

	memset(ret, 0, sizeof(*ret));
	int rc = first ? list_programs(ret, first, kernel) : -ENOMEM;
	btf__free(kernel);
	skeleton_free(first);
	rc = rc ? fail(err, EXIT_FAILED, "out of memory opening a BPF object") : load_allowed(ret, open, options, err);
	libbpf_set_print(before);
	malloc_trim(0);		/* the types of the whole kernel were gone through: some 10 MiB */
	return rc;
}

enum known attach_start(struct attach_program *program)
{
	if (program->state != KNOWN || program->link)
		return program->state;
	program->link = bpf_program__attach(program->program);
	if (!program->link)
		refuse_errno(program, "the kernel refused to attach it", errno);
	return program->state;
}

void attach_start_all(struct attachment *attachment)
{
	for (size_t i = 0; i < attachment->count; i++)
		attach_start(&attachment->programs[i]);
}

void attach_stop(struct attach_program *program)
{
	bpf_link__destroy(program->link);
	program->link = NULL;
}

struct attach_program *attach_find(const struct attachment *attachment, const char *name)
{
	for (size_t i = 0; i < attachment->count; i++)
		if (!strcmp(attachment->programs[i].name, name))
			return &attachment->programs[i];
	return NULL;
}

int attach_iterate(const struct bpf_link *link)
{
	char nothing[64];
	ssize_t got;
	int fd = bpf_iter_create(bpf_link__fd(link));

	if (fd < 0)
		return -errno;
	do
		got = read(fd, nothing, sizeof(nothing));
	while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
	close(fd);
	return 0;
}

void attach_free(struct attachment *attachment)
{
	for (size_t i = 0; attachment->programs && i < attachment->count; i++)
		attach_stop(&attachment->programs[i]);
	skeleton_free(attachment->skeleton);
	free(attachment->programs);
	memset(attachment, 0, sizeof(*attachment));
}

enum known attach_known(const struct error *err)
{
	return err->status == EXIT_NOT_PERMITTED ? DENIED : ABSENT;
}

int program_costs_measure(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return fd < 0 ? -errno : fd;
}

bool program_cost(const struct attach_program *program, struct program_cost *ret)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	if (program->state != KNOWN || bpf_obj_get_info_by_fd(bpf_program__fd(program->program), &info, &length))
		return false;
	*ret = (struct program_cost){
		.name = program->name,
		.runs = info.run_cnt,
		.nanoseconds = info.run_time_ns,
		.skipped = info.recursion_misses,
	};
	return true;
}
