/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How this kernel's page tables and struct pages lie in memory, so that BPF
 * programs can find the frame behind an address and see whether KSM has merged
 * it (bpf/pagewalk.bpf.h). Nothing is taken from symbols, which may be hidden
 * and are randomised: it is searched for, and believed only when walks over
 * pages of our own give the frames that /proc/self/pagemap gives and struct
 * pages that say what we know of these pages.
 *
 * Knows x86-64 with 4 and 5 levels, and arm64 with any. Elsewhere, and where pagemap hides frame
 * numbers, it says no.
 */
#ifndef KSMSCOPE_PROBE_FRAMEWALK_H
#define KSMSCOPE_PROBE_FRAMEWALK_H

#include "base/error.h"
#include "bpf/abi.h"
#include "sys/sysroot.h"

/*
 * Takes some milliseconds. Errors: EXIT_KERNEL_CANNOT (another architecture,
 * nothing convincing found), EXIT_NOT_PERMITTED (no frame numbers, no BPF);
 * *ret is zeroed then, which switches walking off.
 */
int framewalk_learn(struct walk_layout *ret, const struct sysroot *root, struct error *err);

#endif
