/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which process has which PID: that is another question in each PID namespace.
 * The files of /proc have the PIDs of the namespace that it was mounted in,
 * system calls those of our own, and BPF those of the initial one, the host's.
 * Where these differ, a PID names somebody else.
 */
#ifndef KSMSCOPE_SYS_PID_SPACE_H
#define KSMSCOPE_SYS_PID_SPACE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Has /proc our own PIDs? Refused where it calls us by another one, or does not
 * know us. Without a /proc there are no PIDs to be mistaken: 0.
 */
int pid_space_check_proc(struct error *err);

/* Are we in the initial namespace, so that BPF's PIDs are ours? EXIT_KERNEL_CANNOT where not. */
int pid_space_check_bpf(struct error *err);

#endif
