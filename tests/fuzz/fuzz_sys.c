// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The readers of /proc and /sys, on a made system whose files hold the parts
 * of the input. A part that is not there is a file that is not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/cgroups.h"
#include "sys/host.h"
#include "sys/ksm_read.h"
#include "sys/pagemap.h"
#include "sys/proc.h"
#include "sys/proc_tasks.h"
#include "sys/users.h"
#include "tests/fuzz/target.h"

/* ---- the made system: one for all inputs, below $TMPDIR, which whoever starts us removes ---- */

static void make_directories(int dir, const char *path)
{
	char part[PATH_MAX];
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		REQUIRE(!mkdirat(dir, part, 0700) || errno == EEXIST || errno == ENAMETOOLONG);
	}
}

static const struct sysroot *made_system(void)
{
	static struct sysroot root = { .dir = -1 };
	char path[PATH_MAX];
	struct error err;

	if (root.dir >= 0)
		return &root;
	snprintf(path, sizeof(path), "%s/ksmscope-fuzz-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	REQUIRE(mkdtemp(path));
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(dir >= 0);
	make_directories(dir, "proc/7/");
	make_directories(dir, "proc/pressure/");
	make_directories(dir, KSM_DIRECTORY "/");
	make_directories(dir, "sys/kernel/mm/transparent_hugepage/");
	make_directories(dir, "etc/");
	close(dir);
	REQUIRE(!sysroot_open(&root, path, &err) && !root.live);
	return &root;
}

static void put_file(const struct sysroot *root, const char *path, const uint8_t *data, size_t size)
{
	if (!data) {
		unlinkat(root->dir, path, 0);
		return;
	}
	scoped_fd int fd = openat(root->dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
}

/* One part for each of the paths, the last of which is NULL. */
static const struct sysroot *made_of(const char *const *paths, struct fuzz_input *in)
{
	const struct sysroot *root = made_system();
	for (; *paths; paths++) {
		const uint8_t *part = NULL;
		size_t length = 0;
		put_file(root, *paths, fuzz_part(in, &part, &length) ? part : NULL, length);
	}
	return root;
}

/* ---- one process ---- */

static void check_facts(const struct sysroot *root)
{
	struct process_facts *facts;
	struct cgroups groups;
	struct error err = { 0 };
	size_t count;

	REQUIRE(!cgroups_read(&groups, root, &err));
	REQUIRE(!proc_tasks_read(root, &groups, &facts, &count, &err));
	REQUIRE(count <= 1 && (!count || memchr(facts[0].comm, '\0', sizeof(facts[0].comm))));
	free(facts);
	cgroups_free(&groups);
}

void fuzz_process(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "proc/7/stat", "proc/7/status", "proc/7/cgroup", "proc/7/ksm_stat",
					     "proc/7/cmdline", "proc/7/ksm_merging_pages", NULL };
	struct fuzz_input in = { data, data + size };
	const struct sysroot *root = made_of(paths, &in);
	struct sample sample;
	struct task task;

	sample_init(&sample);
	enum known known = proc_task(root, 7, &task, &sample);
	REQUIRE(known == KNOWN || known == GONE || known == DENIED);
	if (known == KNOWN)
		REQUIRE(memchr(task.comm, '\0', sizeof(task.comm)) && (!task.cgroup || task.cgroup < sample.names_length));
	proc_anon_pages(root, 7, 4096);
	check_facts(root);
	sample_free(&sample);
	for (const char *const *path = paths; *path; path++)
		put_file(root, *path, NULL, 0);
}

void fuzz_smaps(const uint8_t *data, size_t size)
{
	const struct sysroot *root = made_system();
	struct sample sample;

	sample_init(&sample);
	sample.machine.page_bytes = 4096;
	put_file(root, "proc/7/smaps", data, size);
	enum known known = proc_areas(root, 7, 0, &sample);
	REQUIRE(known == KNOWN || known == GONE || known == DENIED);
	for (size_t i = 0; i < sample.areas_count; i++) {
		const struct area *area = &sample.areas[i];
		REQUIRE(area->start < area->end && (area->end - area->start) / 4096 <= UINT32_MAX);
		REQUIRE(!area->name || area->name < sample.names_length);
	}
	sample_free(&sample);
	put_file(root, "proc/7/smaps", NULL, 0);
}

/* ---- the machine ---- */

void fuzz_engine(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { KSM_DIRECTORY "/run", KSM_DIRECTORY "/advisor_mode",
					     KSM_DIRECTORY "/general_profit", KSM_DIRECTORY "/pages_to_scan",
					     "proc/vmstat", "proc/7/stat", NULL };
	struct fuzz_input in = { data, data + size };
	const struct sysroot *root = made_of(paths, &in);
	struct engine engine;
	enum advisor_mode mode;

	ksm_read(root, &engine);
	if (is_known(engine.knob[KNOB_ADVISOR_MODE]))
		REQUIRE(advisor_mode_parse(advisor_mode_name(engine.knob[KNOB_ADVISOR_MODE].number), &mode) &&
			mode == engine.knob[KNOB_ADVISOR_MODE].number);
	host_task_cpu_ns(root, 7);
	put_file(root, "proc/7/stat", NULL, 0);
}

void fuzz_host(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "proc/meminfo", "proc/pressure/memory", "proc/7/schedstat",
					     "sys/kernel/mm/transparent_hugepage/enabled", "proc/vmstat", NULL };
	struct fuzz_input in = { data, data + size };
	const struct sysroot *root = made_of(paths, &in);
	struct value total, copies, collapses;
	const struct host_line lines[] = { { "MemTotal", &total }, { "SwapFree", &copies }, { NULL, NULL } };
	const struct host_line counters[] = { { "thp_collapse_alloc", &collapses }, { NULL, NULL } };
	struct host_pressure pressure;
	struct machine machine;

	host_lines(root, "proc/meminfo", lines);
	host_lines(root, "proc/vmstat", counters);
	host_pressure(root, &pressure);
	host_task_cpu_ns(root, 7);
	proc_machine(root, &machine);
	REQUIRE(machine.page_bytes && machine.nodes);
}

void fuzz_users(const uint8_t *data, size_t size)
{
	const struct sysroot *root = made_system();
	struct users users;

	put_file(root, "etc/passwd", data, size);
	users_read(&users, root);
	for (size_t i = 0; i < users.count; i++) {
		REQUIRE(!i || users.list[i - 1].uid <= users.list[i].uid);
		REQUIRE(users_name(&users, users.list[i].uid));
	}
	users_free(&users);
}

/* A process's entries, then what kpageflags has. */
void fuzz_pagemap(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	const struct sysroot *root = made_system();
	uint64_t address = fuzz_byte(&in) * 4096ull, end, most = address + fuzz_byte(&in) * 4096ull, entries[16];
	size_t half = (size_t)(in.end - in.at) / 2;
	struct pagemap map;

	put_file(root, "proc/7/pagemap", in.at, half);
	put_file(root, "proc/kpageflags", in.at + half, half);
	REQUIRE(pagemap_open(&map, root, 7, 4096) == KNOWN);
	int fd = kpageflags_open(root);
	REQUIRE(fd >= 0);
	while (pagemap_next_run(&map, &address, most, &end)) {
		REQUIRE(address < end);
		size_t count = pagemap_read(&map, address, entries, 16);
		REQUIRE(count <= 16);
		uint64_t pfns[16], flags[16];
		for (size_t i = 0; i < count; i++)
			pfns[i] = entries[i] & PAGEMAP_PFN_MASK;
		REQUIRE(!kpageflags_read(fd, pfns, flags, count));
		if (!count)
			break;
		address += count * 4096;
	}
	close(fd);
	pagemap_close(&map);
}

/* ---- groups: each part is a directory; what can't be a name ends it ---- */

static void remove_tree(int dir, const char *path)
{
	char part[PATH_MAX];
	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strrchr(part, '/'); slash; slash = strrchr(part, '/')) {
		unlinkat(dir, part, AT_REMOVEDIR);
		*slash = '\0';
	}
}

void fuzz_cgroups(const uint8_t *data, size_t size)
{
	const struct sysroot *root = made_system();
	struct fuzz_input in = { data, data + size };
	struct cgroups groups;
	struct error err = { 0 };
	const uint8_t *part;
	size_t length, made = 0;
	char *paths[8];

	for (; made < 8 && fuzz_part(&in, &part, &length); made++) {
		char *name = fuzz_string(part, length), *dots = strstr(name, "..");
		if (dots)
			*dots = '\0';
		REQUIRE(asprintf(&paths[made], "sys/fs/cgroup/%s/", name) > 0);
		make_directories(root->dir, paths[made]);
		free(name);
	}
	REQUIRE(!cgroups_read(&groups, root, &err));
	for (size_t i = 0; i < groups.count; i++)
		REQUIRE(*groups.names[i].path == '/' && cgroups_path(&groups, groups.names[i].id));
	cgroups_free(&groups);
	while (made) {
		remove_tree(root->dir, paths[--made]);
		free(paths[made]);
	}
}
