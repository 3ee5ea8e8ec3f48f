/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What act/ has to know of a process before it changes it or puts it back:
 * that it is still the one that was meant, what it has mapped now, and how
 * much memory unmerging it would take.
 */
#ifndef KSMSCOPE_ACT_PROCESS_H
#define KSMSCOPE_ACT_PROCESS_H

#include "core/sample.h"
#include "sys/sysroot.h"

struct process {
	struct task task;
	struct sample sample;		/* its areas, ascending */
};

/*
 * KNOWN; GONE where the process ended, is a zombie, or is not the one that
 * started at `start_ticks`; DENIED. process_free() after KNOWN only.
 */
enum known process_look(struct process *ret, const struct sysroot *root, pid_t pid, uint64_t start_ticks);
void process_free(struct process *process);

/* The same without its mappings: has it ended? */
bool process_ended(const struct sysroot *root, pid_t pid, uint64_t start_ticks);

struct range {
	uint64_t start, end;
};

struct ranges {
	struct range *items;
	size_t count;
};

/* Add one, joined to the last where they adjoin. False: out of memory. */
bool ranges_add(struct ranges *ranges, uint64_t start, uint64_t end);
void ranges_free(struct ranges *ranges);

/*
 * The parts of [start, end) that are not mergeable yet; adjoining ones as one.
 * Returns NULL, or why the range is not what was meant: a hole in it, or
 * memory that KSM refuses (where madvise succeeds and does nothing). Static
 * storage.
 */
const char *process_not_mergeable(const struct process *process, uint64_t start, uint64_t end, struct ranges *ret);

/*
 * Is there much more address space than memory in [start, end)? The kernel
 * goes through a mergeable mapping page by page of address space, ksmd in each
 * scan as well as an unmerge (150 ns a page, measured on 6.18): what a sanitizer
 * or a language runtime only reserves would keep both busy for minutes. Of
 * what KSM takes; up to 2^26 pages (256 GiB of 4 KiB) are never too many.
 */
bool process_too_sparse(const struct process *process, uint64_t start, uint64_t end);

/* The mergeable parts of [start, end), whatever is between them. False: out of memory. */
bool process_mergeable(const struct process *process, uint64_t start, uint64_t end, struct ranges *ret);

/*
 * Most bytes that unmerging the process can take: what KSM counts for it, or
 * everything merged on the machine where this kernel does not count per
 * process (ksm_merging_pages: 6.1; in ksm_stat: 6.7). Not known where neither can be read.
 */
struct value process_unmerge_bytes(const struct process *process, const struct sysroot *root);

/*
 * Refused (EXIT_FAILED) where that much memory is not available with a margin
 * of 1/50 of the machine's memory, or where it isn't known.
 */
int process_can_unmerge(const struct process *process, const struct sysroot *root, struct error *err);

/* Who is whose child, at one moment. */
struct family {
	struct task *members;		/* ascending pid; only pid, parent and start_ticks are used */
	size_t count;
};

int family_look(struct family *ret, const struct sysroot *root, struct error *err);
void family_free(struct family *family);

/*
 * Is `member` a child of `pid`, or a child's child, born at `since_ticks` or
 * later? A child whose parent ended in between has another parent now and is
 * not recognised: the kernel keeps no trace of the line.
 */
bool family_descends(const struct family *family, const struct task *member, pid_t pid, uint64_t since_ticks);

/* Clock ticks since boot, on the clock of start_ticks (CLOCK_BOOTTIME, since 5.5). */
uint64_t ticks_now(void);

#endif
