#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# What ksmtop shows against what really happened: breaks of merged pages by a
# program that breaks 997 of them a second, first touches of new pages, merges
# against the engine's own counters, collapses by result; all with its default, and with --precise.
. "$(dirname "$0")/../lib.sh"
live_begin

rate=997
seconds=10

# breaker ARGUMENT…: a page_breaker, ready; its output is in $work/breaker
breaker() {
	: >"$work/breaker"
	start "$tools/page_breaker" "$@" >"$work/breaker"
	wait_for 60 grep -q '^ready' "$work/breaker" || bail "page_breaker is not ready"
	breaker_pid=$started_pid
}

# watch ARGUMENT…: one sample over $seconds while the breaker works, of it alone, into $work/top.json
watch() {
	"$build/ksmtop" --json --once -d "$seconds" --pid "$breaker_pid" "$@" >"$work/top.json" 2>"$work/top.err" 9>&- &
	local top_pid=$!
	# its first sample is taken within a second of its start
	sleep 1.5
	kill -USR1 "$breaker_pid"
	wait "$top_pid" || bail "ksmtop: $(head -c 300 "$work/top.err")"
}

# near NAME PER-CENT EXPECTED JQ-VALUE: of one sample, the value is near to what is expected, its interval holds it
near() {
	holds "$1 (expected $3, shown $(jq -c "$4" "$work/top.json"), interval $(jq -c "${4}_interval" "$work/top.json"))" \
		"($4) as \$have | \$have >= $3 * (1 - $2 / 100) and \$have <= $3 * (1 + $2 / 100)" "$work/top.json"
}

# in_interval NAME EXPECTED JQ-VALUE
in_interval() {
	holds "$1" "(${3}_interval) as \$i | \$i[0] <= $2 * 1.005 and \$i[1] >= $2 * 0.995" "$work/top.json"
}

for way in default precise; do
	arguments=() per_cent=10
	[ $way = precise ] && arguments=(--precise) per_cent=3
	pages=$((rate * (seconds + 6) / 2 * 2))

	breaker $pages $rate
	merge_now || bail "nothing merges"
	watch "${arguments[@]}"
	# What the kernel counted for the whole machine is what this program did: nothing else has merged pages.
	kernel=$(jq '.faults.cow_ksm' "$work/top.json")
	holds "$way: something is broken" '.faults.cow_ksm > 500' "$work/top.json"
	near "$way: breaks of merged pages, to ${per_cent} %" $per_cent "$kernel" '.processes[0].cow_breaks_per_second'
	in_interval "$way: their interval" "$kernel" '.processes[0].cow_breaks_per_second'
	near "$way: the machine's" $per_cent "$kernel" '.faults.cow_ksm_attributed'
	holds "$way: opted in and merged" '.processes[0] | .opted_in == "some" and .mergeable and .merged_pages > 0' \
		"$work/top.json"
	end_processes

	breaker 40000 2500 fresh
	watch "${arguments[@]}"
	# All its faults are first touches; how many, the kernel says exactly.
	touched=$(jq '.processes[0].faults_per_second' "$work/top.json")
	holds "$way: something is touched" '.processes[0].faults_per_second > 1000' "$work/top.json"
	near "$way: first touches, to ${per_cent} %" $per_cent "$touched" '.processes[0].first_touch_per_second'
	in_interval "$way: their interval" "$touched" '.processes[0].first_touch_per_second'
	holds "$way: nothing is lost of faults" '.lost | map(select(.path == "faults")) | .[0] |
		.lost == 0 and .produced == .consumed and .produced > 0' "$work/top.json"
	end_processes
done

# ---- faults against getrusage ----

breaker 20000 5000 fresh
"$build/ksmtop" --json -n 10 -d 1 --pid "$breaker_pid" >"$work/all.json" 9>&- &
top_pid=$!
sleep 1.5
kill -USR1 "$breaker_pid"
wait "$top_pid"
faults=$(awk '/^done/ { print $4 }' "$work/breaker")
shown=$(jq -s 'map(.processes[0].faults_per_second * .interval_seconds) | add | round' "$work/all.json")
at_most "faults are those of getrusage, to 1 %" $((100 * (shown > faults ? shown - faults : faults - shown))) "$faults"
end_processes

# ---- merges ----

# ksmd gives up what those that ended have left behind, when there is something to look at
make_memory --unique 101 --mergeable || bail "no memory to merge"
merge_now || bail "the engine does not run"
before=$(($(get_ksm pages_shared) + $(get_ksm pages_sharing)))
breaker 30000 1
"$build/ksmtop" --json -n 8 -d 1 >"$work/all.json" 9>&- &
top_pid=$!
sleep 2
merge_now || bail "nothing merges"
wait "$top_pid"
merged=$(($(get_ksm pages_shared) + $(get_ksm pages_sharing) - before))
shown=$(jq -s 'map(.engine.merges_per_second * .interval_seconds) | add | round' "$work/all.json")
at_least "pages were merged" "$merged" 29000
equal "merges are the change of pages_shared + pages_sharing" "$merged" "$shown"
of_process=$(jq -s --argjson pid "$breaker_pid" \
	'map(.interval_seconds as $s | .processes[] | select(.pid == $pid) | .merges_per_second * $s) | add | round' \
	"$work/all.json")
equal "all of them are that process's" "$merged" "$of_process"
holds "saved is pages_sharing + ksm_zero_pages" \
	'.engine.saved_bytes == (.engine.pages_sharing + .engine.zero_pages) * .page_bytes' <(tail -n 1 "$work/all.json")
end_processes

# ---- collapses, by process and result ----

# A program that, at SIGUSR1, asks for its 16 MiB of base pages as huge pages (MADV_COLLAPSE), and says how many it got.
collapser='
import mmap, re, signal, time
memory = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
for at in range(0, len(memory), mmap.PAGESIZE):
    memory[at] = 1
def huge():
    return sum(map(int, re.findall(r"AnonHugePages: *(\d+)", open("/proc/self/smaps").read())))
signal.signal(signal.SIGUSR1, lambda *_: None)
print("ready", flush=True)
signal.pause()
before = huge()
memory.madvise(mmap.MADV_HUGEPAGE)  # not before: khugepaged would be first
memory.madvise(25)
print("huge", huge() - before, flush=True)
time.sleep(60)
'
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
start /usr/bin/python3 -c "$collapser" >"$work/collapser"
wait_for 20 grep -q '^ready' "$work/collapser" || bail "the collapser is not ready"
"$build/ksmtop" --json -n 3 -d 1 --pid "$started_pid" >"$work/all.json" 9>&- &
top_pid=$!
sleep 1.8
kill -USR1 "$started_pid"
wait "$top_pid"
huge_kib=$(awk '/^huge/ { print $2 }' "$work/collapser")
size_kib=$(awk '/^Hugepagesize:/ { print $2 }' /proc/meminfo)
at_least "huge pages were made" "$huge_kib" $((4 * size_kib))
collapses='.processes[0].outcomes | map(select(.of == "collapses" and .result == "succeed")) | .[0].count'
equal "collapses that succeeded, of that process" $((huge_kib / size_kib)) \
	"$(tail -n 1 "$work/all.json" | jq "$collapses")"
holds "they are the machine's too" "(.outcomes | map(select(.of == \"collapses\" and .result == \"succeed\")) |
	.[0].count) >= ($collapses)" <(tail -n 1 "$work/all.json")
