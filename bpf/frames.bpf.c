// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Has KSM merged these frames? Their struct pages say so. Asked where
 * /proc/kpageflags does not tell it: Linux 6.10 to 6.17 set its bit for every
 * anonymous page (since dee3d0bef2b0 "proc: rewrite stable_page_flags()").
 * A frame may change hands meanwhile, as it may while kpageflags is read.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "abi.h"
#include "pagewalk.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct frames_batch batch SEC(".data.batch");

static long look_at_frame(__u32 i, struct walk_layout *layout)
{
	if (i >= FRAMES_BATCH)
		return 1;
	batch.merged[i] = page_is_merged(frame_page(layout, batch.pfns[i]));
	return 0;
}

SEC("syscall")
int frames_merged(struct frames_question *question)
{
	struct walk_layout layout = question->layout;

	bpf_loop(question->count, look_at_frame, &layout, 0);
	return 0;
}
