/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run a system call inside another process, by ptrace: the only way in which
 * somebody else can call madvise(MADV_MERGEABLE) or prctl(PR_SET_MEMORY_MERGE)
 * for a running process (process_madvise answers EINVAL for them).
 *
 * One thread of the target is stopped for as short as possible: about a tenth
 * of a millisecond for one call. No byte of its memory is written: a `syscall`
 * instruction that is already mapped is used. Registers, signal mask, pending
 * signals and an interrupted system call come out as they went in; the opening
 * comments of inject_trace.c and inject_restart.c name the exceptions.
 *
 * The tracer is a child process, so nothing is left behind if we are killed.
 */
#ifndef KSMSCOPE_SYS_INJECT_H
#define KSMSCOPE_SYS_INJECT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct injection;

/*
 * Stop one thread of `pid` and get ready. It stands until injection_end(), or
 * until a second has passed without a call. Refused, with the reason and with
 * *ret NULL, where the target is ourselves, a kernel thread, a zombie, already
 * traced, of another ABI, not the process started at `start_ticks` (0: any), or
 * under a seccomp filter that can't be suspended; where it doesn't stop within
 * a second; and on a machine whose architecture is not supported (only x86-64).
 */
int injection_begin(struct injection **ret, pid_t pid, uint64_t start_ticks, struct error *err);

/*
 * One system call inside the target. `*ret_value` is what it returned: ≥ 0 or
 * -errno; that the call itself failed is no error of this function. EXIT_FAILED
 * if the target ended, executed another program or was frozen meanwhile. Made
 * for calls that don't wait: one that takes more than ten seconds is interrupted
 * (-EINTR), and one that sleeps takes the place of a nanosleep() or poll() that
 * it interrupted. Unmerging costs time by the size of a mapping, not by what is
 * in it, and all of the target stands meanwhile: unmerge large ones in parts.
 */
int injection_call(struct injection *injection, long number, const uint64_t args[6], int64_t *ret_value,
		   struct error *err);

/* Put everything back and let go. Also after a failed call. NULL is fine. */
void injection_end(struct injection *injection);

/* Nanoseconds since the target was stopped: asked for just before injection_end(), how long it stood still. */
uint64_t injection_stopped_ns(const struct injection *injection);

#endif
