// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What has this kernel of what ksmscope uses? Everything is tried or looked
 * for, nothing is concluded from a version. Prints lines "feature<TAB>answer":
 * "yes", "no", a number, the name of an errno, or "?" where it could not be
 * tried here; docs/kernels.md is made of them. Root; changes only its own
 * process and children.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/error.h"
#include "probe/attach.h"
#include "probe/content.h"
#include "probe/content_private.h"
#include "probe/framewalk.h"
#include "sys/pagemap.h"
#include "sys/split_probe.h"

#define SET_MEMORY_MERGE 67
#define GET_MEMORY_MERGE 68
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

#define KSM "sys/kernel/mm/ksm/"
#define THP "sys/kernel/mm/transparent_hugepage/"

struct here {
	struct sysroot root;
	struct btf *types;
	uint64_t page_bytes, pmd_bytes;
	const char *self;		/* this program, to be executed again */
	char answer[128];
};

/* What a feature asks for; `what` is its parameter. Returns the answer, static or in m->answer. */
typedef const char *(*question)(struct here *m, const char *what);

struct feature {
	const char *name;
	question ask;
	const char *what;
};

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

/* What a system call said: yes, or the name of its error. */
static const char *outcome(bool done)
{
	return done ? "yes" : strerrorname_np(errno);
}

/* ---- files ---- */

static const char *has_file(struct here *m, const char *path)
{
	int fd = sysroot_openf(&m->root, "%s", path);
	if (fd >= 0)
		close(fd);
	return yes_no(fd >= 0);
}

static const char *says(struct here *m, const char *path)
{
	if (sysroot_read(&m->root, m->answer, sizeof(m->answer), "%s", path) != KNOWN)
		return "no";
	m->answer[strcspn(m->answer, "\n")] = '\0';
	return m->answer;
}

static const char *file_has(struct here *m, const char *path, const char *text)
{
	size_t size = 1 << 20;
	char *all = malloc(size);
	bool found = all && sysroot_read(&m->root, all, size, "%s", path) == KNOWN && strstr(all, text);
	free(all);
	return yes_no(found);
}

static const char *ksm_stat_has(struct here *m, const char *line)
{
	return file_has(m, "proc/self/ksm_stat", line);
}

static const char *vmstat_has(struct here *m, const char *line)
{
	return file_has(m, "proc/vmstat", line);
}

static const char *smaps_has(struct here *m, const char *line)
{
	return file_has(m, "proc/self/smaps", line);
}

/* ---- types ---- */

static const char *has_tracepoint(struct here *m, const char *name)
{
	if (!m->types)
		return "?";
	unsigned int arguments = tracepoint_arguments(m->types, name);
	if (!arguments)
		return "no";
	snprintf(m->answer, sizeof(m->answer), "yes (%u)", arguments);
	return m->answer;
}

/* ---- system calls ---- */

/* In a child, since a mapping that is opted in or a process that is stays so. `tried` returns an exit status: 0 yes. */
static const char *in_child(struct here *m, int (*tried)(struct here *m))
{
	int status = 0;
	fflush(stdout);
	pid_t child = fork();
	if (!child)
		_exit(tried(m));
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return "?";
	return WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "yes";
}

static int opt_in(struct here *m)
{
	(void)m;
	return prctl(SET_MEMORY_MERGE, 1, 0, 0, 0) ? errno : 0;
}

static int opt_in_and_fork(struct here *m)
{
	int status = 0;
	int rc = opt_in(m);
	if (rc)
		return rc;
	pid_t child = fork();
	if (!child)
		_exit(prctl(GET_MEMORY_MERGE, 0, 0, 0, 0) != 1);
	return waitpid(child, &status, 0) != child || status ? ENODATA : 0;
}

static int opt_in_and_exec(struct here *m)
{
	int rc = opt_in(m);
	if (rc)
		return rc;
	execl(m->self, m->self, "--opted-in", NULL);
	return errno;
}

static const char *merge_any(struct here *m, const char *what)
{
	(void)what;
	return in_child(m, opt_in);
}

static const char *merge_any_fork(struct here *m, const char *what)
{
	(void)what;
	return in_child(m, opt_in_and_fork);
}

static const char *merge_any_exec(struct here *m, const char *what)
{
	(void)what;
	return in_child(m, opt_in_and_exec);
}

static void *map_huge(struct here *m)
{
	uint64_t bytes = m->pmd_bytes ? m->pmd_bytes : m->page_bytes;
	char *area = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return NULL;
	area += (bytes - (uintptr_t)area % bytes) % bytes;
	for (uint64_t at = 0; at < bytes; at += m->page_bytes)
		area[at] = 1;
	return area;
}

/* Advice for a child of ours, which shares our mappings' addresses. */
static const char *advise_child(struct here *m, int advice)
{
	void *area = map_huge(m);
	pid_t child = area ? fork() : -1;
	if (!child) {
		pause();
		_exit(0);
	}
	int fd = child > 0 ? (int)syscall(SYS_pidfd_open, child, 0) : -1;
	struct iovec range = { area, m->pmd_bytes ? m->pmd_bytes : m->page_bytes };
	const char *answer = fd < 0 ? "?" : outcome(syscall(SYS_process_madvise, fd, &range, 1, advice, 0) >= 0);
	if (fd >= 0)
		close(fd);
	if (child > 0 && !kill(child, SIGKILL))
		waitpid(child, NULL, 0);
	return answer;
}

static const char *remote_merge(struct here *m, const char *what)
{
	(void)what;
	return advise_child(m, MADV_MERGEABLE);
}

static const char *remote_collapse(struct here *m, const char *what)
{
	(void)what;
	return m->pmd_bytes ? advise_child(m, MADV_COLLAPSE) : "?";
}

static const char *remote_cold(struct here *m, const char *what)
{
	(void)what;
	return advise_child(m, MADV_COLD);
}

static const char *own_merge(struct here *m, const char *what)
{
	(void)what;
	void *area = map_huge(m);
	return area ? outcome(!madvise(area, m->page_bytes, MADV_MERGEABLE)) : "?";
}

static const char *scans_pagemap(struct here *m, const char *what)
{
	struct pagemap map;
	uint64_t from = (uintptr_t)map_huge(m), to = 0;

	(void)what;
	if (!from || pagemap_open(&map, &m->root, getpid(), m->page_bytes) != KNOWN)
		return "?";
	/* it is found out at the first run that is looked for */
	pagemap_next_run(&map, &from, from + (1 << 26), &to);
	bool can = map.can_scan;
	pagemap_close(&map);
	return yes_no(can);
}

/* Is a page soft-dirty right after it is written, and clean after clear_refs 4? */
static const char *tracks_writes(struct here *m, const char *what)
{
	struct pagemap map;
	uint64_t entry = ~0ull;
	char *area = map_huge(m);
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	(void)what;
	bool cleared = fd >= 0 && write(fd, "4", 1) == 1;
	if (fd >= 0)
		close(fd);
	if (!area || !cleared || pagemap_open(&map, &m->root, getpid(), m->page_bytes) != KNOWN)
		return "no";
	pagemap_read(&map, (uintptr_t)area, &entry, 1);
	bool clean = !(entry >> 55 & 1);
	area[0]++;
	pagemap_read(&map, (uintptr_t)area, &entry, 1);
	pagemap_close(&map);
	return yes_no(clean && (entry >> 55 & 1));
}

/* ---- what our own parts say ---- */

static const char *opens_reader(struct here *m, const char *what)
{
	struct content *content;
	struct error err;
	bool direct = !strcmp(what, "direct");

	(void)m;
	if (content_open(&content, direct ? READER_DIRECT_MAP : READER_COPY, NULL, &err))
		return "no";
	content_close(content);
	return "yes";
}

static const char *probes_in_place(struct here *m, const char *what)
{
	struct content *content;
	struct error err;

	(void)m;
	(void)what;
	if (content_open(&content, READER_DIRECT_MAP, NULL, &err))
		return "?";
	const char *answer = yes_no(content_probes_in_place(content));
	content_close(content);
	return answer;
}

static const char *walks_tables(struct here *m, const char *what)
{
	struct walk_layout layout;
	struct error err;

	(void)what;
	if (framewalk_learn(&layout, &m->root, &err))
		return "no";
	snprintf(m->answer, sizeof(m->answer), "%u levels", layout.levels);
	return m->answer;
}

static const char *split_frees(struct here *m, const char *what)
{
	(void)what;
	struct value frees = split_frees_zero(&m->root, m->page_bytes, m->pmd_bytes);
	return frees.known == KNOWN ? yes_no(frees.number) : "?";
}

static const char *base_page(struct here *m, const char *what)
{
	(void)what;
	snprintf(m->answer, sizeof(m->answer), "%llu KiB", (unsigned long long)m->page_bytes >> 10);
	return m->answer;
}

static const char *huge_page(struct here *m, const char *what)
{
	(void)what;
	if (!m->pmd_bytes)
		return "no";
	snprintf(m->answer, sizeof(m->answer), "%llu MiB", (unsigned long long)m->pmd_bytes >> 20);
	return m->answer;
}

static const struct feature features[] = {
	{ "base page", base_page, NULL },
	{ "huge page", huge_page, NULL },
	{ "ksm/run", has_file, KSM "run" },
	{ "ksm/merge_across_nodes", has_file, KSM "merge_across_nodes" },
	{ "ksm/use_zero_pages", has_file, KSM "use_zero_pages" },
	{ "ksm/max_page_sharing", has_file, KSM "max_page_sharing" },
	{ "ksm/general_profit", has_file, KSM "general_profit" },
	{ "ksm/ksm_zero_pages", has_file, KSM "ksm_zero_pages" },
	{ "ksm/pages_scanned", has_file, KSM "pages_scanned" },
	{ "ksm/smart_scan, pages_skipped", has_file, KSM "smart_scan" },
	{ "ksm/advisor_mode", has_file, KSM "advisor_mode" },
	{ "madvise(MADV_MERGEABLE)", own_merge, NULL },
	{ "prctl(PR_SET_MEMORY_MERGE)", merge_any, NULL },
	{ "… kept over fork", merge_any_fork, NULL },
	{ "… kept over exec", merge_any_exec, NULL },
	{ "process_madvise(MERGEABLE) of another process", remote_merge, NULL },
	{ "process_madvise(COLD) of another process", remote_cold, NULL },
	{ "process_madvise(COLLAPSE) of another process", remote_collapse, NULL },
	{ "ksm_stat: ksm_rmap_items", ksm_stat_has, "ksm_rmap_items" },
	{ "ksm_stat: ksm_zero_pages", ksm_stat_has, "ksm_zero_pages" },
	{ "ksm_stat: ksm_process_profit", ksm_stat_has, "ksm_process_profit" },
	{ "ksm_stat: ksm_merge_any, ksm_mergeable", ksm_stat_has, "ksm_merge_any" },
	{ "/proc/PID/ksm_merging_pages", has_file, "proc/self/ksm_merging_pages" },
	{ "smaps: KSM", smaps_has, "\nKSM:" },
	{ "vmstat: cow_ksm, ksm_swpin_copy", vmstat_has, "cow_ksm" },
	{ "vmstat: thp_split_page", vmstat_has, "thp_split_page" },
	{ "pressure stall information", has_file, "proc/pressure/memory" },
	{ "kpageflags", has_file, "proc/kpageflags" },
	{ "ioctl PAGEMAP_SCAN", scans_pagemap, NULL },
	{ "soft-dirty bits", tracks_writes, NULL },
	{ "idle page tracking", has_file, "sys/kernel/mm/page_idle/bitmap" },
	{ "DAMON by sysfs", has_file, "sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds" },
	{ "lockdown", says, "sys/kernel/security/lockdown" },
	{ "tracepoint ksm_start_scan (and 7 more)", has_tracepoint, "ksm_start_scan" },
	{ "tracepoint ksm_advisor", has_tracepoint, "ksm_advisor" },
	{ "tracepoint page_fault_user", has_tracepoint, "page_fault_user" },
	{ "tracepoint mm_collapse_huge_page", has_tracepoint, "mm_collapse_huge_page" },
	{ "tracepoint mm_khugepaged_scan_pmd", has_tracepoint, "mm_khugepaged_scan_pmd" },
	{ "tracepoint remove_migration_pte", has_tracepoint, "remove_migration_pte" },
	{ "reader: direct map", opens_reader, "direct" },
	{ "reader: copying", opens_reader, "copy" },
	{ "probe reads lines in place", probes_in_place, NULL },
	{ "page tables walked by BPF", walks_tables, NULL },
	{ "splitting a huge page frees zero pages", split_frees, NULL },
};

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

int main(int argc, char **argv)
{
	struct here m = { .page_bytes = sysconf(_SC_PAGESIZE), .self = argv[0] };

	if (argc > 1 && !strcmp(argv[1], "--opted-in"))
		return prctl(GET_MEMORY_MERGE, 0, 0, 0, 0) == 1 ? 0 : ENODATA;
	if (sysroot_open(&m.root, NULL, NULL))
		return EXIT_FAILED;
	libbpf_set_print(silent);
	m.types = btf__load_vmlinux_btf();
	struct value pmd = sysroot_number(&m.root, THP "hpage_pmd_size");
	m.pmd_bytes = pmd.known == KNOWN ? pmd.number : 0;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		const char *answer = features[i].ask(&m, features[i].what);
		printf("%s\t%s\n", features[i].name, answer ? answer : "?");
		fflush(stdout);
	}
	btf__free(m.types);
	sysroot_close(&m.root);
	return EXIT_DONE;
}
