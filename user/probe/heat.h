/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The accessed bits of huge pages of any process, read from its page tables
 * (bpf/heat.bpf.c). It takes no lock of the target and changes nothing; the
 * bits have to be cleared by other means (sys/clear_refs.h).
 */
#ifndef KSMSCOPE_PROBE_HEAT_H
#define KSMSCOPE_PROBE_HEAT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "bpf/abi.h"
#include "sys/sysroot.h"

struct heat_probe;

/* EXIT_KERNEL_CANNOT (framewalk.h says why), EXIT_NOT_PERMITTED, EXIT_FAILED. */
int heat_open(struct heat_probe **ret, const struct sysroot *root, struct error *err);
/* NULL is fine. */
void heat_close(struct heat_probe *probe);

/*
 * The state of each huge page at `addresses` of the process; HEAT_UNSEEN for
 * all of them when it has ended. An error only when the kernel refuses.
 */
int heat_look(struct heat_probe *probe, pid_t pid, const uint64_t *addresses, size_t count, uint8_t *ret_states,
	      struct error *err);

#endif
