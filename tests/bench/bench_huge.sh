#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Huge pages kept, broken up to the knee, all broken, and what KSM does by itself, side by side: memory that the
# process gave back, huge pages left, operations per second of its own processor time, ksmd's CPU; and the slow-down
# that was predicted.
#
#   tests/bench/bench_huge.sh [BUILD [turns|made|watched|redis-turns|redis|guest-turns|guest]…]
#
# made: a process of 1 GiB that loads from random places of a quarter of it (tests/live/huge_workload.c). redis: a
# key-value store with a million small values that are read at random and 3,000 large ones that are not, each of which
# it holds four times. guest: a virtual machine without KVM, of 768 MiB, in which the made process runs on 512 MiB.
#
# What else the machine and its neighbours do changes random loads by tens of per cent from one second to the next, so
# whatever is compared runs in short turns, one after the other, the others being stopped:
#
# made, redis, guest: four of a kind, alike but for their contents, one for each way. They take turns whole, then each
# is applied to (the others are stopped), then they take turns again. Slow-downs are against the one that is kept in the
# same round, times what they were to each other before. A second section does it in the opposite order with fresh
# ones: ksmd passes by the pages of those that were applied to before.
# turns, redis-turns, guest-turns: the same process whole, with the knee's huge pages broken, and with all broken,
# nothing merged; the median over the rounds is the slow-down, to be held against the one that was predicted.
# watched: the made process is watched and not watched in turn, beside a control which nobody touches.
#
# It takes calibrations of this machine as it goes, the memory being as fast as the neighbours leave it, or
# KSMSCOPE_CALIBRATION=FILE. The lock of the machine's settings is given back between its parts, so that others come
# in between. KSMSCOPE_SECTIONS: fewer or more of them. Where that takes longer than the machine can be had for, merged
# sections are taken one at a time: KSMSCOPE_FIRST is the number of the first, KSMSCOPE_RESULTS a directory in which
# they come together.
export KSMSCOPE_BUILD=${1:-build}
. "$(dirname "$0")/../lib.sh"

subject=
seconds=8
sections=${KSMSCOPE_SECTIONS:-4}
rounds=4
rounds_merged=12
rates_per_second=10		# of tests/live/huge_workload.c
pairs=6
port=7391
vm=${KSMSCOPE_VM:-$build/vm}
[ "$(id -u)" -eq 0 ] || bail "needs root"
work=$(mktemp -d)
chmod 755 "$work"
holding=
first_section=${KSMSCOPE_FIRST:-0}
results=${KSMSCOPE_RESULTS:-$work}
trap 'give_back; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
given=${KSMSCOPE_CALIBRATION:-}
calibration=${given:-$work/calibration.json}

# ---- the subjects: start_X NUMBER, and turn_X NUMBER: operations per second of its own processor time ----

# slower "BEFORE CONTROL" "AFTER CONTROL": by how many per cent
slower() {
	awk -v before="$1" -v after="$2" 'BEGIN {
		split(before, b, " "); split(after, a, " ")
		printf "%.1f", 100 * (b[1] / a[1] * a[2] / b[2] - 1)
	}'
}

start_control() {
	echo madvise >"$thp/enabled"
	start "$tools/huge_workload" 256 0 >"$work/control"
}

# middle_of COMMAND…: the median of the numbers that it writes
middle_of() { "$@" | sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

# last_rates FILE COUNT
last_rates() { tr -d '\r' <"$1" | sed -n 's/^rate //p' | tail -n "$2"; }

median_rate() { middle_of last_rates "$1" $((seconds * rates_per_second)); }

# ... and that of the control.
rate_made() {
	sleep $((seconds + 2))
	echo "$(median_rate "$work/made.0") $(median_rate "$work/control")"
}

start_made() {
	echo madvise >"$thp/enabled"
	start "$tools/huge_workload" 256 768 8 384 3600 "$1" >"$work/made.$1"
	pid[$1]=$started_pid
	wait_for 120 grep -q rate "$work/made.$1" || bail "no huge pages are to be had"
}

# Of half a second, after a tenth in which caches fill.
turn_made() {
	sleep 0.7
	middle_of last_rates "$work/made.$1" 5
}

# ask NUMBER COMMAND…
ask() { redis-cli -p "$((port + $1))" "${@:2}" 9>&-; }

start_redis() {
	local at=$((port + $1))
	echo always >"$thp/enabled"
	# Its allocator puts large values at different offsets in a page: where it does, equal ones are not equal page by page.
	MALLOC_CONF=thp:always start redis-server --port "$at" --save "" --appendonly no \
		--disable-thp no --dir "$work" >"$work/redis.log"
	pid[$1]=$started_pid
	wait_for 20 eval "ask $1 ping 2>/dev/null | grep -q PONG" || bail "redis does not start"
	redis-benchmark -p "$at" -q -t set -r 1000000 -n 3000000 -d 100 -P 64 >/dev/null 2>&1 9>&-
	/usr/bin/python3 - "$at" <<'PYTHON'
import random, socket, sys
random.seed(int(sys.argv[1]))
values = [random.randbytes(256 << 10) for _ in range(750)]
redis = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
answers = redis.makefile("rb")
for i in range(3000):
    value = values[i % 750]
    key = b"large:%d" % i
    redis.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(value), value))
    answers.readline()
PYTHON
	start redis-benchmark -p "$at" -q -t get -r 1000000 -n 2000000000 -P 64 -c 4 >"$work/load.$1" 2>&1
}

# Commands so far, and nanoseconds of processor time of its main thread, which is the one that serves.
commands_and_time() {
	ask "$1" info stats | tr -d '\r' | sed -n 's/^total_commands_processed://p'
	cut -d' ' -f1 "/proc/${pid[$1]}/schedstat"
}

turn_redis() {
	local before after
	sleep 0.1
	mapfile -t before < <(commands_and_time "$1")
	sleep 0.6
	mapfile -t after < <(commands_and_time "$1")
	echo $(((after[0] - before[0]) * 1000000000 / (after[1] - before[1])))
}

# What the guest runs is the made process, on huge pages of its own. KSMSCOPE_VM: where guests' kernels are.
guest_image() {
	local tree=$work/tree library
	"$top/tests/vm/apt.sh" "$vm" amd64 kernel "$vm/kernels/6.1" linux-image-cloud-amd64 >/dev/null 2>"$work/apt" 9>&- &&
		"$top/tests/vm/apt.sh" "$vm" amd64 unpack "$vm/busybox" busybox-static >/dev/null 2>>"$work/apt" 9>&- ||
		bail "no kernel for a guest: $(tail -n 1 "$work/apt")"
	mkdir -p "$tree"/{proc,sys,bin,lib64}
	cp "$vm/busybox/usr/bin/busybox" "$tools/huge_workload" "$tree/bin/"
	for library in $(ldd "$tools/huge_workload" | grep -o '/[^ ]*'); do
		cp -L --parents "$library" "$tree"
	done
	cat >"$tree/init" <<-END
		#!/bin/busybox sh
		/bin/busybox mount -t proc proc /proc
		/bin/busybox mount -t sysfs sys /sys
		/bin/huge_workload 128 384 8 384 3600 \$seed
	END
	chmod +x "$tree/init"
	(cd "$tree" && find . | cpio --quiet -o -H newc) >"$work/initrd"
}

start_guest() {
	[ -e "$work/initrd" ] || guest_image
	echo always >"$thp/enabled"
	: >"$work/console.$1"
	start nice qemu-system-x86_64 -name "guest=huge$1" -accel tcg,tb-size=64 -smp 1 -machine pc,mem-merge=on -m 768 \
		-nographic -nodefaults -no-reboot -serial "file:$work/console.$1" -kernel "$vm/kernels/6.1/vmlinuz" \
		-initrd "$work/initrd" -append "console=ttyS0 rdinit=/init panic=-1 no_timer_check quiet seed=$1"
	pid[$1]=$started_pid
	wait_for 150 grep -qa rate "$work/console.$1" || bail "the guest does not come up: $(tail -n 2 "$work/console.$1")"
}

# By the guest's own clock, which runs on while its virtual processor waits: medians leave that out.
turn_guest() {
	sleep 4
	middle_of last_rates "$work/console.$1" 30
}

# ---- parts ----

huge_left() { awk -v pmd="$(<"$thp/hpage_pmd_size")" '/^AnonHugePages/ { sum += $2 } END { print sum * 1024 / pmd }' "/proc/$1/smaps"; }

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

# What watching costs: seconds with it and without, in turn.
disturbance() {
	local pair with=() without=()
	start_control
	start_made 0
	for ((pair = 0; pair < pairs; pair++)); do
		without+=("$(rate_made)")
		"$build/ksm-advise" --pid "${pid[0]}" --settle 0 --heat $((seconds + 2)) --format json >"$work/heat.json" 9>&- &
		sleep 1.5	# the look itself
		with+=("$(rate_made)")
		wait $!
	done
	disturbed() {
		for ((pair = 0; pair < pairs; pair++)); do
			slower "${without[pair]}" "${with[pair]}"
			echo
		done
	}
	jq -r --arg slower "$(middle_of disturbed)" --arg all "$(disturbed | sort -n | xargs)" '.huge.heat |
		"watching heat: the watched is \($slower) % slower (median of '"$pairs"' pairs: \($all)); it took \(
		.cpu_seconds / .seconds * 1e4 | round / 100) % of a CPU, \(.looks) looks in \(.seconds | round) s"' "$work/heat.json"
}

# ---- turns ----

# calibrate_now PID…: under the load of this moment, unless one was given; the subjects wait meanwhile
calibrate_now() {
	[ "$given" ] && return
	kill -STOP "$@"
	"$build/ksm-advise" --calibrate 8 --no-writes --calibration "$calibration" >"$work/calibrated" 2>&1 9>&-
	kill -CONT "$@"
	sleep 0.5
}

# What is predicted, and which huge pages are the knee's and all that hide something.
watch() {
	"$build/ksm-advise" --pid "${pid[0]}" --settle 0 --heat 5 --ledger --format json \
		--calibration "$calibration" >"$work/watched.json" 2>"$work/watched.err" 9>&- || bail "$(<"$work/watched.err")"
	jq '.huge.ledger[] | select(.benefit_bytes > 0) | .address' "$work/watched.json" >"$work/all"
	jq '.huge.ledger[] | select(.breaks_at_knee) | .address' "$work/watched.json" >"$work/knee"
	jq -c '.huge | {regions, knee, all: .frontier[-1]}' "$work/watched.json" >>"$work/predictions"
}

# turn whole|knee|all: its rate
turn() {
	local list=$1 action=break
	[ "$1" = whole ] && list=all action=rebuild
	[ ! -s "$work/$list" ] || "$tools/huge_shape" "${pid[0]}" "$action" <"$work/$list" >"$work/shaped" ||
		bail "$1: no huge page took it"
	"turn_$subject" 0
}

# Lines "WHOLE KNEE ALL WHOLE-AGAIN".
rounds_of() {
	local round whole again
	whole=$(turn whole)
	for ((round = 0; round < rounds; round++)); do
		echo -n "$whole $(turn knee) $(turn all) "
		again=$(turn whole)
		echo "$again"
		whole=$again
	done
}

# slower_by COLUMN: its median in per cent, and the interval of order statistics that holds it in 19 of 20 cases
slower_by() {
	awk -v c="$1" '{ print 100 * (($1 + $4) / 2 / $c - 1) }' "$work/rounds" | sort -n | awk '{ v[NR] = $1 } END {
		low = int(NR / 2 - 0.98 * sqrt(NR)); low = low < 1 ? 1 : low
		printf "%.1f %.1f %.1f\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[low], v[NR + 1 - low] }'
}

# per_section COLUMN: of each the median, one after the other
per_section() {
	awk -v c="$1" -v n="$rounds" '{ print int((NR - 1) / n), 100 * (($1 + $4) / 2 / $c - 1) }' "$work/rounds" | sort -k1n -k2n |
		awk -v n="$rounds" 'NR % n == int((n + 1) / 2) { low = $2 } NR % n == (int(n / 2) + 1) % n { printf "%s%.1f", (NR > n ? " " : ""), (low + $2) / 2 }'
}

# nothing: the second whole turn of a round against its mean with the first, which is what cannot be told from noise
tell_turns() {
	local knee all nothing
	read -r -a knee < <(slower_by 2)
	read -r -a all < <(slower_by 3)
	read -r -a nothing < <(slower_by 4)
	echo "$subject: $sections sections of $rounds rounds; whole $(middle_of cut -d' ' -f1 "$work/rounds") a second;" \
		"nothing done: ${nothing[0]} % (${nothing[1]} to ${nothing[2]})"
	jq -rs --argjson knee "${knee[0]}" --argjson all "${all[0]}" --arg of_knee "${knee[1]} to ${knee[2]}" \
		--arg of_all "${all[1]} to ${all[2]}" --arg sections "$(per_section 3)" '
		def percent: . / 1e3 | round / 10;
		def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
		def of($what; $key): map(.[$what][$key]) | median;
		def point($name; $measured; $interval): of($name; "slowdown_ppm") as $ppm |
			"\($name): breaks \(of($name; "regions_broken")) of \(map(.regions) | median), saves \(
			of($name; "saved_bytes") / 1048576 | round) MiB; slower by \($measured) % (\($interval)), predicted \(
			$ppm | percent) % (\(of($name; "slowdown_low_ppm") | percent) to \(of($name; "slowdown_high_ppm") | percent))" +
			(if $ppm > 1000 then ", measured/predicted \($measured / $ppm * 1e6 | round / 100)" else "" end);
		point("knee"; $knee; $of_knee), point("all"; $all; $of_all),
		"all, section by section: measured \($sections), predicted \(map(.all.slowdown_ppm | percent | tostring) | join(" "))",
		"the knee keeps \((1 - $knee / $all) * 100 | round) % of the speed difference and \(
			of("knee"; "saved_bytes") / of("all"; "saved_bytes") * 1000 | round / 10) % of the saving"' "$work/predictions"
}

take_turns() {
	local section
	subject=$1
	[ "$subject" = guest ] && sections=3 rounds=2	# its turns are long
	"start_$subject" 0
	: >"$work/predictions"
	: >"$work/rounds"
	for ((section = 0; section < sections; section++)); do
		calibrate_now "${pid[0]}"
		watch
		rounds_of >>"$work/rounds"
	done
	tell_turns
}

# ---- merged ----

ways=(keep knee all any)
# "keep" has nothing to wait for
declare -A wait_seconds=([keep]=15 [knee]=60 [all]=60 [any]=60)
pid=()

# turns_of PHASE COUNT WAY…: lines "PHASE SECTION ROUND WAY RATE"
turns_of() {
	local phase=$1 count=$2 round way rate
	shift 2
	for ((round = 0; round < count; round++)); do
		for way; do
			kill -CONT "${pid[way]}"
			rate=$("turn_$subject" "$way")
			kill -STOP "${pid[way]}"
			echo "$phase $section $round ${ways[way]} $rate"
		done
	done >>"$results/$subject.rates"
}

# apply_to NUMBER: a line "WAY SECTION SAVED HUGE-LEFT KSMD-SECONDS PREDICTED-PPM"
apply_to() {
	local way=${ways[$1]} point='"."'
	kill -CONT "${pid[$1]}"
	sleep 0.3
	"$build/ksm-advise" --pid "${pid[$1]}" --format json --calibration "$calibration" --state-dir "$work/state" \
		--heat 5 --apply --huge-pages "$way" --for "${wait_seconds[$way]}" >"$work/$way.json" 2>"$work/$way.err" 9>&- ||
		bail "$way: $(head -c 300 "$work/$way.err")"
	kill -STOP "${pid[$1]}"
	case $way in
	keep) point=0 ;;
	knee) point=.huge.knee.slowdown_ppm ;;
	*) point='.huge.frontier[-1].slowdown_ppm' ;;
	esac
	echo "$way $section $(jq -r ".applied.actual_bytes, $point, .applied.ksmd_cpu_seconds" "$work/$way.json" | xargs)" \
		"$(huge_left "${pid[$1]}")" >>"$results/$subject.applied"
}

# One section: forth in even ones, back in odd ones.
merge_section() {
	local section=$1 order=(0 1 2 3) way
	((section % 2)) && order=(3 2 1 0)
	for way in "${order[@]}"; do
		"start_$subject" "$way"
		kill -STOP "${pid[way]}"
	done
	calibrate_now "${pid[0]}"
	kill -STOP "${pid[0]}"
	turns_of before "$rounds_merged" "${order[@]}"
	for way in "${order[@]}"; do
		apply_to "$way"
	done
	turns_of after "$rounds_merged" "${order[@]}"
}

# Of all sections together. Savings and ksmd's CPU are means; rates medians; slow-downs medians with their interval.
tell_merged() {
	awk -v subject="$subject" '
	function sorted(list, n,   i, k, v) {
		for (i = 2; i <= n; i++) { v = list[i]; for (k = i - 1; k > 0 && list[k] > v; k--) list[k + 1] = list[k]; list[k + 1] = v }
	}
	function median(list, n) { sorted(list, n); return (list[int((n + 1) / 2)] + list[int(n / 2) + 1]) / 2 }
	# The rate of a way against the one kept in the same round, over the rounds of a section; its median.
	function against_kept(phase, s, way,   r, n, list) {
		n = 0
		for (r = 0; (phase, s, r, way) in rate; r++)
			list[++n] = rate[phase, s, r, way] / rate[phase, s, r, "keep"]
		return median(list, n)
	}
	FILENAME ~ /[.]applied$/ { saved[$1] += $3; ppm[$1] += $4; ksmd[$1] += $5; left[$1] += $6; sections[$2]; if ($1 == "keep") count++; next }
	{ rate[$1, $2, $3, $4] = $5 }
	END {
		printf "%s, merged: %d section(s)\n", subject, count
		printf "%-6s %10s %8s %12s %12s %9s %24s %11s\n", "", "saved MiB", "huge", "ops/s whole", "ops/s after", "ksmd s", "slower (95 %)", "predicted"
		split("keep knee all any", ways, " ")
		for (w = 1; w <= 4; w++) {
			way = ways[w]; n = 0; b = 0; a = 0
			for (s in sections) {
				before = against_kept("before", s, way)
				for (r = 0; ("after", s, r, way) in rate; r++) {
					slow[++n] = 100 * (before * rate["after", s, r, "keep"] / rate["after", s, r, way] - 1)
					whole[++b] = rate["before", s, r, way]; after[++a] = rate["after", s, r, way]
				}
			}
			middle[way] = median(slow, n)
			low = int(n / 2 - 0.98 * sqrt(n)); low = low < 1 ? 1 : low
			printf "%-6s %10.1f %8.0f %12.0f %12.0f %9.2f %8.1f %% (%5.1f to %5.1f) %9.1f %%\n", way,
				saved[way] / count / 1048576, left[way] / count, median(whole, b), median(after, a), ksmd[way] / count,
				middle[way], slow[low], slow[n + 1 - low], ppm[way] / count / 1e4
		}
		printf "the knee keeps %.1f %% of the saving of KSM by itself", 100 * saved["knee"] / saved["any"]
		printf ", and %.0f %% of the speed difference between all whole and all broken\n", 100 * (1 - middle["knee"] / middle["all"])
	}' "$results/$subject.applied" "$results/$subject.rates"
}

side_by_side() {
	local i count=${KSMSCOPE_SECTIONS:-2}
	subject=$1
	[ "$subject" = guest ] && rounds_merged=3	# its turns are long
	for ((i = first_section; i < first_section + count; i++)); do
		part merge_section "$i"
	done
	tell_merged
}

shift
[ $# -gt 0 ] || set -- turns made watched redis-turns redis guest-turns guest
declare -A needs=([redis]=redis-benchmark [guest]=qemu-system-x86_64)
for what in "$@"; do
	program=${needs[${what%-turns}]:-sort}
	type "$program" >/dev/null 2>&1 || { echo "$what: $program is not installed"; continue; }
	case $what in
	turns) part take_turns made ;;
	*-turns) part take_turns "${what%-turns}" ;;
	watched) part disturbance ;;
	*) side_by_side "$what" ;;
	esac
done
exit 0
