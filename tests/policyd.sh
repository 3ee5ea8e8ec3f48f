# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the live tests of ksm-policyd share; after lib.sh and live_begin. Memory is short by configuration: min_free is
# more than the machine has.
[ "$(get_ksm run)" != 1 ] || skip_rest "the engine of this machine is at work"
# the kernel's advisor, where it is on, is another test's
grep -qs '\[scan-time\]' "$ksm/advisor_mode" && skip_rest "the kernel's advisor is on"

state=$work/state
: >"$work/none.conf"
policyd() { "$build/ksm-policyd" --state-dir "$state" -c "$work/p.conf" --domains "$work/none.conf" "$@" 9>&-; }

# configure LINE…: on top of what makes memory short and the tests quick; the last section is who may be opted in
configure() {
	printf '%s\n' '[policy]' 'interval = 0.2s' 'cross_domains = yes' 'hang = 2s' '[pressure]' 'min_free = 500G' \
		'worse_hold = 0' '[engine]' 'hold = 0.2s' '[state low]' 'engine_cpu = 20%' '[allow made]' \
		"${allow:-executable = $work/made_memory}" "${inject:-inject = yes}" "$@" >"$work/p.conf"
}

# launch ARGUMENT…: the daemon in the background as $daemon, ready when it returns
launch_policyd() {
	: >"$work/log"
	"$build/ksm-policyd" --state-dir "$state" -c "$work/p.conf" --domains "$work/none.conf" "$@" \
		>"$work/out" 2>"$work/log" 9>&- </dev/null &
	daemon=$!
	started+=("$daemon")
	wait_for 20 is_ready_or_gone
}
is_ready_or_gone() { grep -qE 'acting;|dry run:' "$work/log" || is_over "$daemon"; }
says() { grep -q -- "$1" "$work/log"; }
stopped() { kill -TERM "$daemon" 2>/dev/null; wait "$daemon"; status=$?; }
same_settings() { [ -z "$(diff "$work/settings" <(settings))" ]; }
unchanged() { wait_for 10 same_settings; equal "$1: the settings are as before" "" "$(diff "$work/settings" <(settings))"; }
runs() { [ "$(get_ksm run)" = 1 ]; }
is_off() { ! runs; }
ranges_of() { grep -c ' mg' "/proc/$1/smaps"; }
# Are all of these opted in?
are_opted_in() {
	local pid
	for pid; do
		[ "$(ranges_of "$pid")" -gt 0 ] || return 1
	done
}

# expect NAME SECONDS COMMAND…
expect() {
	local name=$1 seconds=$2
	shift 2
	wait_for "$seconds" "$@" && ok "$name" || not_ok "$name" "$(tail -n 3 "$work/log")"
}
