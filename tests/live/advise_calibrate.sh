#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-advise --calibrate: every figure is there or says why not, the engine is
# put back, interrupted too, and only a calibration of this machine is used.
#
# check: once
. "$(dirname "$0")/../lib.sh"
live_begin

file=$work/made/calibration.json
calibrate() {
	"$build/ksm-advise" --calibrate "$@" --calibration "$file" --state-dir "$work/state" >"$work/out" 2>"$work/err" </dev/null 9>&-
	status=$?
}

# ---- without a write ---------------------------------------------------------

before=$(settings)
calibrate 5 --no-writes --memory 128M --format json
equal "without writes: status" 0 "$status"
equal "without writes: no setting was touched" "$before" "$(settings)"
holds "without writes: what it costs to merge is absent, and why" '.cost_ns.cow_break.state == "absent" and
	(.cost_ns.cow_break.why | contains("--no-writes")) and .ksmd[0].visit_ns.state == "absent"' "$work/out"
cmp -s "$work/out" "$file" && ok "the file is what was said" || not_ok "the file is what was said" "$(diff "$work/out" "$file" | head -3)"

if [ "$(jq -r .cost_ns.split_full.median "$file")" = null ]; then
	skip "huge pages" "$(jq -r .cost_ns.split_full.why "$file")"
else
	holds "a figure lies within its interval" '[.. | objects | select(has("median")) | .low <= .median and .median <= .high] | all' "$file"
	holds "a nearly empty huge page costs more to break than nothing" '.cost_ns.split_zero.low > 0 and .cost_ns.collapse.low > 0' "$file"
	holds "sizes ascend, within the memory that was allowed" '[.access[].bytes] | (. == sort) and .[-1] <= 134217728' "$file"
	holds "what was left out is named" '.left_out | contains("above")' "$file"
fi

# ---- with the engine -----------------------------------------------------------

calibrate 8 --memory 128M --format json
equal "with the engine: status" 0 "$status"
equal "with the engine: its settings are as they were" "$before" "$(settings)"
holds "a break of a merged page was measured, or it says why not" '.cost_ns.cow_break |
	(.low > 500 and .high < 1000000) or (.why | length > 10)' "$file"
equal "no journal is left" "" "$(find "$work/state" -name '*.journal')"

# ---- interrupted -----------------------------------------------------------------

old=$(sha256sum <"$file")
start "$build/ksm-advise" --calibrate 30 --memory 64M --calibration "$file" --state-dir "$work/state"
engine_runs() { [ "$(get_ksm run)" = 1 ] || is_over "$started_pid"; }
wait_for 60 engine_runs
kill -INT "$started_pid"
wait "$started_pid"
equal "interrupted: status" 1 "$?"
equal "interrupted: settings are as they were" "$before" "$(settings)"
equal "interrupted: the old calibration stays" "$old" "$(sha256sum <"$file")"

# ---- used, refused -----------------------------------------------------------------

make_memory --pairs 101 --stop || skip_rest "no memory could be made"
advise --pid "$made_pid" --settle 0 --calibration "$file"
holds "it is used" '.calibration.cpu != null and ([.missing[].what] | index("calibration") == null)' "$work/advise.json"
# refused NAME JQ-CHANGE WORDS
refused() {
	jq "$2" "$file" >"$work/other.json"
	advise --pid "$made_pid" --settle 0 --calibration "$work/other.json"
	holds "$1 is refused" ".calibration == null and ([.missing[] | select(.what == \"calibration\") | .why][0] |
		contains(\"$3\")) and .complete" "$work/advise.json"
}
refused "one of another CPU" '.cpu = "another"' "another CPU"
refused "one of another kernel" '.kernel = "2.6.32"' "2.6.32"
refused "a stale one" '.time -= 91 * 86400' "days old"
refused "one from the future" '.time += 86400' "future"
refused "a made up one" '.cost_ns.collapse = {}' "makes no sense"
