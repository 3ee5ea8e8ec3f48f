// SPDX-License-Identifier: GPL-2.0-or-later
/* The reading half of recording.h. */
#include "gather/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "core/live/pack.h"
#include "gather/recording_format.h"

struct recording {
	int fd;
	char *path;
	uint64_t size;
	char *body;			/* behind the file's start: kind and preamble */
	const void *preamble;
	size_t preamble_length;
	struct recording_entry *entries;	/* in this machine's byte order */
	size_t count, room;
	void *stored, *raw;
	size_t stored_room, raw_room;
	char defect[256];
};

static bool read_at(const struct recording *r, uint64_t offset, void *ret, size_t length)
{
	char *at = ret;
	while (length) {
		ssize_t n = pread(r->fd, at, length, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		offset += n;
		length -= n;
	}
	return true;
}

/* Grown for good, never below one byte. */
static bool make_room(void **buffer, size_t *room, size_t bytes)
{
	if (bytes < *room)
		return true;
	void *more = realloc(*buffer, bytes + 1);
	if (!more)
		return false;
	*buffer = more;
	*room = bytes + 1;
	return true;
}

/* ---- the start ---- */

static int read_start(struct recording *r, const char *kind, uint64_t *ret_end, struct error *err)
{
	struct recording_start start;
	char its_kind[64];

	if (!read_at(r, 0, &start, sizeof(start)) || memcmp(start.magic, RECORDING_MAGIC, sizeof(start.magic)))
		return fail(err, EXIT_FAILED, "%s: is no recording", r->path);
	if (le32toh(start.version) != RECORDING_VERSION)
		return fail(err, EXIT_FAILED, "%s: is a recording of version %" PRIu32 "; this program reads version %d",
			    r->path, le32toh(start.version), RECORDING_VERSION);
	uint64_t length = le32toh(start.length);
	if (length > r->size || !(r->body = malloc(length + 1)) || !read_at(r, sizeof(start), r->body, length) ||
	    recording_checksum(r->body, length) != start.checksum)
		return fail(err, EXIT_FAILED, "%s: the beginning of the recording is damaged", r->path);
	struct unpack in = { (unsigned char *)r->body, (unsigned char *)r->body + length, false };
	unpack_string(&in, its_kind, sizeof(its_kind));
	r->preamble = unpack_bytes(&in, &r->preamble_length);
	if (in.failed)
		return fail(err, EXIT_FAILED, "%s: the beginning of the recording is damaged", r->path);
	if (strcmp(its_kind, kind))
		return fail(err, EXIT_FAILED, "%s: is a recording of %s; wanted is one of %s", r->path, its_kind, kind);
	*ret_end = sizeof(start) + length;
	return 0;
}

/* ---- frames ---- */

static bool frame_at(const struct recording *r, uint64_t offset, struct recording_frame *ret)
{
	return offset + sizeof(*ret) <= r->size && read_at(r, offset, ret, sizeof(*ret)) &&
	       le32toh(ret->magic) == RECORDING_FRAME &&
	       recording_checksum(ret, offsetof(struct recording_frame, header_checksum)) == ret->header_checksum &&
	       le32toh(ret->raw_bytes) <= RECORDING_MOST_BYTES;
}

/* NULL, or what is wrong with the bytes of a frame whose header is good. */
static const char *frame_bytes(struct recording *r, uint64_t offset, const struct recording_frame *frame)
{
	size_t stored = le32toh(frame->stored_bytes), raw = le32toh(frame->raw_bytes);

	if (offset + sizeof(*frame) + stored > r->size)
		return "the file ends within it";
	if (!make_room(&r->stored, &r->stored_room, stored) || !make_room(&r->raw, &r->raw_room, raw))
		return "memory is out";
	if (!read_at(r, offset + sizeof(*frame), r->stored, stored))
		return "it can't be read";
	if (recording_checksum(r->stored, stored) != frame->checksum)
		return "its checksum is wrong";
	if (ZSTD_decompress(r->raw, raw, r->stored, stored) != raw)
		return "it does not unpack";
	return NULL;
}

static bool add_entry(struct recording *r, uint64_t offset, int64_t time_ns)
{
	if (r->count == r->room) {
		size_t room = r->room ? r->room * 2 : 64;
		struct recording_entry *more = realloc(r->entries, room * sizeof(*more));
		if (!more)
			return false;
		r->entries = more;
		r->room = room;
	}
	r->entries[r->count++] = (struct recording_entry){ offset, time_ns };
	return true;
}

/* ---- the index, or the way without one ---- */

static bool read_index(struct recording *r)
{
	struct recording_end end;
	struct recording_frame frame;
	const struct recording_entry *entries;

	if (r->size < sizeof(end) || !read_at(r, r->size - sizeof(end), &end, sizeof(end)) ||
	    memcmp(end.magic, RECORDING_END, sizeof(end.magic)) ||
	    recording_checksum(&end, offsetof(struct recording_end, checksum)) != end.checksum)
		return false;
	uint64_t at = le64toh(end.index);
	if (at > r->size || !frame_at(r, at, &frame) || le32toh(frame.type) != FRAME_INDEX || frame_bytes(r, at, &frame))
		return false;
	entries = r->raw;
	for (size_t i = 0; i < le32toh(frame.raw_bytes) / sizeof(*entries); i++)
		if (!add_entry(r, le64toh(entries[i].offset), (int64_t)le64toh((uint64_t)entries[i].time_ns)))
			return false;
	return true;
}

/* The next offset at or behind `from` where a frame begins; the file's size where there is none. */
static uint64_t find_frame(const struct recording *r, uint64_t from)
{
	struct recording_frame frame;
	char block[4096 + 4];
	uint32_t magic = htole32(RECORDING_FRAME);

	for (; from + sizeof(frame) <= r->size; from += 4096) {
		size_t length = r->size - from < sizeof(block) ? r->size - from : sizeof(block);
		if (!read_at(r, from, block, length))
			break;
		for (char *at = block; (at = memmem(at, block + length - at, &magic, sizeof(magic))); at++)
			if (frame_at(r, from + (at - block), &frame))
				return from + (at - block);
	}
	return r->size;
}

static void note_defect(struct recording *r, const char *what, uint64_t offset)
{
	size_t used = strlen(r->defect);
	snprintf(r->defect + used, sizeof(r->defect) - used, "%s%s at byte %" PRIu64, used ? "; " : "", what, offset);
}

/* Frame by frame, as far as the file goes. */
static bool scan(struct recording *r, uint64_t at)
{
	struct recording_frame frame;
	bool closed = false;

	while (at < r->size && !closed) {
		if (!frame_at(r, at, &frame)) {
			uint64_t next = find_frame(r, at + 1);
			note_defect(r, next < r->size ? "damaged" : "torn off", at);
			at = next;
			continue;
		}
		uint64_t end = at + sizeof(frame) + le32toh(frame.stored_bytes);
		closed = le32toh(frame.type) == FRAME_INDEX;
		if (!closed && end > r->size)
			note_defect(r, "torn off", at);
		else if (!closed && !add_entry(r, at, (int64_t)le64toh((uint64_t)frame.time_ns)))
			return false;
		at = end;
	}
	if (!*r->defect)
		snprintf(r->defect, sizeof(r->defect), closed ? "its index is damaged; all %zu samples were found"
							      : "was not closed: it ends after %zu samples", r->count);
	return true;
}

/* ---- life ---- */

static int open_file(struct recording *r, const char *path, struct error *err)
{
	struct stat stat;
	r->path = strdup(path);
	r->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0 || fstat(r->fd, &stat))
		return fail_errno(err, "open", path, NULL);
	if (!r->path)
		return fail(err, EXIT_FAILED, "out of memory opening %s", path);
	if (!S_ISREG(stat.st_mode))
		return fail(err, EXIT_FAILED, "%s: is no recording", path);
	r->size = stat.st_size;
	return 0;
}

int recording_open(struct recording **ret, const char *path, const char *kind, struct error *err)
{
	struct recording *r = calloc(1, sizeof(*r));
	uint64_t at = 0;

	*ret = NULL;
	if (!r)
		return fail(err, EXIT_FAILED, "out of memory opening %s", path);
	r->fd = -1;
	int rc = open_file(r, path, err);
	if (!rc)
		rc = read_start(r, kind, &at, err);
	if (!rc && !read_index(r)) {
		r->count = 0;
		if (!scan(r, at))
			rc = fail(err, EXIT_FAILED, "out of memory opening %s", path);
	}
	if (rc)
		recording_close(r);
	else
		*ret = r;
	return rc;
}

void recording_close(struct recording *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r->path);
	free(r->body);
	free(r->entries);
	free(r->stored);
	free(r->raw);
	free(r);
}

const void *recording_preamble(const struct recording *r, size_t *ret_length)
{
	*ret_length = r->preamble_length;
	return r->preamble;
}

size_t recording_count(const struct recording *r)
{
	return r->count;
}

int64_t recording_time(const struct recording *r, size_t number)
{
	return r->entries[number].time_ns;
}

int recording_read(struct recording *r, size_t number, const void **ret, size_t *ret_length, struct error *err)
{
	struct recording_frame frame;
	uint64_t offset = r->entries[number].offset;
	const char *why = "its header is damaged";

	if (frame_at(r, offset, &frame))
		why = frame_bytes(r, offset, &frame);
	if (why)
		return fail(err, EXIT_FAILED, "%s: sample %zu at byte %" PRIu64 ": %s", r->path, number, offset, why);
	*ret = r->raw;
	*ret_length = le32toh(frame.raw_bytes);
	return 0;
}

const char *recording_defect(const struct recording *r)
{
	return r->defect;
}
