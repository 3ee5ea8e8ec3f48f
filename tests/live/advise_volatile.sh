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

# A half-life is what the share that stayed makes of the time between the looks.
lasts='(.half_life_low_seconds <= .half_life_seconds) and (.half_life_seconds <= .half_life_high_seconds) and .stayed_low < .stayed and
	.stayed < .stayed_high'
holds "the share that stayed is counted" ".processes[0].lasting.stayed * .frames.candidate - (.frames.candidate - .frames.volatile) |
	fabs < 0.1" "$work/advise.json"
holds "the half-life follows from it, with its interval" ".processes[0].lasting | $lasts and
	(.half_life_seconds - 0.693147 / -(.stayed | log) | fabs) < 0.01 * .half_life_seconds" "$work/advise.json"
stayed=$(jq .processes[0].lasting.stayed "$work/advise.json")
advise --pid "$made_pid" --settle 1 --sample 1/2
holds "a sample tells it, too: the interval holds what was counted" ".processes[0].lasting | $lasts and .stayed_low <= $stayed + 0.05 and
	.stayed_high >= $stayed - 0.05" "$work/advise.json"

advise --pid "$made_pid" --sample 100%
holds "a sample of everything finds the same" '.frames.volatile >= 211 and .frames.volatile <= 220 and
	.duplicates.frames >= 307 and .duplicates.frames < 307 + 211' "$work/advise.json"
advise --pid "$made_pid" --sample 100% --settle 0
holds "one look at a sample knows nothing of change" '.frames.volatile == null and .lasting == null and
	(.missing | any(.what == "changing pages"))' "$work/advise.json"
advise --pid "$made_pid" --settle 0
holds "one look finds no change" '.frames.volatile == 0 and .looked.settle_seconds == 0' "$work/advise.json"

end_processes
make_memory --stop --pairs 307
advise --pid "$made_pid" --settle 1 --ledger
holds "what stands still is not volatile" '.frames.volatile == 0' "$work/advise.json"
holds "and no upper end is made up for how long it stays" '.lasting | .stayed == 1 and .half_life_seconds == null and
	.half_life_high_seconds == null and .half_life_low_seconds > 10' "$work/advise.json"
oracle "$made_pid" "$work/oracle.json"
compare_facts "two looks at a stopped process" "$work/oracle.json" "$work/advise.json"
