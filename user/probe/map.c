// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/map.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"

/* Entries per system call, to begin with; more where one bucket of the map holds more. */
#define BATCH 256
#define LARGEST_BATCH 65536

struct batch {
	char *keys, *values;
	__u32 size;
};

/* Zeroed: tools that watch memory don't know that the kernel fills it. */
static bool batch_size(struct batch *b, const struct map_shape *shape, __u32 size)
{
	free(b->keys);
	free(b->values);
	b->keys = calloc(size, shape->key_bytes);
	b->values = calloc((size_t)size * shape->cpus, shape->value_bytes);
	b->size = size;
	return b->keys && b->values;
}

static bool visit_batch(const struct map_shape *shape, const struct batch *b, __u32 count, map_visitor visit,
			void *context)
{
	for (__u32 i = 0; i < count; i++)
		if (!visit(b->keys + i * shape->key_bytes, b->values + i * shape->value_bytes * shape->cpus, context))
			return false;
	return true;
}

/* 0, or an errno. */
static int read_batches(const struct map_shape *shape, struct batch *b, map_visitor visit, void *context)
{
	__u64 position = 0;	/* a bucket's number, opaque */
	bool first = true;

	for (;;) {
		__u32 count = b->size;
		int rc = bpf_map_lookup_batch(shape->fd, first ? NULL : &position, &position, b->keys, b->values,
					      &count, NULL);
		if (rc == -ENOSPC) {
			if (b->size >= LARGEST_BATCH || !batch_size(b, shape, b->size * 2))
				return ENOMEM;
			continue;
		}
		if (rc && rc != -ENOENT)
			return -rc;
		if (!visit_batch(shape, b, count, visit, context))
			return ENOMEM;
		if (rc == -ENOENT)
			return 0;
		first = false;
	}
}

int map_each(const struct map_shape *shape, map_visitor visit, void *context, struct error *err)
{
	struct batch b = {};
	int os = batch_size(&b, shape, BATCH) ? read_batches(shape, &b, visit, context) : ENOMEM;

	free(b.keys);
	free(b.values);
	if (!os)
		return 0;
	errno = os;
	return fail_errno(err, "read", "a BPF map", NULL);
}
