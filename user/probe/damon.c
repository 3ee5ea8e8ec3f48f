// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/damon.h"

#include <stdlib.h>

#include "bpf/damon.skel.h"
#include "probe/attach.h"

struct damon_probe {
	struct attachment attachment;
};

static void *open_damon(const void *options)
{
	(void)options;
	return damon_bpf__open();
}

int damon_open(struct damon_probe **ret, struct error *err)
{
	struct damon_probe *probe = calloc(1, sizeof(*probe));

	*ret = NULL;
	if (!probe)
		return fail(err, EXIT_FAILED, "out of memory opening DAMON's tracepoint");
	int rc = attach_load(&probe->attachment, open_damon, NULL, err);
	struct attach_program *program = rc ? NULL : attach_find(&probe->attachment, "damon_aggregated");
	if (!rc && attach_start(program) != KNOWN)
		rc = fail(err, program->state == DENIED ? EXIT_NOT_PERMITTED : EXIT_KERNEL_CANNOT, "listen to DAMON: %s",
			  program->why);
	if (rc)
		damon_close(probe);
	else
		*ret = probe;
	return rc;
}

void damon_close(struct damon_probe *probe)
{
	if (!probe)
		return;
	attach_free(&probe->attachment);
	free(probe);
}

const struct damon_event *damon_heard(const struct damon_probe *probe, size_t *ret_count)
{
	const struct damon_bpf *skeleton = probe->attachment.skeleton;
	const struct damon_events *events = &skeleton->data_events->damon_events;

	*ret_count = events->produced < DAMON_EVENTS ? events->produced : DAMON_EVENTS;
	return events->events;
}
