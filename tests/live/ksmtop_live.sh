#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksmtop on this system: its display while processes come and go and merge, a
# recording of it, without permission, with 2,000 processes.
. "$(dirname "$0")/../lib.sh"
live_begin

/usr/bin/python3 -c 'import pexpect, pyte' 2>/dev/null || skip_rest "needs python3-pexpect and python3-pyte"

# ---- the display ----

make_memory --pairs 2003 --mergeable || bail "no memory to merge"
first=$made_pid
make_memory --pairs 2003 --mergeable || bail "no memory to merge"
second=$made_pid
merge_now || bail "nothing merges"
/usr/bin/python3 "$top/tests/live/ksmtop_live.py" "$build/ksmtop" "$first" "$second" 9>&- || failures=1
end_processes

# ---- recording ----

"$build/ksmtop" --json -n 3 -d 0.5 --record "$work/recorded" >"$work/run" 2>"$work/err" 9>&-
equal "recorded: status" 0 $?
"$build/ksmtop" --json --replay "$work/recorded" >"$work/replayed" 2>>"$work/err" 9>&-
cmp -s "$work/run" "$work/replayed" && ok "a recording prints what the run printed" ||
	not_ok "a recording prints what the run printed" "$(cmp "$work/run" "$work/replayed" 2>&1)"
equal "a recording is its owner's" 600 "$(stat -c %a "$work/recorded")"
# Nulls that have no reason of their own: no scan ended meanwhile, the advisor decided nothing.
holds "every null has its reason" '([.engine, .huge, .pressure | to_entries[] | select(.value == null) | .key] -
	["pass_seconds", "pass_eta_seconds", "pass_cpu_seconds", "pass_tracked_pages", "advisor_scan_seconds",
	"advisor_pages_to_scan", "advisor_cpu_ratio"]) as $nulls | ($nulls - ["potential_bytes", "volatile_bytes",
	"potential_net_bytes", "sweep_seconds", "sweep_ratio", "ksmd_splits_per_second", "knee_huge_pages", "knee_saved_bytes",
	"knee_slowdown_ratio", "frontier_huge_pages", "all_huge_pages", "all_saved_bytes", "all_slowdown_ratio"]) as $others | ([.missing[].what] | index("content sampler") and index("huge-page ledger") and index("ksmd_splits")) and
	(.missing | length) >= ($others | length) + 3' <(tail -n 1 "$work/run")

# ---- without permission ----

chmod 755 "$work"
cp "$build/ksmtop" "$work/ksmtop" && chmod 755 "$work/ksmtop"
setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$work/ksmtop" --json --once -d 0.5 \
	>"$work/nobody" 2>"$work/err" 9>&-
equal "without permission: status" 0 $?
holds "without permission: the engine is there" '.engine.run != null and .engine.pages_sharing != null' "$work/nobody"
holds "without permission: probes are denied, and say why" '.faults.user == null and .engine.merges_per_second == null and
	([.missing[] | select(.what | endswith("probe")) | .state] | length >= 3 and all(. == "denied"))' "$work/nobody"
holds "without permission: what is of others is null, and not zero" '[.processes[] | select(.uid == 0)] | length > 0 and
	all(.merged_pages == null and .profit_bytes == null and .cow_breaks_per_second == null)' "$work/nobody"
holds "without permission: it says so" '[.missing[] | select(.what == "ksm_merging_pages")][0] |
	.state == "denied" and (.why | test("permission denied for [0-9]+ of [0-9]+ processes"))' "$work/nobody"
setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$work/ksmtop" -b --once -d 0.5 >"$work/text" 9>&-
grep -q COMMAND "$work/text" && ok "without permission: the table stays" || not_ok "without permission: the table stays" \
	"$(head -c 300 "$work/text")"

# ---- 2,000 processes ----

start "$tools/many_processes" 2000 >"$work/many"
wait_for 60 grep -q ready "$work/many" || bail "2,000 processes can't be started"
"$build/ksmtop" --json -n 12 -d 0.5 --top 20 >"$work/run" 9>&-
tail -n 1 "$work/run" >"$work/last"
holds "2,000 processes: the first twenty are shown" '.processes | length == 20' "$work/last"
case $build in
*asan*) skip "2,000 processes: at most 32 MiB" "a sanitizer's memory is no measure" ;;
*) at_most "2,000 processes: KiB of its own" "$(jq '.own.rss_bytes / 1024 | floor' "$work/last")" 32768 ;;
esac
holds "2,000 processes: all are there" '.grouped_by == "uid" and (.groups | map(.processes) | add >= 2000)' \
	<("$build/ksmtop" --json --once -d 0.2 --tree uid --top 1 9>&-)
