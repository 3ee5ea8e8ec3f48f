// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/engine.h"

#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/engine.skel.h"
#include "probe/map.h"
#include "sys/pid_space.h"

struct engine_probe {
	struct attachment attachment;
	uint32_t merges_shift;
};

/* Follow as many as the table holds at half its size, so that it forgets little. */
static uint32_t shift_for(uint64_t merged_pages)
{
	uint32_t shift = 0;
	while (merged_pages >> shift > MERGES_TRACKED / 2)
		shift++;
	return shift;
}

static void *open_engine(const void *options)
{
	const struct engine_probe *probe = options;
	struct engine_bpf *skeleton = engine_bpf__open();

	if (!skeleton)
		return NULL;
	skeleton->rodata->page_mask = ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
	skeleton->rodata->merges_shift = probe->merges_shift;
	return skeleton;
}

int engine_open(struct engine_probe **ret, uint64_t merged_pages, struct error *err)
{
	struct engine_probe *probe = calloc(1, sizeof(*probe));

	*ret = NULL;
	if (!probe)
		return fail(err, EXIT_FAILED, "out of memory opening the engine's tracepoints");
	probe->merges_shift = shift_for(merged_pages);
	int rc = pid_space_check_bpf(err);
	if (!rc)
		rc = attach_load(&probe->attachment, open_engine, probe, err);
	if (rc) {
		free(probe);
		return rc;
	}
	attach_start_all(&probe->attachment);
	*ret = probe;
	return 0;
}

void engine_close(struct engine_probe *probe)
{
	if (!probe)
		return;
	attach_free(&probe->attachment);
	free(probe);
}

static const struct engine_bpf *skeleton_of(const struct engine_probe *probe)
{
	return probe->attachment.skeleton;
}

void engine_read(const struct engine_probe *probe, struct engine_totals *ret)
{
	*ret = skeleton_of(probe)->bss->totals;
}

struct process_list {
	struct engine_process *items;
	size_t count;
};

static bool add_process(const void *key, const void *values, void *context)
{
	struct process_list *list = context;
	struct engine_process *items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		return false;
	list->items = items;
	items[list->count++] = (struct engine_process){
		.pid = *(const pid_t *)key,
		.counts = *(const struct engine_counts *)values,
	};
	return true;
}

int engine_processes(const struct engine_probe *probe, struct engine_process **ret, size_t *ret_count,
		     struct error *err)
{
	struct map_shape shape = {
		.fd = bpf_map__fd(skeleton_of(probe)->maps.by_process),
		.key_bytes = sizeof(__u32),
		.value_bytes = sizeof(struct engine_counts),
		.cpus = 1,
	};
	struct process_list list = {};
	int rc = map_each(&shape, add_process, &list, err);

	if (rc)
		free(list.items);
	*ret = rc ? NULL : list.items;
	*ret_count = rc ? 0 : list.count;
	return rc;
}

void engine_forget(struct engine_probe *probe, pid_t pid)
{
	__u32 key = (__u32)pid;
	bpf_map_delete_elem(bpf_map__fd(skeleton_of(probe)->maps.by_process), &key);
}

struct merge_record engine_merges(const struct engine_probe *probe)
{
	return (struct merge_record){
		.fd = bpf_map__fd(skeleton_of(probe)->maps.merged_at),
		.shift = probe->merges_shift,
	};
}

const struct attachment *engine_attachment(const struct engine_probe *probe)
{
	return &probe->attachment;
}
