/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reading half of /sys/kernel/mm/ksm, and what ksmd has cost. Answers what
 * the engine is set to and what it has done so far; knows nothing of single
 * processes. Absent (older kernel, no KSM) and denied stay apart, per file.
 *
 * The engine's counters lag: pages_sharing is brought up to date by ksmd's
 * next visit to a page, so after a COW break or an unmerge it stays too high,
 * for ever while ksmd is stopped (mm/ksm.c, remove_rmap_item_from_tree()).
 */
#ifndef KSMSCOPE_SYS_KSM_READ_H
#define KSMSCOPE_SYS_KSM_READ_H

#include <sys/types.h>

#include "core/sample.h"
#include "sys/sysroot.h"

#define KSM_DIRECTORY "sys/kernel/mm/ksm"

/* One file of the engine; advisor_mode as enum advisor_mode. A text that is no value of the knob counts as absent. */
struct value ksm_knob_read(const struct sysroot *root, enum knob knob);

/* All of them, ksmd's CPU time and cow_ksm. Never fails: what is not there says so in its value. */
void ksm_read(const struct sysroot *root, struct engine *ret);

/* The PID of the kernel thread ksmd; 0 where it can't be seen (no KSM, another PID namespace). */
pid_t ksmd_find(const struct sysroot *root);

/* CPU time of `ksmd` (from ksmd_find()) in ticks of sysconf(_SC_CLK_TCK), user and system. */
struct value ksmd_cpu_ticks(const struct sysroot *root, pid_t ksmd);

/*
 * "none", "scan-time" as advisor_mode shows them, the chosen one in brackets; a lone word is the chosen one.
 * False for anything else.
 */
bool advisor_mode_parse(const char *text, enum advisor_mode *ret);
/* The word that chooses a mode. */
const char *advisor_mode_name(enum advisor_mode mode);

#endif
