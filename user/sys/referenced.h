/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of each mapping was accessed since its bits were cleared: "Referenced:" of /proc/PID/smaps. */
#ifndef KSMSCOPE_SYS_REFERENCED_H
#define KSMSCOPE_SYS_REFERENCED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/known.h"
#include "sys/sysroot.h"

struct referenced {
	uint64_t start, end;
	uint64_t kilobytes;
};

/* All mappings, by address; the caller frees *ret. KNOWN, GONE, DENIED; ABSENT when memory is out. */
enum known referenced_read(const struct sysroot *root, pid_t pid, struct referenced **ret, size_t *ret_count);

/* The mapping that holds the address; NULL where there is none. */
const struct referenced *referenced_at(const struct referenced *list, size_t count, uint64_t address);

#endif
