#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make bench-policy: three workloads (policy_load.c), each with nobody driving the engine, with the kernel's defaults,
# with the kernel's advisor, with ksmtuned's own script (Debian's package), and with ksm-policyd. A table on standard
# output; what each cell measured goes to FILE, a JSON object a line, where one is named.
#
#   tests/bench/bench_policy.sh BUILD [FILE]
#   KSMTUNED=PATH  its script (default: from the package, fetched and unpacked, not installed)
#   CELLS=PATTERN  only cells "workload/driver" that match
#
# Memory is not really short: who drives is told that it is. ksm-policyd by min_free = 24G (of 24 GiB: state soft),
# ksmtuned by KSM_THRES_COEF=100 (its threshold is all of memory). Everything else is at its defaults. The defaults and
# the advisor get processes that opted in as a whole, as ksmtuned does, since a guest opts in by itself; ksm-policyd
# gets processes that did not, and rules that allow it to opt them in and put them into one trust domain (they bear
# qemu's name, by which ksmtuned counts them, and guests are in a domain of their own each).
#
# The lock is held for a cell, not for all.
KSMSCOPE_BUILD=${1:-build}
export KSMSCOPE_BUILD
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" -eq 0 ] || bail "needs root"
results=${2:-$(mktemp)}
: >"$results"
load=$tools/policy_load
here=$(mktemp -d)
chmod 755 "$here"
ksmd=$(pgrep -x ksmd)
drivers=(off defaults advisor ksmtuned ksm-policyd)

# NAME|PROCESSES EQUAL COLD HOT VOLATILE|SECONDS|SHORT
workloads='plenty|4 64 32 48 8|20|0
pressure|6 64 128 48 8|90|1
never pays|4 0 0 0 48|30|1'

find_ksmtuned() {
	ksmtuned=${KSMTUNED:-$(command -v ksmtuned)}
	[ -n "$ksmtuned" ] && return
	(cd "$here" && apt-get -q download ksmtuned >/dev/null 2>&1 && dpkg -x ksmtuned_*.deb package) || return
	ksmtuned=$here/package/usr/sbin/ksmtuned
}

ksmd_ns() { cut -d ' ' -f 1 "/proc/$ksmd/schedstat"; }
cow_breaks() { sed -n 's/^cow_ksm //p' /proc/vmstat; }
# Ticks of a process and of its children that it waited for, in milliseconds.
cpu_ms() { awk '{ sub(/.*\) /, ""); print ($12 + $13 + $14 + $15) * 10 }' "/proc/$1/stat" 2>/dev/null || echo 0; }

configure() {
	printf '%s\n' '[policy]' 'cross_domains = yes' '[allow load]' "executable = $load" 'inject = yes' >"$here/p.conf"
	printf '%s\n' '[domain load]' "executable = $load" >"$here/domains.conf"
	[ "$1" = 1 ] && printf '%s\n' '[pressure]' 'min_free = 24G' >>"$here/p.conf"
}

# drive DRIVER SHORT: set the engine up, or start who does; $driver_pid is whose CPU time counts
drive() {
	driver_pid=
	set_ksm run 0
	case $1 in
	defaults | advisor)
		set_ksm pages_to_scan 100
		set_ksm sleep_millisecs 20
		[ "$1" = advisor ] && set_ksm advisor_mode scan-time
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
		"$build/ksm-policyd" --apply --state-dir "$here/state" -c "$here/p.conf" --domains "$here/domains.conf" \
			9>&- </dev/null 2>"$here/policyd.log" &
		driver_pid=$!
		wait_for 20 grep -q acting "$here/policyd.log"
		;;
	esac
}

# stop_driving DRIVER: its CPU time in milliseconds in $driver_ms
stop_driving() {
	driver_ms=0
	[ -n "$driver_pid" ] || return
	driver_ms=$(cpu_ms "$driver_pid")
	if [ "$1" = ksm-policyd ]; then
		kill -TERM "$driver_pid"
		wait "$driver_pid"
		cp "$here/policyd.log" "$here/policyd.last"
	else
		pkill -KILL -P "$driver_pid"
		kill -KILL "$driver_pid" 2>/dev/null
	fi
}

is_loaded() { grep -q '^ready' "$here/load.err" || ! kill -0 "$load_pid" 2>/dev/null; }

# cell WORKLOAD DRIVER SHORT SECONDS SHAPE…
cell() {
	local workload=$1 driver=$2 short=$3 seconds=$4 merge=() ksmd_before cow_before cow_after
	shift 4
	[ "$driver" = off ] || [ "$driver" = ksm-policyd ] || merge=(merge)
	drive "$driver" "$short"
	(exec -a 'qemu-system-x86_64 -enable-kvm' "$load" "$@" "$seconds" "${merge[@]}") >"$here/load.json" 2>"$here/load.err" 9>&- &
	load_pid=$!
	wait_for 60 is_loaded
	ksmd_before=$(ksmd_ns)
	cow_before=$(cow_breaks)
	# its own end takes the counters with it: what the driver took is read a moment before
	sleep $((seconds - 1))
	stop_ms=$([ -n "$driver_pid" ] && cpu_ms "$driver_pid" || echo 0)
	local ksmd_after
	ksmd_after=$(ksmd_ns)
	cow_after=$(cow_breaks)
	wait "$load_pid"
	stop_driving "$driver"
	jq -c --arg w "$workload" --arg d "$driver" --argjson ksmd $((ksmd_after - ksmd_before)) \
		--argjson cow $((cow_after - cow_before)) --argjson own "${stop_ms:-0}" \
		'{workload: $w, driver: $d} + . + {ksmd_cpu_seconds: ($ksmd / 1e9), cow_breaks: $cow, own_cpu_seconds: ($own / 1e3)}' \
		"$here/load.json" >>"$results"
	tail -n 1 "$results" >&2
}

# under its own lock, with every setting put back
locked_cell() (
	take_lock 900 || bail "the lock can't be had"
	settings >"$here/settings"
	trap 'settings_restore "$here/settings"' EXIT
	[ "$(get_ksm run)" = 1 ] && bail "the engine of this machine is at work"
	cell "$@"
	settings_restore "$here/settings"
)

table() {
	jq -rs '["workload", "driver", "saved MiB", "of", "80 % after", "ksmd CPU s", "own CPU s", "huge MiB", "COW breaks",
		"requests per CPU-s", "p99 µs"], ["---", "---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:"],
		(.[] | [.workload, .driver, .saved_mib, .most_mib,
			(if .seconds_to_80 < 0 then "–" else "\(.seconds_to_80) s" end), (.ksmd_cpu_seconds * 100 | round / 100),
			(.own_cpu_seconds * 100 | round / 100), .huge_mib, .cow_breaks, .requests_per_cpu_second, .p99_us]) |
		"| " + (map(tostring) | join(" | ")) + " |"' "$results"
}

find_ksmtuned || drivers=(off defaults advisor ksm-policyd)
while IFS='|' read -r workload shape seconds short <&3; do
	for driver in "${drivers[@]}"; do
		case "$workload/$driver" in *${CELLS:-}*) ;; *) continue ;; esac
		# shellcheck disable=SC2086
		locked_cell "$workload" "$driver" "$short" "$seconds" $shape
	done
done 3<<<"$workloads"
table
rm -rf "$here"
