/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at a process before a system call is run in it: may it be done, in which thread, by which instruction. */
#ifndef KSMSCOPE_SYS_INJECT_TARGET_H
#define KSMSCOPE_SYS_INJECT_TARGET_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "sys/inject_restart.h"

struct inject_target {
	pid_t pid;
	uint64_t start_ticks;		/* field 22 of /proc/PID/stat; 0: any */
	pid_t thread;
	uint64_t instruction;		/* where a system call instruction is mapped, 0: nowhere */
	struct sleep_look sleep;
};

/*
 * Refuse what can't or must not be stopped: gone, another process than it was,
 * kernel thread, a thread's number in place of a process's, already traced.
 */
int target_check(const struct sysroot *root, const struct inject_target *target, struct error *err);

/*
 * Check; then choose the thread that bears a stop best (a zombie has none) and
 * find the instruction.
 */
int target_look(const struct sysroot *root, const struct arch *arch, struct inject_target *target, struct error *err);

/*
 * Is it still the same process, and the thread one of its threads? Once the
 * thread is attached to, the answer stays true: its numbers can't be given away.
 */
int target_verify(const struct sysroot *root, const struct inject_target *target, struct error *err);

/* Has the thread ended? What the kernel refuses to trace for that reason it calls not permitted. */
bool target_has_ended(const struct sysroot *root, const struct inject_target *target);

/* Is a seccomp filter in force in the thread? True also where it can't be read. */
bool target_is_filtered(const struct sysroot *root, const struct inject_target *target);

#endif
