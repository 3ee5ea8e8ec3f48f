// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/heat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/heat.skel.h"
#include "probe/attach.h"
#include "probe/framewalk.h"
#include "sys/pid_space.h"

struct heat_probe {
	struct walk_layout layout;
	struct attachment attachment;
	pid_t linked;			/* the process that `link` visits; 0: none */
	struct bpf_link *link;
};

static void *open_heat(const void *context)
{
	const struct heat_probe *probe = context;
	struct heat_bpf *skeleton = heat_bpf__open();

	if (skeleton)
		memcpy((void *)&skeleton->rodata->layout, &probe->layout, sizeof(probe->layout));
	return skeleton;
}

static struct heat_bpf *skeleton_of(const struct heat_probe *probe)
{
	return probe->attachment.skeleton;
}

int heat_open(struct heat_probe **ret, const struct sysroot *root, struct error *err)
{
	struct heat_probe *probe = calloc(1, sizeof(*probe));

	*ret = NULL;
	if (!probe)
		return fail(err, EXIT_FAILED, "out of memory opening the heat probe");
	int rc = pid_space_check_bpf(err);
	if (!rc)
		rc = framewalk_learn(&probe->layout, root, err);
	if (!rc)
		rc = attach_load(&probe->attachment, open_heat, probe, err);
	if (rc)
		heat_close(probe);
	else
		*ret = probe;
	return rc;
}

void heat_close(struct heat_probe *probe)
{
	if (!probe)
		return;
	bpf_link__destroy(probe->link);
	attach_free(&probe->attachment);
	free(probe);
}

/*
 * Before f0d74c4da1f0 "bpf: Parameterize task iterators" (6.1) the restriction
 * to one process is ignored; the program picks ours then.
 */
static int link_process(struct heat_probe *probe, pid_t pid, struct error *err)
{
	union bpf_iter_link_info info = { .task.pid = pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	if (probe->linked == pid)
		return 0;
	bpf_link__destroy(probe->link);
	probe->linked = 0;
	probe->link = bpf_program__attach_iter(skeleton_of(probe)->progs.heat_look, &opts);
	if (probe->link)
		probe->linked = pid;
	else if (errno != ESRCH && errno != ENOENT)	/* it ended: nothing is seen, which is no error */
		return fail_errno(err, "attach", "the iterator that reads accessed bits", NULL);
	return 0;
}

static int run_batch(struct heat_probe *probe, pid_t pid, size_t count, struct error *err)
{
	struct heat_bpf *skeleton = skeleton_of(probe);

	int rc = link_process(probe, pid, err);
	if (rc || !probe->linked)
		return rc;
	skeleton->bss->heat_tgid = pid;
	skeleton->bss->heat_count = count;
	rc = attach_iterate(probe->link);
	skeleton->bss->heat_count = 0;
	errno = -rc;
	return rc ? fail_errno(err, "start", "the iterator that reads accessed bits", NULL) : 0;
}

int heat_look(struct heat_probe *probe, pid_t pid, const uint64_t *addresses, size_t count, uint8_t *ret_states,
	      struct error *err)
{
	struct heat_batch *batch = &skeleton_of(probe)->data_batch->batch;

	for (size_t done = 0, n; done < count; done += n) {
		n = count - done < HEAT_BATCH ? count - done : HEAT_BATCH;
		memcpy(batch->address, addresses + done, n * sizeof(*addresses));
		memset(batch->state, HEAT_UNSEEN, n);
		int rc = run_batch(probe, pid, n, err);
		if (rc)
			return rc;
		memcpy(ret_states + done, batch->state, n);
	}
	return 0;
}
