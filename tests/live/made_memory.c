// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes memory as its arguments say, tells what a correct count of it is, and waits.
 *
 *	ready PID children=PID,… from=0x… to=0x… candidate=N distinct=N zero=N zero_in_huge=N huge=N zeropage=N refused=N
 *
 * The counts follow from the arguments alone and hold for everything between
 * `from` and `to` in the process and its children together, as long as nothing
 * is merged. Stack, heap and libraries lie elsewhere; they are not counted here.
 *
 * Contents are pseudo-random from --seed, what kind of page it is, and its
 * number: two instances with one seed hold equal contents, with different seeds
 * different ones. Pages of --common come from --common-seed instead.
 *
 * Exit statuses: 77 where this machine can't make what was asked for (no huge
 * page was to be had), 2 for wrong arguments, 1 for the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_SKIP 77
#define MAX_CHILDREN 4096
#define MAX_COPIES 8
/* Far from the heap, the libraries, the stack, and AddressSanitizer's shadow. */
#define GROUND ((char *)0x200000000000)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

struct copies {
	unsigned long contents, times;
};

struct options {
	unsigned long seed, common_seed;
	unsigned long unique, pairs, zero, common, holes, volatile_pages;
	unsigned long zeropage, huge_zeropage;
	unsigned long thp_regions, thp_dup, thp_zero;
	unsigned long memfd, shared, memfd_cow, file_cow, hugetlb;
	unsigned long fork, cow, cow_same, thp_cow, thp_cow_self;
	unsigned long churn_ms, lifetime;
	unsigned long mergeable, merge_any, mlock, dontdump, stop;
	const char *file;
	struct copies copies[MAX_COPIES];
	unsigned int copies_count;
};

/* What a correct count is, of everything made. */
struct counts {
	unsigned long candidate, distinct, zero, zero_in_huge, huge, zeropage, refused;
};

struct made {
	struct options options;
	struct counts counts;
	size_t page, pmd;
	char *next;			/* where the next area goes */
	char *unique, *thp, *churn;
	pid_t children[MAX_CHILDREN];
};

/* Kinds of contents: no two kinds share one. */
enum kind { UNIQUE, PAIR, COPIES, COMMON, HOLE, CHURN, THP_OWN, THP_DUP, SHARED, MEMFD, COW, COW_SAME, FILE_COW, MEMFD_COW };

enum value { NUMBER, FLAG };

struct row {
	const char *name;
	enum value value;
	size_t offset;
	const char *help;
};

#define ROW(name, value, field, help) { name, value, offsetof(struct options, field), help }
static const struct row rows[] = {
	ROW("seed", NUMBER, seed, "contents come from it (1)"),
	ROW("common-seed", NUMBER, common_seed, "contents of --common come from it (1)"),
	ROW("unique", NUMBER, unique, "pages with a content of their own"),
	ROW("pairs", NUMBER, pairs, "contents twice each"),
	ROW("zero", NUMBER, zero, "written pages full of zeros"),
	ROW("common", NUMBER, common, "pages from --common-seed"),
	ROW("holes", NUMBER, holes, "unique pages, each followed by an untouched one"),
	ROW("volatile", NUMBER, volatile_pages, "pages that change all the time"),
	ROW("churn", NUMBER, churn_ms, "milliseconds between two changes of a volatile page (5)"),
	ROW("zeropage-mappings", NUMBER, zeropage, "pages that were only read"),
	ROW("huge-zeropage-mappings", NUMBER, huge_zeropage, "huge pages that were only read"),
	ROW("thp-regions", NUMBER, thp_regions, "huge pages"),
	ROW("thp-dup", NUMBER, thp_dup, "contents that every huge page holds once"),
	ROW("thp-zero", NUMBER, thp_zero, "zero pages in each huge page"),
	ROW("memfd", NUMBER, memfd, "pages of a shared memfd"),
	ROW("shared", NUMBER, shared, "pages of shared anonymous memory"),
	ROW("memfd-cow", NUMBER, memfd_cow, "written pages of a private mapping of a memfd"),
	ROW("file-cow", NUMBER, file_cow, "written pages of the private mapping of --file-private"),
	ROW("hugetlb", NUMBER, hugetlb, "hugetlb pages"),
	ROW("fork", NUMBER, fork, "children"),
	ROW("cow", NUMBER, cow, "unique pages that each child writes, each its own contents"),
	ROW("cow-same", NUMBER, cow_same, "unique pages that each child writes, all the same contents"),
	ROW("thp-cow", NUMBER, thp_cow, "pages of the first huge page that each child writes"),
	ROW("thp-cow-self", NUMBER, thp_cow_self, "the same by the process itself, once it has children"),
	ROW("lifetime", NUMBER, lifetime, "seconds after which it is killed (900)"),
	ROW("mergeable", FLAG, mergeable, "madvise(MADV_MERGEABLE) for all that is made"),
	ROW("merge-any", FLAG, merge_any, "prctl(PR_SET_MEMORY_MERGE)"),
	ROW("mlock", FLAG, mlock, "lock all that is made"),
	ROW("dontdump", FLAG, dontdump, "madvise(MADV_DONTDUMP) for all that is made"),
	ROW("stop", FLAG, stop, "SIGSTOP when ready, children too"),
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))
enum { OPTION_FILE = ROWS, OPTION_COPIES, OPTION_HELP, OPTIONS };

__attribute__((format(printf, 2, 3), noreturn))
static void die(int status, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "made_memory: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

static void usage(FILE *to)
{
	fprintf(to, "usage: made_memory [OPTION…]\n");
	for (size_t i = 0; i < ROWS; i++)
		fprintf(to, "  --%-24s%s\n", rows[i].name, rows[i].help);
	fprintf(to, "  --%-24s%s\n", "copies CxK", "C contents K times each; may be repeated");
	fprintf(to, "  --%-24s%s\n", "file-private FILE", "map it privately and read it all");
}

static unsigned long number(const char *text, char **end)
{
	unsigned long value;

	errno = 0;
	value = strtoul(text, end, 10);
	if (errno || *end == text || text[0] == '-')
		die(2, "not a number: %s", text);
	return value;
}

static void parse_one(struct options *o, int which, const char *text)
{
	char *end = "";

	if (which == OPTION_FILE) {
		o->file = text;
	} else if (which == OPTION_COPIES) {
		if (o->copies_count == MAX_COPIES)
			die(2, "--copies more than %d times", MAX_COPIES);
		o->copies[o->copies_count].contents = number(text, &end);
		if (*end == 'x')
			o->copies[o->copies_count++].times = number(end + 1, &end);
		if (*end)
			die(2, "--copies wants CxK: %s", text);
	} else {
		unsigned long *to = (unsigned long *)((char *)o + rows[which].offset);

		*to = rows[which].value == FLAG ? 1 : number(text, &end);
		if (*end)
			die(2, "--%s: not a number: %s", rows[which].name, text);
	}
}

static struct options parse(int argc, char **argv)
{
	struct options o = { .seed = 1, .common_seed = 1, .churn_ms = 5, .lifetime = 900 };
	struct option table[OPTIONS + 1] = {
		[OPTION_FILE] = { "file-private", required_argument, NULL, OPTION_FILE },
		[OPTION_COPIES] = { "copies", required_argument, NULL, OPTION_COPIES },
		[OPTION_HELP] = { "help", no_argument, NULL, OPTION_HELP },
	};
	int which;

	for (size_t i = 0; i < ROWS; i++)
		table[i] = (struct option){ rows[i].name, rows[i].value == FLAG ? no_argument : required_argument,
					    NULL, (int)i };
	while ((which = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (which == '?' || which == OPTION_HELP) {
			usage(which == '?' ? stderr : stdout);
			exit(which == '?' ? 2 : 0);
		}
		parse_one(&o, which, optarg);
	}
	if (optind < argc)
		die(2, "what is %s?", argv[optind]);
	if (o.cow + o.cow_same > o.unique)
		die(2, "--cow and --cow-same write pages of --unique, which are too few");
	if (o.thp_cow_self && !o.fork)
		die(2, "--thp-cow-self needs --fork");
	if (o.file_cow && !o.file)
		die(2, "--file-cow needs --file-private");
	if (o.stop && o.volatile_pages)
		die(2, "a stopped process changes nothing: --stop or --volatile");
	if (o.fork > MAX_CHILDREN)
		die(2, "at most %d children", MAX_CHILDREN);
	return o;
}

/* splitmix64 (Steele, Lea, Flood 2014): one step, also as a mixer. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static void fill(const struct made *m, char *at, unsigned long seed, enum kind kind, uint64_t index)
{
	uint64_t state = mix(mix(mix(seed) + kind) + index);
	uint64_t *words = (uint64_t *)at;

	for (size_t i = 0; i < m->page / sizeof(*words); i++)
		words[i] = state = mix(state);
}

/* `times` passes over the same `contents`: equal pages lie far from each other. */
static void fill_area(const struct made *m, char *at, enum kind kind, unsigned long contents, unsigned long times)
{
	for (unsigned long time = 0; time < times; time++)
		for (unsigned long i = 0; i < contents; i++, at += m->page)
			fill(m, at, m->options.seed, kind, i);
}

/* Aligned to a huge page, with untouched room behind it, so that no two areas become one. */
static char *area(struct made *m, unsigned long pages, int flags, int fd)
{
	size_t bytes = pages * m->page;
	char *at = mmap(m->next, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, fd, 0);

	if (at == MAP_FAILED && (flags & MAP_HUGETLB))
		die(EXIT_SKIP, "no hugetlb pages to be had: %s", strerror(errno));
	if (at == MAP_FAILED)
		die(errno == EEXIST ? EXIT_SKIP : 1, "mmap of %lu pages: %s", pages, strerror(errno));
	m->next += (bytes / m->pmd + 2) * m->pmd;
	return at;
}

/* A private anonymous area without huge pages, whatever the machine's setting. */
static char *small_area(struct made *m, unsigned long pages)
{
	char *at = area(m, pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	madvise(at, pages * m->page, MADV_NOHUGEPAGE);
	return at;
}

static void count(struct made *m, unsigned long candidate, unsigned long distinct)
{
	m->counts.candidate += candidate;
	m->counts.distinct += distinct;
}

static void make_plain(struct made *m)
{
	const struct options *o = &m->options;

	if (o->unique) {
		m->unique = small_area(m, o->unique);
		fill_area(m, m->unique, UNIQUE, o->unique, 1);
		count(m, o->unique, o->unique);
	}
	if (o->pairs) {
		fill_area(m, small_area(m, 2 * o->pairs), PAIR, o->pairs, 2);
		count(m, 2 * o->pairs, o->pairs);
	}
	for (unsigned int i = 0; i < o->copies_count; i++) {
		const struct copies *c = &o->copies[i];
		char *at = small_area(m, c->contents * c->times);

		for (unsigned long page = 0; page < c->contents * c->times; page++)
			fill(m, at + page * m->page, o->seed, COPIES, ((uint64_t)i << 32) + page % c->contents);
		count(m, c->contents * c->times, c->contents);
	}
	if (o->common) {
		char *at = small_area(m, o->common);

		for (unsigned long i = 0; i < o->common; i++)
			fill(m, at + i * m->page, o->common_seed, COMMON, i);
		count(m, o->common, o->common);
	}
}

static void make_sparse(struct made *m)
{
	const struct options *o = &m->options;

	if (o->zero) {
		memset(small_area(m, o->zero), 0, o->zero * m->page);
		m->counts.zero += o->zero;
		count(m, o->zero, 0);
	}
	if (o->zeropage) {
		if (madvise(small_area(m, o->zeropage), o->zeropage * m->page, MADV_POPULATE_READ))
			die(EXIT_SKIP, "MADV_POPULATE_READ: %s", strerror(errno));
		m->counts.zeropage += o->zeropage;
	}
	if (o->holes) {
		char *at = small_area(m, 2 * o->holes);

		for (unsigned long i = 0; i < o->holes; i++)
			fill(m, at + 2 * i * m->page, o->seed, HOLE, i);
		count(m, o->holes, o->holes);
	}
	if (o->volatile_pages) {
		m->churn = small_area(m, o->volatile_pages);
		fill_area(m, m->churn, CHURN, o->volatile_pages, 1);
		count(m, o->volatile_pages, o->volatile_pages);
	}
}

/* AnonHugePages of the mapping at `start`, in bytes. */
static size_t huge_bytes(const char *start)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512];
	size_t kib = 0;
	unsigned long from, to;
	bool found = false;

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			found = from == (unsigned long)start;
		if (found && sscanf(line, "AnonHugePages: %zu kB", &kib) == 1)
			break;
	}
	if (smaps)
		fclose(smaps);
	return kib * 1024;
}

static void make_huge(struct made *m)
{
	const struct options *o = &m->options;
	unsigned long pages = m->pmd / m->page, bytes = o->thp_regions * m->pmd;

	if (!o->thp_regions)
		return;
	if (o->thp_dup + o->thp_zero > pages)
		die(2, "a huge page has only %lu pages", pages);
	m->thp = area(m, o->thp_regions * pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (madvise(m->thp, bytes, MADV_HUGEPAGE))
		die(EXIT_SKIP, "MADV_HUGEPAGE: %s", strerror(errno));
	for (unsigned long i = 0; i < o->thp_regions * pages; i++) {
		unsigned long inside = i % pages;

		if (inside < o->thp_dup)
			fill(m, m->thp + i * m->page, o->seed, THP_DUP, inside);
		else if (inside < pages - o->thp_zero)
			fill(m, m->thp + i * m->page, o->seed, THP_OWN, i);
		else
			memset(m->thp + i * m->page, 0, m->page);
	}
	if (huge_bytes(m->thp) != bytes)
		die(EXIT_SKIP, "only %zu of %lu bytes became huge pages", huge_bytes(m->thp), bytes);
	m->counts.huge += o->thp_regions * pages;
	m->counts.zero += o->thp_regions * o->thp_zero;
	m->counts.zero_in_huge += o->thp_regions * o->thp_zero;
	count(m, o->thp_regions * pages, o->thp_dup + o->thp_regions * (pages - o->thp_dup - o->thp_zero));
}

static void make_huge_zeropage(struct made *m)
{
	size_t bytes = m->options.huge_zeropage * m->pmd;
	char *at;

	if (!bytes)
		return;
	at = area(m, bytes / m->page, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (madvise(at, bytes, MADV_HUGEPAGE) || madvise(at, bytes, MADV_POPULATE_READ))
		die(EXIT_SKIP, "huge zero page: %s", strerror(errno));
	m->counts.zeropage += bytes / m->page;
}

static int memfd_of(const struct made *m, unsigned long pages)
{
	int fd = memfd_create("made_memory", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)(pages * m->page)))
		die(1, "memfd of %lu pages: %s", pages, strerror(errno));
	return fd;
}

/* Memory that KSM refuses. Each content twice, so that counting it would show. */
static void make_shared(struct made *m)
{
	const struct options *o = &m->options;

	if (o->memfd) {
		char *at = area(m, 2 * o->memfd, MAP_SHARED, memfd_of(m, 2 * o->memfd));

		fill_area(m, at, MEMFD, o->memfd, 2);
		m->counts.refused += 2 * o->memfd;
	}
	if (o->shared) {
		fill_area(m, area(m, 2 * o->shared, MAP_SHARED | MAP_ANONYMOUS, -1), SHARED, o->shared, 2);
		m->counts.refused += 2 * o->shared;
	}
	if (o->hugetlb) {
		size_t bytes = o->hugetlb * m->pmd;

		memset(area(m, bytes / m->page, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1), 1, bytes);
		m->counts.refused += bytes / m->page;
	}
}

/* Private mappings of files: the file's own pages are no candidates, copied ones are. */
static void make_file(struct made *m)
{
	const struct options *o = &m->options;
	struct stat status;
	volatile char sink;
	char *at;
	int fd;

	if (o->memfd_cow) {
		at = area(m, o->memfd_cow, MAP_PRIVATE, memfd_of(m, o->memfd_cow));
		fill_area(m, at, MEMFD_COW, o->memfd_cow, 1);
		count(m, o->memfd_cow, o->memfd_cow);
	}
	if (!o->file)
		return;
	fd = open(o->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) || (size_t)status.st_size < o->file_cow * m->page)
		die(1, "%s: not to be read, or shorter than --file-cow", o->file);
	at = area(m, (unsigned long)status.st_size / m->page, MAP_PRIVATE, fd);
	for (size_t offset = 0; offset + m->page <= (size_t)status.st_size; offset += m->page)
		sink = at[offset];
	(void)sink;
	fill_area(m, at, FILE_COW, o->file_cow, 1);
	count(m, o->file_cow, o->file_cow);
}

/* madvise and mlock of all that lies between GROUND and the end, mapping or gap. */
static void advise_all(const struct made *m)
{
	const struct options *o = &m->options;
	size_t bytes = (size_t)(m->next - GROUND);

	/* ENOMEM says that there are gaps; the mappings between them are advised all the same. */
	if (o->mergeable && madvise(GROUND, bytes, MADV_MERGEABLE) && errno != ENOMEM)
		die(EXIT_SKIP, "MADV_MERGEABLE: %s", strerror(errno));
	if (o->dontdump && madvise(GROUND, bytes, MADV_DONTDUMP) && errno != ENOMEM)
		die(1, "MADV_DONTDUMP: %s", strerror(errno));
	if (o->merge_any && prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		die(EXIT_SKIP, "PR_SET_MEMORY_MERGE: %s", strerror(errno));
	if (o->mlock && mlockall(MCL_CURRENT | MCL_ONFAULT))
		die(EXIT_SKIP, "mlockall: %s", strerror(errno));
}

static void child(const struct made *m, unsigned long number_of_child, int ready)
{
	const struct options *o = &m->options;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned long i = 0; i < o->cow; i++)
		fill(m, m->unique + i * m->page, o->seed, COW, (number_of_child << 32) + i);
	for (unsigned long i = 0; i < o->cow_same; i++)
		fill(m, m->unique + (o->cow + i) * m->page, o->seed, COW_SAME, i);
	for (unsigned long i = 0; i < o->thp_cow; i++)
		fill(m, m->thp + i * m->page, o->seed, COW, (number_of_child << 32) + (1 << 24) + i);
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	if (o->stop)
		raise(SIGSTOP);
	for (;;)
		pause();
}

static void make_children(struct made *m)
{
	const struct options *o = &m->options;
	int ready[2], status;
	char byte;

	if (pipe(ready))
		die(1, "pipe: %s", strerror(errno));
	for (unsigned long i = 0; i < o->fork; i++) {
		m->children[i] = fork();
		if (m->children[i] < 0)
			die(1, "fork: %s", strerror(errno));
		if (!m->children[i])
			child(m, i, ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			die(1, "child %lu ended", i);
		if (o->stop && waitpid(m->children[i], &status, WUNTRACED) < 0)
			die(1, "waitpid: %s", strerror(errno));
	}
	close(ready[0]);
	close(ready[1]);
	for (unsigned long i = 0; i < o->thp_cow_self; i++)
		fill(m, m->thp + i * m->page, o->seed, COW, (o->fork << 32) + i);
	count(m, o->thp_cow_self, o->thp_cow_self);
	count(m, o->fork * (o->cow + o->cow_same + o->thp_cow),
	      o->fork * (o->cow + o->thp_cow) + (o->fork ? o->cow_same : 0));
}

/* Whatever becomes of whoever started us, we don't stay for ever; a stopped process dies of SIGKILL too. */
static void limit_lifetime(unsigned long seconds)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec when = { .it_value.tv_sec = (time_t)seconds };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &when, NULL))
		die(1, "timer: %s", strerror(errno));
}

static void announce(const struct made *m)
{
	const struct counts *c = &m->counts;

	printf("ready %d children=", (int)getpid());
	for (unsigned long i = 0; i < m->options.fork; i++)
		printf("%s%d", i ? "," : "", (int)m->children[i]);
	printf(" from=%p to=%p candidate=%lu distinct=%lu zero=%lu zero_in_huge=%lu huge=%lu zeropage=%lu refused=%lu\n",
	       (void *)GROUND, (void *)m->next, c->candidate, c->distinct + (c->zero ? 1 : 0), c->zero,
	       c->zero_in_huge, c->huge, c->zeropage, c->refused);
	fflush(stdout);
}

static void churn(const struct made *m)
{
	const struct options *o = &m->options;
	struct timespec pause_for = { .tv_sec = (time_t)(o->churn_ms / 1000),
				      .tv_nsec = (long)(o->churn_ms % 1000) * 1000000 };

	for (uint64_t round = 1;; round++) {
		for (unsigned long i = 0; i < o->volatile_pages; i++)
			*(uint64_t *)(m->churn + i * m->page) = mix(round);
		nanosleep(&pause_for, NULL);
	}
}

/* The size of a huge page; where the kernel has none, any alignment does. */
static size_t pmd_bytes(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");
	size_t bytes = 2 << 20;

	if (file && fscanf(file, "%zu", &bytes) != 1)
		bytes = 2 << 20;
	if (file)
		fclose(file);
	return bytes;
}

int main(int argc, char **argv)
{
	struct made m = { .options = parse(argc, argv), .page = (size_t)sysconf(_SC_PAGESIZE), .pmd = pmd_bytes(),
			  .next = GROUND };

	limit_lifetime(m.options.lifetime);
	make_plain(&m);
	make_sparse(&m);
	make_huge(&m);
	make_huge_zeropage(&m);
	make_shared(&m);
	make_file(&m);
	advise_all(&m);
	make_children(&m);
	announce(&m);
	if (m.options.stop)
		raise(SIGSTOP);
	if (m.options.volatile_pages)
		churn(&m);
	for (;;)
		pause();
}
