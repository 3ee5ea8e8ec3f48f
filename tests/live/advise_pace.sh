#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What ksmd has merged of pages that are written to, against what was told of
# it: pairs that stand still, some that are written now and then, some of which
# half are written in the time of a scan and a half.
. "$(dirname "$0")/../lib.sh"
live_begin

pairs=4000
[ -e "$ksm/advisor_mode" ] && set_ksm advisor_mode none
[ -e "$ksm/smart_scan" ] && set_ksm smart_scan 0
# 8000 pages in 20 batches: a scan takes 2.1 seconds. Naps are long, for the kernel rounds them up by a tick.
set_ksm sleep_millisecs 100
set_ksm pages_to_scan 400

# merged_mean FILE SECONDS: of the last so many seconds; there are two counts in each
merged_mean() { sed -n 's/^merged //p' "$1" | tail -$((2 * $2)) | awk '{ sum += $1 } END { printf "%d", sum / (NR ? NR : 1) }'; }

# told_and_merged NAME WRITES-PER-SECOND SECONDS: what is told may be off by its own interval to each side, and by no more than
# a twentieth of the pairs; what is merged lies within the interval.
told_and_merged() {
	local out=$work/pairs.$2 mean pid
	set_ksm run 1
	start "$tools/written_pairs" $pairs "$2" "$((12 + $3))" >"$out"
	pid=$started_pid
	sleep 10
	advise --pid "$pid" --settle 2 --exact
	wait "$pid"
	mean=$(merged_mean "$out" "$3")
	set_ksm run 2
	echo "# $1: $(jq -c '.duplicates | [.mergeable_at_pace_low, .mergeable_at_pace, .mergeable_at_pace_high]' "$work/advise.json") told, $mean merged"
	holds "$1: what is merged ($mean) lies between the ends" \
		".duplicates | .mergeable_at_pace_low - $pairs / 40 <= $mean and $mean <= .mergeable_at_pace_high + $pairs / 40" "$work/advise.json"
	holds "$1: what is told is near $mean" ".duplicates.mergeable_at_pace - $mean | fabs <= $pairs / 20" "$work/advise.json"
}

told_and_merged "pages that stand still" 0 6
told_and_merged "pages written now and then" 160 6
# the count wanders by a tenth within seconds: means of 6 seconds were 901 to 1100
told_and_merged "pages written as fast as ksmd comes round" 1000 30
