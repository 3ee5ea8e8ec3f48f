// SPDX-License-Identifier: GPL-2.0-or-later
/* The writing half of recording.h. */
#include "gather/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "base/cleanup.h"
#include "core/live/pack.h"
#include "gather/recording_format.h"

/* Three is zstd's own default; higher levels cost more CPU than a byte of disk is worth here. */
#define LEVEL 3

struct recorder {
	int fd;
	char *path;
	uint64_t offset;
	struct recording_entry *entries;
	size_t count, room;
	ZSTD_CCtx *zstd;
	char *stored;			/* a frame's header and bytes, to be written in one go */
	size_t stored_room;
	bool failed;
};

static int write_all(struct recorder *r, const void *bytes, size_t length, struct error *err)
{
	const char *at = bytes;
	while (length) {
		ssize_t n = write(r->fd, at, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r->failed = true;
			return fail_errno(err, "write", r->path, "the recording ends here");
		}
		at += n;
		length -= n;
		r->offset += n;
	}
	return 0;
}

static int write_start(struct recorder *r, const char *kind, const struct text *preamble, struct error *err)
{
	scoped_text struct text body = { 0 };
	scoped_text struct text all = { 0 };

	pack_string(&body, kind);
	pack_bytes(&body, preamble->bytes, preamble->length);
	struct recording_start start = { .magic = RECORDING_MAGIC, .version = htole32(RECORDING_VERSION),
					 .length = htole32(body.length),
					 .checksum = recording_checksum(body.bytes, body.length) };
	text_add(&all, (const char *)&start, sizeof(start));
	text_add(&all, body.bytes, body.length);
	if (body.failed || all.failed)
		return fail(err, EXIT_FAILED, "out of memory starting the recording %s", r->path);
	return write_all(r, all.bytes, all.length, err);
}

/* May this file be replaced? It is empty or a recording. */
static int check_old(int fd, const char *path, struct error *err)
{
	char magic[8];
	struct stat stat;

	if (fstat(fd, &stat))
		return fail_errno(err, "look at", path, NULL);
	if (!S_ISREG(stat.st_mode))
		return fail(err, EXIT_FAILED, "%s: is no ordinary file; recordings go into one", path);
	if (stat.st_size == 0 ||
	    (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && !memcmp(magic, RECORDING_MAGIC, sizeof(magic))))
		return 0;
	return fail(err, EXIT_FAILED, "%s: is there and is no recording; it is left alone", path);
}

static int create(struct recorder *r, const char *path, struct error *err)
{
	r->path = strdup(path);
	r->zstd = ZSTD_createCCtx();
	if (!r->path || !r->zstd)
		return fail(err, EXIT_FAILED, "out of memory starting the recording %s", path);
	r->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (r->fd < 0)
		return fail_errno(err, "create", path, NULL);
	int rc = check_old(r->fd, path, err);
	if (rc)
		return rc;
	if (ftruncate(r->fd, 0))
		return fail_errno(err, "empty", path, NULL);
	return 0;
}

static void discard(struct recorder *r)
{
	if (r->fd >= 0)
		close(r->fd);
	ZSTD_freeCCtx(r->zstd);
	free(r->path);
	free(r->entries);
	free(r->stored);
	free(r);
}

int recorder_open(struct recorder **ret, const char *path, const char *kind, const struct text *preamble,
		  struct error *err)
{
	struct recorder *r = calloc(1, sizeof(*r));

	*ret = NULL;
	if (!r)
		return fail(err, EXIT_FAILED, "out of memory starting the recording %s", path);
	r->fd = -1;
	int rc = create(r, path, err);
	if (!rc)
		rc = write_start(r, kind, preamble, err);
	if (rc)
		discard(r);
	else
		*ret = r;
	return rc;
}

static bool make_room(struct recorder *r, size_t bytes)
{
	if (bytes <= r->stored_room)
		return true;
	char *more = realloc(r->stored, bytes);
	if (!more)
		return false;
	r->stored = more;
	r->stored_room = bytes;
	return true;
}

static int write_frame(struct recorder *r, struct recording_frame frame, const void *bytes, size_t length,
		       struct error *err)
{
	size_t bound = ZSTD_compressBound(length);
	if (length > RECORDING_MOST_BYTES || !make_room(r, sizeof(frame) + bound))
		return fail(err, EXIT_FAILED, "out of memory recording to %s", r->path);
	size_t stored = ZSTD_compressCCtx(r->zstd, r->stored + sizeof(frame), bound, bytes, length, LEVEL);
	if (ZSTD_isError(stored))
		return fail(err, EXIT_FAILED, "compress a frame of %s: %s", r->path, ZSTD_getErrorName(stored));
	frame.magic = htole32(RECORDING_FRAME);
	frame.raw_bytes = htole32(length);
	frame.stored_bytes = htole32(stored);
	frame.checksum = recording_checksum(r->stored + sizeof(frame), stored);
	frame.header_checksum = recording_checksum(&frame, offsetof(struct recording_frame, header_checksum));
	memcpy(r->stored, &frame, sizeof(frame));
	return write_all(r, r->stored, sizeof(frame) + stored, err);
}

static bool note(struct recorder *r, int64_t time_ns)
{
	if (r->count == r->room) {
		size_t room = r->room ? r->room * 2 : 64;
		struct recording_entry *more = realloc(r->entries, room * sizeof(*more));
		if (!more)
			return false;
		r->entries = more;
		r->room = room;
	}
	r->entries[r->count++] = (struct recording_entry){ htole64(r->offset), (int64_t)htole64((uint64_t)time_ns) };
	return true;
}

int recorder_add(struct recorder *r, int64_t time_ns, const struct text *payload, struct error *err)
{
	struct recording_frame frame = { .type = htole32(FRAME_SAMPLE), .number = htole64(r->count),
					 .time_ns = (int64_t)htole64((uint64_t)time_ns) };

	if (r->failed)
		return fail(err, EXIT_FAILED, "the recording %s broke off before", r->path);
	if (payload->failed || !note(r, time_ns))
		return fail(err, EXIT_FAILED, "out of memory recording to %s", r->path);
	return write_frame(r, frame, payload->bytes, payload->length, err);
}

static int write_index(struct recorder *r, struct error *err)
{
	struct recording_frame frame = { .type = htole32(FRAME_INDEX), .number = htole64(r->count) };
	struct recording_end end = { .magic = RECORDING_END, .index = htole64(r->offset) };

	end.checksum = recording_checksum(&end, offsetof(struct recording_end, checksum));
	int rc = write_frame(r, frame, r->entries, r->count * sizeof(*r->entries), err);
	return rc ? rc : write_all(r, &end, sizeof(end), err);
}

int recorder_close(struct recorder *r, struct error *err)
{
	if (!r)
		return 0;
	int rc = r->failed ? 0 : write_index(r, err);
	discard(r);
	return rc;
}
