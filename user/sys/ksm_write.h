/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writing half of /sys/kernel/mm/ksm. Only act/ may include this.
 */
#ifndef KSMSCOPE_SYS_KSM_WRITE_H
#define KSMSCOPE_SYS_KSM_WRITE_H

#include "base/error.h"
#include "core/knobs.h"
#include "sys/sysroot.h"

/*
 * Write one knob and read it back: a value that does not come back as written
 * is an error that names both. Values outside the table's bounds are refused.
 * run=2 is refused here; unmerging has its own, checked way (act/).
 *
 * EXIT_NOT_PERMITTED where the file may not be written, a read-only /sys
 * included; EXIT_KERNEL_CANNOT where this kernel has no such file; else
 * EXIT_FAILED, with what to do about the refusals that mm/ksm.c is known for.
 */
int ksm_knob_write(const struct sysroot *root, enum knob knob, int64_t value, struct error *err);

#endif
