#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The main job on real processes: four Python workers that load the same data
# set, and a process with huge pages. ksm-advise looks at them, says what
# merging would save, carries it out, and undoes it. It ends with 0 only if the
# kernel confirmed the saving and every setting is as it was.
#
#   tests/demo.sh [BUILD]
KSMSCOPE_BUILD=${1:-build}
. "$(dirname "$0")/lib.sh"

workers=4
data_mib=64

say() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi; }
tell() { printf '   %s\n' "$*"; }
stop_here() { echo "demo: $2" >&2; exit "$1"; }
mib() { awk -v bytes="$1" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'; }
command_line() { printf '\n   $ %s\n\n' "$*"; }
ready_workers() { [ "$(cat "$work"/worker.* | grep -c ready)" -eq "$workers" ]; }

# Like a service's workers: a table of numbers, and objects made of it. No two runs have the same numbers.
worker='
import array, random, sys, time
table = array.array("d")
with open(sys.argv[1], "rb") as data:
    table.fromfile(data, int(sys.argv[2]) // 8)
index = {"item %d" % n: [n, table[n]] for n in random.sample(range(len(table)), 50000)}
print("ready", flush=True)
time.sleep(3600)'

start_workers() {
	local n
	head -c "${data_mib}M" /dev/urandom >"$work/data"
	for n in $(seq $workers); do
		start /usr/bin/python3 -c "$worker" "$work/data" $((data_mib << 20)) >"$work/worker.$n"
		pids=${pids:+$pids,}$started_pid
		tell "process $started_pid: python3, loads $data_mib MiB of numbers and makes objects of its own"
	done
	wait_for 120 ready_workers || stop_here 1 "the workers did not get ready"
	if make_memory --thp-regions 16 --thp-dup 211; then
		pids=$pids,$made_pid
		tell "process $made_pid: 32 MiB in huge pages, 211 of the 512 pages in each of them found in all others"
	else
		tell "(no huge pages are to be had on this machine: that part is left out)"
	fi
}

look() {
	say "2. What would merging save? Looking changes nothing."
	command_line "ksm-advise --pid $pids"
	"$build/ksm-advise" --pid "$pids" 9>&- || stop_here $? "ksm-advise could not look at the processes"
}

apply() {
	say "3. Carry it out: opt these processes in, let the engine run until it has converged, stop it."
	command_line "ksm-advise --pid $pids --apply"
	"$build/ksm-advise" --state-dir "$work/state" --pid "$pids" --settle 0 --apply --for 240 --format json \
		>"$work/applied.json" 2>"$work/plan" 9>&- || stop_here $? "ksm-advise could not carry it out: $(<"$work/plan")"
	head -n 4 "$work/plan"
	tell "…"
	grep -v '^  process' "$work/plan" | tail -n +2
	predicted=$(jq .applied.predicted_bytes "$work/applied.json")
	actual=$(jq .applied.actual_bytes "$work/applied.json")
	kernel=$((($(saved_pages) - saved_before) * page_bytes))
	echo
	tell "predicted                                    $(mib "$predicted")"
	tell "given back, by counting the frames again     $(mib "$actual")"
	tell "the kernel's pages_sharing + ksm_zero_pages  $(mib "$kernel")"
	tell "it took $(jq '.applied.seconds * 10 | round / 10' "$work/applied.json") s, and ksmd" \
		"$(jq '.applied.ksmd_cpu_seconds // 0 | . * 10 | round / 10' "$work/applied.json") s of CPU"
}

undo() {
	say "4. Take it back."
	command_line "ksm-advise --pid $pids --undo"
	"$build/ksm-advise" --state-dir "$work/state" --pid "$pids" --undo >"$work/undo" 9>&- || stop_here $? "ksm-advise could not undo it"
	head -n 3 "$work/undo"
	tell "…"
	"$build/ksm-advise" --state-dir "$work/state" --pid "$pids" --settle 0 --format json >"$work/undone.json" 9>&-
	left=$(jq .frames.merged "$work/undone.json")
	changed=$(diff "$work/settings" <(settings))
	tell "merged frames left in these processes: $left"
	tell "settings of KSM and of huge pages that are not as before: ${changed:-none}"
}

verdict() {
	local within=$((kernel > predicted ? kernel - predicted : predicted - kernel))
	[ "$kernel" -gt 0 ] || stop_here 1 "the kernel confirms no saving"
	[ $((within * 10)) -le "$predicted" ] || stop_here 1 "the kernel's figure is more than a tenth off the prediction"
	[ "$left" = 0 ] || stop_here 1 "$left frames are still merged"
	[ -z "$changed" ] || stop_here 1 "settings were left changed: $changed"
	say "The kernel confirmed a saving of $(mib "$kernel"), $(mib "$predicted") were predicted. Every setting is as it was."
}

[ "$(id -u)" -eq 0 ] || stop_here 4 "needs root: it reads the memory of processes and starts KSM"
[ -d "$ksm" ] || stop_here 3 "this kernel has no KSM (/sys/kernel/mm/ksm)"
[ "$(get_ksm run)" != 1 ] || stop_here 3 "KSM is at work on this machine already; the demo would not know whose saving it sees"
[ -x "$build/ksm-advise" ] || stop_here 1 "$build/ksm-advise is not there: make first"
take_lock 5 || { tell "waiting for a test that changes the same settings …"; take_lock 600 || stop_here 1 "it does not end"; }
begin

pids=
saved_before=$(saved_pages)
say "1. Processes to look at: $workers workers of one service, and one with huge pages."
start_workers
look
apply
undo
verdict
