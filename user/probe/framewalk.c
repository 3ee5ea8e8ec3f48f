// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/framewalk.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "bpf/walk.skel.h"
#include "probe/attach.h"
#include "sys/pagemap.h"

/* Pages of our own on which a layout has to prove itself; a wrong one passes each by a chance below 2^-30. */
#define WITNESSES 16
/*
 * The direct map begins at a multiple of what one entry of the third level maps (arch/x86/mm/kaslr.c), or at one
 * of at least 1 GiB (ARM64_MEMSTART_ALIGN).
 */
#define DIRECT_MAP_ALIGNMENT (1ull << 30)
/* Give up after so many; it is the number of GiB between the top page table and physical address 0. */
#define DIRECT_MAP_CANDIDATES 65536
/* Levels that page tables of this architecture have; 0: their entries are not known. */
#if defined(__x86_64__)
#define FEWEST_LEVELS 4
#define MOST_LEVELS 5
#define MOST_ADDRESS_BITS 52
#elif defined(__aarch64__)
#define FEWEST_LEVELS 2		/* 42 bits of address with 64 KiB pages */
#define MOST_LEVELS 5		/* 52 bits with 4 KiB */
#define MOST_ADDRESS_BITS 48
#else
#define FEWEST_LEVELS 0
#define MOST_LEVELS 0
#define MOST_ADDRESS_BITS 0
#endif
/* A page may be moved while we compare. */
#define ATTEMPTS 3

struct witnesses {
	uint8_t *pages;			/* WITNESSES written pages, then one that was only read */
	uint64_t page_bytes;
	uint64_t pfn[WITNESSES];
	uint64_t zero_frame;
};

struct walker {
	struct attachment attachment;
	int program;
	struct witnesses witnesses;
};

static void *open_walk(const void *options)
{
	(void)options;
	return walk_bpf__open();
}

static int witnesses_make(struct witnesses *w)
{
	w->page_bytes = sysconf(_SC_PAGESIZE);
	size_t bytes = (WITNESSES + 1) * w->page_bytes;
	w->pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->pages == MAP_FAILED) {
		w->pages = NULL;
		return -errno;
	}
	madvise(w->pages, bytes, MADV_NOHUGEPAGE);	/* absent without THP, which is as good */
	for (size_t i = 0; i < WITNESSES; i++)
		memset(w->pages + i * w->page_bytes, (int)i + 1, w->page_bytes);
	return ((volatile uint8_t *)w->pages)[WITNESSES * w->page_bytes];	/* now maps the zero page */
}

static void witnesses_free(struct witnesses *w)
{
	if (w->pages)
		munmap(w->pages, (WITNESSES + 1) * w->page_bytes);
}

/* Where the witnesses are now; false when pagemap does not say. */
static bool witnesses_locate(struct witnesses *w, const struct sysroot *root)
{
	struct pagemap map;
	uint64_t entries[WITNESSES + 1];

	if (pagemap_open(&map, root, getpid(), w->page_bytes) != KNOWN)
		return false;
	size_t count = pagemap_read(&map, (uintptr_t)w->pages, entries, WITNESSES + 1);
	pagemap_close(&map);
	if (count != WITNESSES + 1)
		return false;
	for (size_t i = 0; i < WITNESSES; i++) {
		w->pfn[i] = entries[i] & PAGEMAP_PFN_MASK;
		if (!(entries[i] & PAGEMAP_PRESENT) || !w->pfn[i])
			return false;
	}
	w->zero_frame = entries[WITNESSES] & PAGEMAP_PFN_MASK;
	return w->zero_frame;
}

static bool ask(const struct walker *walker, const struct walk_layout *layout, size_t witness,
		struct walk_question *ret)
{
	struct bpf_test_run_opts opts = {
		.sz = sizeof(opts),
		.ctx_in = ret,
		.ctx_size_in = sizeof(*ret),
	};
	const struct witnesses *w = &walker->witnesses;
	*ret = (struct walk_question){
		.layout = *layout,
		.address = (uintptr_t)w->pages + witness * w->page_bytes,
	};
	return !bpf_prog_test_run_opts(walker->program, &opts);
}

/* Does walking give the right frame, and (`pages`) its struct page what we know of it? */
static bool proves(const struct walker *walker, const struct walk_layout *layout, bool pages)
{
	struct walk_question q;
	for (size_t i = 0; i < WITNESSES; i++) {
		if (!ask(walker, layout, i, &q) || q.pfn != walker->witnesses.pfn[i])
			return false;
		/* private anonymous memory: mapped by an anon_vma (low bits 1), indexed by its address */
		if (pages && ((q.mapping & 3) != 1 || q.index != q.address >> layout->page_shift))
			return false;
	}
	return true;
}

/*
 * The top page table's address is known and lies in the direct map, so the
 * map begins at most as far below it as there is physical memory.
 */
static bool find_direct_map(const struct walker *walker, uint64_t table, struct walk_layout *layout)
{
	uint64_t highest = table & ~(DIRECT_MAP_ALIGNMENT - 1);
	for (uint64_t i = 0; i < DIRECT_MAP_CANDIDATES; i++) {
		layout->direct_map = highest - i * DIRECT_MAP_ALIGNMENT;
		for (layout->levels = FEWEST_LEVELS; layout->levels <= MOST_LEVELS; layout->levels++)
			if (proves(walker, layout, false))
				return true;
	}
	return false;
}

/*
 * A struct page is known, but not whose. Frame 0's lies below it, as aligned as the struct pages of as much memory
 * as the direct map is aligned to.
 */
static bool search_page_structs(const struct walker *walker, const struct walk_question *known,
				struct walk_layout *layout)
{
	uint64_t step = (DIRECT_MAP_ALIGNMENT >> layout->page_shift) * known->page_struct_bytes;
	uint64_t highest = step ? known->stack_page / step * step : 0;

	for (uint64_t i = 0; step && i < DIRECT_MAP_CANDIDATES; i++) {
		layout->page_structs = highest - i * step;
		if (proves(walker, layout, true))
			return true;
	}
	return false;
}

/*
 * A frame of our kernel stack is known by struct page, and by number where the process's page table maps the kernel,
 * too: frame 0's struct page follows. On arm64 the kernel has a table of its own, and looking for the stack in the
 * process's, whose top level can have as few as 16 entries (52 bits of address), finds nothing or what is not so: then
 * it is searched for.
 */
static bool find_page_structs(const struct walker *walker, struct walk_layout *layout)
{
	struct walk_question q;
	if (!ask(walker, layout, 0, &q) || !q.stack_page)
		return false;
	layout->page_structs = q.stack_page - q.stack_pfn * q.page_struct_bytes;
	return (q.stack_pfn && proves(walker, layout, true)) || search_page_structs(walker, &q, layout);
}

static bool learn_once(struct walker *walker, const struct sysroot *root, struct walk_layout *layout)
{
	struct walk_question q;
	struct walk_layout nothing = {};

	if (!witnesses_locate(&walker->witnesses, root) || !ask(walker, &nothing, 0, &q))
		return false;
	layout->zero_frame = walker->witnesses.zero_frame;
	return find_direct_map(walker, q.table, layout) && find_page_structs(walker, layout);
}

/*
 * "address sizes : 48 bits physical, …" on x86-64: what lies above (an encryption bit) is no address. On arm64 the
 * upper 16 bits hold other things; memory above 256 TiB would be found to be wrong.
 */
static uint64_t physical_mask(const struct sysroot *root, uint64_t page_bytes)
{
	char text[4096];
	unsigned int bits = 0;
	const char *at = sysroot_read(root, text, sizeof(text), "proc/cpuinfo") == KNOWN ?
		strstr(text, "address sizes") : NULL;
	if (!at || sscanf(at, "address sizes : %u", &bits) != 1 || bits < 32 || bits > MOST_ADDRESS_BITS)
		bits = MOST_ADDRESS_BITS;
	return ((1ull << bits) - 1) & ~(page_bytes - 1);
}

static int learn(struct walker *walker, struct walk_layout *ret, const struct sysroot *root, struct error *err)
{
	struct attach_program *program = attach_find(&walker->attachment, "walk_answer");
	struct walk_layout layout = {
		.page_shift = (uint32_t)__builtin_ctzll(walker->witnesses.page_bytes),
		.physical_mask = physical_mask(root, walker->witnesses.page_bytes),
	};

	walker->program = bpf_program__fd(program->program);
	if (!pagemap_shows_frames(root, walker->witnesses.page_bytes))
		return fail(err, EXIT_NOT_PERMITTED, "read frame numbers of /proc/self/pagemap: needs CAP_SYS_ADMIN");
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (learn_once(walker, root, &layout)) {
			*ret = layout;
			return 0;
		}
	}
	return fail(err, EXIT_KERNEL_CANNOT, "walk page tables: none of the layouts that are known fits this kernel");
}

int framewalk_learn(struct walk_layout *ret, const struct sysroot *root, struct error *err)
{
	struct walker walker = {};

	memset(ret, 0, sizeof(*ret));
	if (!FEWEST_LEVELS)
		return fail(err, EXIT_KERNEL_CANNOT, "walk page tables: known on x86-64 and arm64 only");
	int rc = attach_load(&walker.attachment, open_walk, NULL, err);
	if (rc)
		return rc;
	if (witnesses_make(&walker.witnesses))
		rc = fail_errno(err, "map", "some pages of our own", NULL);
	else
		rc = learn(&walker, ret, root, err);
	witnesses_free(&walker.witnesses);
	attach_free(&walker.attachment);
	return rc;
}
