/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of a process are there, of what kind their frames are, and their
 * probes, in one walk over the page tables in the kernel: what pagemap,
 * kpageflags and content_probe() tell, for a fraction of the CPU time.
 *
 * Needs Linux 6.17 (lines are read in place) and page tables that are known
 * (framewalk.h). It is believed only after it told of pages of our own what
 * pagemap and kpageflags do: written ones, such as were only read, without
 * access, copied from a file, mapped twice, and in a huge page where one is to be had.
 */
#ifndef KSMSCOPE_PROBE_SCAN_H
#define KSMSCOPE_PROBE_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "bpf/abi.h"
#include "sys/sysroot.h"

struct scan;

/* Fails where this kernel's tables can't be walked so, or the answers are not those of pagemap. */
int scan_open(struct scan **ret, const struct sysroot *root, const struct scan_probe *probe, struct error *err);
void scan_close(struct scan *scan);

/*
 * Pages of process `pid` from *address on, below `end`: at most SCAN_BATCH, in
 * *ret (valid until the next call). *address is then where to go on. False
 * where there is no such process, or it has no memory any more.
 */
bool scan_pages(struct scan *scan, pid_t pid, uint64_t *address, uint64_t end, const struct scan_batch **ret);

/* A page's entry of pagemap and of kpageflags, as far as its flags tell. */
uint64_t scan_pagemap_entry(const struct scan_batch *batch, uint32_t i);
uint64_t scan_kpageflags(const struct scan_batch *batch, uint32_t i);

#endif
