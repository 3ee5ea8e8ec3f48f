#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-policyd on this kernel: dry run, one instance, questions, refusals, reload, foreign writes, opt-in, and that
# nothing is left of it. Memory is short by configuration: min_free is more than the machine has.
. "$(dirname "$0")/../lib.sh"
live_begin
. "$top/tests/policyd.sh"

# ---- refusals ----

configure '[engine]' 'hold = soon'
out=$(policyd --check 2>&1)
equal "a mistake in the configuration: status" 2 $?
equal "a mistake in the configuration: line and column" "ksm-policyd: $work/p.conf:16:8: expected a time as 30s, 5min or 1h, from 100 ms to 1 d 0 h" "$out"
configure
chmod o+w "$work/p.conf"
policyd --check 2>/dev/null
equal "a configuration that others may write: status" 4 $?
chmod o-w "$work/p.conf"
policyd --check
equal "a good configuration: status" 0 $?
policyd --status 2>/dev/null
equal "--status with none running: status" 1 $?

# ---- dry run ----

make_memory --seed 51 --common 9001 --unique 2003 && first=$made_pid
make_memory --seed 52 --common 9001 --unique 2003 && second=$made_pid
launch_policyd --format json
wait_for 20 says 'would opt in' || not_ok "dry run: says whom it would opt in" "$(tail -n 5 "$work/log")"
equal "dry run: nobody is opted in" 0 $(($(ranges_of "$first") + $(ranges_of "$second")))
equal "dry run: the settings are as before" "" "$(diff "$work/settings" <(settings))"
says '^<6>would opt in process' && ok "dry run: lines with a priority" || not_ok "dry run: lines with a priority" "$(head -n 5 "$work/log")"
out=$(policyd 2>&1)
equal "a second instance: status" 1 $?
grep -q 'another ksm-policyd runs' <<<"$out" && ok "a second instance is told" || not_ok "a second instance" "$out"
policyd --status --format json >"$work/status.json"
holds "--status" '.apply == false and .memory == "low" and .time_in_state_seconds.low > 0 and .changes_made == 0' "$work/status.json"
policyd --explain --format json | jq -s . >"$work/explain.json"
holds "--explain" '[.[].changes[] | .outcome] | length > 0 and all(. == "planned")' "$work/explain.json"
if command -v setpriv >/dev/null; then
	out=$(setpriv --reuid 65534 --clear-groups "$build/ksm-policyd" --state-dir "$state" --status 2>&1 9>&-)
	grep -qE 'Permission denied|No such file|not found|only root' <<<"$out" && ok "others are told nothing" || not_ok "others are told nothing" "$out"
fi
stopped
equal "SIGTERM: status" 0 "$status"
jq -s . "$work/out" >"$work/decisions.json"
holds "decisions as JSON lines" 'length > 0 and all(.[]; has("memory") and has("figures"))' "$work/decisions.json"
[ -e "$state/policyd.sock" ] && not_ok "the socket is gone" "it is there" || ok "the socket is gone"

# ---- for real ----

before_saved=$(saved_pages)
launch_policyd --apply
wait_for 20 runs || not_ok "the engine is started" "$(tail -n 5 "$work/log")"
wait_for 20 are_opted_in "$first" "$second" || not_ok "ranges are opted in" "$(tail -n 5 "$work/log")"
saves() { [ "$(saved_pages)" -ge "$((before_saved + 8900))" ]; }

wait_for 40 saves && ok "it merges" || not_ok "it merges" "$(saved_pages) pages saved; $(tail -n 3 "$work/log")"
at_most "only the ranges that are worth it" "$(ranges_of "$first")" 1
# a broken configuration is refused and the old one kept
configure '[engine]' 'rest = never'
kill -HUP "$daemon"
wait_for 10 says 'p.conf:16:8: expected a time' && ok "SIGHUP: a broken configuration is refused with line and column" ||
	not_ok "SIGHUP, broken" "$(tail -n 2 "$work/log")"
configure
kill -HUP "$daemon"
wait_for 10 says 'read the configuration anew' && ok "SIGHUP: a good one is read" || not_ok "SIGHUP, good" "$(tail -n 2 "$work/log")"
# somebody else writes a knob
set_ksm pages_to_scan 777
wait_for 10 says 'hands off the engine: somebody set pages_to_scan to 777' && ok "a foreign write: hands off" ||
	not_ok "a foreign write" "$(tail -n 3 "$work/log")"
sleep 1
equal "a foreign write is left alone" 777 "$(get_ksm pages_to_scan)"
stopped
equal "for real, SIGTERM: status" 0 "$status"
equal "a foreign write is left alone at the end, too" 777 "$(get_ksm pages_to_scan)"
settings_restore "$work/settings"
unchanged "for real"
equal "for real: nobody is opted in any more" 0 $(($(ranges_of "$first") + $(ranges_of "$second")))

# ---- beside another one, and hanging ----

cp "$(command -v sleep)" "$work/ksmtuned"
start "$work/ksmtuned" 60
launch_policyd --apply
wait "$daemon"
equal "beside ksmtuned: status" 1 $?
says 'ksmtuned (process' && ok "beside ksmtuned: refused" || not_ok "beside ksmtuned" "$(tail -n 2 "$work/log")"
unchanged "beside ksmtuned"
kill "$started_pid"
wait "$started_pid" 2>/dev/null

launch_policyd --apply
wait_for 20 runs
kill -STOP "$daemon"
wait_for 15 same_settings && ok "a hang: everything is put back" || not_ok "a hang" "$(diff "$work/settings" <(settings))"
kill -CONT "$daemon"
wait "$daemon"
equal "a hang: it learns that it was taken for dead" 1 $?
says 'the guardian is gone' || tail -n 1 "$work/log" | grep -q guardian && ok "a hang is told" || not_ok "a hang is told" "$(tail -n 2 "$work/log")"
unchanged "a hang"
