/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading whole BPF hash maps that programs are writing to. */
#ifndef KSMSCOPE_PROBE_MAP_H
#define KSMSCOPE_PROBE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Called for each entry; false stops with an error of no memory. `values`: one, or one per possible CPU. */
typedef bool (*map_visitor)(const void *key, const void *values, void *context);

struct map_shape {
	int fd;
	size_t key_bytes;
	size_t value_bytes;	/* of one value; a multiple of 8 in per-CPU maps */
	unsigned int cpus;	/* possible CPUs in a per-CPU map, 1 in others */
};

/*
 * Every entry that is there all the time is visited at least once; one that
 * comes or goes meanwhile may be missed.
 */
int map_each(const struct map_shape *shape, map_visitor visit, void *context, struct error *err);

#endif
