#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-advise by a sample against its exact count of the same stopped process of 1 GiB: how far off, within which
# interval, and within which budget of CPU. What the probe saves is in content_test.
# check: once
. "$(dirname "$0")/../lib.sh"
live_begin

runs=8
make_memory --stop --unique 110000 --pairs 35000 --zero 12000 --copies 9000x6 --copies 40x500 --thp-regions 16 \
	--thp-dup 60 --thp-zero 40 || skip_rest "this machine can't make the memory"

advise --pid "$made_pid" --settle 0 --exact
cp "$work/advise.json" "$work/exact.json"
holds "exact: at least 250,000 frames" '.looked.frames >= 250000 and .duplicates.exact' "$work/exact.json"
truth=$(jq .duplicates.frames "$work/exact.json")
frames=$(jq .frames.candidate "$work/exact.json")

# ---- how good: each run has a key of its own

covered=0 worst=0
for ((run = 0; run < runs; run++)); do
	advise --pid "$made_pid" --sample 6.25%
	[ $status -eq 0 ] || not_ok "sampled run $run" "status $status: $(head -c 200 "$work/advise.err")"
	read -r off within < <(jq -r --argjson t "$truth" '.duplicates |
		"\(.frames - $t | fabs | floor) \(if .low <= $t and $t <= .high then 1 else 0 end)"' "$work/advise.json")
	covered=$((covered + within))
	[ "$off" -gt $worst ] && worst=$off
	cp "$work/advise.json" "$work/sampled.$run.json"
done
at_most "worst error of $runs runs at 1/16, of 1 point of N in frames" $worst $((frames / 100))
# At 95 % each, fewer than 6 of 8 happen once in 180 times.
at_least "runs whose interval holds the exact count" $covered $((runs - 2))
at_least "estimates differ from run to run: keys and places are random" \
	"$(jq .duplicates.frames "$work"/sampled.*.json | sort -u | wc -l)" 2
# of both looks together
holds "by the probe, and few pages are hashed" '.looked.sample.probe and .looked.sample.theta == 0.0625 and
	.looked.sample.hashed < 2 * .looked.frames / 3' "$work/advise.json"
holds "an estimate says so, with its interval" '.duplicates | (.exact | not) and .low < .frames and .frames < .high' \
	"$work/advise.json"
for count in candidate zero zero_in_huge huge merged unread shared_by_fork saved_now zero_page_mappings file; do
	equal "frames are counted exactly: $count" "$(jq ".frames.$count" "$work/exact.json")" \
		"$(jq ".frames.$count" "$work/advise.json")"
done
holds "what a sample can't tell is null or not there" '.huge == null and (.granularity | length) == 1' "$work/advise.json"
for what in "block sizes" "huge pages"; do
	holds "and it says why: $what" ".missing | any(.what == \"$what\" and (.why | test(\"not known from a sample, because\")))" \
		"$work/advise.json"
done

# ---- each figure that an exact look has, within its interval in most of the runs

# runs_hold NAME: PATH's key, its _low and its _high in the runs, against $exact
runs_hold() {
	local held=0 key=$2
	for ((run = 0; run < runs; run++)); do
		jq -e --argjson t "$(jq "$1 | .$key" "$work/exact.json")" "$1 | .${key}_low <= \$t and \$t <= .${key}_high and
			.${key}_low <= .$key and .$key <= .${key}_high" "$work/sampled.$run.json" >/dev/null && held=$((held + 1))
	done
	at_least "runs whose interval holds the exact ${1#.} $key" $held $((runs - 2))
}
runs_hold .duplicates mergeable
runs_hold . net_worthwhile_bytes
runs_hold .exposure needed_after_bytes
runs_hold ".granularity[0]" distinct
runs_hold ".domains[0]" mergeable
large=$(jq '[.mappings[] | select(.candidate >= 64)] | length' "$work/exact.json")
at_least "it has mappings to tell apart" "$large" 5
for ((m = 0; m < large; m++)); do
	runs_hold "([.mappings[] | select(.candidate >= 64)][$m])" duplicates
done
same='[.mappings[] | select(.candidate >= 64 and (.duplicates > .candidate / 20 or .duplicates < 2)) | {pid, start, candidate, zero, huge, worthwhile}]'
equal "mappings are the same, and worth it or not" "$(jq -c "$same" "$work/exact.json")" \
	"$(jq -c --argjson e "$(jq -c "[$same[].start]" "$work/exact.json")" \
	'[.mappings[] | select(.start as $s | $e | index($s)) | {pid, start, candidate, zero, huge, worthwhile}]' "$work/advise.json")"
holds "mappings, small ones together, are the whole" '.frames.candidate ==
	([.mappings[].candidate] | add) + ([.small_mappings[].candidate] | add // 0)' "$work/advise.json"
holds "its process has an interval too" '.processes[0] | .self_duplicates_low <= .self_duplicates and
	.self_duplicates <= .self_duplicates_high and .attributed_bytes_high > 0' "$work/advise.json"

advise --pid "$made_pid" --sample 100% --memory 64M
equal "a sample of everything is the exact count" "$truth" "$(jq .duplicates.frames "$work/advise.json")"
for query in .duplicates.mergeable '.duplicates | [.mergeable, .mergeable]' '.granularity[0].distinct'; do
	equal "a sample of everything: $query" "$(jq -c "$query" "$work/exact.json")" "$(jq -c "$query" "$work/advise.json")"
done
holds "a sample of everything: its interval is a point" '.duplicates | .mergeable_low == .mergeable and
	.mergeable_high == .mergeable' "$work/advise.json"
advise --pid "$made_pid" --sample 6.25% --memory 256K
holds "a small table: the share is halved until it fits, and the interval says so" \
	".looked.sample.theta < 0.0625 and .duplicates.low <= $truth and $truth <= .duplicates.high" "$work/advise.json"
advise --pid "$made_pid" --sample 6.25% --reader copy
holds "by the copying reader, without a probe" "(.looked.sample.probe | not) and
	(.duplicates.frames - $truth | fabs) < .looked.frames / 100" "$work/advise.json"

# ---- the budget, by the kernel's account of the whole process

began=$(date +%s%N)
{ TIMEFORMAT='%U %S'; time "$build/ksm-advise" --pid "$made_pid" --sample 6.25% --budget 2% --format json \
	>"$work/slow.json" 9>&-; } 2>"$work/slow.time"
took=$((($(date +%s%N) - began) / 1000000))
cpu=$(awk '{ printf "%d", ($1 + $2) * 1000 }' "$work/slow.time")
at_most "with a budget of 2 %: CPU time, in hundred-thousandths of the time it took" $((cpu * 100000 / took)) 2400
holds "with a budget: the answer is whole" ".looked.frames == $frames and .complete" "$work/slow.json"

# ---- what does not go together

for words in "--exact --sample 0.1" "--apply --sample 0.1" "--sample 0" "--sample 2" "--sample 0.1 --memory 1K" "--budget 0"; do
	# shellcheck disable=SC2086
	advise --pid "$made_pid" $words
	equal "$words is refused" 2 "$status"
done
advise --pid "$made_pid" --apply --sample 0.1
equal "--apply says that it needs an exact look" 1 "$(grep -c 'exact look' "$work/advise.err")"

# ---- families: a frame that several processes map is one

end_processes
make_memory --stop --unique 3000 --pairs 2000 --zero 500 --fork 3 --cow 700 --cow-same 300
advise --pid "$made_all" --settle 0 --exact
cp "$work/advise.json" "$work/exact.json"
advise --pid "$made_all" --sample 100%
for query in .frames.candidate .frames.shared_by_fork .duplicates.frames .duplicates.inside_domains; do
	equal "a forked family: $query" "$(jq "$query" "$work/exact.json")" "$(jq "$query" "$work/advise.json")"
done

# ---- one page, in a process of its own

end_processes
make_memory --stop --unique 1
for share in 1 1/16 1/1000000; do
	advise --pid "$made_pid" --settle 0 --exact
	truth=$(jq .duplicates.frames "$work/advise.json") frames=$(jq .frames.candidate "$work/advise.json")
	advise --pid "$made_pid" --settle 0 --sample $share
	holds "a page or so, at $share" ".frames.candidate == $frames and (.duplicates | .low <= $truth and $truth <= .high and .high < $frames)" \
		"$work/advise.json"
done

# ---- nothing of a hash leaves: all numbers are counts, times and addresses, and no word is a hash's

end_processes
make_memory --stop --unique 3000 --pairs 2000
advise --pid "$made_pid" --sample 1/4
holds "no number in the answer is as large as a hash" '[.. | numbers | select(. >= 140737488355328)] == []' "$work/advise.json"
equal "no word in it is one" "" "$(grep -oE '\b[0-9a-f]{14,}\b' "$work/advise.json" | grep -vE '^[0-9]+$' | grep -vF "$(jq -r '.processes[].cgroup' "$work/advise.json" | grep -oE '[0-9a-f]{14,}' || echo none)")"
sum=$(jq -c '[.duplicates, .processes[0].self_duplicates_low]' "$work/advise.json")
for ((run = 0; run < 4; run++)); do
	advise --pid "$made_pid" --sample 1/4
	jq -c '[.duplicates, .processes[0].self_duplicates_low]' "$work/advise.json"
done >"$work/runs"
at_least "another run chooses other contents" "$( (cat "$work/runs"; echo "$sum") | sort -u | wc -l)" 2

# ---- pairs, and what stands still

end_processes
make_memory --stop --unique 3000 --pairs 2000
both=$made_all
make_memory --stop --unique 20000 --pairs 2000
both=$both,$made_all
advise --pid "$both" --settle 0 --exact
cp "$work/advise.json" "$work/exact.json"
advise --pid "$both" --sample 100%
holds "nothing changes in what is stopped" '.frames.volatile == 0 and .frames.volatile_high == 0' "$work/advise.json"
for key in sharing sharing_by_uid; do
	equal "a sample of everything has the exact pairs: $key" "$(jq -c "[.$key[] | {a, b, frames}]" "$work/exact.json")" \
		"$(jq -c "[.$key[] | {a, b, frames}]" "$work/advise.json")"
done
pair=$(jq '.sharing[0].frames' "$work/exact.json")
at_least "they have pairs" "${pair:-0}" 3000
held=0
for ((run = 0; run < runs; run++)); do
	advise --pid "$both" --sample 12.5%
	jq -e ".sharing[0] | .low <= $pair and $pair <= .high and .low < .high" "$work/advise.json" >/dev/null && held=$((held + 1))
done
at_least "runs whose interval holds the exact pair" $held $((runs - 2))
