// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Do both readers of page contents give what user space computes of the same
 * pages, for all kinds of memory, and nothing but that? Prints "ok - name",
 * "not ok - name: why" or "ok - name # SKIP why"; exits with 1 if any check
 * failed. Root.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/abi.h"
#include "probe/content_private.h"
#include "sys/pagemap.h"
#include "sys/sysroot.h"

#define LOCK "/run/lock/ksmscope-test.lock"
#define PAGES 1009			/* of made memory: less than a batch */
#define MANY_PAGES (2 * CONTENT_BATCH + 23)

struct test {
	size_t page_bytes;
	unsigned int failed;
	const char *reader;		/* named in each line */
	enum reader_kind kind;
	struct content *content;
};

/* ---- results ---- */

__attribute__((format(printf, 4, 5)))
static void result(struct test *t, const char *name, bool ok, const char *why, ...)
{
	va_list args;

	printf("%s - %s: %s", ok ? "ok" : "not ok", t->reader, name);
	t->failed += !ok;
	if (!ok) {
		printf(": ");
		va_start(args, why);
		vprintf(why, args);
		va_end(args);
	}
	putchar('\n');
	fflush(stdout);
}

static void skip(const struct test *t, const char *name, const char *why)
{
	printf("ok - %s: %s # SKIP %s\n", t->reader, name, why);
}

/* ---- made memory ---- */

/* Something else for each page and word; the same in each process for the same seed. */
static void fill(const struct test *t, char *memory, size_t pages, uint64_t seed)
{
	for (size_t i = 0; i < pages * t->page_bytes / sizeof(uint64_t); i++) {
		uint64_t word = (seed + i) * 0x9e3779b97f4a7c15ull;
		word ^= word >> 29;
		memcpy(memory + i * sizeof(word), &word, sizeof(word));
	}
}

static char *map(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

/* What a huge page has; where the kernel has none, any size does. */
static size_t huge_bytes(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");
	size_t bytes = 0;

	if (file && fscanf(file, "%zu", &bytes) != 1)
		bytes = 0;
	if (file)
		fclose(file);
	return bytes ? bytes : 2 << 20;
}

/* A range of huge_bytes() that begins where a huge page can; the caller gives `*ret_whole` back. */
static char *map_huge(char **ret_whole)
{
	size_t bytes = huge_bytes();
	*ret_whole = map(2 * bytes);
	if (!*ret_whole)
		return NULL;
	char *memory = (char *)(((uintptr_t)*ret_whole + bytes - 1) & ~(bytes - 1));
	return madvise(memory, bytes, MADV_HUGEPAGE) ? NULL : memory;
}

static bool frames_of(const struct test *t, pid_t pid, const char *memory, size_t pages, struct page_ref *ret)
{
	struct sysroot live;
	struct pagemap pagemap;
	uint64_t *entries = calloc(pages, sizeof(*entries));
	bool ok = entries && !sysroot_open(&live, NULL, NULL);

	if (ok && pagemap_open(&pagemap, &live, pid, t->page_bytes) == KNOWN) {
		ok = pagemap_read(&pagemap, (uintptr_t)memory, entries, pages) == pages;
		pagemap_close(&pagemap);
	}
	for (size_t i = 0; ok && i < pages; i++)
		ret[i] = (struct page_ref){ .address = (uintptr_t)memory + i * t->page_bytes,
					    .pfn = entries[i] & PAGEMAP_PRESENT ? entries[i] & PAGEMAP_PFN_MASK : 0 };
	if (entries)
		sysroot_close(&live);
	free(entries);
	return ok;
}

/* One huge page has frames that lie one behind the other. */
static bool is_huge(const struct page_ref *pages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!pages[i].pfn || pages[i].pfn != pages[0].pfn + i)
			return false;
	return true;
}

/* ---- comparing ---- */

struct looked {
	struct page_ref *pages;
	uint64_t *hashes;
	bool *read;
};

static struct looked looked_new(size_t pages)
{
	return (struct looked){ calloc(pages, sizeof(struct page_ref)), calloc(pages, sizeof(uint64_t)),
				calloc(pages, sizeof(bool)) };
}

static void looked_free(struct looked *l)
{
	free(l->pages);
	free(l->hashes);
	free(l->read);
}

/* The pages at `memory` of `pid` must be read as what is at `copy` here. */
static void same_as(struct test *t, const char *name, pid_t pid, const char *memory, const char *copy, size_t pages)
{
	struct looked l = looked_new(pages);
	struct error err = { 0 };
	size_t unread = 0, wrong = 0;

	bool ok = frames_of(t, pid, memory, pages, l.pages);
	int rc = content_hash(t->content, pid, l.pages, pages, l.hashes, l.read, &err);
	for (size_t i = 0; i < pages; i++) {
		unread += !l.read[i];
		wrong += l.read[i] && l.hashes[i] != content_hash_own(t->content, copy + i * t->page_bytes);
	}
	result(t, name, ok && !rc && !unread && !wrong, "%s%zu of %zu unread, %zu wrong", err.text, unread, pages, wrong);
	looked_free(&l);
}

/* The probe of those pages must be that of what is at `copy`; the reader without a direct map has none. */
static void probes_as(struct test *t, const char *name, pid_t pid, const char *memory, const char *copy, size_t pages)
{
	struct looked l = looked_new(pages);
	enum probe_state *state = calloc(pages, sizeof(*state));
	size_t unread = 0, wrong = 0;

	bool ok = frames_of(t, pid, memory, pages, l.pages);
	bool probed = content_probe(t->content, pid, l.pages, pages, l.hashes, state);
	for (size_t i = 0; probed && i < pages; i++) {
		unread += state[i] != PROBE_READ;
		wrong += state[i] == PROBE_READ &&
			 l.hashes[i] != content_probe_own(t->content, copy + i * t->page_bytes);
	}
	result(t, name, ok && probed == (content_reader(t->content) == READER_DIRECT_MAP) && !unread && !wrong,
	       "probed %d, %zu of %zu unread, %zu wrong", probed, unread, pages, wrong);
	free(state);
	looked_free(&l);
}

/* ---- a child with memory ---- */

struct child {
	pid_t pid;
	int done;		/* closing it lets the child end */
};

/* Runs `prepare` in a child, which then stays until child_end(). */
static struct child child_begin(const struct test *t, void (*prepare)(const struct test *t, void *argument),
				void *argument)
{
	int ready[2], done[2];
	char byte = 0;

	if (pipe(ready) || pipe(done))
		return (struct child){ .pid = -1, .done = -1 };
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(done[1]);
		prepare(t, argument);
		if (write(ready[1], &byte, 1) == 1)
			byte = (char)read(done[0], &byte, 1);
		_exit(0);
	}
	close(done[0]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fprintf(stderr, "a child did not get ready\n");
	close(ready[0]);
	return (struct child){ .pid = pid, .done = done[1] };
}

static void child_end(const struct child *child)
{
	close(child->done);
	waitpid(child->pid, NULL, 0);
}

struct made {
	char *memory;
	size_t pages;
	uint64_t seed;
};

static void make(const struct test *t, void *argument)
{
	const struct made *made = argument;
	fill(t, made->memory, made->pages, made->seed);
}

static void leave_alone(const struct test *t, void *argument)
{
	(void)t;
	(void)argument;
}

/* ---- the checks ---- */

static void own_memory(struct test *t)
{
	char *memory = map(MANY_PAGES * t->page_bytes);

	madvise(memory, MANY_PAGES * t->page_bytes, MADV_NOHUGEPAGE);
	fill(t, memory, MANY_PAGES, 1);
	same_as(t, "base pages of our own, more than two batches", getpid(), memory, memory, MANY_PAGES);
	probes_as(t, "the probe of base pages of our own", getpid(), memory, memory, MANY_PAGES);
	same_as(t, "a single page", getpid(), memory + t->page_bytes, memory + t->page_bytes, 1);
	munmap(memory, MANY_PAGES * t->page_bytes);
}

static void own_huge_page(struct test *t)
{
	static const char name[] = "a huge page of our own";
	size_t pages = huge_bytes() / t->page_bytes;
	char *whole, *memory = map_huge(&whole);
	struct looked l = looked_new(pages);

	if (memory) {
		fill(t, memory, pages, 2);
		if (frames_of(t, getpid(), memory, pages, l.pages) && is_huge(l.pages, pages))
			same_as(t, name, getpid(), memory, memory, pages);
		else
			skip(t, name, "the kernel gave none");
	} else {
		skip(t, name, "the kernel has none");
	}
	looked_free(&l);
	munmap(whole, 2 * huge_bytes());
}

static void child_memory(struct test *t)
{
	struct made made = { .memory = map(PAGES * t->page_bytes), .pages = PAGES, .seed = 3 };
	madvise(made.memory, PAGES * t->page_bytes, MADV_NOHUGEPAGE);
	struct child child = child_begin(t, make, &made);
	char *copy = map(PAGES * t->page_bytes);

	fill(t, copy, PAGES, made.seed);
	same_as(t, "base pages of another process", child.pid, made.memory, copy, PAGES);
	probes_as(t, "the probe of base pages of another process", child.pid, made.memory, copy, PAGES);
	child_end(&child);
	munmap(copy, PAGES * t->page_bytes);
	munmap(made.memory, PAGES * t->page_bytes);
}

static void child_huge_page(struct test *t)
{
	char *whole;
	struct made made = { .memory = map_huge(&whole), .pages = huge_bytes() / t->page_bytes, .seed = 4 };
	if (!made.memory) {
		skip(t, "a huge page of another process", "the kernel has none");
		munmap(whole, 2 * huge_bytes());
		return;
	}
	struct child child = child_begin(t, make, &made);
	char *copy = map(huge_bytes());

	fill(t, copy, made.pages, made.seed);
	same_as(t, "a huge page of another process", child.pid, made.memory, copy, made.pages);
	child_end(&child);
	munmap(copy, huge_bytes());
	munmap(whole, 2 * huge_bytes());
}

/* What a child inherits, and the part of it that its parent has written since. */
static void forked_memory(struct test *t)
{
	char *memory = map(PAGES * t->page_bytes), *before = map(PAGES * t->page_bytes);

	fill(t, memory, PAGES, 5);
	memcpy(before, memory, PAGES * t->page_bytes);
	struct child child = child_begin(t, leave_alone, NULL);
	same_as(t, "memory shared over fork", child.pid, memory, before, PAGES);
	fill(t, memory, PAGES / 2, 6);
	same_as(t, "the child's side of memory written since fork", child.pid, memory, before, PAGES);
	same_as(t, "the parent's side of it", getpid(), memory, memory, PAGES);
	child_end(&child);
	munmap(memory, PAGES * t->page_bytes);
	munmap(before, PAGES * t->page_bytes);
}

static void zeros(struct test *t)
{
	struct looked l = looked_new(2);
	char *memory = map(2 * t->page_bytes);
	bool read_back = *(volatile char *)memory == 0;	/* the first maps the shared zero page … */

	memset(memory + t->page_bytes, 0, t->page_bytes);	/* … the second is a frame of its own */
	bool ok = read_back && frames_of(t, getpid(), memory, 2, l.pages) &&
		  !content_hash(t->content, getpid(), l.pages, 2, l.hashes, l.read, NULL);
	uint64_t zero = content_zero_hash(t->content);
	result(t, "zeros, shared and real", ok && l.read[0] && l.read[1] && l.hashes[0] == zero && l.hashes[1] == zero,
	       "read %d %d, as zero %d %d", l.read[0], l.read[1], l.hashes[0] == zero, l.hashes[1] == zero);
	munmap(memory, 2 * t->page_bytes);
	looked_free(&l);
}

/*
 * A page that is zero but for one line: the probe sees it in some runs and not
 * in others, since its places are drawn anew; where it does not, it says that
 * it can't tell.
 */
static void probe_places(struct test *t)
{
	enum { RUNS = 24 };
	size_t lines = t->page_bytes / CONTENT_LINE_BYTES, wrong = 0, unlike = 0;
	struct looked l = looked_new(lines);
	enum probe_state *state = calloc(lines, sizeof(*state));
	unsigned char *before = calloc(lines, 1);
	char *memory = map(lines * t->page_bytes);

	if (t->kind != READER_DIRECT_MAP)
		goto out;
	madvise(memory, lines * t->page_bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < lines; i++)	/* page i is zero but for line i */
		memory[i * t->page_bytes + i * CONTENT_LINE_BYTES + i % CONTENT_LINE_BYTES] = 1;
	frames_of(t, getpid(), memory, lines, l.pages);
	for (int run = 0; run < RUNS; run++) {
		struct content *other = NULL;
		size_t seen = 0;
		if (content_open(&other, READER_DIRECT_MAP, NULL, NULL) ||
		    !content_probe(other, getpid(), l.pages, lines, l.hashes, state)) {
			wrong++;
			content_close(other);
			continue;
		}
		for (size_t i = 0; i < lines; i++) {
			seen += state[i] == PROBE_READ;
			unlike += run && before[i] != state[i];
			before[i] = (unsigned char)state[i];
			wrong += state[i] == PROBE_UNREAD;
		}
		wrong += seen != CONTENT_PROBE_LINES;
		content_close(other);
	}
	result(t, "the probe looks at four lines, others in each run", !wrong && unlike > RUNS,
	       "%zu wrong, %zu changes", wrong, unlike);
out:
	munmap(memory, lines * t->page_bytes);
	free(before);
	free(state);
	looked_free(&l);
}

/* Each position relative to a hole that two pages read together can have. */
static bool is_hole(size_t i)
{
	return i % 5 == 1 || i % 5 == 2;
}

/* Pages that are not there, between pages that are: no error, and no neighbour suffers. */
static void holes(struct test *t)
{
	enum { COUNT = 101 };
	struct looked l = looked_new(COUNT);
	char *memory = map(COUNT * t->page_bytes);
	size_t wrong = 0;

	fill(t, memory, COUNT, 7);
	frames_of(t, getpid(), memory, COUNT, l.pages);
	for (size_t i = 0; i < COUNT; i++) {
		if (t->kind == READER_COPY)
			l.pages[i].pfn = i + 1;		/* only for the order: holes stay where they are */
		if (!is_hole(i))
			continue;
		munmap(memory + i * t->page_bytes, t->page_bytes);
		if (t->kind == READER_DIRECT_MAP)
			l.pages[i].pfn = i % 2 ? 0 : 1ull << 40;	/* none, and one that no machine has */
	}
	int rc = content_hash(t->content, getpid(), l.pages, COUNT, l.hashes, l.read, NULL);
	for (size_t i = 0; i < COUNT; i++) {
		if (is_hole(i))
			wrong += l.read[i] || l.hashes[i];
		else
			wrong += !l.read[i] ||
				 l.hashes[i] != content_hash_own(t->content, memory + i * t->page_bytes);
	}
	result(t, "unmapped pages are not read, their neighbours are", !rc && !wrong, "%zu of %d wrong", wrong, COUNT);
	munmap(memory, COUNT * t->page_bytes);
	looked_free(&l);
}

static void not_read(struct test *t, const char *name, pid_t pid, const struct page_ref *pages, size_t count)
{
	struct error err = { 0 };
	struct looked l = looked_new(count);
	size_t read = 0;

	memset(l.read, true, count);
	int rc = content_hash(t->content, pid, pages, count, l.hashes, l.read, &err);
	for (size_t i = 0; i < count; i++)
		read += l.read[i];
	result(t, name, !rc && !read, "%s%zu of %zu read", err.text, read, count);
	looked_free(&l);
}

static void ended_process(struct test *t)
{
	struct made made = { .memory = map(PAGES * t->page_bytes), .pages = PAGES, .seed = 8 };
	struct page_ref *pages = calloc(PAGES, sizeof(*pages));
	struct child child = child_begin(t, make, &made);

	frames_of(t, child.pid, made.memory, PAGES, pages);
	child_end(&child);
	not_read(t, "a process that has ended", child.pid, pages, PAGES);
	free(pages);
	munmap(made.memory, PAGES * t->page_bytes);
}

/* By address only: the frames of a zombie are free, and who has them now is nobody's secret to the direct map. */
static void zombie(struct test *t)
{
	struct made made = { .memory = map(t->page_bytes), .pages = 1, .seed = 9 };
	struct page_ref page = { .address = (uintptr_t)made.memory, .pfn = 1 };
	siginfo_t info;

	if (t->kind != READER_COPY)
		return;
	struct child child = child_begin(t, make, &made);
	close(child.done);
	waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT);
	not_read(t, "a zombie", child.pid, &page, 1);
	waitpid(child.pid, NULL, 0);
	munmap(made.memory, t->page_bytes);
}

/* A kernel thread has no memory. */
static void kernel_thread(struct test *t)
{
	struct page_ref page = { .address = t->page_bytes * 16 };
	not_read(t, "a kernel thread", 2, &page, 1);
}

/* The scratch that contents pass through: a descriptor of our own sees nothing in it. */
static void scratch_is_empty(struct test *t)
{
	size_t bytes, key_bytes, left = 0;
	uint32_t zero = 0;
	int fd = content_scratch(t->content, &bytes, &key_bytes);
	char *value = calloc(1, bytes);
	bool looked = !bpf_map_lookup_elem(fd, &zero, value);

	for (size_t i = key_bytes; i < bytes; i++)
		left += value[i] != 0;
	result(t, "the scratch is empty after a batch", looked && bytes > key_bytes && !left, "%zu of %zu bytes left",
	       left, bytes - key_bytes);
	free(value);
}

static void another_key(struct test *t)
{
	struct content *other = NULL;
	struct error err = { 0 };
	char *memory = map(t->page_bytes);

	fill(t, memory, 1, 10);
	int rc = content_open(&other, t->kind, NULL, &err);
	result(t, "another run has another key",
	       !rc && content_hash_own(other, memory) != content_hash_own(t->content, memory) &&
	       content_zero_hash(other) != content_zero_hash(t->content), "%s", err.text);
	content_close(other);
	munmap(memory, t->page_bytes);
}

enum { DRAWS = 64, DRAWN = 1024 };

struct drawn {
	unsigned int page[DRAWN];	/* in how many draws each page is */
	unsigned int size[DRAWS];	/* how many pages each draw has */
};

/* One run's sample of a sixteenth, as a sweep chooses it: by key, places of the probe and phase. */
static bool draw(const struct test *t, const char *memory, struct drawn *drawn, unsigned int run)
{
	struct content *other;
	uint64_t phase;

	if (content_open(&other, t->kind, NULL, NULL))
		return false;
	bool ok = !content_random(&phase, NULL);
	for (size_t i = 0; ok && i < DRAWN; i++) {
		const char *page = memory + i * t->page_bytes;
		uint64_t place = phase + (t->kind == READER_DIRECT_MAP ? content_probe_own(other, page)
								       : content_hash_own(other, page));
		drawn->page[i] += place >> 60 == 0;
		drawn->size[run] += place >> 60 == 0;
	}
	content_close(other);
	return ok;
}

/*
 * Who knows all of this still can't say which pages a run takes: over 64 runs
 * each page is in by a binomial draw of 1/16, and so is each run's number of
 * pages. Either sum of squares by its variance is that of χ² (a little more
 * spread: the fourth moment of a binomial); all bounds are five deviations wide.
 */
static void drawn_anew(struct test *t)
{
	struct drawn drawn = { 0 };
	char *memory = map(DRAWN * t->page_bytes);
	double pages = 0, sizes = 0, all = 0;
	bool ok = true;

	fill(t, memory, DRAWN, 12);
	for (unsigned int run = 0; ok && run < DRAWS; run++)
		ok = draw(t, memory, &drawn, run);
	for (size_t i = 0; i < DRAWN; i++) {
		double off = drawn.page[i] - DRAWS / 16.0;
		pages += off * off / (DRAWS * 15 / 256.0);
		all += drawn.page[i];
	}
	for (size_t run = 0; run < DRAWS; run++) {
		double off = drawn.size[run] - DRAWN / 16.0;
		sizes += off * off / (DRAWN * 15 / 256.0);
	}
	result(t, "each run draws another sixteenth", ok && fabs(all - 4096) < 5 * 62, "%.0f of 65536", all);
	result(t, "no page is in more often, or less, than by chance", ok && fabs(pages - DRAWN) < 5 * 47, "χ² %.0f", pages);
	result(t, "pages are in one by one", ok && fabs(sizes - DRAWS) < 5 * 11.4, "χ² %.0f", sizes);
	munmap(memory, DRAWN * t->page_bytes);
}

/* The kernel hashes with a fleet's key what user space does, and so does the next run; a fleet's key is not another's. */
static void fleet_key(struct test *t)
{
	static const struct fleet_key keys[] = { { { 1, 2 } }, { { 1, 2 } }, { { 1, 3 } } };
	char *memory = map(t->page_bytes);
	uint64_t hash[3] = { 0 }, own[3] = { 0 };
	bool read[3] = { false };
	struct error err = { 0 };
	int rc = 0;

	fill(t, memory, 1, 10);
	for (size_t i = 0; !rc && i < 3; i++) {
		struct content *fleet;
		struct page_ref page = { 0 };
		frames_of(t, getpid(), memory, 1, &page);
		rc = content_open_fleet(&fleet, &keys[i], t->kind, NULL, &err);
		if (!rc)
			rc = content_hash(fleet, getpid(), &page, 1, &hash[i], &read[i], &err);
		own[i] = rc ? 0 : content_hash_own(fleet, memory);
		content_close(rc ? NULL : fleet);
	}
	result(t, "hashes by a fleet's key", !rc && read[0] && read[1] && read[2] && hash[0] == own[0] &&
	       hash[0] == hash[1] && hash[2] == own[2] && hash[2] != hash[0], "%s", err.text);
	munmap(memory, t->page_bytes);
}

static void forced(struct test *t)
{
	result(t, "is the one that was asked for", content_reader(t->content) == t->kind, "it is another");
}

static void check_reader(struct test *t)
{
	static void (*const checks[])(struct test *t) = {
		forced, own_memory, own_huge_page, child_memory, child_huge_page, forked_memory, zeros, probe_places, holes,
		ended_process, zombie, kernel_thread, scratch_is_empty, another_key, drawn_anew,
		fleet_key,
	};
	struct error err = { 0 };
	const char *why = NULL;

	if (content_open(&t->content, t->kind, &why, &err)) {
		if (t->kind == READER_DIRECT_MAP)
			skip(t, "open", err.text);
		else
			result(t, "open", false, "%s", err.text);
		return;
	}
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		checks[i](t);
	content_close(t->content);
}

/* ---- choosing between the readers ---- */

/* Our own page does not read as what it holds: the direct map is not to be trusted. */
static void distrust(struct test *t)
{
	const struct content_pretence pretence = { .wrong_contents = true };
	const char *why = NULL;
	struct error err = { 0 };
	struct content *content = NULL;

	int rc = content_open_pretending(&t->content, READER_NONE, &pretence, &why, &err);
	result(t, "wrong contents: the copying reader is taken, and why is said",
	       !rc && content_reader(t->content) == READER_COPY && why, "%s", rc ? err.text : why ? why : "no reason");
	if (!rc) {
		own_memory(t);
		content_close(t->content);
	}
	rc = content_open_pretending(&content, READER_DIRECT_MAP, &pretence, &why, &err);
	result(t, "wrong contents: the direct map alone is refused", rc == -EXIT_KERNEL_CANNOT && err.text[0] && why,
	       "status %d", -rc);
}

/* The kernel takes the direct map away while we run. */
static void taken_away(struct test *t)
{
	struct error err = { 0 };

	if (content_open(&t->content, READER_DIRECT_MAP, NULL, &err)) {
		skip(t, "taken away", err.text);
		return;
	}
	own_memory(t);
	content_forbid_direct_map(t->content);
	own_memory(t);
	result(t, "taken away: the copying reader goes on", content_reader(t->content) == READER_COPY, "it does not");
	scratch_is_empty(t);
	content_close(t->content);
}

static double cpu_time(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* A pass of the sampler, which probes every page and hashes one in sixteen, against hashing every page. In pairs. */
static void probe_cost(struct test *t)
{
	enum { PAIRS = 9, COUNT = 8 * CONTENT_BATCH };
	char *memory = map(COUNT * t->page_bytes);
	struct looked l = looked_new(COUNT);
	enum probe_state *state = calloc(COUNT, sizeof(*state));
	double ratios[PAIRS];
	struct error err = { 0 };

	if (content_open(&t->content, READER_DIRECT_MAP, NULL, &err) || !content_probes_in_place(t->content)) {
		skip(t, "a pass with the probe costs at most half", "no probe in place");
	} else {
		bool ok = true;
		/* half of it in base pages, half in huge ones where the kernel gives them: scattered frames cost most */
		madvise(memory, COUNT / 2 * t->page_bytes, MADV_NOHUGEPAGE);
		madvise(memory + COUNT / 2 * t->page_bytes, COUNT / 2 * t->page_bytes, MADV_HUGEPAGE);
		fill(t, memory, COUNT, 12);
		frames_of(t, getpid(), memory, COUNT, l.pages);
		for (int pair = 0; pair < PAIRS; pair++) {
			double begin = cpu_time();
			ok = !content_hash(t->content, getpid(), l.pages, COUNT, l.hashes, l.read, &err) && ok;
			double whole = cpu_time();
			ok = content_probe(t->content, getpid(), l.pages, COUNT, l.hashes, state) &&
			     !content_hash(t->content, getpid(), l.pages, COUNT / 16, l.hashes, l.read, &err) && ok;
			ratios[pair] = (cpu_time() - whole) / (whole - begin);
		}
		qsort(ratios, PAIRS, sizeof(ratios[0]), by_value);
		result(t, "a pass with the probe costs at most half", ok && ratios[PAIRS / 2] <= 0.5, "%.2f",
		       ratios[PAIRS / 2]);
		printf("# a pass with the probe, of hashing every page: %.2f\n", ratios[PAIRS / 2]);
	}
	content_close(t->content);
	munmap(memory, COUNT * t->page_bytes);
	free(state);
	looked_free(&l);
}

/* Kernels before 6.17 can't read lines in place: each is copied, and the probes are the same. */
static void old_kernel(struct test *t)
{
	const struct content_pretence pretence = { .old_probe = true };
	struct error err = { 0 };

	if (content_open_pretending(&t->content, READER_DIRECT_MAP, &pretence, NULL, &err)) {
		skip(t, "an older kernel", err.text);
		return;
	}
	result(t, "an older kernel: lines are copied", !content_probes_in_place(t->content), "they are read in place");
	own_memory(t);
	scratch_is_empty(t);
	content_close(t->content);
}

/* ---- finding and probing in one ---- */

/* Huge pages: one whole, one with a hole and mapped page by page, the zero page as one; then base pages of all kinds. */
#define HUGE_RANGES 3
#define BASE_KINDS 5		/* written, read, left out, without access, of a file */

static char *map_kinds(const struct test *t, size_t *ret_bytes)
{
	size_t huge = huge_bytes(), n = t->page_bytes;
	char *whole = map((HUGE_RANGES + 8) * huge), *memory = (char *)(((uintptr_t)whole + huge - 1) & ~(huge - 1));
	char *base = memory + (HUGE_RANGES + 4) * huge;		/* behind a hole that is larger than a table */
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	madvise(memory, HUGE_RANGES * huge, MADV_HUGEPAGE);
	madvise(base, huge, MADV_NOHUGEPAGE);
	fill(t, memory, 2 * huge / n, 21);
	madvise(memory + huge + 7 * n, n, MADV_DONTNEED);
	(void)*(volatile char *)(memory + 2 * huge);
	char *of_file = base + 64 * n;
	if (file < 0 || mmap(of_file, 4 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0) == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < 64; i += BASE_KINDS) {
		base[i * n] = (char)i;
		(void)*(volatile char *)(base + (i + 1) * n);
		base[(i + 3) * n] = (char)i;
		mprotect(base + (i + 3) * n, n, PROT_NONE);
	}
	(void)*(volatile char *)of_file;
	of_file[n] = 1;
	close(file);
	*ret_bytes = (HUGE_RANGES + 5) * huge;
	return memory;
}

struct told {
	uint64_t entry, kflags, probe;
};

static void told_by_scan(const struct test *t, pid_t pid, uint64_t at, uint64_t end, struct told *ret,
			 uint32_t *ret_found)
{
	const struct scan_batch *batch;
	uint64_t begin = at;

	while (at < end && content_scan(t->content, pid, &at, end, &batch))
		for (uint32_t i = 0; i < batch->found; i++, ++*ret_found)
			ret[(batch->page[i] - begin) / t->page_bytes] = (struct told){
				scan_pagemap_entry(batch, i), scan_kpageflags(batch, i), batch->probe[i] };
}

static void told_by_files(const struct test *t, pid_t pid, uint64_t at, struct told *ret, size_t pages)
{
	uint64_t *entries = calloc(2 * pages, sizeof(*entries)), *kflags = entries + pages;
	struct pagemap map;
	struct sysroot live;

	sysroot_open(&live, NULL, NULL);
	int kpageflags = kpageflags_open(&live);
	if (entries && pagemap_open(&map, &live, pid, t->page_bytes) == KNOWN) {
		pagemap_read(&map, at, entries, pages);
		pagemap_close(&map);
	}
	for (size_t i = 0; i < pages; i++)
		ret[i].entry = entries[i];
	for (size_t i = 0; i < pages; i++)
		entries[i] &= PAGEMAP_PFN_MASK;
	kpageflags_read(kpageflags, entries, kflags, pages);
	for (size_t i = 0; i < pages; i++)
		ret[i].kflags = kflags[i];
	close(kpageflags);
	sysroot_close(&live);
	free(entries);
}

#define ENTRY_TOLD (PAGEMAP_PRESENT | PAGEMAP_FILE | PAGEMAP_PFN_MASK)
#define KFLAGS_TOLD (KPAGE_ZERO_PAGE | KPAGE_KSM | KPAGE_HWPOISON)

/* Of what is counted anew from each mapping, and of huge pages of nothing, both need not say the same. */
static bool same_told(const struct told *scan, const struct told *files)
{
	if (!(files->entry & PAGEMAP_PRESENT))
		return !scan->entry;
	if ((scan->kflags ^ files->kflags) & KFLAGS_TOLD)
		return false;
	if (files->kflags & KPAGE_ZERO_PAGE)
		return scan->entry & PAGEMAP_PRESENT;
	if (((scan->entry ^ files->entry) & ENTRY_TOLD) || ((scan->kflags ^ files->kflags) & KPAGE_THP))
		return false;
	return (files->kflags & KPAGE_THP) || !((scan->entry ^ files->entry) & PAGEMAP_EXCLUSIVE);
}

/* Page by page what pagemap and kpageflags say, and the probe. `own`: that memory is ours, too, and holds the same. */
static void scan_says(struct test *t, const char *name, pid_t pid, char *memory, size_t pages)
{
	struct told *scan = calloc(2 * pages, sizeof(*scan)), *files = scan + pages;
	uint64_t at = (uintptr_t)memory;
	uint32_t found = 0, present = 0, wrong = 0, probes_wrong = 0;

	told_by_scan(t, pid, at, at + pages * t->page_bytes, scan, &found);
	told_by_files(t, pid, at, files, pages);
	for (size_t i = 0; i < pages; i++) {
		present += !!(files[i].entry & PAGEMAP_PRESENT);
		wrong += !same_told(&scan[i], &files[i]);
		if (pid == getpid() && (scan[i].entry & PAGEMAP_EXCLUSIVE) && !(scan[i].entry & PAGEMAP_FILE) &&
		    !mprotect(memory + i * t->page_bytes, t->page_bytes, PROT_READ))
			probes_wrong += scan[i].probe != content_probe_own(t->content, memory + i * t->page_bytes);
	}
	result(t, name, found && found == present && !wrong && !probes_wrong,
	       "%u found, %u there, %u unlike, %u other probes", found, present, wrong, probes_wrong);
	free(scan);
}

static void scanning(struct test *t)
{
	struct sysroot live;
	struct error err = { 0 };
	size_t bytes = 0;
	char *memory = map_kinds(t, &bytes);

	sysroot_open(&live, NULL, NULL);
	int rc = content_open(&t->content, READER_DIRECT_MAP, NULL, &err);
	if (!rc)
		content_prepare_scan(t->content, &live);
	if (rc || !content_scans(t->content)) {
		result(t, "a scan is had where lines are read in place", rc || !content_probes_in_place(t->content),
		       "it is refused");
		skip(t, "a scan", "lines are not read in place");
	} else {
		pid_t pid = fork();	/* what is written is mapped twice now */
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		scan_says(t, "a scan says of a child's pages what pagemap does", pid, memory, bytes / t->page_bytes);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		scan_says(t, "a scan says of our own pages what pagemap does", getpid(), memory, bytes / t->page_bytes);
		const struct scan_batch *batch;
		uint64_t at = (uintptr_t)memory;
		bool any = content_scan(t->content, pid, &at, at + bytes, &batch);
		result(t, "a process that ended has no pages to scan", !any, "it has");
	}
	content_close(t->content);
	sysroot_close(&live);
}

/* A base page of several chunks, as other architectures have them. */
static void larger_pages(struct test *t)
{
	const struct content_pretence pretence = { .page_bytes = 16 * CONTENT_CHUNK_BYTES };
	struct test large = *t;
	struct looked l = looked_new(PAGES);
	struct error err = { 0 };
	size_t wrong = 0;

	large.page_bytes = pretence.page_bytes;
	int rc = content_open_pretending(&large.content, READER_COPY, &pretence, NULL, &err);
	if (rc) {
		result(t, "pages of 16 chunks", false, "%s", err.text);
		looked_free(&l);
		return;
	}
	char *memory = map(PAGES * large.page_bytes);
	fill(&large, memory, PAGES, 11);
	for (size_t i = 0; i < PAGES; i++)
		l.pages[i].address = (uintptr_t)memory + i * large.page_bytes;
	/* within the fifth, as far as true pages are smaller: only they can be unmapped */
	munmap(memory + 4 * large.page_bytes + large.page_bytes / t->page_bytes / 3 * t->page_bytes, t->page_bytes);
	rc = content_hash(large.content, getpid(), l.pages, PAGES, l.hashes, l.read, &err);
	for (size_t i = 0; i < PAGES; i++)
		wrong += i == 4 ? l.read[i] : !l.read[i] ||
			 l.hashes[i] != content_hash_own(large.content, memory + i * large.page_bytes);
	result(t, "pages of 16 chunks, one of them with a hole", !rc && !wrong, "%s%zu of %d wrong", err.text, wrong, PAGES);
	content_close(large.content);
	munmap(memory, PAGES * large.page_bytes);
	looked_free(&l);
}

/* Without privileges: a clear no, in a process of its own. */
static void unprivileged(struct test *t)
{
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		struct content *content = NULL;
		struct error err = { 0 };
		if (setgid(65534) || setuid(65534))
			_exit(99);
		int rc = content_open(&content, READER_NONE, NULL, &err);
		_exit(rc < 0 && err.text[0] ? -rc : 98);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	result(t, "without privileges it is not permitted", WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_PERMITTED,
	       "status %d", WEXITSTATUS(status));
}

static void say_memory(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmRSS", 5) || !strncmp(line, "VmHWM", 5))
			printf("# with a reader open: %s", line);
	if (f)
		fclose(f);
}

/* Before the test has memory of its own, so that it is the reader's that is seen. */
static void opening(struct test *t)
{
	struct error err = { 0 };
	int rc = content_open(&t->content, READER_NONE, NULL, &err);

	result(t, "opens", !rc, "%s", err.text);
	say_memory();
	if (!rc)
		content_close(t->content);
}

int main(void)
{
	struct test t = { .page_bytes = (size_t)sysconf(_SC_PAGESIZE), .reader = "a reader" };
	int lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (geteuid()) {
		printf("not ok - needs root\n");
		return 1;
	}
	if (lock >= 0)
		flock(lock, LOCK_EX);	/* others switch huge pages off, or merge everything */
	opening(&t);
	t.reader = "direct map";
	t.kind = READER_DIRECT_MAP;
	check_reader(&t);
	old_kernel(&t);
	probe_cost(&t);
	scanning(&t);
	taken_away(&t);
	distrust(&t);
	t.reader = "copying";
	t.kind = READER_COPY;
	check_reader(&t);
	larger_pages(&t);
	unprivileged(&t);
	return t.failed ? 1 : 0;
}
