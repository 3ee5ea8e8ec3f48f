/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a recording lies in its file; shared by its writer and its reader. */
#ifndef KSMSCOPE_GATHER_RECORDING_FORMAT_H
#define KSMSCOPE_GATHER_RECORDING_FORMAT_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <xxhash.h>

#define RECORDING_MAGIC "KSMREC\r\n"		/* a text-mode transfer breaks it, and is noticed */
#define RECORDING_END "KSMEND\r\n"
#define RECORDING_FRAME 0x4652534bu		/* "KSRF" */
#define RECORDING_VERSION 2

/* Nothing that we write comes near: a frame that claims more is damaged. */
#define RECORDING_MOST_BYTES (1u << 30)

enum recording_frame_type {
	FRAME_SAMPLE = 1,
	FRAME_INDEX = 2,
};

/* The file begins with it; kind and preamble follow, packed as pack.h does. */
struct recording_start {
	char magic[8];
	uint32_t version;
	uint32_t length;		/* of what follows */
	uint64_t checksum;		/* of what follows */
};

/* Before the bytes of each frame, which are one zstd frame. */
struct recording_frame {
	uint32_t magic;
	uint32_t type;
	uint64_t number;		/* of samples: 0, 1, 2 … */
	int64_t time_ns;
	uint32_t raw_bytes;
	uint32_t stored_bytes;
	uint64_t checksum;		/* of the stored bytes */
	uint64_t header_checksum;	/* of everything above */
};

/* The last bytes of a file that was closed. */
struct recording_end {
	char magic[8];
	uint64_t index;			/* where the index frame begins */
	uint64_t checksum;		/* of the two above */
};

/* Entry of the index frame. */
struct recording_entry {
	uint64_t offset;
	int64_t time_ns;
};

_Static_assert(sizeof(struct recording_start) == 24, "layout of recording_start");
_Static_assert(sizeof(struct recording_frame) == 48, "layout of recording_frame");
_Static_assert(sizeof(struct recording_end) == 24, "layout of recording_end");
_Static_assert(sizeof(struct recording_entry) == 16, "layout of recording_entry");

static inline uint64_t recording_checksum(const void *bytes, size_t length)
{
	return htole64(XXH3_64bits(bytes, length));
}

#endif
