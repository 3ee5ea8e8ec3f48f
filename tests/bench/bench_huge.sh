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
# Beside the made process runs a control, which nobody touches: what else the machine and its neighbours do changes
# random loads by tens of per cent from one second to the next, and meets both. Slow-downs are of the ratio of the two.
# turns, redis-turns, guest-turns: the same process whole, with the knee's huge pages broken, and with all broken, in
# short turns, nothing merged: what the kernel's other work and the neighbours do meets all three, and the median over
# the rounds is the slow-down, to be held against the one that was predicted. watched: the made process is watched and
# not watched in turn.
#
# It takes calibrations of this machine as it goes, the memory being as fast as the neighbours leave it, or
# KSMSCOPE_CALIBRATION=FILE. The lock of the machine's settings is
# given back between its parts, so that others come in between.
export KSMSCOPE_BUILD=${1:-build}
. "$(dirname "$0")/../lib.sh"

subject=
seconds=8
sections=4
rounds=4
rates_per_second=10		# of tests/live/huge_workload.c
pairs=6
port=7391
vm=${KSMSCOPE_VM:-$build/vm}
[ "$(id -u)" -eq 0 ] || bail "needs root"
work=$(mktemp -d)
chmod 755 "$work"
holding=
trap 'give_back; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
given=${KSMSCOPE_CALIBRATION:-}
calibration=${given:-$work/calibration.json}

# ---- the subjects: start_X, and rate_X: operations per second of its own processor time, over some seconds ----

# slower "BEFORE [CONTROL]" "AFTER [CONTROL]": by how many per cent
slower() {
	awk -v before="$1" -v after="$2" 'BEGIN {
		split(before, b, " "); split(after, a, " ")
		printf "%.1f", 100 * (b[1] / a[1] * (a[2] ? a[2] / b[2] : 1) - 1)
	}'
}

start_made() {
	start_control
	start "$tools/huge_workload" 256 768 >"$work/workload"
	wait_for 120 grep -q rate "$work/workload" || bail "no huge pages are to be had"
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
	echo "$(median_rate "$work/workload") $(median_rate "$work/control")"
}

# In turns: of half a second, after a tenth in which caches fill.
alone_made() {
	start "$tools/huge_workload" 256 768 >"$work/workload"
	wait_for 120 grep -q rate "$work/workload" || bail "no huge pages are to be had"
}

turn_made() {
	sleep 0.7
	middle_of last_rates "$work/workload" 5
}

ask() { redis-cli -p "$port" "$@" 9>&-; }

start_redis() {
	local server
	echo always >"$thp/enabled"
	# Its allocator puts large values at different offsets in a page: where it does, equal ones are not equal page by page.
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

alone_redis() { start_redis; }

# Nanoseconds of processor time of its main thread, which is the one that serves.
commands_and_time() {
	ask info stats | tr -d '\r' | sed -n 's/^total_commands_processed://p'
	cut -d' ' -f1 "/proc/$started_pid/schedstat"
}

turn_redis() {
	local before after
	sleep 0.1
	mapfile -t before < <(commands_and_time)
	sleep 0.6
	mapfile -t after < <(commands_and_time)
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
		/bin/huge_workload 128 384
	END
	chmod +x "$tree/init"
	(cd "$tree" && find . | cpio --quiet -o -H newc) >"$work/initrd"
}

start_guest() {
	[ -e "$work/initrd" ] || guest_image
	echo always >"$thp/enabled"
	: >"$work/console"
	start nice qemu-system-x86_64 -name guest=huge -accel tcg,tb-size=64 -smp 1 -machine pc,mem-merge=on -m 768 \
		-nographic -nodefaults -no-reboot -serial "file:$work/console" -kernel "$vm/kernels/6.1/vmlinuz" \
		-initrd "$work/initrd" -append "console=ttyS0 rdinit=/init panic=-1 no_timer_check quiet"
	wait_for 150 grep -qa rate "$work/console" || bail "the guest does not come up: $(tail -n 2 "$work/console")"
}

# Loads of the guest in a second of the processor time of its virtual machine.
rate_guest() {
	local lines before after
	lines=$(grep -ca rate "$work/console")
	before=$(awk '{ print $14 + $15 }' "/proc/$started_pid/stat")
	sleep "$((2 * seconds))"
	after=$(awk '{ print $14 + $15 }' "/proc/$started_pid/stat")
	tr -d '\r' <"$work/console" | grep -a rate | tail -n "+$((lines + 1))" |
		awk -v ticks="$((after - before))" -v hz="$(getconf CLK_TCK)" -v each="$rates_per_second" \
			'{ sum += $2 / each } END { printf "%d\n", sum / ticks * hz }'
}

alone_guest() { start_guest; }

# By the guest's own clock, which runs on while its virtual processor waits: medians leave that out.
turn_guest() {
	sleep 4
	middle_of last_rates "$work/console" 30
}

# ---- rows ----

huge_left() { awk -v pmd="$(<"$thp/hpage_pmd_size")" '/^AnonHugePages/ { sum += $2 } END { print sum * 1024 / pmd }' "/proc/$1/smaps"; }

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
# "keep" has nothing to wait for
declare -A wait_seconds=([keep]=15 [knee]=60 [all]=60 [any]=60)

row() {
	local mode=$1 before after predicted saved slower
	"start_$subject"
	before=$("rate_$subject")
	"$build/ksm-advise" --pid "$started_pid" --format json --calibration "$calibration" --state-dir "$work/state" \
		--heat 5 --apply --huge-pages "$mode" --for "${wait_seconds[$mode]}" >"$work/$mode.json" 2>"$work/$mode.err" 9>&- ||
		{ echo "$mode: $(head -c 300 "$work/$mode.err")"; return 1; }
	after=$("rate_$subject")
	case $mode in
	keep) predicted=0 ;;
	knee) predicted=$(jq '.huge.knee.slowdown_ppm' "$work/$mode.json") ;;
	*) predicted=$(jq '.huge.frontier[-1].slowdown_ppm' "$work/$mode.json") ;;
	esac
	saved=$(jq '.applied.actual_bytes' "$work/$mode.json")
	slower=$(slower "$before" "$after")
	printf '%-6s %10.1f %8.0f %12.3f %12.3f %9s %% %9s %% %9s\n' "$mode" "$(awk -v b="$saved" 'BEGIN { print b / 1048576 }')" \
		"$(huge_left "$started_pid")" "$(awk -v r="$before" 'BEGIN { print r / 1e6 }')" \
		"$(awk -v r="$after" 'BEGIN { print r / 1e6 }')" "$slower" \
		"$(per_cent "$predicted" 1000000)" "$(jq '.applied.ksmd_cpu_seconds' "$work/$mode.json")"
	echo "$mode $saved $slower" >>"$work/rows"
	end_processes
	forget_merged
}

# What the knee keeps of what KSM by itself saves, and of the speed between all whole and all broken.
kept() {
	awk '{ saved[$1] = $2; slower[$1] = $3 }
	END { printf "the knee keeps %.1f %% of the saving of KSM by itself", 100 * saved["knee"] / saved["any"]
		printf ", and %.0f %% of the speed difference\n", 100 * (1 - slower["knee"] / slower["all"]) }' "$work/rows"
}

# Under the same load as what is measured afterwards.
calibrate() {
	start_control
	"$build/ksm-advise" --calibrate 40 --calibration "$calibration" >"$work/calibrated" 2>&1 9>&- || cat "$work/calibrated"
}

# What watching costs: seconds with it and without, in turn.
disturbance() {
	local pair with=() without=()
	start_made
	for ((pair = 0; pair < pairs; pair++)); do
		without+=("$(rate_made)")
		"$build/ksm-advise" --pid "$started_pid" --settle 0 --heat $((seconds + 2)) --format json >"$work/heat.json" 9>&- &
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

# Under the load of this moment, unless one was given; the subject waits meanwhile.
calibrate_now() {
	[ "$given" ] && return
	kill -STOP "$started_pid"
	"$build/ksm-advise" --calibrate 8 --no-writes --calibration "$calibration" >"$work/calibrated" 2>&1 9>&-
	kill -CONT "$started_pid"
	sleep 0.5
}

# What is predicted, and which huge pages are the knee's and all that hide something.
watch() {
	"$build/ksm-advise" --pid "$started_pid" --settle 0 --heat 5 --ledger --format json \
		--calibration "$calibration" >"$work/watched.json" 2>"$work/watched.err" 9>&- || bail "$(<"$work/watched.err")"
	jq '.huge.ledger[] | select(.benefit_bytes > 0) | .address' "$work/watched.json" >"$work/all"
	jq '.huge.ledger[] | select(.breaks_at_knee) | .address' "$work/watched.json" >"$work/knee"
	jq -c '.huge | {regions, knee, all: .frontier[-1]}' "$work/watched.json" >>"$work/predictions"
}

# turn whole|knee|all: its rate
turn() {
	local list=$1 action=break
	[ "$1" = whole ] && list=all action=rebuild
	[ ! -s "$work/$list" ] || "$tools/huge_shape" "$started_pid" "$action" <"$work/$list" >"$work/shaped" ||
		bail "$1: no huge page took it"
	"turn_$subject"
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
	"alone_$subject"
	: >"$work/predictions"
	: >"$work/rounds"
	for ((section = 0; section < sections; section++)); do
		calibrate_now
		watch
		rounds_of >>"$work/rounds"
	done
	tell_turns
}

side_by_side() {
	local mode
	subject=$1
	[ -e "$calibration" ] || part calibrate
	echo "$subject"
	printf '%-6s %10s %8s %12s %12s %11s %11s %9s\n' "" "saved MiB" "huge" "M/s whole" "M/s after" "slower" "predicted" \
		"ksmd s"
	: >"$work/rows"
	for mode in keep knee all any; do
		part row "$mode"
	done
	kept
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
