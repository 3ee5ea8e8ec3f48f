// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/hugepage.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpf/hugepage.skel.h"
#include "bpf/split.skel.h"
#include "probe/framewalk.h"
#include "probe/map.h"
#include "sys/ksm_read.h"
#include "sys/pid_space.h"

#define RESULT_BYTES 32
#define RESULT_PREFIX "SCAN_"

struct hugepage_probe {
	struct attachment collapses, splits;
	struct merge_record merges;
	struct walk_layout layout;
	uint32_t range_shift;
	pid_t ksmd;
	unsigned int scan_arguments, isolate_arguments;
	char results[COLLAPSE_RESULTS][RESULT_BYTES];
	unsigned int succeeded;
	enum known tells_undone, tells_splits;
};

static void name_result(struct hugepage_probe *probe, const char *name, unsigned int result)
{
	char *to = probe->results[result];

	if (strncmp(name, RESULT_PREFIX, strlen(RESULT_PREFIX)))
		return;
	snprintf(to, RESULT_BYTES, "%s", name + strlen(RESULT_PREFIX));
	for (; *to; to++)
		*to = (char)tolower((unsigned char)*to);
	if (!strcmp(probe->results[result], "succeed"))
		probe->succeeded = result;
}

/* The kernel's own enum says what its results mean: they were renumbered more than once. */
static void learn_results(struct hugepage_probe *probe, const struct btf *kernel)
{
	int id = btf__find_by_name_kind(kernel, "scan_result", BTF_KIND_ENUM);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(kernel, id);

	probe->succeeded = COLLAPSE_RESULTS;	/* none */
	for (int i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_enum *entry = &btf_enum(type)[i];
		if (entry->val >= 0 && entry->val < COLLAPSE_RESULTS)
			name_result(probe, btf__name_by_offset(kernel, entry->name_off), entry->val);
	}
}

static int learn_kernel(struct hugepage_probe *probe, const struct sysroot *root, struct error *err)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	struct value bytes = sysroot_number(root, "sys/kernel/mm/transparent_hugepage/hpage_pmd_size");

	if (!kernel)
		return fail(err, EXIT_KERNEL_CANNOT, "read the kernel's types: it has no BTF");
	learn_results(probe, kernel);
	probe->scan_arguments = tracepoint_arguments(kernel, "mm_khugepaged_scan_pmd");
	probe->isolate_arguments = tracepoint_arguments(kernel, "mm_collapse_huge_page_isolate");
	btf__free(kernel);
	if (!is_known(bytes) || bytes.number <= 0)
		return fail(err, EXIT_KERNEL_CANNOT, "watch huge pages: this kernel has no transparent ones");
	probe->range_shift = (uint32_t)__builtin_ctzll((uint64_t)bytes.number);
	return 0;
}

static void *open_collapses(const void *options)
{
	const struct hugepage_probe *probe = options;
	struct hugepage_bpf *skeleton = hugepage_bpf__open();

	if (!skeleton)
		return NULL;
	memcpy((void *)&skeleton->rodata->layout, &probe->layout, sizeof(probe->layout));
	skeleton->rodata->range_shift = probe->range_shift;
	skeleton->rodata->succeeded = probe->succeeded;
	skeleton->rodata->scan_arguments = probe->scan_arguments;
	skeleton->rodata->isolate_arguments = probe->isolate_arguments;
	skeleton->rodata->merges_shift = probe->merges.shift;
	if (probe->merges.fd >= 0 ? bpf_map__reuse_fd(skeleton->maps.merged_at, probe->merges.fd) :
	    bpf_map__set_max_entries(skeleton->maps.merged_at, 1)) {
		hugepage_bpf__destroy(skeleton);
		return NULL;
	}
	return skeleton;
}

static void *open_splits(const void *options)
{
	const struct hugepage_probe *probe = options;
	struct split_bpf *skeleton = split_bpf__open();

	if (!skeleton)
		return NULL;
	skeleton->rodata->range_shift = probe->range_shift;
	skeleton->rodata->ksmd = (uint32_t)probe->ksmd;
	return skeleton;
}

static enum known state_of(const struct attachment *attachment, const char *name)
{
	const struct attach_program *program = attach_find(attachment, name);
	return program ? program->state : ABSENT;
}

static void open_split_probe(struct hugepage_probe *probe, const struct sysroot *root)
{
	struct error err = {};

	probe->tells_splits = ABSENT;
	probe->ksmd = ksmd_find(root);
	if (!probe->ksmd)
		return;
	if (attach_load(&probe->splits, open_splits, probe, &err)) {
		probe->tells_splits = attach_known(&err);
		return;
	}
	attach_start_all(&probe->splits);
	probe->tells_splits = state_of(&probe->splits, "remapped");
}

static int open_collapse_probe(struct hugepage_probe *probe, const struct sysroot *root, struct error *err)
{
	struct error why = {};
	int rc = learn_kernel(probe, root, err);

	if (rc)
		return rc;
	framewalk_learn(&probe->layout, root, &why);	/* without it, ranges of collapses are not known */
	rc = attach_load(&probe->collapses, open_collapses, probe, err);
	if (rc)
		return rc;
	attach_start_all(&probe->collapses);
	probe->tells_undone = !probe->layout.levels ? attach_known(&why) :
		probe->merges.fd < 0 ? ABSENT : state_of(&probe->collapses, "isolate");
	return 0;
}

int hugepage_open(struct hugepage_probe **ret, const struct hugepage_options *options, const struct sysroot *root,
		  struct error *err)
{
	struct hugepage_probe *probe = calloc(1, sizeof(*probe));

	*ret = NULL;
	if (!probe)
		return fail(err, EXIT_FAILED, "out of memory opening the huge page probe");
	probe->merges = options->merges;
	int rc = pid_space_check_bpf(err);
	if (!rc)
		rc = open_collapse_probe(probe, root, err);
	if (rc) {
		hugepage_close(probe);
		return rc;
	}
	if (options->splits)
		open_split_probe(probe, root);
	*ret = probe;
	return 0;
}

void hugepage_close(struct hugepage_probe *probe)
{
	if (!probe)
		return;
	attach_free(&probe->collapses);
	attach_free(&probe->splits);
	free(probe);
}

static const struct hugepage_bpf *collapses_of(const struct hugepage_probe *probe)
{
	return probe->collapses.skeleton;
}

static const struct split_bpf *splits_of(const struct hugepage_probe *probe)
{
	return probe->splits.skeleton;
}

void hugepage_read(const struct hugepage_probe *probe, struct hugepage_facts *ret)
{
	*ret = (struct hugepage_facts){
		.totals = collapses_of(probe)->bss->totals,
		.tells_undone = probe->tells_undone,
		.tells_splits = probe->tells_splits,
	};
	if (probe->tells_splits == KNOWN)
		ret->splits = splits_of(probe)->bss->totals;
}

/* Room for one more item of `bytes` at the end of an array. */
static void *append(void *items, size_t *count, size_t bytes, void **ret_item)
{
	char *more = realloc(items, (*count + 1) * bytes);

	if (more)
		*ret_item = more + (*count)++ * bytes;
	return more;
}

struct collapse_list {
	struct collapse_count *items;
	size_t count;
};

static bool add_collapse(const void *key, const void *values, void *context)
{
	struct collapse_list *list = context;
	void *item;
	void *items = append(list->items, &list->count, sizeof(*list->items), &item);

	if (!items)
		return false;
	list->items = items;
	*(struct collapse_count *)item = (struct collapse_count){
		.key = *(const struct collapse_key *)key,
		.count = *(const uint64_t *)values,
	};
	return true;
}

int hugepage_collapses(const struct hugepage_probe *probe, struct collapse_count **ret, size_t *ret_count,
		       struct error *err)
{
	struct map_shape shape = {
		.fd = bpf_map__fd(collapses_of(probe)->maps.collapses),
		.key_bytes = sizeof(struct collapse_key),
		.value_bytes = sizeof(uint64_t),
		.cpus = 1,
	};
	struct collapse_list list = {};
	int rc = map_each(&shape, add_collapse, &list, err);

	if (rc)
		free(list.items);
	*ret = rc ? NULL : list.items;
	*ret_count = rc ? 0 : list.count;
	return rc;
}

struct process_list {
	struct hugepage_process *items;
	size_t count;
};

static struct hugepage_process *process_of(struct process_list *list, pid_t pid)
{
	void *item;

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].pid == pid)
			return &list->items[i];
	void *items = append(list->items, &list->count, sizeof(*list->items), &item);
	if (!items)
		return NULL;
	list->items = items;
	*(struct hugepage_process *)item = (struct hugepage_process){ .pid = pid };
	return item;
}

static bool add_undone(const void *key, const void *values, void *context)
{
	struct hugepage_process *process = process_of(context, *(const pid_t *)key);
	if (process)
		process->counts = *(const struct hugepage_counts *)values;
	return process;
}

static bool add_split(const void *key, const void *values, void *context)
{
	struct hugepage_process *process = process_of(context, *(const pid_t *)key);
	if (process)
		process->ksmd_splits = *(const uint64_t *)values;
	return process;
}

int hugepage_processes(const struct hugepage_probe *probe, struct hugepage_process **ret, size_t *ret_count,
		       struct error *err)
{
	struct map_shape shape = {
		.fd = bpf_map__fd(collapses_of(probe)->maps.by_process),
		.key_bytes = sizeof(__u32),
		.value_bytes = sizeof(struct hugepage_counts),
		.cpus = 1,
	};
	struct process_list list = {};
	int rc = map_each(&shape, add_undone, &list, err);

	if (!rc && probe->tells_splits == KNOWN) {
		shape.fd = bpf_map__fd(splits_of(probe)->maps.by_process);
		shape.value_bytes = sizeof(uint64_t);
		rc = map_each(&shape, add_split, &list, err);
	}
	if (rc)
		free(list.items);
	*ret = rc ? NULL : list.items;
	*ret_count = rc ? 0 : list.count;
	return rc;
}

const char *collapse_result_name(const struct hugepage_probe *probe, unsigned int result)
{
	return result < COLLAPSE_RESULTS && *probe->results[result] ? probe->results[result] : "?";
}

const struct attachment *hugepage_attachment(const struct hugepage_probe *probe)
{
	return &probe->collapses;
}

const struct attachment *split_attachment(const struct hugepage_probe *probe)
{
	return &probe->splits;
}
