// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/page_flags.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/frames.skel.h"
#include "probe/framewalk.h"
#include "sys/pagemap.h"

/* A page that was just written can't have been merged yet. */
static bool calls_all_merged(int fd, const struct sysroot *root)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t entry = 0, pfn, flags = 0;
	struct pagemap map;
	char *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return false;
	memset(page, 1, bytes);
	if (pagemap_open(&map, root, getpid(), bytes) == KNOWN) {
		if (pagemap_read(&map, (uintptr_t)page, &entry, 1) == 1 && (entry & PAGEMAP_PRESENT)) {
			pfn = entry & PAGEMAP_PFN_MASK;
			if (!pfn || kpageflags_read(fd, &pfn, &flags, 1))
				flags = 0;
		}
		pagemap_close(&map);
	}
	munmap(page, bytes);
	return (flags & KPAGE_KSM) && !(flags & KPAGE_NOPAGE);
}

static void *open_frames(const void *options)
{
	(void)options;
	return frames_bpf__open();
}

static struct frames_bpf *skeleton_of(const struct page_flags *f)
{
	return f->attachment.skeleton;
}

void page_flags_open(struct page_flags *ret, const struct sysroot *root)
{
	struct error err = { 0 };

	*ret = (struct page_flags){ .fd = kpageflags_open(root), .merged = KNOWN };
	if (ret->fd < 0) {
		ret->merged = known_of_errno(-ret->fd);
		snprintf(ret->why, sizeof(ret->why), "/proc/kpageflags: %s", strerror(-ret->fd));
	} else if (root->live && calls_all_merged(ret->fd, root) &&
		   (framewalk_learn(&ret->layout, root, &err) ||
		    attach_load(&ret->attachment, open_frames, NULL, &err))) {
		ret->merged = attach_known(&err);
		snprintf(ret->why, sizeof(ret->why), "this kernel calls all anonymous frames merged, and: %.80s", err.text);
	}
}

void page_flags_close(struct page_flags *f)
{
	if (f->fd > 0)
		close(f->fd);
	attach_free(&f->attachment);
	*f = (struct page_flags){ .fd = -1 };
}

/* Take the bit from those frames of a batch that have it and are not merged. */
static void correct(struct page_flags *f, const uint64_t *pfns, uint64_t *flags, size_t count)
{
	struct frames_batch *batch = &skeleton_of(f)->data_batch->batch;
	struct frames_question question = { .layout = f->layout, .count = (uint32_t)count };
	struct bpf_test_run_opts opts = { .sz = sizeof(opts), .ctx_in = &question, .ctx_size_in = sizeof(question) };

	memcpy(batch->pfns, pfns, count * sizeof(*pfns));
	memset(batch->merged, 0, count);
	bool answered = !bpf_prog_test_run_opts(bpf_program__fd(skeleton_of(f)->progs.frames_merged), &opts);
	for (size_t i = 0; i < count; i++)
		if (!answered || !batch->merged[i])
			flags[i] &= ~KPAGE_KSM;
}

int page_flags_read(struct page_flags *f, const uint64_t *pfns, uint64_t *ret_flags, size_t count)
{
	int rc = kpageflags_read(f->fd, pfns, ret_flags, count);

	for (size_t at = 0, part; !rc && f->attachment.skeleton && at < count; at += part) {
		part = count - at < FRAMES_BATCH ? count - at : FRAMES_BATCH;
		correct(f, pfns + at, ret_flags + at, part);
	}
	for (size_t i = 0; !rc && f->merged != KNOWN && i < count; i++)
		ret_flags[i] &= ~KPAGE_KSM;
	return rc;
}
