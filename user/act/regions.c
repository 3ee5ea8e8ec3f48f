// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/regions.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/proc.h"
#include "sys/process_advice.h"

enum known regions_open(struct regions *ret, const struct sysroot *root, pid_t pid, uint64_t start_ticks)
{
	struct machine machine = { 0 };
	proc_machine(root, &machine);
	*ret = (struct regions){ .root = root, .page_bytes = machine.page_bytes, .pmd_bytes = machine.pmd_bytes };
	if (!ret->pmd_bytes)
		return ABSENT;
	/* the handle first: what is looked at afterwards is the same process then */
	ret->handle = process_handle(pid);
	if (ret->handle < 0)
		return known_of_errno(-ret->handle);
	enum known known = process_look(&ret->process, root, pid, start_ticks);
	if (known == KNOWN) {
		known = pagemap_open(&ret->map, root, pid, ret->page_bytes);
		if (known != KNOWN)
			process_free(&ret->process);
	}
	if (known != KNOWN)
		close(ret->handle);
	else
		page_flags_open(&ret->flags, root);
	return known;
}

void regions_close(struct regions *r)
{
	page_flags_close(&r->flags);
	pagemap_close(&r->map);
	process_free(&r->process);
	close(r->handle);
}

bool regions_is_huge(struct regions *r, uint64_t address)
{
	return pagemap_is_huge(&r->map, r->flags.fd, address, r->pmd_bytes);
}

uint64_t regions_first(const struct regions *r, uint64_t start)
{
	return (start + r->pmd_bytes - 1) / r->pmd_bytes * r->pmd_bytes;
}

uint64_t regions_last(const struct regions *r, uint64_t end)
{
	return end / r->pmd_bytes * r->pmd_bytes;
}

static const struct area *area_of(const struct regions *r, uint64_t address)
{
	for (size_t i = 0; i < r->process.sample.areas_count; i++) {
		const struct area *area = &r->process.sample.areas[i];
		if (area->start <= address && address < area->end)
			return area;
	}
	return NULL;
}

/* Frames that are there, and whether one of them is merged. */
static const char *look_at_pages(struct regions *r, uint64_t address, bool *ret_merged)
{
	size_t pages = r->pmd_bytes / r->page_bytes, present = 0;
	scoped_free uint64_t *entries = malloc(2 * pages * sizeof(*entries));
	uint64_t *pfns = entries, *flags = entries ? entries + pages : NULL;

	if (!entries || pagemap_read(&r->map, address, entries, pages) != pages)
		return "its pages can't be looked at";
	for (size_t i = 0; i < pages; i++) {
		uint64_t entry = entries[i];
		if (!(entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)))
			return "the process has given a part of it back since";
		if (entry & PAGEMAP_PRESENT)
			pfns[present++] = entry & PAGEMAP_PFN_MASK;
	}
	if (r->flags.fd < 0 || page_flags_read(&r->flags, pfns, flags, present))
		return NULL;
	for (size_t i = 0; i < present; i++)
		*ret_merged |= (flags[i] & KPAGE_KSM) != 0;
	return *ret_merged ? "pages of it are merged" : NULL;
}

const char *regions_unfit(struct regions *r, uint64_t address, bool *ret_merged)
{
	const struct area *area = area_of(r, address);
	*ret_merged = false;
	if (!area || area->end < address + r->pmd_bytes)
		return "it is not mapped as it was";
	if (area->class != AREA_CANDIDATE || (area->flags & AREA_FILE))
		return "something else is mapped there now";
	if (area->flags & AREA_NOHUGEPAGE)
		return "the process forbids huge pages there";
	return look_at_pages(r, address, ret_merged);
}
