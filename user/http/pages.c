// SPDX-License-Identifier: GPL-2.0-or-later
#include "http/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "sys/whole_file.h"

#define PAGES_MAGIC 0x6b736d7061676573ull	/* "ksmpages" */
#define PAGES_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
/* zlib: a window of 32 KiB, in the format of gzip. */
#define GZIP_WINDOW (15 + 16)
#define GZIP_MEMORY 8

/* ---- made ---- */

/* The same bytes give the same bytes: gzip's time and name are left out. */
static bool compress_page(struct text *ret, const struct text *page)
{
	z_stream z = { .next_in = (Bytef *)page->bytes, .avail_in = (uInt)page->length };

	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	size_t room = deflateBound(&z, (uLong)page->length);
	ret->bytes = malloc(room + 1);
	if (ret->bytes) {
		z.next_out = (Bytef *)ret->bytes;
		z.avail_out = (uInt)room;
		if (deflate(&z, Z_FINISH) == Z_STREAM_END)
			ret->length = room - z.avail_out;
	}
	deflateEnd(&z);
	return ret->length > 0;
}

static bool add_page(int fd, struct page_place *place, uint64_t *end, const struct text *page)
{
	*place = (struct page_place){ *end, page->length };
	*end += page->length;
	return page->length && !write_fully(fd, page->bytes, page->length);
}

static bool fill(int fd, const struct text pages[METRIC_FORMATS], int64_t clock_ns)
{
	struct pages_head head = { .magic = PAGES_MAGIC, .clock_ns = clock_ns };
	uint64_t end = sizeof(head);
	bool good = lseek(fd, sizeof(head), SEEK_SET) == sizeof(head);

	for (enum metric_format format = 0; good && format < METRIC_FORMATS; format++) {
		scoped_text struct text small = { 0 };
		good = compress_page(&small, &pages[format]) &&
		       add_page(fd, &head.page[format][ENCODING_IDENTITY], &end, &pages[format]) &&
		       add_page(fd, &head.page[format][ENCODING_GZIP], &end, &small);
	}
	return good && pwrite(fd, &head, sizeof(head), 0) == sizeof(head);
}

int pages_make(const struct text pages[METRIC_FORMATS], int64_t clock_ns)
{
	int fd = memfd_create("ksmscope-pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (fill(fd, pages, clock_ns) && !fcntl(fd, F_ADD_SEALS, PAGES_SEALS))
		return fd;
	close(fd);
	return -1;
}

/* ---- taken over ---- */

bool pages_head(int fd, struct pages_head *ret)
{
	struct stat status;

	if (fcntl(fd, F_GET_SEALS) != PAGES_SEALS || fstat(fd, &status) ||
	    pread(fd, ret, sizeof(*ret), 0) != sizeof(*ret) || ret->magic != PAGES_MAGIC)
		return false;
	for (int i = 0; i < METRIC_FORMATS * PAGE_ENCODINGS; i++) {
		const struct page_place *p = &ret->page[i / PAGE_ENCODINGS][i % PAGE_ENCODINGS];
		uint64_t size = (uint64_t)status.st_size;
		if (p->offset > size || p->length > size - p->offset)
			return false;
	}
	return true;
}

bool pages_send(int channel, int fd)
{
	char one = 1, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &one, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

int pages_receive(int channel)
{
	char one, control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { &one, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd;

	ssize_t n = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -1 : -2;
	struct cmsghdr *c = n ? CMSG_FIRSTHDR(&message) : NULL;
	if (!n)
		return -2;
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}
