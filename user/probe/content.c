// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads the two readers of bpf/content.bpf.c, decides which one to trust, and
 * feeds them batches.
 *
 * The direct map is trusted only after a page of our own, of random content,
 * was read through it and gave the hash that user space computes. It is given
 * up for the copying reader where the kernel refuses it (lockdown), where no
 * base fits, and later, when it stops giving anything. The copying reader has to
 * read our own page right as well.
 */
#include "probe/content.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/abi.h"
#include "bpf/content.skel.h"
#include "bpf/pagehash.h"
#include "probe/attach.h"
#include "probe/content_order.h"
#include "probe/content_private.h"
#include "probe/scan.h"
#include "sys/pagemap.h"

/* The direct map begins at a multiple of what one entry of the third level maps (arch/x86/mm/kaslr.c). */
#define DIRECT_MAP_STEP (1ull << 30)
/* 64 TiB of physical address space below the top page table. */
#define DIRECT_MAP_STEPS 65536
/* Our own page may be moved between looking up its frame and reading it. */
#define ATTEMPTS 3

struct content {
	struct content_bpf *bpf;
	enum reader_kind reader;
	uint64_t direct_map;
	uint64_t page_bytes;
	uint64_t *own;			/* a page of random content */
	__u64 key[CONTENT_KEY_WORDS];
	uint64_t zero_hash;
	uint64_t zero_probe;
	bool old_probe;			/* the kernel can't read lines in place */
	uint32_t probe_offset[CONTENT_PROBE_LINES];
	struct scan *scan;		/* NULL: pages are not found by it */
	bool forbidden;			/* by a test: as if the kernel refused the direct map */
	bool wrong_contents;		/* by a test: as if our page read as another */
	struct content_order order;	/* of the present batch */
	bool match_tgid;		/* the kernel visits all processes: the program picks ours */
	pid_t linked;			/* the process that `link` visits; 0: none */
	struct bpf_link *link;
};

/* ---- hashing in user space, for what is our own ---- */

static uint64_t hash_own(const struct content *c, const void *page)
{
	uint64_t hash = 0;
	for (uint64_t at = 0; at < c->page_bytes; at += CONTENT_CHUNK_BYTES)
		hash = pagehash_chunk(hash, (const char *)page + at, c->key);
	return hash;
}

static uint64_t probe_own(const struct content *c, const void *page)
{
	__u64 low = 0, high = 0;
	for (int i = 0; i < CONTENT_PROBE_LINES; i++)
		pagehash_line((const void *)((const char *)page + c->probe_offset[i]),
			      c->key + i * CONTENT_LINE_BYTES / 8, &low, &high);
	return pagehash_fold(0, low, high);
}

static int random_bytes(void *ret, size_t bytes, struct error *err)
{
	/* up to 256 bytes no signal can interrupt it: random(4) */
	for (size_t at = 0, n; at < bytes; at += n) {
		n = bytes - at < 256 ? bytes - at : 256;
		if (getrandom((char *)ret + at, n, 0) != (ssize_t)n)
			return fail_errno(err, "getrandom", "a key for this run", NULL);
	}
	return 0;
}

int content_random(uint64_t *ret, struct error *err)
{
	return random_bytes(ret, sizeof(*ret), err);
}

static int by_offset(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static bool is_among(const uint32_t *offsets, int count, uint32_t offset)
{
	for (int i = 0; i < count; i++)
		if (offsets[i] == offset)
			return true;
	return false;
}

/* Different lines of a page, each as likely as any other; ascending, as memory likes it. */
static int place_probe(struct content *c, struct error *err)
{
	uint64_t lines = c->page_bytes / CONTENT_LINE_BYTES;

	for (int i = 0; i < CONTENT_PROBE_LINES;) {
		uint64_t random;
		int rc = content_random(&random, err);
		if (rc)
			return rc;
		uint32_t offset = random % lines * CONTENT_LINE_BYTES;	/* a power of two: no line is favoured */
		if (!is_among(c->probe_offset, i, offset))
			c->probe_offset[i++] = offset;
	}
	qsort(c->probe_offset, CONTENT_PROBE_LINES, sizeof(c->probe_offset[0]), by_offset);
	return 0;
}

/* One key for all hosts of a fleet, or one that nobody else has. */
static int make_key(struct content *c, const struct fleet_key *fleet, struct error *err)
{
	uint64_t words[CONTENT_KEY_WORDS];
	_Static_assert(sizeof(words) == sizeof(c->key), "words of a key");

	if (!fleet)
		return random_bytes(c->key, sizeof(c->key), err);
	fleet_key_expand(fleet, "page hash", words, CONTENT_KEY_WORDS);
	memcpy(c->key, words, sizeof(words));
	explicit_bzero(words, sizeof(words));
	return 0;
}

static int make_own(struct content *c, const struct fleet_key *fleet, struct error *err)
{
	void *page = mmap(NULL, c->page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return fail_errno(err, "map", "a page", NULL);
	c->own = page;
	int rc = make_key(c, fleet, err);
	if (!rc)
		rc = place_probe(c, err);
	if (rc)
		return rc;
	c->zero_hash = hash_own(c, c->own);
	c->zero_probe = probe_own(c, c->own);
	mlock(page, c->page_bytes);	/* where it is refused, the page may move: hence ATTEMPTS */
	return random_bytes(page, c->page_bytes, err);
}

static bool own_frame(const struct content *c, uint64_t *ret_pfn)
{
	struct sysroot live;
	struct pagemap map;
	uint64_t entry = 0;

	if (sysroot_open(&live, NULL, NULL))
		return false;
	if (pagemap_open(&map, &live, getpid(), c->page_bytes) == KNOWN) {
		pagemap_read(&map, (uintptr_t)c->own, &entry, 1);
		pagemap_close(&map);
	}
	sysroot_close(&live);
	*ret_pfn = entry & PAGEMAP_PFN_MASK;
	return (entry & PAGEMAP_PRESENT) && *ret_pfn;
}

/* ---- running the programs ---- */

static bool run_program(const struct bpf_program *program, void *context, size_t bytes)
{
	/* a syscall program's context is copied in, and back in place */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = context, .ctx_size_in = bytes);
	return !bpf_prog_test_run_opts(bpf_program__fd(program), &opts);
}

static bool run_direct(struct content *c, uint32_t count)
{
	struct content_request request = { .direct_map = c->direct_map, .count = count };
	return !c->forbidden && run_program(c->bpf->progs.content_direct, &request, sizeof(request));
}

/* Link the iterator to one process; the link is kept while batches of the same process come. */
static int link_process(struct content *c, pid_t pid, struct error *err)
{
	union bpf_iter_link_info info = { .task.pid = pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	if (c->linked == pid)
		return 0;
	bpf_link__destroy(c->link);
	c->linked = 0;
	c->link = bpf_program__attach_iter(c->bpf->progs.content_copy, &opts);
	if (c->link) {
		c->linked = pid;
		return 0;
	}
	if (errno == ESRCH || errno == ENOENT)	/* it ended: its pages are unread, which is no error */
		return 0;
	return fail_errno(err, "attach", "the copying reader",
			  "iterators over the tasks of one process came with Linux 6.1");
}

static int run_copy(struct content *c, pid_t pid, uint32_t count, struct error *err)
{
	int rc = link_process(c, pid, err);
	if (rc || !c->linked)
		return rc;
	c->bpf->bss->copy_count = count;
	c->bpf->bss->copy_tgid = c->match_tgid ? pid : 0;
	rc = attach_iterate(c->link);
	c->bpf->bss->copy_count = 0;
	errno = -rc;
	return rc ? fail_errno(err, "start", "the copying reader", NULL) : 0;
}

/* ---- choosing a reader ---- */

/* The key is the first thing in the scratch; the rest stays empty. */
static int give_key(const struct content *c)
{
	const struct bpf_map *map = c->bpf->maps.scratches;
	size_t bytes = bpf_map__value_size(map);
	uint32_t only = 0;
	char *value = calloc(1, bytes);

	if (!value)
		return -ENOMEM;
	memcpy(value, c->key, sizeof(c->key));
	int rc = bpf_map__update_elem(map, &only, sizeof(only), value, bytes, BPF_ANY);
	explicit_bzero(value, bytes);
	free(value);
	return rc;
}

static void load_as(struct content *c, bool direct)
{
	content_bpf__destroy(c->bpf);
	c->bpf = content_bpf__open();
	if (!c->bpf)
		return;
	bpf_program__set_autoload(c->bpf->progs.content_direct, direct);
	bpf_program__set_autoload(c->bpf->progs.content_probe, direct && !c->old_probe);
	bpf_program__set_autoload(c->bpf->progs.content_probe_old, direct && c->old_probe);
	bpf_program__set_autoload(c->bpf->progs.content_find_map, direct);
	bpf_program__set_autoload(c->bpf->progs.content_copy, !direct);
	c->bpf->rodata->page_bytes = c->page_bytes;
	c->bpf->rodata->chunk_shift = __builtin_ctzll(c->page_bytes / CONTENT_CHUNK_BYTES);
	int rc = attach_load_skeleton(c->bpf->skeleton);
	if (!rc)
		rc = give_key(c);
	if (!rc)
		return;
	content_bpf__destroy(c->bpf);
	c->bpf = NULL;
	errno = -rc;
}

static void load(struct content *c, bool direct)
{
	load_as(c, direct);
	if (c->bpf || errno == EPERM || !direct)
		return;
	c->old_probe = true;
	load_as(c, direct);
}

static bool find_map(struct content *c, uint64_t pfn)
{
	struct content_search search = { .pfn = pfn, .step = DIRECT_MAP_STEP, .steps = DIRECT_MAP_STEPS };
	memcpy(search.witness, c->own, sizeof(search.witness));
	if (!run_program(c->bpf->progs.content_find_map, &search, sizeof(search)))
		return false;
	c->direct_map = search.found;
	return search.found;
}

static bool own_was_read(const struct content *c)
{
	const struct content_batch *batch = &c->bpf->data_batch->batch;
	return batch->status[0] == CONTENT_READ && batch->hash[0] == hash_own(c, c->own);
}

/* Does our own page, read by its frame, have the hash that it has in truth? */
static bool verify_direct(struct content *c)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct content_batch *batch = &c->bpf->data_batch->batch;
		uint64_t pfn;
		if (!own_frame(c, &pfn) || (!c->direct_map && !find_map(c, pfn)))
			continue;
		batch->where[0] = pfn;
		batch->status[0] = CONTENT_UNREAD;
		if (run_direct(c, 1) && own_was_read(c) && !c->wrong_contents)
			return true;
		c->direct_map = 0;
	}
	return false;
}

/* Why the direct map can't be used; NULL where it can. */
static const char *open_direct(struct content *c)
{
	load(c, true);
	if (!c->bpf)
		return errno == EPERM ? "BPF programs may not be loaded (needs root, or CAP_BPF and CAP_PERFMON)" :
					"this kernel refuses to read its direct map (lockdown?)";
	c->reader = READER_DIRECT_MAP;
	return verify_direct(c) ? NULL : "a page of our own was not found in the direct map";
}

/* The same for the copying reader, by address. */
static bool verify_copy(struct content *c)
{
	struct content_batch *batch = &c->bpf->data_batch->batch;

	batch->where[0] = (uintptr_t)c->own;
	batch->status[0] = CONTENT_UNREAD;
	return !run_copy(c, getpid(), 1, NULL) && own_was_read(c);
}

static int open_copy(struct content *c, struct error *err)
{
	load(c, false);
	if (!c->bpf && (errno == EPERM || errno == ENOMEM))
		return fail_errno(err, "load", "the BPF programs that read page contents", errno == EPERM ?
				  "run as root, or with CAP_BPF and CAP_PERFMON" : "free some memory and try again");
	if (!c->bpf)
		return fail(err, EXIT_KERNEL_CANNOT, "load the BPF programs that read page contents: %s: "
			    "needs Linux 5.18 or later, with BPF type information", strerror(errno));
	c->reader = READER_COPY;
	if (verify_copy(c))
		return 0;
	/* f0d74c4da1f0 "bpf: Parameterize task iterators" (6.1); before it the restriction is ignored */
	c->match_tgid = true;
	if (verify_copy(c))
		return 0;
	return fail(err, EXIT_KERNEL_CANNOT, "the BPF programs that read page contents give wrong ones on this kernel");
}

static int choose_reader(struct content *c, enum reader_kind want, const char **ret_why, struct error *err)
{
	const char *why = want == READER_COPY ? "the copying reader was asked for" : open_direct(c);
	bool denied = !c->bpf && errno == EPERM;
	if (ret_why)
		*ret_why = why;
	if (why && want == READER_DIRECT_MAP)
		return fail(err, denied ? EXIT_NOT_PERMITTED : EXIT_KERNEL_CANNOT, "read by the direct map: %s", why);
	return why ? open_copy(c, err) : 0;
}

/* Messages of libbpf are for its developers; ours say what to do. */
static int silent(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static int open_as(struct content *c, const struct fleet_key *fleet, enum reader_kind want, const char **ret_why,
		   struct error *err)
{
	libbpf_print_fn_t before = libbpf_set_print(silent);
	int rc = make_own(c, fleet, err);
	if (!rc)
		rc = choose_reader(c, want, ret_why, err);
	libbpf_set_print(before);
	malloc_trim(0);		/* libbpf has gone through the types of the whole kernel: some 10 MiB */
	return rc;
}

int content_open_pretending(struct content **ret, enum reader_kind want, const struct content_pretence *pretence,
			    const char **ret_why, struct error *err)
{
	struct content *c = calloc(1, sizeof(*c));
	if (!c)
		return fail(err, EXIT_FAILED, "out of memory");
	c->page_bytes = pretence->page_bytes ? pretence->page_bytes : (uint64_t)sysconf(_SC_PAGESIZE);
	c->wrong_contents = pretence->wrong_contents;
	c->old_probe = pretence->old_probe;
	int rc = open_as(c, pretence->key, want, ret_why, err);
	if (rc) {
		content_close(c);
		return rc;
	}
	*ret = c;
	return 0;
}

int content_open(struct content **ret, enum reader_kind want, const char **ret_why, struct error *err)
{
	return content_open_pretending(ret, want, &(struct content_pretence){ 0 }, ret_why, err);
}

int content_open_fleet(struct content **ret, const struct fleet_key *key, enum reader_kind want, const char **ret_why,
		       struct error *err)
{
	return content_open_pretending(ret, want, &(struct content_pretence){ .key = key }, ret_why, err);
}

void content_close(struct content *c)
{
	if (!c)
		return;
	bpf_link__destroy(c->link);
	content_bpf__destroy(c->bpf);
	scan_close(c->scan);
	if (c->own)
		munmap(c->own, c->page_bytes);
	explicit_bzero(c, sizeof(*c));
	free(c);
}

enum reader_kind content_reader(const struct content *c)
{
	return c->reader;
}

uint64_t content_zero_hash(const struct content *c)
{
	return c->zero_hash;
}

/* ---- batches ---- */

static bool is_over(pid_t pid)
{
	return kill(pid, 0) && errno == ESRCH;
}

static int run_batch(struct content *c, pid_t pid, const struct page_ref *pages, size_t count, struct error *err)
{
	struct content_batch *batch = &c->bpf->data_batch->batch;

	memset(batch->status, CONTENT_UNREAD, count);
	content_order_frames(&c->order, pages, count);
	for (size_t i = 0; i < count; i++) {
		const struct page_ref *page = &pages[c->order.page[i]];
		batch->where[i] = c->reader == READER_DIRECT_MAP ? page->pfn : page->address;
	}
	if (c->reader == READER_COPY)
		return run_copy(c, pid, count, err);
	run_direct(c, count);		/* where it fails, nothing is read, and that is looked into */
	if (is_over(pid))
		memset(batch->status, CONTENT_UNREAD, count);	/* these frames are somebody else's now */
	return 0;
}

/* A direct map that gave nothing at all: did it just become forbidden? */
static int reconsider(struct content *c, struct error *err)
{
	return verify_direct(c) ? 0 : open_copy(c, err);
}

static size_t take_batch(const struct content *c, size_t count, uint64_t *ret_hash, bool *ret_read)
{
	const struct content_batch *batch = &c->bpf->data_batch->batch;
	size_t read_count = 0;

	for (size_t i = 0; i < count; i++) {
		bool read = batch->status[i] == CONTENT_READ;
		ret_read[c->order.page[i]] = read;
		ret_hash[c->order.page[i]] = read ? batch->hash[i] : 0;
		read_count += read;
	}
	return read_count;
}

int content_hash(struct content *c, pid_t pid, const struct page_ref *pages, size_t count, uint64_t *ret_hash,
		 bool *ret_read, struct error *err)
{
	for (size_t done = 0, n; done < count; done += n) {
		n = count - done < CONTENT_BATCH ? count - done : CONTENT_BATCH;
		int rc = run_batch(c, pid, pages + done, n, err);
		if (rc)
			return rc;
		if (take_batch(c, n, ret_hash + done, ret_read + done) || c->reader == READER_COPY)
			continue;
		enum reader_kind before = c->reader;
		rc = reconsider(c, err);
		if (rc)
			return rc;
		if (c->reader != before)
			n = 0;		/* once more, with the other reader */
	}
	return 0;
}

static size_t take_probes(const struct content *c, size_t count, uint64_t *ret_probe, enum probe_state *ret_state)
{
	const struct content_batch *batch = &c->bpf->data_batch->batch;
	size_t read_count = 0;

	for (size_t i = 0; i < count; i++) {
		bool read = batch->status[i] == CONTENT_READ;
		ret_state[c->order.page[i]] = read ? content_probe_state(c, batch->hash[i]) : PROBE_UNREAD;
		ret_probe[c->order.page[i]] = batch->hash[i];
		read_count += read;
	}
	return read_count;
}

static const struct bpf_program *probe_program(const struct content *c)
{
	return c->old_probe ? c->bpf->progs.content_probe_old : c->bpf->progs.content_probe;
}

static bool probe_batch(struct content *c, pid_t pid, const struct page_ref *pages, size_t count, uint64_t *ret_probe,
			enum probe_state *ret_state)
{
	struct content_probe_request request = { .direct_map = c->direct_map, .count = count };
	struct content_batch *batch = &c->bpf->data_batch->batch;

	memcpy(request.offset, c->probe_offset, sizeof(request.offset));
	content_order_frames(&c->order, pages, count);
	for (size_t i = 0; i < count; i++)
		batch->where[i] = pages[c->order.page[i]].pfn;
	memset(batch->status, CONTENT_UNREAD, count);
	if (c->forbidden || !run_program(probe_program(c), &request, sizeof(request)))
		return false;
	if (is_over(pid))
		memset(batch->status, CONTENT_UNREAD, count);
	return take_probes(c, count, ret_probe, ret_state);
}

bool content_probe(struct content *c, pid_t pid, const struct page_ref *pages, size_t count, uint64_t *ret_probe,
		   enum probe_state *ret_state)
{
	bool any = c->reader == READER_DIRECT_MAP;

	for (size_t done = 0, n; any && done < count; done += n) {
		n = count - done < CONTENT_BATCH ? count - done : CONTENT_BATCH;
		any = probe_batch(c, pid, pages + done, n, ret_probe + done, ret_state + done);
	}
	return any;
}

enum probe_state content_probe_state(const struct content *c, uint64_t probe)
{
	return probe == c->zero_probe ? PROBE_ZEROS : PROBE_READ;
}

/* ---- finding and probing in one ---- */

void content_prepare_scan(struct content *c, const struct sysroot *root)
{
	struct scan_probe probe = { 0 };
	struct error err;
	_Static_assert(sizeof(probe.offset) == sizeof(c->probe_offset), "the same lines");

	if (c->scan || !content_probes_in_place(c))
		return;
	memcpy(probe.key, c->key, sizeof(probe.key));
	memcpy(probe.offset, c->probe_offset, sizeof(probe.offset));
	scan_open(&c->scan, root, &probe, &err);
	explicit_bzero(&probe, sizeof(probe));
}

bool content_scans(const struct content *c)
{
	return c->scan && content_probes_in_place(c);
}

bool content_scan(struct content *c, pid_t pid, uint64_t *address, uint64_t end, const struct scan_batch **ret)
{
	return c->scan && !c->forbidden && scan_pages(c->scan, pid, address, end, ret);
}

/* ---- for tests ---- */

void content_forbid_direct_map(struct content *c)
{
	c->forbidden = true;
}

int content_scratch(const struct content *c, size_t *ret_bytes, size_t *ret_key_bytes)
{
	*ret_bytes = bpf_map__value_size(c->bpf->maps.scratches);
	*ret_key_bytes = sizeof(c->key);
	return bpf_map__fd(c->bpf->maps.scratches);
}

uint64_t content_hash_own(const struct content *c, const void *page)
{
	return hash_own(c, page);
}

uint64_t content_probe_own(const struct content *c, const void *page)
{
	return probe_own(c, page);
}

bool content_probes_in_place(const struct content *c)
{
	return c->reader == READER_DIRECT_MAP && !c->old_probe;
}
