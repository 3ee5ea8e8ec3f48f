// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listens to the DAMON that runs, whoever it belongs to: each region of its
 * targets with how often it was found accessed, when an aggregation interval
 * ends. It changes nothing of it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "abi.h"

char LICENSE[] SEC("license") = "GPL";

struct damon_events damon_events SEC(".data.events");

SEC("tp_btf/damon_aggregated")
int BPF_PROG(damon_aggregated, unsigned int target, struct damon_region *region)
{
	__u64 i = __sync_fetch_and_add(&damon_events.produced, 1);

	if (i >= DAMON_EVENTS)
		return 0;
	damon_events.events[i].start = BPF_CORE_READ(region, ar.start);
	damon_events.events[i].end = BPF_CORE_READ(region, ar.end);
	damon_events.events[i].target = target;
	damon_events.events[i].accesses = BPF_CORE_READ(region, nr_accesses);
	return 0;
}
