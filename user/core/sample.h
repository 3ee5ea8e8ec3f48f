/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sample: facts with their time. What was read, and for what was not read
 * whether it is absent on this kernel, denied, or gone. It holds no estimate
 * and no opinion; everything that follows from it is the model's (model.h).
 *
 * gather/ fills it, core/ reads it. Names that came from the system are raw;
 * out/ makes them printable.
 */
#ifndef KSMSCOPE_CORE_SAMPLE_H
#define KSMSCOPE_CORE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/frames.h"
#include "core/knobs.h"
#include "core/known.h"

/* Why KSM can't take a mapping, in the order in which it is tested. */
enum area_class {
	AREA_CANDIDATE,		/* private, anonymous or with private copies of a file's pages */
	AREA_SHARED,		/* MAP_SHARED: file, shmem, memfd */
	AREA_HUGETLB,
	AREA_DAX,
	AREA_PFNMAP,		/* VM_PFNMAP, VM_IO, VM_MIXEDMAP: device memory */
	AREA_SPECIAL,		/* VM_DONTEXPAND, VM_DROPPABLE, vdso, stack guard… */
	AREA_CLASSES
};

/* "candidate", "shared", "hugetlb", "dax", "device", "special". */
const char *area_class_name(enum area_class class);

/* Facts about a VMA that decide about opting it in. */
enum area_flags {
	AREA_MERGEABLE = 1 << 0,	/* VmFlags mg */
	AREA_SECRET = 1 << 1,		/* VmFlags lo, dd or wf: mlocked, DONTDUMP, WIPEONFORK */
	AREA_NOHUGEPAGE = 1 << 2,
	AREA_FILE = 1 << 3,		/* has a file behind it */
};

/*
 * A VMA, or a part of one where it has more than 2^31 pages. Its frames are
 * extents [first_extent, first_extent + extents) of the frame table.
 */
struct area {
	uint32_t task;			/* index into sample.tasks */
	uint32_t name;			/* offset into sample.names; "" for anonymous */
	uint64_t start, end;		/* virtual addresses */
	enum area_class class;
	unsigned int flags;		/* enum area_flags */
	size_t first_extent, extents;
	uint64_t present_pages;		/* mapped now; of mappings that KSM refuses: frames not met before */
	uint64_t zero_page_pages;	/* map the kernel's shared zero page: no frame at all */
	uint64_t file_pages;		/* pages of the file itself in a private mapping */
	uint64_t merged_pages;		/* map KSM frames */
	uint64_t swapped_pages;
};

/* Everything KSM counts for one process, by name of /proc/PID/ksm_stat. */
struct task_ksm {
	struct value rmap_items, zero_pages, merging_pages, profit_bytes;
	struct value merge_any;		/* prctl(PR_SET_MEMORY_MERGE) is on; after 6.12 (3ab76c767bc7) */
	struct value mergeable;		/* has a VM_MERGEABLE mapping; after 6.12, likewise */
};

struct task {
	pid_t pid;
	pid_t parent;
	uint64_t start_ticks;		/* field 22 of /proc/PID/stat: tells a reused PID */
	uid_t uid;			/* effective */
	char comm[64];
	char state;			/* R, S, D, T, t, Z … */
	uint32_t cgroup;		/* offset into sample.names; "" where unknown */
	uint32_t vm;			/* offset into sample.names: a QEMU guest's name; "" for other processes */
	uint32_t executable;		/* offset into sample.names: the path under which its very file is found here */
	enum known executable_known;	/* ABSENT: deleted, or another file has that path here */
	uint32_t domain;		/* offset into sample.names: its trust domain, one offset each; 0 before trust_assign() */
	bool kernel_thread;
	enum known contents;		/* KNOWN when all its pages were looked at */
	size_t first_area, areas;
	struct task_ksm ksm;
};

/* Something that was wanted and not had; the answer is partial by it. */
struct missing {
	char what[64];			/* "contents of 1234", "ksm/general_profit" */
	enum known state;		/* ABSENT, DENIED or GONE */
	bool harmless;			/* the answer is whole without it */
	char why[160];
};

enum reader_kind {
	READER_NONE,			/* no contents were read */
	READER_DIRECT_MAP,
	READER_COPY,
};

struct machine {
	char release[65];
	char arch[65];
	uint64_t page_bytes;		/* sysconf(_SC_PAGESIZE) */
	uint64_t pmd_bytes;		/* size of a PMD huge page; 0: no THP */
	uint64_t pud_bytes;		/* size of a PUD huge page; 0: unknown */
	unsigned int cpus;
	unsigned int nodes;
	struct value total_bytes, available_bytes;
	struct value thp_mode;		/* enum thp_mode */
	struct value split_frees_zero;	/* 1: breaking a huge page frees its pages full of zeros (6.12) */
};

enum thp_mode {
	THP_ALWAYS,
	THP_MADVISE,
	THP_NEVER,
};

struct engine {
	struct value knob[KNOB_COUNT];	/* all files of /sys/kernel/mm/ksm, by enum knob */
	struct value ksmd_cpu_ticks;	/* utime + stime of ksmd */
	struct value cow_ksm;		/* /proc/vmstat: COW breaks of merged pages */
};

struct sampled;
struct calibration;
struct heat_facts;
struct hidden;

struct sample {
	int64_t time_ns;		/* CLOCK_REALTIME at the start */
	double seconds;			/* how long the look took */
	double cpu_seconds;		/* of that, on a CPU: the looks alone, without loading the reader */
	double settle_seconds;		/* distance of the two looks; 0: one look */
	enum reader_kind reader;
	const char *reader_why;		/* why it is not the direct map; NULL where it is, or was not asked for; static */
	uint64_t frames_read;		/* contents read, both looks together */
	struct machine machine;
	struct engine engine;

	struct task *tasks;		/* ascending pid */
	size_t tasks_count;
	struct area *areas;		/* by task, ascending address */
	size_t areas_count;
	struct frame_table frames;
	struct heat_facts *heat;	/* how often huge pages are accessed; NULL: nobody looked (huge/heat.h) */
	struct hidden *hidden;		/* contents of huge pages that KSM can't take; NULL: nobody looked (huge/hidden.h) */
	struct sampled *sampled;	/* a look that sampled contents; NULL: every frame is in `frames` (sampled.h) */
	struct calibration *calibration;	/* of this machine (huge/calibration.h); NULL: none that holds */
	char *names;			/* NUL-terminated strings; offset 0 is "" */
	size_t names_length;

	struct missing *missing;
	size_t missing_count;
	char *kept;			/* what static strings are in a sample from a recording; NULL elsewhere */
};

void sample_init(struct sample *sample);
void sample_free(struct sample *sample);

/* Store a string in sample.names; its offset, 0 ("") when memory is out. */
uint32_t sample_name(struct sample *sample, const char *name);

/* Is nothing missing that an answer needs? */
bool sample_complete(const struct sample *sample);

static inline const char *sample_string(const struct sample *s, uint32_t name)
{
	return s->names ? s->names + name : "";
}

/* Pages of an area that ksmd would track: an item each, whoever else maps the same frame. */
static inline uint64_t area_tracked_pages(const struct area *area)
{
	return area->present_pages - area->file_pages - area->zero_page_pages;
}

/* Room for one more, zeroed; NULL when memory is out. */
struct task *sample_add_task(struct sample *sample);
struct area *sample_add_area(struct sample *sample);

/*
 * Note something that is missing: the answer is partial by it. The same `what`
 * is noted once. sample_lacks() is for what the answer is whole without.
 */
__attribute__((format(printf, 4, 5)))
void sample_missing(struct sample *sample, const char *what, enum known state, const char *why, ...);
__attribute__((format(printf, 4, 5)))
void sample_lacks(struct sample *sample, const char *what, enum known state, const char *why, ...);

#endif
