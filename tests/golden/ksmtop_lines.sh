#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksmtop without a terminal: text, JSON and CSV of recordings and of captured
# systems; what is absent is null and says why; a recording prints what the run
# printed; torn and damaged files; wrong usage.
. "$(dirname "$0")/../lib.sh"

here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
recording=$work/made.recording
"$tools/made_recording" "$recording" || bail "made_recording failed"

# top_of NAME STATUS ARGUMENT…: its output in $work/out, what it says in $work/err
top_of() {
	local name=$1 expected=$2
	shift 2
	TZ=UTC "$build/ksmtop" "$@" >"$work/out" 2>"$work/err" </dev/null
	equal "$name: status" "$expected" $?
}

says() { grep -q -- "$2" "$work/err" && ok "$1" || not_ok "$1" "$(head -c 300 "$work/err")"; }

# ---- replay ----

top_of "JSON" 0 --replay "$recording" --json
equal "JSON: one line per sample but the first" 39 "$(wc -l <"$work/out")"
jq -e . <"$work/out" >/dev/null && ok "JSON: every line is an object" || not_ok "JSON: every line is an object" "see jq"
tail -n 1 "$work/out" >"$work/last"
holds "JSON: schema" '.schema == "ksmtop/1" and .time == 1800000039 and .interval_seconds == 1' "$work/last"
holds "JSON: engine" '.engine | .run == 1 and .pages_shared == 102215 and .profit_bytes == 1149578496 and
	.ksmd_cpu_ratio == 0.052 and .pages_scanned_per_second == 45000 and .merges_per_second == 6000 and
	.pass_seconds == 8 and .pass_eta_seconds == 1 and .smart_scan == true and .advisor_mode == "none"' "$work/last"
holds "JSON: what the schema promises is there" '
	(.engine | [has("run", "pages_shared", "pages_sharing", "pages_unshared", "pages_volatile", "zero_pages",
		"full_scans", "profit_bytes", "ksmd_cpu_ratio", "merges_per_second", "pages_scanned_per_second")] | all) and
	(.faults | [has("user", "write_present", "cow_ksm")] | all) and
	(.own | [has("cpu_ratio", "rss_bytes", "bpf")] | all) and
	([has("time", "huge", "pressure", "processes", "lost", "missing")] | all) and
	(.processes | map([has("pid", "comm", "cgroup", "uid", "anon_bytes", "merged_pages", "profit_bytes", "mergeable",
		"cow_breaks_per_second", "new_duplicates_per_second", "huge_bytes")] | all) | all)' "$work/last"
holds "JSON: no key twice" '[paths | map(tostring) | join(".")] | length == (unique | length)' "$work/last"
holds "JSON: produced = consumed + lost" '[.lost[] | .produced == .consumed + .lost] | length == 2 and all' "$work/last"
holds "JSON: intervals hold their values" '[.processes[] | .cow_breaks_per_second_interval[0] <= .cow_breaks_per_second and
	.cow_breaks_per_second <= .cow_breaks_per_second_interval[1]] | all' "$work/last"
holds "JSON: names are whole and escaped" '[.processes[].comm] | index("漢字") and index("evil\u001b[2J\nname")' "$work/last"
holds "JSON: a reused PID is a new process" '[inputs] | map(.processes[] | select(.pid == 1037)) |
	(map(select(.vm == "web-2")) | length) == 28 and .[28].vm == null and .[28].faults_per_second == null' "$work/out"
undocumented=$(jq -r 'paths | map(strings) | last // empty' "$work/last" | sort -u | sed 's/_interval$//' | while read -r key; do
	grep -q "\`$key\`" "$top/docs/json-ksmtop.md" || echo "$key"; done)
equal "JSON: every key is documented" "" "$undocumented"
cp "$work/out" "$work/first"
top_of "JSON again" 0 --replay "$recording" --json
cmp -s "$work/first" "$work/out" && ok "a recording always gives the same" || not_ok "a recording always gives the same" "it differs"

top_of "CSV" 0 --replay "$recording" --csv --columns pid,comm,anon,cow --sort pid
equal "CSV: head" "time,pid,comm,anon_bytes,cow_breaks_per_second" "$(head -n 1 "$work/out")"
equal "CSV: lines" $((39 * 13 + 1)) "$(wc -l <"$work/out")"
equal "CSV: names are made visible" 39 "$(grep -c ',evil?\[2J?name,' "$work/out")"
equal "CSV: columns" 5 "$(awk -F, '{ print NF }' "$work/out" | sort -u)"

top_of "text" 0 --replay "$recording" -b -n 3 --top 2
equal "text: control characters" 0 "$(LC_ALL=C tr -d '\n\040-\176\200-\377' <"$work/out" | wc -c)"
equal "text: three samples of two processes" 6 "$(grep -c qemu-system "$work/out")"

# selected NAME EXPECTED ARGUMENT…
selected() {
	local name=$1 expected=$2
	shift 2
	top_of "$name" 0 --replay "$recording" --json -n 1 "$@"
	equal "$name" "$expected" "$(jq -c '[.processes[].pid]' "$work/out")"
}
selected "--pid" "[1000,1333]" --pid 1000,1333 --sort pid
selected "--comm" "[1111,1148,1185]" --comm gunicorn --sort pid
selected "--uid" "[1370,1407]" --uid 1000 --sort pid
selected "--cgroup with those below it" "[1000,1037,1074]" --cgroup /machine.slice --sort pid
selected "--cgroup is no prefix of a name" "[]" --cgroup /machine.sl
selected "any of them" "[1000,1370,1407]" --pid 1000 --uid 1000 --sort pid
selected "--sort" "[1074,1000,1037]" --top 3 --sort anon
selected "--sort the other way" "[1333,1370,1296]" --top 3 --sort -anon
top_of "--tree" 0 --replay "$recording" --json -n 1 --tree vm
holds "--tree: groups by guest" '.grouped_by == "vm" and (.groups | map({(.name): .processes}) | add) ==
	{"": 10, "db": 1, "web-1": 1, "web-2": 1}' "$work/out"

# ---- files that are not whole ----

head -c 20000 "$recording" >"$work/torn"
top_of "torn" 0 --replay "$work/torn" --json
says "torn: it says so" "torn off at byte"
count=$(wc -l <"$work/out")
at_least "torn: replays up to the tear" "$count" 10
head -n "$count" "$work/first" | cmp -s - "$work/out" && ok "torn: the same up to there" ||
	not_ok "torn: the same up to there" "it differs"
cp "$recording" "$work/damaged"
printf 'XXXX' | dd of="$work/damaged" bs=1 seek=20000 conv=notrunc status=none
top_of "damaged" 0 --replay "$work/damaged" --json
says "damaged: it is named" "left out: .*sample [0-9]* at byte [0-9]*: its checksum is wrong"
equal "damaged: one sample less" 38 "$(wc -l <"$work/out")"
echo "no recording" >"$work/other"
top_of "no recording" 1 --replay "$work/other" --json
says "no recording: it says so" "is no recording"
top_of "no file" 1 --replay "$work/nowhere" --json
top_of "record over something else" 1 --sysroot "$here/systems/linux-6.18" --once --record "$work/other"
says "record over something else: it is left alone" "left alone"
equal "record over something else: it is there" "no recording" "$(cat "$work/other")"

# ---- captured systems ----

system=$here/systems/linux-6.18
top_of "captured" 0 --sysroot "$system" --json -n 2 -d 0.1 --record "$work/recorded"
cp "$work/out" "$work/run"
top_of "its recording" 0 --replay "$work/recorded" --json
cmp -s "$work/run" "$work/out" && ok "a recording prints what the run printed" ||
	not_ok "a recording prints what the run printed" "$(diff "$work/run" "$work/out" | head -c 300)"
tail -n 1 "$work/run" >"$work/last"
holds "captured: processes" '.processes | length > 2 and all(.anon_bytes >= 0 and .comm != null)' "$work/last"
holds "captured: probes are missing, and say why" '.faults.user == null and .engine.merges_per_second == null and
	([.missing[] | select(.what == "fault probe" or .what == "engine probe")] | length == 2 and
	all(.state == "absent" and .why == "this is a captured system"))' "$work/last"

cp -r "$system" "$work/old"
rm -f "$work"/old/sys/kernel/mm/ksm/{smart_scan,pages_scanned,pages_skipped,advisor_*,general_profit,ksm_zero_pages}
top_of "older kernel" 0 --sysroot "$work/old" --json --once -d 0.1
holds "older kernel: absent is null, and its release is named" '.engine.pages_skipped == null and
	.engine.advisor_mode == null and ([.missing[] | select(.what == "pages_skipped")][0] |
	.state == "absent" and (.why | contains("6.7")))' "$work/out"
holds "older kernel: the profit follows from its parts" '.engine.profit_bytes != null' "$work/out"
rm -rf "$work/old/sys/kernel/mm/ksm" "$work/old/proc/vmstat" "$work/old/proc/pressure"
top_of "no KSM" 0 --sysroot "$work/old" --json --once -d 0.1
holds "no KSM: nothing of it is zero" '[(.engine | del(.ksmd_cpu_ratio))[], .faults.cow_ksm,
	.pressure.some_ratio] | all(. == null)' "$work/out"
top_of "no KSM: text" 0 --sysroot "$work/old" --once -d 0.1
grep -q "KSM is not in this kernel" "$work/out" && ok "no KSM: said" || not_ok "no KSM: said" "$(head -n 3 "$work/out")"
top_of "no such process" 1 --sysroot "$system" --once --pid 4000000
says "no such process: it says so" "no such process"

# ---- usage ----

for arguments in "--json --csv" "--sort nonsense" "--columns pid,nonsense" "-n 0" "-d 0" "-d x" "--once -n 3" \
	"--replay x --record y" "--replay x --precise" "--tree nonsense" "--uid 99999999999" "word" "--pid 0"; do
	# shellcheck disable=SC2086
	top_of "usage: $arguments" 2 $arguments
done
exit $((failures > 0))
