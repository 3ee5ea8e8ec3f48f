// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which of these huge pages were accessed since their accessed bits were last
 * cleared? Reads the bits and leaves them: who clears them is not its business.
 *
 * The processor sets the bit when it walks the page table, not when it finds
 * the translation in its TLB: a page whose entry stayed there all the time
 * looks idle.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "abi.h"
#include "pagewalk.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct walk_layout layout;
__u32 heat_count;			/* addresses to look at; set to 0 when that is done */
__u32 heat_tgid;			/* whose; the iterator may visit others as well */
struct heat_batch batch SEC(".data.batch");

struct looking {
	u64 table;			/* the top page table */
};

static long look(__u32 i, struct looking *l)
{
	struct walk_leaf leaf;

	if (i >= HEAT_BATCH)
		return 1;
	leaf = walk(&layout, l->table, batch.address[i]);
	if (!leaf.entry)
		batch.state[i] = HEAT_UNSEEN;
	else if (leaf.shift <= layout.page_shift)
		batch.state[i] = HEAT_BROKEN;
	else
		batch.state[i] = leaf.entry & ENTRY_ACCESSED ? HEAT_ACCESSED : HEAT_IDLE;
	return 0;
}

/* The iterator visits the threads of one process; the first that still has its memory serves. */
SEC("iter/task")
int heat_look(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct looking l = {};
	__u32 count = heat_count;

	if (!task || !count || count > HEAT_BATCH || task->tgid != heat_tgid || !task->mm)
		return 0;
	l.table = (u64)BPF_CORE_READ(task, mm, pgd);
	bpf_loop(count, look, &l, 0);
	heat_count = 0;
	return 0;
}
