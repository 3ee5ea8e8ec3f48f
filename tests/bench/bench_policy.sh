#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make bench-policy: three workloads (policy_load.c), each with nobody driving the engine, with the kernel's defaults, with
# the kernel's advisor, with ksmtuned's own script (Debian's package), with KSM on everything at full rate, and with
# ksm-policyd. The table and what it comes to go to standard output; what each cell measured to FILE, a JSON object a line.
#
#   tests/bench/bench_policy.sh BUILD [FILE]
#   KSMTUNED=PATH  its script (default: from the package, fetched and unpacked, not installed)
#   CELLS=PATTERN  only cells "workload/driver" that match; what FILE has of others stays, so that a table can be taken in
#                  several runs (CELLS=none only prints it)
#   LENGTH=N       each cell takes N hundredths of its time (default 100): to see that everything works
#
# Memory is not really short, and nobody is meant to be hurt: who drives is told that it is. ksm-policyd by min_free = all
# of the machine's memory, so that what is available is less (state soft), ksmtuned by KSM_THRES_COEF=100, which makes its
# threshold all of memory. Everything else is at its defaults. Those who drive by the kernel's rules get processes that
# opted in as a whole, as ksmtuned's guests do by themselves; ksm-policyd gets processes that did not, and rules that
# allow it to opt them in and put them into one trust domain (they bear qemu's name, by which ksmtuned counts them, and
# guests are in a domain of their own each). Where merging never pays, ksm-policyd gets processes that opted in, too.
#
# Time begins when the memory is there and memory gets short: then everybody who drives is started. ksmtuned looks for the
# first time after its interval, a minute; where it has been running already that is half a minute on the average.
#
# "everything" is ksmtuned's highest rate (1250 pages every 10 ms) from the beginning and all the time: what the engine
# saves when nobody counts the cost.
#
# "in-turns": ksm-policyd comes and goes every five seconds under one load, which is compared with itself: what it costs the
# load while memory is plentiful is less than what two loads differ by.
#
# The lock is held for a cell, not for all; a cell takes up to two minutes.
KSMSCOPE_BUILD=${1:-build}
export KSMSCOPE_BUILD
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" -eq 0 ] || bail "needs root"
results=${2:-$(mktemp)}
load=$tools/policy_load
here=$(mktemp -d)
chmod 755 "$here"
ksmd=$(pgrep -x ksmd)
length=${LENGTH:-100}
driver_pid='' load_pid=''

# WORKLOAD|PROCESSES EQUAL COLD HOT VOLATILE|MEMORY IS SHORT|DRIVER=SECONDS…
rounds='plenty|6 64 128 48 8|0|off=12 defaults=12 advisor=12 ksmtuned=12 everything=12 ksm-policyd=20 in-turns=88
pressure|6 64 128 48 8|1|off=30 defaults=60 advisor=90 ksmtuned=120 everything=60 ksm-policyd=60
never pays|4 0 0 0 48|1|off=15 defaults=20 advisor=20 ksmtuned=75 everything=20 ksm-policyd=50'

find_ksmtuned() {
	ksmtuned=${KSMTUNED:-$(command -v ksmtuned)}
	[ -n "$ksmtuned" ] && return
	(cd "$here" && apt-get -q download ksmtuned >/dev/null 2>&1 && dpkg -x ksmtuned_*.deb package) || return
	ksmtuned=$here/package/usr/sbin/ksmtuned
}

configure() {
	printf '%s\n' '[policy]' 'cross_domains = yes' '[allow load]' "executable = $load" 'inject = yes' >"$here/p.conf"
	printf '%s\n' '[domain load]' "executable = $load" >"$here/domains.conf"
	[ "$1" = 0 ] || printf '%s\n' '[pressure]' "min_free = $(awk '/^MemTotal:/ { print $2 "K" }' /proc/meminfo)" >>"$here/p.conf"
}

# engine PAGES_TO_SCAN SLEEP_MILLISECS
engine() {
	set_ksm pages_to_scan "$1"
	set_ksm sleep_millisecs "$2"
	set_ksm run 1
}

# drive DRIVER SHORT: set the engine up, or start who does: $driver_pid
drive() {
	driver_pid=
	case $1 in
	defaults) engine 100 20 ;;
	everything) engine 1250 10 ;;
	advisor)
		set_ksm advisor_mode scan-time
		set_ksm run 1
		;;
	ksmtuned)
		rm -f "$here/ksmtune.pid"
		[ "$2" = 1 ] && export KSM_THRES_COEF=100
		PIDFILE=$here/ksmtune.pid "$ksmtuned" 9>&- </dev/null >/dev/null 2>&1
		unset KSM_THRES_COEF
		driver_pid=$(<"$here/ksmtune.pid")
		;;
	ksm-policyd)
		configure "$2"
		: >"$here/policyd.log"
		"$build/ksm-policyd" --apply --state-dir "$here/state" -c "$here/p.conf" --domains "$here/domains.conf" \
			9>&- </dev/null 2>"$here/policyd.log" &
		driver_pid=$!
		wait_for 20 grep -q acting "$here/policyd.log" || bail "ksm-policyd: $(tail -n 1 "$here/policyd.log")"
		;;
	esac
}

# ksmtuned's script waits for a sleep, and heeds no signal until that ends.
stop_driving() {
	local child
	[ -n "$driver_pid" ] || return
	if [ "$1" = ksm-policyd ]; then
		kill -TERM "$driver_pid"
		wait "$driver_pid"
		cp "$here/policyd.log" "$results.policyd.log"
	else
		for child in "$driver_pid" $(pgrep -P "$driver_pid"); do
			kill -KILL "$child" 2>/dev/null
		done
	fi
	driver_pid=
}

is_loaded() { grep -q '^ready' "$here/load.err" || is_over "$load_pid"; }

# what a start costs is between the turns
take_turns() {
	while sleep 5 && kill -0 "$load_pid" 2>/dev/null; do
		drive ksm-policyd "$1"
		echo "$driver_pid" >"$here/driver"
		sleep 5
		echo >"$here/driver"
		stop_driving ksm-policyd
	done
}

# cell WORKLOAD DRIVER SHORT SECONDS SHAPE…
cell() {
	local workload=$1 driver=$2 short=$3 seconds=$4 options=(-k "$ksmd" -d "$here/driver")
	shift 4
	case $workload/$driver in
	*/off | */in-turns | pl*/ksm-policyd | pr*/ksm-policyd) ;;
	*) options+=(-m) ;;
	esac
	set_ksm run 0
	echo >"$here/driver"
	: >"$here/load.err"
	(exec -a 'qemu-system-x86_64 -enable-kvm' "$load" "${options[@]}" "$@" "$seconds") >"$here/load.json" 2>"$here/load.err" 9>&- &
	load_pid=$!
	wait_for 60 is_loaded
	if [ "$driver" = in-turns ]; then
		take_turns "$short"
	else
		drive "$driver" "$short"
		echo "$driver_pid" >"$here/driver"
	fi
	wait "$load_pid"
	load_pid=
	stop_driving "$driver"
	jq -c --arg w "$workload" --arg d "$driver" --argjson s "$seconds" '{workload: $w, driver: $d, seconds: $s} + .' \
		"$here/load.json" >>"$results" || bail "$workload, $driver: the load ended without a result"
	tail -n 1 "$results" | jq -c 'del(.series) + (.series | last)' >&2
}

put_back() {
	[ -n "$load_pid" ] && kill "$load_pid" 2>/dev/null
	stop_driving "$1"
	settings_restore "$here/settings"
}

# under its own lock, with every setting put back
locked_cell() (
	take_lock 900 || bail "the lock can't be had"
	settings >"$here/settings"
	trap 'put_back "$2"' EXIT
	trap 'exit 130' INT TERM HUP
	[ "$(get_ksm run)" = 1 ] && bail "the engine of this machine is at work"
	cell "$@"
)

is_wanted() {
	[ "$2" = ksmtuned ] && [ -z "$ksmtuned" ] && return 1
	case "$1/$2" in *${CELLS:-}*) ;; *) return 1 ;; esac
}

# forget WORKLOAD DRIVER: what FILE has of it is measured anew
forget() {
	jq -c --arg w "$1" --arg d "$2" 'select(.workload != $w or .driver != $d)' "$results" >"$here/kept" && cp "$here/kept" "$results"
}

# each FUNCTION: for every cell that is wanted: WORKLOAD DRIVER SHORT SECONDS SHAPE…
each() {
	local workload shape short drivers one
	while IFS='|' read -r workload shape short drivers <&3; do
		for one in $drivers; do
			is_wanted "$workload" "${one%=*}" || continue
			# shellcheck disable=SC2086
			"$1" "$workload" "${one%=*}" "$short" $((${one#*=} * length / 100)) $shape || exit
		done
	done 3<<<"$rounds"
}

find_ksmtuned || { ksmtuned='' && echo "ksmtuned can't be had: left out" >&2; }
touch "$results"
each forget
each locked_cell
jq -r -s -f "$(dirname "$0")/policy_table.jq" "$results"
rm -rf "$here"
