/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's types, as far as the BPF programs use them: only these fields,
 * in no particular order. Each access is relocated against the BTF of the
 * running kernel (CO-RE), so layouts here mean nothing; names and types do.
 * What differs between kernels is in bpf/compat.bpf.h.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
typedef int pid_t;
typedef unsigned int uid_t;

enum {
	false,
	true,
};

/* include/uapi/linux/bpf.h: these are part of the ABI and never change. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};

enum {
	BPF_F_NO_PREALLOC = 1 << 0,
	BPF_F_MMAPABLE = 1 << 10,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* ---- processes ---- */

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

typedef struct {
	uid_t val;
} kuid_t;

struct cred {
	kuid_t euid;
};

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

enum cgroup_subsys_id {
	memory_cgrp_id = 4,	/* relocated */
};

struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
};

struct signal_struct {
	int nr_threads;
	struct list_head thread_head;
	unsigned long min_flt, maj_flt;	/* of the threads that have ended */
};

struct page;

struct vm_struct {
	struct page **pages;
};

struct mm_struct;

struct sched_entity {
	u64 sum_exec_runtime;
};

struct task_struct {
	struct sched_entity se;
	int pagefault_disabled;
	unsigned int flags;
	pid_t pid, tgid;
	struct task_struct *real_parent, *group_leader;
	u64 start_boottime;
	unsigned long min_flt, maj_flt;
	const struct cred *real_cred;
	char comm[16];
	struct signal_struct *signal;
	struct list_head thread_node;
	struct css_set *cgroups;
	struct mm_struct *mm;
	void *stack;
	struct vm_struct *stack_vm_area;
};

/* ---- memory ---- */

typedef struct {
	unsigned long pgd;
} pgd_t;

struct mm_struct {
	pgd_t *pgd;
	struct task_struct *owner;
	unsigned long ksm_merging_pages;
	unsigned long ksm_rmap_items;
};

struct address_space;

typedef struct {
	int counter;
} atomic_t;

struct page {
	unsigned long compound_head;
	atomic_t _mapcount;
};

enum pageflags {
	PG_head = 1,		/* relocated */
	PG_hwpoison = 2,	/* relocated, may be absent */
};

struct folio {
	struct address_space *mapping;
	unsigned long index;
};

/* ---- KSM ---- */

struct ksm_rmap_item {
	struct mm_struct *mm;
	unsigned long address;
	struct hlist_node hlist;
};

struct ksm_stable_node {
	struct hlist_head hlist;
};

/* ---- BPF itself ---- */

struct bpf_array {
	void *pptrs[0];
};

/* ---- iterators ---- */

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

/* ---- DAMON ---- */

struct damon_addr_range {
	unsigned long start, end;
};

struct damon_region {
	struct damon_addr_range ar;
	unsigned int nr_accesses;
};

#pragma clang attribute pop

#endif
