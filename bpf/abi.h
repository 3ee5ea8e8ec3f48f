/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What crosses between the BPF programs and user space, and nothing else: the
 * only header that both worlds include. Fixed-width, self-contained, with its
 * sizes asserted, so that a layout can't drift on one side alone.
 */
#ifndef KSMSCOPE_ABI_H
#define KSMSCOPE_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define ABI_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its layout")

/* ---- content.bpf.c ---- */

/* Frames hashed by one run of a reader. */
#define CONTENT_BATCH 4096
/* Words of the hash key; one per 8 bytes of a 4 KiB chunk. */
#define CONTENT_CHUNK_BYTES 4096
#define CONTENT_KEY_WORDS (CONTENT_CHUNK_BYTES / 8)

enum content_status {
	CONTENT_UNREAD,		/* not looked at, or the read failed */
	CONTENT_READ,
};

/* Shared with user space by mmap. No contents, ever: only hashes. */
struct content_batch {
	__u64 where[CONTENT_BATCH];	/* in: pfn (direct map) or virtual address (copy) */
	__u64 hash[CONTENT_BATCH];	/* out: keyed hash */
	__u8 status[CONTENT_BATCH];	/* out: enum content_status */
};
ABI_ASSERT_SIZE(struct content_batch, CONTENT_BATCH * 17);

#endif
