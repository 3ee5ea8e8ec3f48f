/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was seen of page faults: handed out by probe/fault.h, kept by probe/fault_table.h. */
#ifndef KSMSCOPE_PROBE_FAULT_FACTS_H
#define KSMSCOPE_PROBE_FAULT_FACTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/abi.h"
#include "core/live/duty.h"

_Static_assert(FAULT_KINDS <= DUTY_KINDS, "the duty cycle has room for all kinds of faults");

struct fault_process {
	pid_t pid;
	struct duty_process now, horizon; /* by enum fault_kind; since the last reading, and in the last 10 to 20 s */
	struct fault_arrivals arrivals;		/* in the horizon */
	uint64_t in_kernel;			/* of the events seen since the last reading: in system calls */
};

struct fault_interval {
	struct duty_total now, horizon;
	struct fault_process machine;		/* all processes together; pid 0 */
	struct fault_process *processes;	/* those that had faults in the horizon, in no order */
	size_t count;
};

#endif
