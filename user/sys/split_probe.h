/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does this kernel give zero-filled pages back when it splits a huge page?
 * (Since 6.12: b1f202060afe, "mm: remap unused subpages to shared zeropage
 * when splitting isolated thp"; no file says so, so it is tried out.)
 */
#ifndef KSMSCOPE_SYS_SPLIT_PROBE_H
#define KSMSCOPE_SYS_SPLIT_PROBE_H

#include "core/known.h"
#include "sys/sysroot.h"

/*
 * Fill half a huge page of our own, have it split by MADV_COLD on a part of
 * it, and see what is behind the zero half. 1 or 0; ABSENT where no huge page
 * could be had or it did not split; DENIED where frames may not be seen.
 */
struct value split_frees_zero(const struct sysroot *root, uint64_t page_bytes, uint64_t pmd_bytes);

#endif
