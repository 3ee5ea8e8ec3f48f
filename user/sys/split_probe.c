// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/split_probe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/pagemap.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

struct probe {
	const struct sysroot *root;
	struct pagemap map;
	int kpageflags;
	char *huge;		/* aligned, pmd_bytes long */
	uint64_t page_bytes, pmd_bytes;
};

/* kpageflags of the page at `offset`; 0 where it is not present. */
static uint64_t flags_at(const struct probe *p, uint64_t offset)
{
	uint64_t entry = 0, flags = 0;
	if (!pagemap_read(&p->map, (uintptr_t)p->huge + offset, &entry, 1) || !(entry & PAGEMAP_PRESENT))
		return 0;
	uint64_t pfn = entry & PAGEMAP_PFN_MASK;
	return kpageflags_read(p->kpageflags, &pfn, &flags, 1) ? 0 : flags;
}

static struct value try_split(const struct probe *p)
{
	uint64_t last = p->pmd_bytes - p->page_bytes;

	if (madvise(p->huge, p->pmd_bytes, MADV_HUGEPAGE))
		return (struct value){ .known = ABSENT };
	for (uint64_t at = 0; at < p->pmd_bytes / 2; at += p->page_bytes)
		p->huge[at] = 1;
	if (!(flags_at(p, last) & KPAGE_THP) || madvise(p->huge, p->page_bytes, MADV_COLD))
		return (struct value){ .known = ABSENT };
	if (flags_at(p, 0) & KPAGE_THP)
		return (struct value){ .known = ABSENT };
	return value_of(!!(flags_at(p, last) & KPAGE_ZERO_PAGE));
}

static struct value probe_mapping(struct probe *p)
{
	size_t room = 2 * p->pmd_bytes;
	char *raw = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw == MAP_FAILED)
		return (struct value){ .known = ABSENT };
	p->huge = (char *)(((uintptr_t)raw + p->pmd_bytes - 1) / p->pmd_bytes * p->pmd_bytes);
	struct value v = try_split(p);
	munmap(raw, room);
	return v;
}

struct value split_frees_zero(const struct sysroot *root, uint64_t page_bytes, uint64_t pmd_bytes)
{
	struct probe p = { .root = root, .page_bytes = page_bytes, .pmd_bytes = pmd_bytes };
	struct value v = { .known = DENIED };

	if (!pmd_bytes)
		return (struct value){ .known = ABSENT };
	p.kpageflags = kpageflags_open(root);
	if (p.kpageflags >= 0 && pagemap_open(&p.map, root, getpid(), page_bytes) == KNOWN) {
		v = probe_mapping(&p);
		pagemap_close(&p.map);
	}
	if (p.kpageflags >= 0)
		close(p.kpageflags);
	return v;
}
