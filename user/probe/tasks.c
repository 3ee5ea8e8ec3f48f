// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "bpf/abi.h"
#include "bpf/tasks.skel.h"
#include "sys/pid_space.h"

#define BATCH 256	/* processes per read(2) */

struct tasks_probe {
	struct attachment attachment;
	struct attach_program *iterator;
	uint64_t ns_per_tick;
};

static void *open_tasks(const void *options)
{
	struct tasks_bpf *skeleton = tasks_bpf__open();
	int cpus = libbpf_num_possible_cpus();

	(void)options;
	/* beyond what fits, resident pages lack what each CPU has not yet added: as /proc's before 6.16 */
	if (skeleton && cpus > 0 && cpus <= TASK_CPUS)
		skeleton->rodata->cpus = cpus;
	return skeleton;
}

static int learn_cpus(const struct attachment *attachment)
{
	struct bpf_test_run_opts opts = { .sz = sizeof(opts) };
	const struct attach_program *program = attach_find(attachment, "learn_cpus");

	return program->state == KNOWN ? bpf_prog_test_run_opts(bpf_program__fd(program->program), &opts) : -1;
}

int tasks_open(struct tasks_probe **ret, struct error *err)
{
	struct tasks_probe *probe = calloc(1, sizeof(*probe));
	int rc;

	*ret = NULL;
	if (!probe)
		return fail(err, EXIT_FAILED, "out of memory opening the task iterator");
	rc = pid_space_check_bpf(err);
	if (!rc)
		rc = attach_load(&probe->attachment, open_tasks, NULL, err);
	if (rc) {
		free(probe);
		return rc;
	}
	probe->ns_per_tick = 1000000000 / sysconf(_SC_CLK_TCK);
	probe->iterator = attach_find(&probe->attachment, "each_task");
	if (learn_cpus(&probe->attachment) || attach_start(probe->iterator) != KNOWN) {
		const char *why = *probe->iterator->why ? probe->iterator->why : "not on this kernel";
		rc = fail(err, probe->iterator->state == DENIED ? EXIT_NOT_PERMITTED : EXIT_KERNEL_CANNOT,
			  "iterate over tasks: %s", why);
		tasks_close(probe);
		return rc;
	}
	*ret = probe;
	return 0;
}

void tasks_close(struct tasks_probe *probe)
{
	if (!probe)
		return;
	attach_free(&probe->attachment);
	free(probe);
}

const struct attachment *tasks_attachment(const struct tasks_probe *probe)
{
	return &probe->attachment;
}

static struct value counted(int64_t number)
{
	return number < 0 ? (struct value){ .known = ABSENT } : value_of(number);
}

/* The per-CPU parts are summed one after another: a page that moves between them may be missed. */
static struct value pages(int64_t number)
{
	return value_of(number > 0 ? number : 0);
}

static struct process_facts convert(const struct tasks_probe *probe, const struct task_facts *from)
{
	struct process_facts facts = {
		.pid = (pid_t)from->pid,
		.parent = (pid_t)from->parent,
		.uid = from->uid,
		.start_ticks = from->start_ns / probe->ns_per_tick,
		.threads = from->threads,
		.kernel_thread = from->flags & TASK_KERNEL_THREAD,
		.has_memory = from->flags & TASK_HAS_MEMORY,
		.cgroup = cgroup_of(from->cgroup_id, from->memory_cgroup_id),
		.file_pages = pages(from->pages[TASK_PAGES_FILE]),
		.anon_pages = pages(from->pages[TASK_PAGES_ANON]),
		.swap_pages = pages(from->pages[TASK_PAGES_SWAP]),
		.shmem_pages = pages(from->pages[TASK_PAGES_SHMEM]),
		.minor_faults = value_of((int64_t)from->min_flt),
		.major_faults = value_of((int64_t)from->maj_flt),
		.ksm_merging_pages = value_of(0),
		.ksm_rmap_items = value_of(0),
		.ksm_zero_pages = value_of(0),
		.merge_any = value_of(0),
	};
	snprintf(facts.comm, sizeof(facts.comm), "%.*s", (int)sizeof(from->comm), from->comm);
	if (facts.has_memory) {
		facts.ksm_merging_pages = counted(from->ksm_merging_pages);
		facts.ksm_rmap_items = counted(from->ksm_rmap_items);
		facts.ksm_zero_pages = counted(from->ksm_zero_pages);
		facts.merge_any = counted(from->merge_any);
	}
	return facts;
}

struct process_list {
	struct process_facts *items;
	size_t count, room;
};

static bool list_add(struct process_list *list, const struct process_facts *facts)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : BATCH;
		struct process_facts *items = realloc(list->items, room * sizeof(*items));
		if (!items)
			return false;
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = *facts;
	return true;
}

static int by_pid(const void *a, const void *b)
{
	const struct process_facts *x = a, *y = b;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* read(2) gives whole records, as many as fit; 0 at the end. A negative errno. */
static int read_all(const struct tasks_probe *probe, int fd, struct process_list *list)
{
	struct task_facts batch[BATCH];
	ssize_t bytes;

	while ((bytes = read(fd, batch, sizeof(batch)))) {
		if (bytes < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (bytes < 0)
			return -errno;
		for (size_t i = 0; i < bytes / sizeof(*batch); i++) {
			struct process_facts facts = convert(probe, &batch[i]);
			if (!list_add(list, &facts))
				return -ENOMEM;
		}
	}
	return 0;
}

int tasks_read(struct tasks_probe *probe, struct process_facts **ret, size_t *ret_count, struct error *err)
{
	struct process_list list = {};
	scoped_fd int fd = bpf_iter_create(bpf_link__fd(probe->iterator->link));
	int rc = fd < 0 ? fd : read_all(probe, fd, &list);

	*ret = NULL;
	*ret_count = 0;
	if (rc) {
		free(list.items);
		errno = -rc;
		return fail_errno(err, "read", "the task iterator", NULL);
	}
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), by_pid);
	*ret = list.items;
	*ret_count = list.count;
	return 0;
}
