#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Huge pages kept, broken up to the knee, all broken, and what KSM does by itself, side by side: memory that the
# process gave back, huge pages left, operations per second of its own processor time, ksmd's CPU; and the slow-down
# that was predicted. Then what watching heat costs the watched, in pairs.
#
#   tests/bench/bench_huge.sh [BUILD [HOT-MIB COLD-MIB]]
#
# Each row is made by itself, with the lock of the machine's settings, so that others come in between.
export KSMSCOPE_BUILD=${1:-build}
. "$(dirname "$0")/../lib.sh"

hot=${2:-256}
cold=${3:-768}
seconds=6
live_begin
work_settings=$work/settings
calibration=$work/calibration.json

# rate: median of the last $seconds lines, in operations per second of processor time
rate() { tail -n "$seconds" "$work/workload" | sort -k2n | sed -n "$((seconds / 2 + 1))s/rate //p"; }
huge_left() { awk '/^AnonHugePages/ { sum += $2 } END { print sum / 2048 }' "/proc/$1/smaps"; }

# per_cent PART WHOLE
per_cent() { awk -v part="$1" -v whole="$2" 'BEGIN { printf "%.1f", 100 * part / whole }'; }

begin_row() {
	take_lock 1800 || bail "another test holds $lock_file"
	settings >"$work_settings"
	echo madvise >"$thp/enabled"
	start "$tools/huge_workload" "$hot" "$cold" >"$work/workload"
	wait_for 120 grep -q rate "$work/workload" || bail "no huge pages are to be had"
	sleep $((seconds + 1))
}

end_row() {
	end_processes
	forget_merged
	settings_restore "$work_settings"
	flock -u 9
}

# row MODE: whole, then after --apply
row() {
	local mode=$1 before after predicted saved
	begin_row
	before=$(rate)
	"$build/ksm-advise" --pid "$started_pid" --format json --calibration "$calibration" --state-dir "$work/state" \
		--heat 5 --apply --huge-pages "$mode" --for 60 >"$work/$mode.json" 2>"$work/$mode.err" 9>&- ||
		{ echo "$mode: $(head -c 300 "$work/$mode.err")"; end_row; return 1; }
	sleep $((seconds + 2))
	after=$(rate)
	case $mode in
	keep) predicted=0 ;;
	knee) predicted=$(jq '.huge.knee.slowdown_ppm' "$work/$mode.json") ;;
	*) predicted=$(jq '.huge.frontier[-1].slowdown_ppm' "$work/$mode.json") ;;
	esac
	saved=$(jq '.applied.actual_bytes' "$work/$mode.json")
	printf '%-6s %10.1f %8.0f %12.3f %12.3f %9s %% %9s %% %9s\n' "$mode" "$(awk -v b="$saved" 'BEGIN { print b / 2 ** 20 }')" \
		"$(huge_left "$started_pid")" "$(awk -v r="$before" 'BEGIN { print r / 1e6 }')" \
		"$(awk -v r="$after" 'BEGIN { print r / 1e6 }')" "$(per_cent "$((before - after))" "$after")" \
		"$(per_cent "$predicted" 1000000)" "$(jq '.applied.ksmd_cpu_seconds' "$work/$mode.json")"
	end_row
}

calibrate() {
	begin_row
	end_processes
	"$build/ksm-advise" --calibrate 20 --calibration "$calibration" >"$work/calibrated" 2>&1 9>&- || cat "$work/calibrated"
	end_row
}

# What watching costs: seconds with it and without, in turn.
disturbance() {
	local pairs=5 pair with=() without=()
	begin_row
	for ((pair = 0; pair < pairs; pair++)); do
		sleep $((seconds + 1))
		without+=("$(rate)")
		"$build/ksm-advise" --pid "$started_pid" --settle 0 --heat $((seconds + 2)) --format json >"$work/heat.json" 9>&-
		with+=("$(rate)")
	done
	for ((pair = 0; pair < pairs; pair++)); do
		per_cent "$((without[pair] - with[pair]))" "${without[pair]}"
		echo
	done | sort -n | sed -n "$((pairs / 2 + 1))p" >"$work/disturbance"
	jq -r --arg slower "$(<"$work/disturbance")" '.huge.heat | "watching heat: the watched is \($slower) % slower (median of '$pairs' pairs); it took \(
		.cpu_seconds / .seconds * 1e4 | round / 100) % of a CPU, \(.looks) looks in \(.seconds | round) s"' "$work/heat.json"
	end_row
}

flock -u 9
calibrate
printf '%-6s %10s %8s %12s %12s %11s %11s %9s\n' "" "saved MiB" "huge" "M/s whole" "M/s after" "slower" "predicted" "ksmd s"
for mode in keep knee all any; do
	row "$mode"
done
disturbance
