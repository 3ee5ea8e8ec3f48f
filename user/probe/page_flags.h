/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/kpageflags, with the truth about merged frames: Linux 6.10 to 6.17 set
 * its KSM bit for every anonymous page. Whether this kernel does is tried on a
 * page of our own; where it does, struct pages are asked by BPF
 * (bpf/frames.bpf.c), and where that can't be, no frame counts as merged.
 */
#ifndef KSMSCOPE_PROBE_PAGE_FLAGS_H
#define KSMSCOPE_PROBE_PAGE_FLAGS_H

#include <stddef.h>
#include <stdint.h>

#include "core/known.h"
#include "probe/attach.h"
#include "bpf/abi.h"
#include "sys/sysroot.h"

struct page_flags {
	int fd;				/* of kpageflags; negative: -errno */
	enum known merged;		/* KNOWN: KPAGE_KSM is right; else it is never set */
	char why[192];			/* … and why */
	struct attachment attachment;	/* the rest is page_flags.c's: struct pages are asked */
	struct walk_layout layout;
};

/* Closed by page_flags_close() whatever it found. Zeroed: as if it could not be read, and to be closed. */
void page_flags_open(struct page_flags *ret, const struct sysroot *root);
void page_flags_close(struct page_flags *flags);

/* As kpageflags_read(). */
int page_flags_read(struct page_flags *flags, const uint64_t *pfns, uint64_t *ret_flags, size_t count);

#endif
