#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-advise --apply does what it predicted, the kernel confirms it, and
# everything can be had back.
. "$(dirname "$0")/../lib.sh"
live_begin
[ "$(get_ksm run)" != 1 ] || skip_rest "the engine of this machine is at work"

opted_in() { grep -c ' mg' "/proc/$1/smaps"; }
# Everything as before: settings, and not a mapping of the processes opted in.
nothing_changed() {
	equal "$1: the settings are as before" "" "$(diff "$work/settings" <(settings))"
	local pid
	for pid in ${2//,/ }; do
		equal "$1: process $pid is not opted in" 0 "$(opted_in "$pid")"
	done
}

is_asleep() { [ "$(state_of "$1")" = S ]; }

# off A B: how far A is from B, in thousandths of B
off() { echo $((($1 > $2 ? $1 - $2 : $2 - $1) * 1000 / ($2 > 0 ? $2 : 1))); }

# applied NAME TARGETS: predicted, carried out, compared with the count before and after; then undone
applied() {
	local name=$1 targets=$2 predicted actual distinct
	oracle "$targets" "$work/before_apply.json"
	distinct=$(distinct_made "$targets")
	gained=$(saved_pages)
	advise --pid "$targets" --settle 0 --apply --for 120
	gained=$(($(saved_pages) - gained))
	equal "$name: status" 0 "$status"
	[ "$status" -eq 0 ] || echo "# $(head -c 500 "$work/advise.err")"
	cp "$work/advise.json" "$work/applied.json"
	predicted=$(pages_of .applied.predicted_bytes)
	actual=$(pages_of .applied.actual_bytes)
	at_least "$name: pages predicted" "$predicted" $(($(jq .duplicates.frames "$work/before_apply.json") * 9 / 10))
	at_most "$name: pages predicted" "$predicted" "$(jq .duplicates.frames "$work/before_apply.json")"
	at_most "$name: actual is off predicted, in thousandths" "$(off "$actual" "$predicted")" 20
	equal "$name: the engine's settings are as before" "" "$(diff "$work/settings" <(settings))"
	holds "$name: it tells what it changed" '.applied.changes | length > 0' "$work/advise.json"
	oracle "$targets" "$work/merged.json"
	at_most "$name: frames really gone are off predicted, in thousandths" "$(off \
		$(($(jq .frames.candidate "$work/before_apply.json") - $(jq .frames.candidate "$work/merged.json"))) \
		"$predicted")" 20

	advise --pid "$targets" --undo
	equal "$name, --undo: status" 0 "$status"
	nothing_changed "$name, --undo" "$targets"
	oracle "$targets" "$work/undone.json"
	equal "$name, --undo: nothing is merged" 0 "$(jq .frames.merged "$work/undone.json")"
	equal "$name, --undo: no content was lost" "$distinct" "$(distinct_made "$targets")"
}
# Contents of what was made: beside it the kernel writes now and then, the processor's number (rseq) for one.
distinct_made() {
	oracle "$1" "$work/made.json" --only "${made_range%-*}-300000000000" && jq .distinct "$work/made.json"
}
pages_of() { echo $(($(jq "$1 // 0" "$work/advise.json") / page_bytes)); }

# Static memory: pairs within, contents in common, huge pages; one page in four has no equal.
make_memory --seed 31 --common 5003 --pairs 1009 --unique 2003 && first=$made_pid
make_memory --seed 32 --common 5003 --pairs 503 --zero 307 --unique 1009 && second=$made_pid
make_memory --seed 33 --common 5003 --copies 11x701 && third=$made_pid
targets=$first,$second,$third

advise --pid "$targets" --settle 0 --apply --dry-run
equal "--dry-run" 0 "$status"
nothing_changed "--dry-run" "$targets"

applied "plain memory" "$targets"
at_most "plain memory: the kernel's counters are off predicted, in thousandths" \
	"$(off "$gained" "$(jq ".applied.predicted_bytes / $page_bytes | floor" "$work/applied.json")")" 20
advise --pid "$targets" --undo
equal "--undo with nothing to undo" 0 "$((status > 1 ? status : 0))"

if make_memory --seed 34 --thp-regions 5 --thp-dup 401; then
	applied "huge pages" "$made_pid"
else
	skip "huge pages" "no huge pages to be had"
fi
make_memory --seed 35 --pairs 1511 --unique 1013 --fork 2 --cow 307 --cow-same 211 && applied "a forked family" "$made_all"

# A process that somebody stopped stays stopped.
make_memory --stop --seed 36 --pairs 1013 && applied "a stopped process" "$made_all"
equal "a stopped process is still stopped" T "$(state_of "$made_pid")"
kill -CONT "$made_pid"
wait_for 5 is_asleep "$made_pid"
equal "and goes on when it is told to" S "$(state_of "$made_pid")"

# Ctrl-C in the middle of it, and SIGTERM.
for signal in INT TERM; do
	timeout -k 60 -s $signal 3 "$build/ksm-advise" --state-dir "$work/state" --pid "$targets" --settle 0 --apply --for 600 \
		>"$work/interrupted" 2>&1 </dev/null 9>&-
	equal "SIG$signal: the settings are as before" "" "$(diff "$work/settings" <(settings))"
	advise --pid "$targets" --undo
	nothing_changed "SIG$signal, then --undo" "$targets"
done

# kill -9 in the middle of it: the guardian puts the settings back.
"$build/ksm-advise" --state-dir "$work/state" --pid "$targets" --settle 0 --apply --for 600 >"$work/killed" 2>&1 </dev/null 9>&- &
killed=$!
started+=("$killed")
runs() { [ "$(get_ksm run)" = 1 ]; }
as_before() { [ -z "$(diff "$work/settings" <(settings))" ]; }
if wait_for 30 runs; then
	kill -KILL $killed
	wait $killed 2>/dev/null
	wait_for 10 as_before
	equal "SIGKILL: the settings are as before" "" "$(diff "$work/settings" <(settings))"
else
	not_ok "SIGKILL" "the engine was not started within 30 seconds: $(head -c 300 "$work/killed")"
fi
advise --pid "$targets" --undo
nothing_changed "SIGKILL, then --undo" "$targets"

# The kernel's advisor is on: pages_to_scan can't be written then.
if [ -e "$ksm/advisor_mode" ]; then
	set_ksm advisor_mode scan-time
	with_advisor=$(settings)
	advise --pid "$first,$second" --settle 0 --apply --for 120
	equal "with the advisor on" 0 "$status"
	holds "with the advisor on: it merged" '.applied.actual_bytes > 5000 * .looked.page_bytes' "$work/advise.json"
	equal "with the advisor on: the settings are as before" "$with_advisor" "$(settings)"
	advise --pid "$first,$second" --undo
	set_ksm advisor_mode none
	settings_restore "$work/settings"
fi
