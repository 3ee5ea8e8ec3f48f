#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Huge pages in ksm-advise: which are hot, which to break, what is said where they are absent, and processes that
# change under our hands. What they hide is held against the brute-force count in advise_counts.sh.
. "$(dirname "$0")/../lib.sh"
live_begin
[ -e "$thp/hpage_pmd_size" ] || skip_rest "this kernel has no transparent huge pages"
echo madvise >"$thp/enabled"

# start_workload ARGUMENT…: sets workload (its PID); 77 where no huge pages are to be had
start_workload() {
	start "$tools/huge_workload" "$@" >"$work/workload"
	workload=$started_pid
	wait_for 60 grep -q rate "$work/workload"
}

kdamonds=/sys/kernel/mm/damon/admin/kdamonds
damon() { cat $kdamonds/nr_kdamonds $kdamonds/*/{state,pid} 2>/dev/null; }

# ---- hot and cold ----

start_workload 64 192 8 384 || skip_rest "no huge pages are to be had"
damon_before=$(damon)
advise --pid "$workload" --heat 3 --ledger --settle 0 --calibration "$work/none.json" --plot "$work/plot.svg"
equal "looked at" 0 $status
huge_pages=$(awk '/^AnonHugePages/ { sum += $2 } END { print sum }' "/proc/$workload/smaps")
holds "every huge page is a region" ".huge.regions * .huge.region_bytes == $huge_pages * 1024" "$work/advise.json"
holds "the rows hold all base pages" '.huge | .region_bytes as $bytes | all(.ledger[];
	.duplicates + .zero + .volatile + .unique + .unread == $bytes / '"$page_bytes"')' "$work/advise.json"
if jq -e '.huge.heat_source == "none"' "$work/advise.json" >/dev/null; then
	skip "hot and cold" "this kernel does not let us see accessed bits"
else
	# the first quarter of the memory is the hot part
	holds "hot ones are hot" '.huge.ledger | .[:length / 4] | map(.accesses_per_second) | min > 50' "$work/advise.json"
	holds "cold ones are cold" '.huge.ledger | .[length / 4:] | map(.accesses_per_second) | max < 10' "$work/advise.json"
	holds "a rate is inside its interval" 'all(.huge.ledger[]; .accesses_low <= .accesses_per_second and
		(.accesses_high == null or .accesses_per_second <= .accesses_high))' "$work/advise.json"
	holds "the knee breaks the cold ones and no hot one" '.huge.ledger | (.[:length / 4] | all(.breaks_at_knee | not)) and
		(.[length / 4:] | all(.breaks_at_knee))' "$work/advise.json"
	# what it costs is in docs/model.md: it follows from how often it looks
	holds "watching says what it took, and looks at most 50 times a second" \
		'.huge.heat | .cpu_seconds > 0 and .cpu_seconds < .seconds and .looks > 10 and .looks < 50 * .seconds' \
		"$work/advise.json"
fi
holds "the curve ends where breaking all ends" '.huge | (.ledger | map(.benefit_bytes) | add) as $all |
	(.frontier[-1].saved_bytes - $all | fabs) < (.ledger | length)' "$work/advise.json"
holds "no slow-down without a calibration" '.huge.calibrated == false and all(.huge.frontier[]; .slowdown_ppm == null)' \
	"$work/advise.json"
equal "a DAMON that runs is left as it was" "$damon_before" "$(damon)"
/usr/bin/python3 -c 'import sys, xml.dom.minidom as x; sys.exit("knee" not in x.parse(sys.argv[1]).toxml())' \
	"$work/plot.svg" 2>"$work/plot.err" && ok "the picture is well-formed and names the knee" ||
	not_ok "the picture" "$(tail -1 "$work/plot.err")"

advise --pid "$workload" --settle 0 --calibration "$work/none.json"
holds "without --heat nothing is known of heat" '.huge.heat_source == "none" and .huge.heat == null' "$work/advise.json"
holds "… and no bit was cleared, no shared page looked into" '.huge.hidden_in_hugetlb_frames == null' "$work/advise.json"

advise --pid "$workload" --heat 1 --heat-by referenced --ledger --settle 0
holds "by whole mappings: all of it is as hot as its hottest page" '.huge.heat_source == "referenced" and
	(.huge.heat.why | length > 0) and (.huge.ledger | map(.accesses_per_second) | min > 1)' "$work/advise.json"

damon_before=$(damon)
advise --pid "$workload" --heat 1 --heat-by damon --ledger --settle 0
equal "by a DAMON, or none" 0 $status
if grep -q '^on$' <<<"$damon_before"; then
	holds "a DAMON that runs is listened to: hot ones are hotter than cold ones" '.huge.heat_source == "none" or (.huge.ledger |
		(.[:length / 4] | map(.accesses_per_second // 0) | add) > (.[length / 4:] | map(.accesses_per_second // 0) | add))' \
		"$work/advise.json"
	holds "… since no own one is started beside it" '.huge.heat_source == "none" or (.huge.heat_source == "damon" and
		(.huge.heat.why | test("somebody else")))' "$work/advise.json"
elif [ -e $kdamonds/nr_kdamonds ] && ! grep -qs Y /sys/module/damon_*/parameters/enabled; then
	if holds "where nobody has a DAMON, one of our own watches" '.huge.heat_source == "own-damon" and
		all(.huge.ledger[]; .accesses_per_second != null)' "$work/advise.json"; then
		holds "… and tells hot from cold" '.huge.ledger | (.[:length / 4] | map(.accesses_per_second) | add) >
			10 * (.[length / 4:] | map(.accesses_per_second) | add)' "$work/advise.json"
	fi
	"$build/ksm-advise" --pid "$workload" --heat 20 --heat-by damon --settle 0 --state-dir "$work/state" \
		>/dev/null 2>&1 9>&- &
	killed=$!
	if wait_for 20 grep -qs on $kdamonds/0/state; then
		kill -KILL $killed
		wait $killed 2>/dev/null
		wait_for 10 grep -q '^0$' $kdamonds/nr_kdamonds
		equal "a program that is killed leaves none" "$damon_before" "$(damon)"
	else
		not_ok "a program that is killed leaves none" "none was started"
		kill -KILL $killed
	fi
else
	holds "without a DAMON heat is unknown, and that is said" '.huge.heat_source == "none" and any(.missing[]; .what == "heat") and
		all(.huge.ledger[]; .accesses_per_second == null)' "$work/advise.json"
fi
equal "… and left as it was" "$damon_before" "$(damon)"

fixed_calibration "$work/calibration.json" || bail "no calibration: $(<"$work/taken.err")"
advise --pid "$workload" --heat 2 --ledger --settle 0 --calibration "$work/calibration.json"
holds "with a calibration there is a slow-down, far less at the knee" '.huge | .calibrated and
	.frontier[-1].slowdown_ppm > 50000 and .knee.slowdown_ppm < .frontier[-1].slowdown_ppm / 10' "$work/advise.json"
holds "the verdict says which to break" '.verdict.text | test("Huge pages: break [0-9,]+ of [0-9,]+, saving .* for .* %; breaking all saves")' \
	"$work/advise.json"
advise --pid "$workload" --settle 0 --calibration "$work/calibration.json" --exchange-rate 0.000001
holds "a GiB that is worth nothing breaks no hot page" '.huge.knee.kind == "exchange-rate" and .huge.knee.regions_broken == 0' \
	"$work/advise.json"

# ---- under our hands ----

{ sleep 1.5; kill -KILL "$workload"; } 9>&- &
advise --pid "$workload" --heat 5 --ledger --settle 0
[ $status -le 1 ] && ok "it ends while it is watched: status $status" || not_ok "it ends while it is watched" "status $status"
[ $status -ne 0 ] || holds "… and what was seen before is said" '.huge.regions > 0' "$work/advise.json"
wait "$workload" 2>/dev/null

cat >"$work/churn.py" <<'PYTHON'
import mmap, os, sys
def made(mib):
    memory = mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(14)  # MADV_HUGEPAGE
    for at in range(0, mib << 20, mmap.PAGESIZE):
        memory[at] = at // mmap.PAGESIZE & 255
    return memory
kept = made(16)
print("ready", flush=True)
while True:
    memory = made(16)       # maps
    memory.resize(8 << 20)  # remaps
    child = os.fork()
    if not child:
        kept[0] = 1
        os._exit(0)
    os.waitpid(child, 0)
    memory.close()          # unmaps
PYTHON
start /usr/bin/python3 "$work/churn.py" >"$work/churn"
wait_for 30 grep -q ready "$work/churn"
for try in 1 2 3; do
	advise --pid "$started_pid" --heat 0.5 --ledger --settle 0
	equal "it forks, remaps and unmaps while it is watched, $try" 0 $status
	holds "… and every row is whole, $try" '.huge | (.region_bytes / '"$page_bytes"') as $pages |
		all(.ledger[]; .duplicates + .zero + .volatile + .unique + .unread == $pages)' "$work/advise.json"
done
end_processes

# ---- always, never ----

plain='import mmap, sys
m = mmap.mmap(-1, 32 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, 32 << 20, mmap.PAGESIZE): m[at] = at // mmap.PAGESIZE & 255
print("ready", flush=True); sys.stdin.read(); input()'
# mode MODE CONDITION: of a process that asks for nothing
mode() {
	echo "$1" >"$thp/enabled"
	: >"$work/plain"
	mkfifo "$work/never-written" 2>/dev/null
	/usr/bin/python3 -c "$plain" <>"$work/never-written" >"$work/plain" 9>&- &
	started+=($!)
	started_pid=$!
	wait_for 30 grep -q ready "$work/plain"
	advise --pid "$started_pid" --heat 0.3 --ledger --settle 0
	equal "huge pages $1" 0 $status
	holds "huge pages $1: $2" "$2" "$work/advise.json"
}
mode always '.huge.regions > 8'
mode never '.huge.regions == 0 and .huge.ledger == [] and .huge.knee.kind == "none"'
advise --pid "$started_pid" --settle 0 --plot "$work/none.svg"
equal "no curve, no picture" "1 no" "$status $([ -e "$work/none.svg" ] && echo yes || echo no)"

for wrong in "--heat 0.01" "--heat 4000" "--heat 1 --sample 0.5" "--ledger --sample 0.5"; do
	# shellcheck disable=SC2086
	advise --pid "$started_pid" $wrong
	equal "usage: $wrong" 2 $status
done
