// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "bpf/scan.skel.h"
#include "probe/attach.h"
#include "probe/framewalk.h"
#include "sys/pagemap.h"

struct scan {
	struct walk_layout layout;
	const struct scan_probe *probe;	/* while it is opened */
	struct attachment attachment;
	pid_t linked;			/* the process that `link` visits; 0: none */
	struct bpf_link *link;
};

static struct scan_bpf *skeleton_of(const struct scan *scan)
{
	return scan->attachment.skeleton;
}

/* ---- asking ---- */

/* The link is kept while ranges of the same process come. False where it ended. */
static bool link_process(struct scan *scan, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	if (scan->linked == pid)
		return true;
	bpf_link__destroy(scan->link);
	scan->link = bpf_program__attach_iter(skeleton_of(scan)->progs.scan_pages, &opts);
	scan->linked = scan->link ? pid : 0;
	return scan->linked;
}

bool scan_pages(struct scan *scan, pid_t pid, uint64_t *address, uint64_t end, const struct scan_batch **ret)
{
	struct scan_batch *batch = &skeleton_of(scan)->data_batch->batch;

	*ret = batch;
	batch->found = 0;
	batch->address = *address;
	batch->end = end;
	batch->tgid = (uint32_t)pid;
	batch->wanted = 1;
	if (!link_process(scan, pid) || attach_iterate(scan->link) || batch->wanted)
		return false;
	*address = batch->address < end ? batch->address : end;
	return true;
}

uint64_t scan_pagemap_entry(const struct scan_batch *batch, uint32_t i)
{
	uint8_t flags = batch->flags[i];

	return PAGEMAP_PRESENT | (batch->pfn[i] & PAGEMAP_PFN_MASK) | (flags & SCAN_FILE ? PAGEMAP_FILE : 0) |
	       (flags & SCAN_EXCLUSIVE ? PAGEMAP_EXCLUSIVE : 0);
}

uint64_t scan_kpageflags(const struct scan_batch *batch, uint32_t i)
{
	static const struct {
		enum scan_flags flag;
		uint64_t kpage;
	} table[] = {
		{ SCAN_ZERO_PAGE, KPAGE_ZERO_PAGE }, { SCAN_MERGED, KPAGE_KSM },
		{ SCAN_LARGE, KPAGE_THP }, { SCAN_POISONED, KPAGE_HWPOISON },
	};
	uint64_t kflags = 0;

	for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++)
		kflags |= batch->flags[i] & table[k].flag ? table[k].kpage : 0;
	return kflags;
}

/* ---- is it true? ---- */

/* Kinds of pages of our own on which it has to prove itself. */
enum own_page {
	OWN_WRITTEN,
	OWN_ABSENT,
	OWN_READ,			/* maps the zero page */
	OWN_NO_ACCESS,
	OWN_FILE,			/* of a file, in a private mapping */
	OWN_COPIED,			/* the copy of one */
	OWN_PAGES
};

struct own_pages {
	uint8_t *pages;
	size_t page_bytes;
};

static bool own_make(struct own_pages *own)
{
	size_t n = own->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	scoped_fd int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	own->pages = mmap(NULL, OWN_PAGES * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own->pages == MAP_FAILED) {
		own->pages = NULL;
		return false;
	}
	uint8_t *of_file = own->pages + OWN_FILE * n;
	madvise(own->pages, OWN_PAGES * n, MADV_NOHUGEPAGE);
	if (file < 0 || mmap(of_file, 2 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0) != of_file)
		return false;
	own->pages[OWN_WRITTEN * n] = 1;
	own->pages[OWN_NO_ACCESS * n] = 2;
	own->pages[OWN_COPIED * n] = 3;
	(void)*(volatile uint8_t *)(own->pages + OWN_READ * n);
	(void)*(volatile uint8_t *)of_file;
	return !mprotect(own->pages + OWN_NO_ACCESS * n, n, PROT_NONE);
}

/* Flags that both tell. What the kernel calls huge and what is merged is not had at will: tests make them (sweep_oracle.sh). */
#define PAGEMAP_COMPARED (PAGEMAP_PRESENT | PAGEMAP_FILE | PAGEMAP_EXCLUSIVE | PAGEMAP_PFN_MASK)
#define KPAGE_COMPARED (KPAGE_KSM | KPAGE_THP | KPAGE_ZERO_PAGE | KPAGE_HWPOISON)

/* Does the scan say of our pages what the files say? Anonymous pages alone may be exclusive to us. */
static bool agrees(struct scan *scan, const struct own_pages *own, const struct pagemap *map, int kpageflags)
{
	uint64_t entries[OWN_PAGES], pfns[OWN_PAGES], kflags[OWN_PAGES], at = (uintptr_t)own->pages;
	uint64_t end = at + OWN_PAGES * own->page_bytes;
	const struct scan_batch *batch;
	uint32_t found = 0;

	if (pagemap_read(map, at, entries, OWN_PAGES) != OWN_PAGES || !scan_pages(scan, getpid(), &at, end, &batch) ||
	    at < end)
		return false;
	for (size_t i = 0; i < OWN_PAGES; i++)
		pfns[i] = entries[i] & PAGEMAP_PFN_MASK;
	if (kpageflags_read(kpageflags, pfns, kflags, OWN_PAGES))
		return false;
	for (size_t i = 0; i < OWN_PAGES; i++) {
		if (!(entries[i] & PAGEMAP_PRESENT))
			continue;
		if (found >= batch->found || batch->page[found] != (uintptr_t)own->pages + i * own->page_bytes ||
		    ((entries[i] ^ scan_pagemap_entry(batch, found)) & PAGEMAP_COMPARED) ||
		    ((kflags[i] ^ scan_kpageflags(batch, found)) & KPAGE_COMPARED))
			return false;
		found++;
	}
	return found == batch->found && found == OWN_PAGES - 1;
}

/* A page may be moved while we compare. */
#define ATTEMPTS 3

static bool prove(struct scan *scan, const struct sysroot *root)
{
	struct own_pages own = { 0 };
	struct pagemap map;
	bool good = false;
	int kpageflags = kpageflags_open(root);

	if (kpageflags >= 0 && own_make(&own) && pagemap_open(&map, root, getpid(), own.page_bytes) == KNOWN) {
		for (int attempt = 0; !good && attempt < ATTEMPTS; attempt++)
			good = agrees(scan, &own, &map, kpageflags);
		pagemap_close(&map);
	}
	if (own.pages)
		munmap(own.pages, OWN_PAGES * own.page_bytes);
	if (kpageflags >= 0)
		close(kpageflags);
	return good;
}

/* ---- life ---- */

static void *open_skeleton(const void *context)
{
	const struct scan *scan = context;
	struct scan_bpf *skeleton = scan_bpf__open();

	if (!skeleton)
		return NULL;
	memcpy((void *)&skeleton->rodata->layout, &scan->layout, sizeof(scan->layout));
	memcpy((void *)&skeleton->rodata->probe, scan->probe, sizeof(*scan->probe));
	return skeleton;
}

int scan_open(struct scan **ret, const struct sysroot *root, const struct scan_probe *probe, struct error *err)
{
	struct scan *scan = *ret = calloc(1, sizeof(*scan));

	if (!scan)
		return fail(err, EXIT_FAILED, "out of memory");
	scan->probe = probe;
	int rc = framewalk_learn(&scan->layout, root, err);
	if (!rc)
		rc = attach_load(&scan->attachment, open_skeleton, scan, err);
	if (!rc && !prove(scan, root))
		rc = fail(err, EXIT_KERNEL_CANNOT, "scan page tables: it says of our own pages what the kernel doesn't");
	scan->probe = NULL;
	if (rc) {
		scan_close(scan);
		*ret = NULL;
	}
	return rc;
}

void scan_close(struct scan *scan)
{
	if (!scan)
		return;
	bpf_link__destroy(scan->link);
	attach_free(&scan->attachment);
	free(scan);
}
