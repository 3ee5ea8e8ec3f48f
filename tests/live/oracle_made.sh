#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The judge is judged first: the brute-force count of made memory is what the
# memory was made to hold. Prime counts, so that no two mistakes cancel.
# check: once
. "$(dirname "$0")/../lib.sh"
live_begin

# counts NAME ARGUMENT…: made, counted, compared
counts() {
	local name=$1 status
	shift
	make_memory --stop "$@"
	status=$?
	if [ $status -eq 77 ]; then
		skip "$name" "this machine can't make $*"
		return
	elif [ $status -ne 0 ]; then
		not_ok "$name" "made_memory failed"
		return
	fi
	oracle "$made_all" "$work/oracle.json" --only "$made_range"
	equal "$name" \
		"${made[candidate]} ${made[distinct]} ${made[zero]} ${made[zero_in_huge]} ${made[huge]} ${made[refused]}" \
		"$(jq -r '"\(.frames.candidate) \(.distinct) \(.frames.zero) \(.frames.zero_in_huge) \(.frames.huge) " +
			"\([.frames.not_mergeable[]] | add // 0)"' "$work/oracle.json")"
	end_processes
}

counts "unique pages" --unique 23
counts "pairs" --pairs 1009
counts "many copies" --copies 307x3 --copies 1x601 --copies 5x257
counts "zero pages" --zero 101
counts "sparse pages" --holes 211
counts "huge pages" --thp-regions 3 --thp-dup 17 --thp-zero 29
counts "a private mapping of a memfd" --memfd-cow 37
counts "a private mapping of a file" --file-private "$(command -v bash)" --file-cow 41
counts "children without a write" --pairs 211 --fork 3
counts "children that write" --unique 97 --pairs 31 --fork 3 --cow 13 --cow-same 11
counts "children that write to a huge page" --thp-regions 2 --thp-dup 7 --fork 2 --thp-cow 3
counts "a parent that writes to a huge page" --thp-regions 2 --thp-dup 7 --fork 1 --thp-cow-self 3
counts "shared memory" --shared 59 --memfd 53 --unique 3
counts "all together" --unique 23 --pairs 1009 --copies 307x3 --zero 101 --common 43 --holes 31 --zeropage-mappings 61 \
	--thp-regions 3 --thp-dup 17 --thp-zero 29 --memfd 53 --shared 59 --memfd-cow 37 --fork 2 --cow 5 --cow-same 7

make_memory --stop --zeropage-mappings 61 && {
	oracle "$made_all" "$work/oracle.json" --only "$made_range"
	equal "mappings of the zero page are no frames" "0 61" \
		"$(jq -r '"\(.frames.candidate) \(.frames.zero_page_mappings)"' "$work/oracle.json")"
}

# Two processes: 43 contents in common, each its own otherwise.
make_memory --stop --seed 11 --common 43 --unique 19 && first=$made_pid
make_memory --stop --seed 12 --common 43 --unique 17 && second=$made_pid
oracle "$first,$second" "$work/oracle.json" --only "$made_range"
equal "two processes" "122 43 0 43" \
	"$(jq -r '"\(.frames.candidate) \(.duplicates.frames) \(.duplicates.within_processes) \(.sharing[0].frames)"' \
		"$work/oracle.json")"
equal "what each process holds" "$first 62 0,$second 60 0" \
	"$(jq -r '[.processes[] | "\(.pid) \(.candidate) \(.self_duplicates)"] | join(",")' "$work/oracle.json")"
