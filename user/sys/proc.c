// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "sys/whole_file.h"

#define PF_KTHREAD 0x00200000	/* include/linux/sched.h, field 9 of /proc/PID/stat */

static int by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
	return x < y ? -1 : x > y;
}

int proc_pids(const struct sysroot *root, pid_t **ret, size_t *ret_count, struct error *err)
{
	scoped_dir DIR *dir = sysroot_dir(root, "proc");
	struct dirent *entry;
	size_t count = 0, room = 0;
	uint64_t pid;

	*ret = NULL;
	if (!dir)
		return fail_errno(err, "list", "/proc", "is procfs mounted?");
	while ((entry = readdir(dir))) {
		if (!parse_u64(entry->d_name, &pid) || pid > INT32_MAX)
			continue;
		if (count == room) {
			room = room ? room * 2 : 256;
			pid_t *more = realloc(*ret, room * sizeof(pid_t));
			if (!more) {
				free(*ret);
				*ret = NULL;
				return fail(err, EXIT_FAILED, "out of memory listing processes");
			}
			*ret = more;
		}
		(*ret)[count++] = (pid_t)pid;
	}
	if (count)
		qsort(*ret, count, sizeof(pid_t), by_pid);
	*ret_count = count;
	return 0;
}

/* The value after "Name:" in a status-like file; NULL when there is none. */
static const char *field(const char *text, const char *name)
{
	size_t n = strlen(name);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, n) && (line[n] == ':' || line[n] == ' ')) {
			line += n + 1;
			return line + strspn(line, " \t");
		}
		if (!*line)
			break;
	}
	return NULL;
}

/* Leading digits (with a sign) of a field. */
static struct value field_number(const char *text, const char *name, enum known whole)
{
	const char *at = whole == KNOWN ? field(text, name) : NULL;
	if (!at)
		return (struct value){ .known = whole == KNOWN ? ABSENT : whole };
	return value_of(strtoll(at, NULL, 10));
}

static struct value field_yes(const char *text, const char *name, enum known whole)
{
	const char *at = whole == KNOWN ? field(text, name) : NULL;
	if (!at)
		return (struct value){ .known = whole == KNOWN ? ABSENT : whole };
	return value_of(!strncmp(at, "yes", 3));
}

/* "pid (comm) state ppid … flags … starttime": comm may hold anything, ')' and blanks too. */
static bool parse_stat(const char *text, struct task *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	unsigned int flags;
	unsigned long long start;
	int parent;

	if (!open || !close || close < open)
		return false;
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", (int)(close - open - 1), open + 1);
	if (sscanf(close + 1, " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &ret->state, &parent, &flags, &start) != 4)
		return false;
	ret->parent = parent;
	ret->start_ticks = start;
	ret->kernel_thread = flags & PF_KTHREAD;
	return true;
}

/* The unified hierarchy's path where it says something, else the memory controller's. */
static uint32_t parse_cgroup(const char *text, struct sample *names)
{
	char path[4096] = "";
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *controllers = strchr(line, ':');
		const char *at = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!at)
			continue;
		bool unified = !strncmp(line, "0::", 3), memory = !strncmp(controllers, ":memory:", 8);
		int length = strcspn(at + 1, "\n");
		if ((unified && length > 1) || (memory && strlen(path) <= 1) || !*path)
			snprintf(path, sizeof(path), "%.*s", length, at + 1);
	}
	return sample_name(names, path);
}

/* QEMU names its guest with -name guest=NAME,… or -name NAME,…; without a name the PID tells guests apart. */
static uint32_t parse_guest(const char *cmdline, size_t length, pid_t pid, struct sample *names)
{
	char name[256];
	snprintf(name, sizeof(name), "qemu-%d", pid);
	for (const char *arg = cmdline; arg < cmdline + length; arg += strlen(arg) + 1) {
		const char *value = arg + strlen(arg) + 1;
		if (strcmp(arg, "-name") || value >= cmdline + length)
			continue;
		if (!strncmp(value, "guest=", 6))
			value += 6;
		if (*value)
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(value, ","), value);
	}
	return sample_name(names, name);
}

bool proc_is_guest(const char *comm)
{
	return !strncmp(comm, "qemu-system", 11) || !strncmp(comm, "qemu-kvm", 8) || !strcmp(comm, "kvm");
}

static uint32_t guest_of(const struct sysroot *root, pid_t pid, const char *comm, struct sample *names)
{
	if (!proc_is_guest(comm))
		return 0;
	scoped_fd int fd = sysroot_openf(root, "proc/%d/cmdline", pid);
	char cmdline[65536];
	ssize_t n = fd < 0 ? -1 : read_fully(fd, cmdline, sizeof(cmdline) - 1);
	if (n < 0)
		n = 0;
	cmdline[n] = '\0';
	return parse_guest(cmdline, n, pid, names);
}

static void read_ksm_stat(const struct sysroot *root, pid_t pid, struct task_ksm *ret)
{
	char text[1024];
	enum known whole = sysroot_read(root, text, sizeof(text), "proc/%d/ksm_stat", pid);

	ret->rmap_items = field_number(text, "ksm_rmap_items", whole);
	ret->zero_pages = field_number(text, "ksm_zero_pages", whole);
	ret->merging_pages = field_number(text, "ksm_merging_pages", whole);
	ret->profit_bytes = field_number(text, "ksm_process_profit", whole);
	ret->merge_any = field_yes(text, "ksm_merge_any", whole);
	ret->mergeable = field_yes(text, "ksm_mergeable", whole);
}

enum known proc_task(const struct sysroot *root, pid_t pid, struct task *ret, struct sample *names)
{
	char text[8192];
	enum known known = sysroot_read(root, text, sizeof(text), "proc/%d/stat", pid);

	memset(ret, 0, sizeof(*ret));
	ret->pid = pid;
	if (known != KNOWN)
		return known == ABSENT ? GONE : known;
	if (!parse_stat(text, ret))
		return GONE;
	known = sysroot_read(root, text, sizeof(text), "proc/%d/status", pid);
	if (known != KNOWN)
		return known == ABSENT ? GONE : known;
	const char *uid = field(text, "Uid");
	unsigned int effective = 0;
	if (uid && sscanf(uid, "%*u %u", &effective) == 1)
		ret->uid = effective;
	if (sysroot_read(root, text, sizeof(text), "proc/%d/cgroup", pid) == KNOWN)
		ret->cgroup = parse_cgroup(text, names);
	ret->vm = guest_of(root, pid, ret->comm, names);
	ret->executable_known = proc_executable(root, pid, text, sizeof(text));
	if (ret->executable_known == KNOWN)
		ret->executable = sample_name(names, text);
	read_ksm_stat(root, pid, &ret->ksm);
	return KNOWN;
}

uint64_t proc_anon_pages(const struct sysroot *root, pid_t pid, uint64_t page_bytes)
{
	char text[8192];
	enum known known = sysroot_read(root, text, sizeof(text), "proc/%d/status", pid);
	int64_t kilobytes = value_or(field_number(text, "RssAnon", known), 0);
	return (uint64_t)kilobytes * 1024 / page_bytes;
}

/* ---- the machine ---- */

static struct value thp_mode(const struct sysroot *root)
{
	char text[128];
	enum known known = sysroot_read(root, text, sizeof(text), "sys/kernel/mm/transparent_hugepage/enabled");
	if (known != KNOWN)
		return (struct value){ .known = known };
	return value_of(strstr(text, "[always]") ? THP_ALWAYS : strstr(text, "[madvise]") ? THP_MADVISE : THP_NEVER);
}

static unsigned int count_nodes(const struct sysroot *root)
{
	scoped_dir DIR *dir = sysroot_dir(root, "sys/devices/system/node");
	unsigned int nodes = 0;
	struct dirent *entry;
	while (dir && (entry = readdir(dir)))
		nodes += !strncmp(entry->d_name, "node", 4) && isdigit((unsigned char)entry->d_name[4]);
	return nodes ? nodes : 1;
}

void proc_machine(const struct sysroot *root, struct machine *ret)
{
	char text[8192];
	struct utsname name;

	memset(ret, 0, sizeof(*ret));
	ret->page_bytes = sysconf(_SC_PAGESIZE);
	ret->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	ret->nodes = count_nodes(root);
	if (!uname(&name)) {
		snprintf(ret->release, sizeof(ret->release), "%s", name.release);
		snprintf(ret->arch, sizeof(ret->arch), "%s", name.machine);
	}
	if (!root->live && sysroot_read(root, text, sizeof(text), "proc/sys/kernel/osrelease") == KNOWN)
		snprintf(ret->release, sizeof(ret->release), "%.*s", (int)strcspn(text, "\n"), text);
	ret->pmd_bytes = value_or(sysroot_number(root, "sys/kernel/mm/transparent_hugepage/hpage_pmd_size"), 0);
	/* one more level of the page table: as many entries as a page has words */
	ret->pud_bytes = ret->pmd_bytes * (ret->page_bytes / 8);
	ret->thp_mode = thp_mode(root);

	enum known known = sysroot_read(root, text, sizeof(text), "proc/meminfo");
	ret->total_bytes = value_times(field_number(text, "MemTotal", known), 1024);
	ret->available_bytes = value_times(field_number(text, "MemAvailable", known), 1024);
}

enum known proc_executable(const struct sysroot *root, pid_t pid, char *ret, size_t size)
{
	struct stat file, here;
	char link[64];

	snprintf(link, sizeof(link), "proc/%d/exe", pid);
	ssize_t n = readlinkat(root->dir, link, ret, size - 1);
	if (n < 0)
		return known_of_errno(errno);
	ret[n] = '\0';
	if ((size_t)n == size - 1)
		return DENIED;		/* what may have been cut off matches nothing */
	if (root->live && (fstatat(root->dir, link, &file, 0) || stat(ret, &here) || file.st_dev != here.st_dev ||
			   file.st_ino != here.st_ino))
		return ABSENT;
	return KNOWN;
}

bool proc_has_guest(const struct sysroot *root, pid_t pid)
{
	char path[64], link[32];
	bool found = false;

	snprintf(path, sizeof(path), "proc/%d/fd", pid);
	DIR *dir = sysroot_dir(root, path);
	for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		link[length > 0 ? length : 0] = '\0';
		found = !strcmp(link, "anon_inode:kvm-vm");
	}
	if (dir)
		closedir(dir);
	return found;
}
