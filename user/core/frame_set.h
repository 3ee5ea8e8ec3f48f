/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frames were met: a bit for each frame of the machine, whose pages of
 * memory exist only where there are frames. For 512 GiB of 4 KiB frames that is
 * 16 MiB, however many of them are met.
 */
#ifndef KSMSCOPE_CORE_FRAME_SET_H
#define KSMSCOPE_CORE_FRAME_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Frame numbers have at most so many bits: 2^52 bytes of physical memory in pages of 4 KiB. */
#define FRAME_SET_BITS 40

/* Zero-initialised: empty. */
struct frame_set {
	uint64_t *words;		/* a mapping of its own: untouched parts cost nothing */
	size_t words_count;
};

/* Add a frame. *ret_new: it was not there. 0, -ENOMEM, or -ERANGE for a number that no frame has. */
int frame_set_add(struct frame_set *set, uint64_t pfn, bool *ret_new);
void frame_set_free(struct frame_set *set);

#endif
