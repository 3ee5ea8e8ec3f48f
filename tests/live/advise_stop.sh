#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A look is stopped at any moment: at once, with status 1 and the reason, without half an answer, and the look after it
# is a whole one.
. "$(dirname "$0")/../lib.sh"
live_begin

moments=12

make_memory --stop --pairs 2003 --unique 40000 || bail "made_memory failed"

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# stopped_at MILLISECONDS SIGNAL ARGUMENT…: in $status, and in $took from the signal to the end
stopped_at() {
	local after=$1 signal=$2 pid began
	shift 2
	# bash would have its background jobs ignore SIGINT
	env --default-signal=INT "$build/ksm-advise" --format json "$@" >"$work/out" 2>"$work/err" </dev/null 9>&- &
	pid=$!
	sleep "$((after / 1000)).$(printf %03d $((after % 1000)))"
	began=$(now_ms)
	kill -"$signal" "$pid" 2>/dev/null
	wait "$pid"
	status=$?
	took=$(($(now_ms) - began))
}

# anywhere NAME ARGUMENT…: at moments all over the time that it takes; some may come when it is done
anywhere() {
	local name=$1 began whole i signal signals=(INT TERM HUP) cut=0 wrong=0 slowest=0
	shift
	began=$(now_ms)
	"$build/ksm-advise" --format json "$@" >"$work/whole" 2>"$work/err" </dev/null 9>&- || bail "$name: $(<"$work/err")"
	whole=$(($(now_ms) - began))
	[ "$whole" -lt 4000 ] || whole=4000
	for ((i = 0; i < moments; i++)); do
		signal=${signals[i % 3]}
		stopped_at $((40 + 3 * whole * i / moments / 4)) "$signal" "$@"
		[ "$took" -le "$slowest" ] || slowest=$took
		[ "$status" -ne 0 ] || { jq -e . "$work/out" >"$work/null" && continue; }
		cut=$((cut + 1))
		[ "$status" -eq 1 ] && [ ! -s "$work/out" ] && grep -q "interrupted; nothing was changed" "$work/err" && continue
		# it may not have come so far that it heeds signals
		[ "$status" -gt 128 ] && [ "$i" -eq 0 ] && [ ! -s "$work/out" ] && continue
		wrong=$((wrong + 1))
		echo "# $signal after $i/$moments: status $status, $(wc -c <"$work/out") bytes, $(head -c 200 "$work/err")"
	done
	at_least "$name: stopped in the middle" "$cut" $((moments / 4))
	equal "$name: status 1, the reason, and no answer" 0 "$wrong"
	# A batch takes milliseconds; a sanitizer's, or a busy machine's, some hundreds.
	at_most "$name: milliseconds from the signal to the end" "$slowest" 2000
}

anywhere "an exact look" --pid "$made_pid" --exact --settle 0
anywhere "a sample" --pid "$made_pid" --sample 1/16 --settle 0
anywhere "a sample that sleeps for its budget" --pid "$made_pid" --sample 1/16 --settle 0 --budget 5%
anywhere "the time between two looks" --pid "$made_pid" --exact --settle 2
anywhere "everything" --all --sample 1/4 --settle 0

advise --pid "$made_pid" --exact --settle 0
holds "after them a look is whole" '.duplicates.frames >= 2003 and .duplicates.frames < 2013' "$work/advise.json"
