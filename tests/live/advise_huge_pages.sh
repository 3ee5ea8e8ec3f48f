#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-advise --apply --huge-pages: kept, they stay whole; broken, they give back
# what was predicted, and those that hide nothing are left; taken back, all are whole.
#
# check: once
. "$(dirname "$0")/../lib.sh"
live_begin

cp "$tools/huge_workload" "$work/"
start "$work/huge_workload" 16 32 0 384 >"$work/out"
wait_for 60 is_ready_or_over "$work/out" "$started_pid"
grep -q '^ready ' "$work/out" || skip_rest "no huge pages are to be had"
pid=$started_pid
huge() { awk -v pmd="$(<"$thp/hpage_pmd_size")" '/^AnonHugePages:/ { print $2 * 1024 / pmd }' "/proc/$pid/smaps_rollup"; }
undo() { "$build/ksm-advise" --undo --state-dir "$work/state" >"$work/undo" 2>&1 9>&-; }

equal "at first all are whole" 24 "$(huge)"
before=$(settings)

advise --apply --pid "$pid" --huge-pages keep --for 60
equal "keep: status" 0 "$status"
equal "keep: all are whole" 24 "$(huge)"
holds "keep: no change but of knobs" '[.applied.changes[] | .kind] | index("break") | not' "$work/advise.json"
undo

advise --apply --pid "$pid" --huge-pages all --for 100
equal "all: status: $(head -c 200 "$work/advise.err")" 0 "$status"
holds "all: those that hide something are broken" '.applied.huge_pages.regions_broken == 16 and
	.applied.huge_pages.regions_kept == 8' "$work/advise.json"
equal "all: those that hide nothing are whole" 8 "$(huge)"
holds "all: what is given back is what was predicted" '.applied.predicted_bytes > 0 and .applied.converged and
	(.applied.actual_bytes / .applied.predicted_bytes - 1 | fabs) < 0.02' "$work/advise.json"
equal "all: settings are as they were" "$before" "$(settings)"
undo
equal "undone: status" 0 "$?"
equal "undone: all are whole" 24 "$(huge)"

advise --apply --pid "$pid" --max-slowdown 1% --calibration "$work/none.json"
equal "a slow-down without a calibration: status" 1 "$status"
grep -q -- --calibrate "$work/advise.err" && ok "and it says what to do" || not_ok "and it says what to do" "$(cat "$work/advise.err")"
advise --apply --pid "$pid" --huge-pages knee --opt-in process
equal "whole processes can't leave huge pages out: status" 2 "$status"

# ---- as many as cost at most so much ----

fixed_calibration "$work/calibration.json" || bail "no calibration: $(<"$work/taken.err")"
end_processes
start "$work/huge_workload" 64 64 8 384 >"$work/out"
wait_for 60 is_ready_or_over "$work/out" "$started_pid"
pid=$started_pid
whole=$(huge)
advise --apply --pid "$pid" --heat 3 --max-slowdown 1% --calibration "$work/calibration.json" --for 100
equal "at most 1 %: status: $(head -c 200 "$work/advise.err")" 0 "$status"
if jq -e '.huge.heat_source == "none"' "$work/advise.json" >/dev/null; then
	skip "at most 1 %" "this kernel does not let us see accessed bits"
else
	holds "at most 1 %: breaking all would cost far more" '.huge.frontier[-1].slowdown_ppm > 50000' "$work/advise.json"
	holds "at most 1 %: the interval holds it" 'all(.huge.frontier[]; .slowdown_low_ppm <= .slowdown_ppm and
		.slowdown_ppm <= .slowdown_high_ppm)' "$work/advise.json"
	holds "at most 1 %: what is broken costs no more" '.applied.huge_pages.slowdown_ppm <= 10000' "$work/advise.json"
	holds "at most 1 %: as many as that allows" '.applied.huge_pages.regions_broken ==
		([.huge.frontier[] | select(.slowdown_ppm <= 10000) | .regions_broken] | max)' "$work/advise.json"
	# the second half is cold
	at_least "at most 1 %: the cold ones are broken" "$(jq .applied.huge_pages.regions_broken "$work/advise.json")" $((whole / 2))
	equal "at most 1 %: the others are whole" $((whole - $(jq .applied.huge_pages.regions_broken "$work/advise.json"))) "$(huge)"
	holds "at most 1 %: what is given back is what was predicted" '.applied.predicted_bytes > 0 and
		(.applied.actual_bytes / .applied.predicted_bytes - 1 | fabs) < 0.02' "$work/advise.json"
fi
undo
equal "at most 1 %: undone, all are whole" "$whole" "$(huge)"
