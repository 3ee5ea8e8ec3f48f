/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tracer's side of an injection: stop a thread, run calls in it, let it go. For a process of its own only. */
#ifndef KSMSCOPE_SYS_INJECT_TRACE_H
#define KSMSCOPE_SYS_INJECT_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sys/inject_arch.h"
#include "sys/inject_target.h"

struct tracee {
	const struct arch *arch;
	const struct sysroot *root;
	struct inject_target target;
	bool attached;			/* ended threads are attached no more */
	bool standing;			/* in a stop that has been reported */
	bool away;			/* its registers and mask are not its own */
	bool given_up;			/* the call took too long and was interrupted */
	struct registers own;
	uint64_t own_mask;
	uint64_t own_faults;		/* signals of faults, queued before the stop */
	uint64_t mask;			/* the one in force while it is away */
	uint64_t since_ns;		/* stopped since; CLOCK_MONOTONIC, 0: not stopped yet */
};

/* Attach, stop, look whether a call can be run. The thread then stands with its own registers and mask. */
int trace_begin(struct tracee *tracee, struct error *err);

/* One call; afterwards the thread stands with its own registers and mask again, unless tracee->away. */
int trace_call(struct tracee *tracee, long number, const uint64_t arguments[6], int64_t *ret_value, struct error *err);

/* Let go. Waits, however long it takes, for a thread that is away. */
void trace_end(struct tracee *tracee);

#endif
