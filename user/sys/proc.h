/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The readers of /proc: processes, their mappings, the machine. They decide nothing. */
#ifndef KSMSCOPE_SYS_PROC_H
#define KSMSCOPE_SYS_PROC_H

#include "core/sample.h"
#include "sys/sysroot.h"

/* All PIDs, ascending. The caller frees *ret. */
int proc_pids(const struct sysroot *root, pid_t **ret, size_t *ret_count, struct error *err);

/*
 * Who a process is: stat, status, cgroup, exe, ksm_stat, the name of a QEMU guest.
 * KNOWN, or why there is nothing: GONE (no such process), DENIED. Single
 * values that could not be read keep their own state.
 */
enum known proc_task(const struct sysroot *root, pid_t pid, struct task *ret, struct sample *names);

/*
 * Does the process run a guest by KVM? Its page tables don't see then what the
 * guest accesses. By its descriptors ("anon_inode:kvm-vm"); false where they
 * can't be listed.
 */
bool proc_has_guest(const struct sysroot *root, pid_t pid);

/* Does a process of this name run a QEMU guest? proc_task() says which. */
bool proc_is_guest(const char *comm);

/*
 * The mappings of a process, from smaps, as areas of `task`. Only facts: class,
 * flags, name, swapped and hugetlb pages; pages and frames come from pagemap.
 * KNOWN, GONE or DENIED; a kernel thread or a zombie has none.
 */
enum known proc_areas(const struct sysroot *root, pid_t pid, uint32_t task, struct sample *sample);

/* Page sizes, memory, CPUs, NUMA nodes, THP mode. */
void proc_machine(const struct sysroot *root, struct machine *ret);

/*
 * Its executable, by the path under which this very file is found here. ABSENT
 * where it was deleted, and where another file has that path here: a path alone
 * says nothing, since in a mount namespace of one's own, which everybody can
 * have, any file can have any path.
 */
enum known proc_executable(const struct sysroot *root, pid_t pid, char *ret, size_t size);

/* Anonymous resident pages of a process (RssAnon of status), for progress; 0 where unknown. */
uint64_t proc_anon_pages(const struct sysroot *root, pid_t pid, uint64_t page_bytes);

#endif
