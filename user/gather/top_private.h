/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a top_source, for gather/top*.c alone. */
#ifndef KSMSCOPE_GATHER_TOP_PRIVATE_H
#define KSMSCOPE_GATHER_TOP_PRIVATE_H

#include "core/live/top.h"
#include "probe/engine.h"
#include "probe/fault.h"
#include "probe/hugepage.h"
#include "probe/tasks.h"
#include "sys/cgroups.h"
#include "sys/users.h"

/* A probe that is not there, and why. */
struct absence {
	enum known state;		/* KNOWN: it is there */
	char why[160];
};

struct top_probes {
	struct tasks_probe *tasks;
	struct engine_probe *engine;
	struct fault_probe *fault;
	struct hugepage_probe *huge;
	struct absence no_tasks, no_engine, no_fault, no_huge;

	int costs;			/* from program_costs_measure(); -1: not measured now */
	unsigned int samples;
	double measured_seconds, seconds;	/* so far */
	int64_t costs_clock_ns;
};

void top_probes_open(struct top_probes *probes, const struct sysroot *root, bool precise, uint64_t merged_pages);
void top_probes_close(struct top_probes *probes);
/* First: what happened up to now. `facts`: all processes, as read for this sample. */
void top_probes_take_faults(struct top_probes *probes, const struct process_facts *facts, size_t count,
			    struct top_sample *sample);
/* Then everything else, in this order; the sample has its processes by now. */
void top_probes_take_engine(struct top_probes *probes, struct top_sample *sample);
void top_probes_take_huge(struct top_probes *probes, struct top_sample *sample);

/* What is remembered of a process from sample to sample. */
struct remembered {
	pid_t pid;
	uint64_t start_ticks;
	char comm[64];			/* what `vm` belongs to: exec changes both */
	char *vm, *cgroup;		/* "" where there is none; cgroup: of captured systems only */
	struct value huge_bytes, mergeable;	/* read in turns */
	int64_t read_clock_ns;		/* when; 0: not yet */
};

struct top_tasks {
	struct remembered *list;	/* ascending pid */
	size_t count;
	struct cgroups cgroups;
	int64_t cgroups_clock_ns;	/* when they were read */
	struct users users;
	uint64_t pmd_bytes;		/* size of a huge page */
	size_t turn;			/* whose turn it is */
	double credit_seconds;		/* of CPU time, for what is read in turns */
	int64_t credit_clock_ns;
};

void top_tasks_open(struct top_tasks *tasks, const struct sysroot *root);
void top_tasks_close(struct top_tasks *tasks);
/* All processes; the caller frees *ret. */
int top_tasks_read(struct top_tasks *tasks, const struct sysroot *root, const struct top_probes *probes,
		   int64_t clock_ns, struct process_facts **ret, size_t *ret_count, struct error *err);
int top_tasks_take(struct top_tasks *tasks, const struct sysroot *root, const struct process_facts *facts,
		   size_t count, struct top_sample *sample, struct error *err);

#endif
