#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Huge pages kept, broken up to the knee, all broken, and what KSM does by itself, side by side: memory that the
# process gave back, huge pages left, operations per second of its own processor time, ksmd's CPU; and the slow-down
# that was predicted. Then what watching heat costs the watched, in pairs.
#
#   tests/bench/bench_huge.sh [BUILD [made|redis]]
#
# made: a process of 1 GiB that loads from random places of a quarter of it (tests/live/huge_workload.c). redis: a
# key-value store with a million small values that are read at random and 3,000 large ones that are not, each of which
# it holds four times.
#
# It takes a calibration of this machine first, or KSMSCOPE_CALIBRATION=FILE. The lock of the machine's settings is
# given back between its parts, so that others come in between.
export KSMSCOPE_BUILD=${1:-build}
. "$(dirname "$0")/../lib.sh"

subject=${2:-made}
seconds=6
port=7391
[ "$(id -u)" -eq 0 ] || bail "needs root"
work=$(mktemp -d)
chmod 755 "$work"
holding=
trap 'give_back; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
calibration=${KSMSCOPE_CALIBRATION:-$work/calibration.json}

# ---- the subjects: start_X, and rate_X: operations per second of its own processor time, over some seconds ----

start_made() {
	echo madvise >"$thp/enabled"
	start "$tools/huge_workload" 256 768 >"$work/workload"
	wait_for 120 grep -q rate "$work/workload" || bail "no huge pages are to be had"
}

rate_made() {
	sleep $((seconds + 1))
	tail -n "$seconds" "$work/workload" | sort -k2n | sed -n "$((seconds / 2 + 1))s/rate //p"
}

ask() { redis-cli -p "$port" "$@" 9>&-; }

start_redis() {
	local server
	type redis-server redis-benchmark >/dev/null 2>&1 || bail "redis is not installed"
	echo always >"$thp/enabled"
	# Where this allocator puts large values at different offsets in a page, equal ones are not equal page by page.
	MALLOC_CONF=thp:always start redis-server --port "$port" --save "" --appendonly no \
		--disable-thp no --dir "$work" >"$work/redis.log"
	server=$started_pid
	wait_for 20 eval "ask ping 2>/dev/null | grep -q PONG" || bail "redis does not start"
	redis-benchmark -p "$port" -q -t set -r 1000000 -n 3000000 -d 100 -P 64 >/dev/null 2>&1 9>&-
	/usr/bin/python3 - "$port" <<'PYTHON'
import random, socket, sys
random.seed(1)
values = [random.randbytes(256 << 10) for _ in range(750)]
redis = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
answers = redis.makefile("rb")
for i in range(3000):
    value = values[i % 750]
    key = b"large:%d" % i
    redis.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(value), value))
    answers.readline()
PYTHON
	start redis-benchmark -p "$port" -q -t get -r 1000000 -n 2000000000 -P 64 -c 4 >"$work/load" 2>&1
	started_pid=$server
}

# Commands so far, and clock ticks of the server.
commands_and_ticks() {
	ask info stats | tr -d '\r' | sed -n 's/^total_commands_processed://p'
	awk '{ print $14 + $15 }' "/proc/$started_pid/stat"
}

rate_redis() {
	local before after
	mapfile -t before < <(commands_and_ticks)
	sleep "$((2 * seconds))"
	mapfile -t after < <(commands_and_ticks)
	echo $(((after[0] - before[0]) * $(getconf CLK_TCK) / (after[1] - before[1])))
}

# ---- rows ----

huge_left() { awk '/^AnonHugePages/ { sum += $2 } END { print sum / 2048 }' "/proc/$1/smaps"; }

# per_cent PART WHOLE
per_cent() { awk -v part="$1" -v whole="$2" 'BEGIN { printf "%.1f", 100 * part / whole }'; }

# Settings are put back only while the lock is ours: afterwards they are somebody else's.
give_back() {
	[ "$holding" ] || return 0
	end_processes
	forget_merged
	settings_restore "$work/settings"
	holding=
	flock -u 9
}

# part COMMAND…: with the lock, and every setting as it was afterwards
part() {
	take_lock 1800 || bail "another test holds $lock_file"
	holding=yes
	settings >"$work/settings"
	merged_at_start=$(get_ksm pages_shared)
	"$@"
	give_back
}

# row MODE: whole, then after --apply
row() {
	local mode=$1 before after predicted saved
	"start_$subject"
	before=$("rate_$subject")
	"$build/ksm-advise" --pid "$started_pid" --format json --calibration "$calibration" --state-dir "$work/state" \
		--heat 5 --apply --huge-pages "$mode" --for 60 >"$work/$mode.json" 2>"$work/$mode.err" 9>&- ||
		{ echo "$mode: $(head -c 300 "$work/$mode.err")"; return 1; }
	after=$("rate_$subject")
	case $mode in
	keep) predicted=0 ;;
	knee) predicted=$(jq '.huge.knee.slowdown_ppm' "$work/$mode.json") ;;
	*) predicted=$(jq '.huge.frontier[-1].slowdown_ppm' "$work/$mode.json") ;;
	esac
	saved=$(jq '.applied.actual_bytes' "$work/$mode.json")
	printf '%-6s %10.1f %8.0f %12.3f %12.3f %9s %% %9s %% %9s\n' "$mode" "$(awk -v b="$saved" 'BEGIN { print b / 1048576 }')" \
		"$(huge_left "$started_pid")" "$(awk -v r="$before" 'BEGIN { print r / 1e6 }')" \
		"$(awk -v r="$after" 'BEGIN { print r / 1e6 }')" "$(per_cent "$((before - after))" "$after")" \
		"$(per_cent "$predicted" 1000000)" "$(jq '.applied.ksmd_cpu_seconds' "$work/$mode.json")"
	end_processes
	forget_merged
}

rows() {
	local mode
	for mode in "$@"; do
		row "$mode"
	done
}

calibrate() {
	"$build/ksm-advise" --calibrate 20 --calibration "$calibration" >"$work/calibrated" 2>&1 9>&- || cat "$work/calibrated"
}

# What watching costs: seconds with it and without, in turn.
disturbance() {
	local pairs=3 pair with=() without=()
	start_made
	for ((pair = 0; pair < pairs; pair++)); do
		without+=("$(rate_made)")
		"$build/ksm-advise" --pid "$started_pid" --settle 0 --heat $((seconds + 2)) --format json >"$work/heat.json" 9>&- &
		sleep 1		# the look itself
		with+=("$(rate_made)")
		wait $!
	done
	for ((pair = 0; pair < pairs; pair++)); do
		per_cent "$((without[pair] - with[pair]))" "${without[pair]}"
		echo
	done | sort -n | sed -n "$((pairs / 2 + 1))p" >"$work/disturbance"
	jq -r --arg slower "$(<"$work/disturbance")" '.huge.heat | "watching heat: the watched is \($slower) % slower (median of '$pairs' pairs); it took \(
		.cpu_seconds / .seconds * 1e4 | round / 100) % of a CPU, \(.looks) looks in \(.seconds | round) s"' "$work/heat.json"
}

first_rows() {
	[ -e "$calibration" ] || calibrate
	printf '%-6s %10s %8s %12s %12s %11s %11s %9s\n' "" "saved MiB" "huge" "M/s whole" "M/s after" "slower" "predicted" \
		"ksmd s"
	rows keep knee
}

part first_rows
part rows all any
[ "$subject" = redis ] || part disturbance
exit 0
