/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All processes with their KSM and memory counters in one pass of a BPF
 * iterator: 2,000 processes in a few milliseconds, where /proc
 * (sys/proc_tasks.h, the fallback) takes some sixty.
 */
#ifndef KSMSCOPE_PROBE_TASKS_H
#define KSMSCOPE_PROBE_TASKS_H

#include "base/error.h"
#include "probe/attach.h"
#include "sys/proc_tasks.h"

struct tasks_probe;

int tasks_open(struct tasks_probe **ret, struct error *err);
void tasks_close(struct tasks_probe *probe);

/* All processes, ascending by PID; the caller frees *ret. */
int tasks_read(struct tasks_probe *probe, struct process_facts **ret, size_t *ret_count, struct error *err);

/* Its programs, for their cost. */
const struct attachment *tasks_attachment(const struct tasks_probe *probe);

#endif
