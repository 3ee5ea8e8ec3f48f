#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two looks: what changes between them is volatile, and no potential.
. "$(dirname "$0")/../lib.sh"
live_begin

make_memory --volatile 211 --churn 2 --pairs 307 --unique 53 || bail "made_memory failed"
advise --pid "$made_pid" --settle 1
equal "a running process can be looked at" 0 "$status"
holds "the pages that change are volatile" '.frames.volatile >= 211 and .frames.volatile <= 220' "$work/advise.json"
holds "the others are not" '.duplicates.frames >= 307 and .duplicates.frames <= 317' "$work/advise.json"
holds "the distance of the looks is told" '.looked.settle_seconds == 1' "$work/advise.json"
holds "volatile frames are candidates" "(.frames.candidate - .duplicates.frames) >= 211 + 307 + 53" "$work/advise.json"
holds "it is said that they change" '[.reasons[].code] | index("volatile") != null' "$work/advise.json"

advise --pid "$made_pid" --sample 100%
holds "a sample of everything finds the same" '.frames.volatile >= 211 and .frames.volatile <= 220 and
	.duplicates.frames >= 307 and .duplicates.frames < 307 + 211' "$work/advise.json"
advise --pid "$made_pid" --sample 100% --settle 0
holds "one look at a sample knows nothing of change" '.frames.volatile == null' "$work/advise.json"
advise --pid "$made_pid" --settle 0
holds "one look finds no change" '.frames.volatile == 0 and .looked.settle_seconds == 0' "$work/advise.json"

end_processes
make_memory --stop --pairs 307
advise --pid "$made_pid" --settle 1 --ledger
holds "what stands still is not volatile" '.frames.volatile == 0' "$work/advise.json"
oracle "$made_pid" "$work/oracle.json"
compare_facts "two looks at a stopped process" "$work/oracle.json" "$work/advise.json"
