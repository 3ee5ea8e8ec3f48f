#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# ksm-policyd killed at 100 random moments, every other time its guardian with it: afterwards every knob is as it was
# found, and nothing is opted in.
. "$(dirname "$0")/../lib.sh"
live_begin
[ "$(get_ksm run)" != 1 ] || skip_rest "the engine of this machine is at work"

state=$work/state
printf '%s\n' '[policy]' 'interval = 0.1s' 'cross_domains = yes' '[pressure]' 'min_free = 500G' 'worse_hold = 0' \
	'[engine]' 'hold = 0.1s' '[allow made]' "executable = $work/made_memory" 'inject = yes' >"$work/p.conf"
make_memory --seed 61 --common 3001 && first=$made_pid
make_memory --seed 62 --common 3001 && second=$made_pid

ranges_of() { grep -c ' mg' "/proc/$1/smaps"; }
opted_in() { echo $(($(ranges_of "$first") + $(ranges_of "$second"))); }
is_as_found() { [ "$(opted_in)" = 0 ] && [ -z "$(diff "$work/settings" <(settings))" ]; }

wrong='' changed=0 deep=0
# end_at MILLISECONDS GUARDIAN: killed then, perhaps with its guardian
end_at() {
	local daemon guardian
	"$build/ksm-policyd" --no-bpf --apply --state-dir "$state" -c "$work/p.conf" >/dev/null 2>"$work/log" 9>&- </dev/null &
	daemon=$!
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
	guardian=$(pgrep -P "$daemon" -x ksm-guardian)
	[ "$2" = 1 ] && [ -n "$guardian" ] && kill -KILL "$guardian"
	kill -KILL "$daemon"
	wait "$daemon" 2>/dev/null
	is_as_found || changed=$((changed + 1))
	[ "$(opted_in)" = 0 ] || deep=$((deep + 1))
	"$build/ksm-policyd" --restore --state-dir "$state" >"$work/restored" 2>&1 9>&- || wrong="$wrong; --restore: $(tail -n 1 "$work/restored")"
	is_as_found || wrong="$wrong; $(diff "$work/settings" <(settings) | paste -sd ' ') $(opted_in) opted in after $1 ms, guardian $2"
	settings_restore "$work/settings"
}

RANDOM=7
for i in $(seq 60); do
	end_at $((RANDOM % 400)) $((i % 2))
done
# later, ranges are opted in too
for i in $(seq 40); do
	end_at $((1000 + RANDOM % 700)) $((i % 2))
done 2>/dev/null
equal "killed at 100 moments: everything as it was found" "" "$wrong"
at_least "of these, moments when something was changed" "$changed" 20
at_least "of these, moments when ranges were opted in" "$deep" 3
equal "no journal is left" 0 "$(find "$state" -name '*.journal' | wc -l)"
