// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/estimate/sampled.h"

#include <stdlib.h>

int sampled_new(struct sampled **ret, size_t tasks, const struct sketch_options *options, struct error *err)
{
	struct sampled *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (s)
		s->tasks = calloc(tasks + 1, sizeof(*s->tasks));
	if (!s || !s->tasks)
		rc = fail(err, EXIT_FAILED, "out of memory: look at fewer processes at a time");
	else
		rc = sketch_init(&s->sketch, options, err);
	if (!rc) {
		*ret = s;
		return 0;
	}
	if (s)
		free(s->tasks);
	free(s);
	return rc;
}

void sampled_free(struct sampled *s)
{
	if (!s)
		return;
	sketch_free(&s->sketch);
	free(s->tasks);
	free(s);
}
