// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers user space's questions about its own page table, so that it can
 * learn how this kernel's tables and struct pages lie in memory and prove it
 * on pages whose frame it knows. It runs only when asked and keeps nothing.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "abi.h"
#include "pagewalk.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * The kernel stack of a task is mapped page by page and its struct pages are
 * listed: a pair of frame number (by walking) and struct page.
 */
static __always_inline void answer_stack(struct walk_question *question, struct task_struct *task)
{
	struct page **pages, *first = NULL;

	if (!bpf_core_field_exists(task->stack_vm_area))
		return;
	pages = BPF_CORE_READ(task, stack_vm_area, pages);
	question->stack = (u64)BPF_CORE_READ(task, stack);
	bpf_probe_read_kernel(&first, sizeof(first), pages);
	question->stack_page = (u64)first;
}

SEC("syscall")
int walk_answer(struct walk_question *question)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct walk_layout layout = question->layout;

	question->table = (u64)BPF_CORE_READ(task, mm, pgd);
	question->page_struct_bytes = bpf_core_type_size(struct page);
	answer_stack(question, task);
	if (!layout.levels)
		return 0;
	question->pfn = leaf_pfn(&layout, walk(&layout, question->table, question->address));
	question->stack_pfn = leaf_pfn(&layout, walk(&layout, question->table, question->stack));
	if (layout.page_structs) {
		struct folio *folio = (struct folio *)frame_page(&layout, question->pfn);
		question->mapping = (u64)BPF_CORE_READ(folio, mapping);
		question->index = BPF_CORE_READ(folio, index);
	}
	return 0;
}
