#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-advise counts stopped processes of made memory exactly as the brute-force count does.
. "$(dirname "$0")/../lib.sh"
live_begin

# counted NAME ARGUMENT…: made and looked at
counted() {
	local name=$1 status
	shift
	make_memory --stop "$@"
	status=$?
	case $status in
	0) agrees "$name" "$made_all" ;;
	77) skip "$name" "this machine can't make $*" ;;
	*) not_ok "$name" "made_memory failed" ;;
	esac
	end_processes
}

file=$(command -v bash)

counted "pairs" --pairs 1009 --unique 23
counted "many copies of few contents" --copies 307x3 --copies 1x601 --copies 5x257
counted "zero pages" --zero 101 --unique 7
counted "sparse pages" --holes 211
counted "mappings of the zero page" --zeropage-mappings 61 --huge-zeropage-mappings 1 --unique 3
counted "huge pages" --thp-regions 3 --thp-dup 17 --thp-zero 29
counted "private mappings of files" --file-private "$file" --file-cow 41 --memfd-cow 37
counted "shared memory" --shared 59 --memfd 53 --pairs 31
counted "a forked family" --pairs 211 --unique 97 --fork 3 --cow 13 --cow-same 11
counted "a forked family that writes to a huge page" --thp-regions 2 --thp-dup 7 --thp-zero 5 --fork 2 --thp-cow 3
# Only a child has the huge page whole now, and no other page than its first is its own: pagemap calls all of them so.
counted "a family whose parent writes to a huge page" --thp-regions 2 --thp-dup 7 --fork 1 --thp-cow-self 3
counted "a forked family of sparse pages" --holes 503 --zero 19 --fork 2
counted "all together" --unique 23 --pairs 1009 --copies 307x3 --zero 101 --common 43 --holes 31 \
	--zeropage-mappings 61 --huge-zeropage-mappings 1 --thp-regions 3 --thp-dup 17 --thp-zero 29 --memfd 53 \
	--shared 59 --memfd-cow 37 --file-private "$file" --file-cow 41 --fork 2 --cow 5 --cow-same 7 --thp-cow 3

# Two strangers, and two families of which one has contents of the other.
make_memory --stop --seed 11 --common 43 --unique 19 --pairs 5 && first=$made_pid
make_memory --stop --seed 12 --common 47 --unique 17 --zero 13 && second=$made_pid
agrees "two processes" "$first,$second"
make_memory --stop --seed 13 --common 29 --unique 31 --fork 2 --cow 7 && third=$made_all
make_memory --stop --seed 13 --common 31 --unique 29 --fork 2 --cow-same 11 && fourth=$made_all
agrees "families and strangers" "$first,$second,$third,$fourth"
agrees "in any order, named twice" "$fourth,$second,$third,$first,$second"

for reader in direct-map copy; do
	agrees "reader $reader" "$first,$second,$third" --reader "$reader"
	equal "reader $reader is the one that read" "$reader" "$(jq -r .looked.reader "$work/advise.json")"
done

# Ways to name a target give the same processes.
candidates() { jq .frames.candidate "$work/advise.json"; }
advise --pid "$first,$second,$third,$fourth" --settle 0
all=$(candidates)
advise --comm made_memory --settle 0
at_least "--comm finds all of that name" "$(candidates)" "$all"
advise --comm "no such name" --settle 0
equal "--comm without a match fails" 1 "$status"
advise --uid 0 --settle 0
at_least "--uid 0 finds them too" "$(candidates)" "$all"
holds "--uid 0 finds the shell too" "[.processes[].pid] | index($$) != null" "$work/advise.json"
advise --all --settle 0
at_least "--all finds them too" "$(candidates)" "$all"

# Another user's process is another trust domain: what is shared with it is a risk and no saving.
end_processes
make_memory --stop --seed 17 --common 401 --pairs 23 && mine=$made_pid
made_as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
make_memory --stop --seed 18 --common 409 --pairs 29 && theirs=$made_pid
made_as=()
agrees "processes of two users" "$mine,$theirs"
holds "processes of two users: what they share crosses" '.sharing | length == 1 and .[0].crosses' "$work/advise.json"
holds "processes of two users: it is told by uid too" \
	'.sharing_by_uid | length == 1 and .[0].crosses and ([.[0].a, .[0].b] | sort) == [0, 65534]' "$work/advise.json"
holds "processes of two users: it is no saving" \
	'.duplicates.inside_domains >= 52 and .duplicates.inside_domains < 100 and
		.duplicates.crossing_domains >= 401 and .duplicates.crossing_domains < 430' "$work/advise.json"

# Memory that says of itself that it is not to be shared is counted, and left alone.
end_processes
for secret in --mlock --dontdump; do
	make_memory --stop --pairs 211 $secret
	agrees "$secret" "$made_pid"
	holds "$secret: its duplicates are counted, its mapping is not worth it" \
		"[.mappings[] | select(.start == $((0x${made_range%-*})))][0] | .candidate == 422 and (.worthwhile | not)" \
		"$work/advise.json"
	end_processes
done

# hugetlb: the pool is a setting of the machine; it is put back with the others.
echo 3 >/proc/sys/vm/nr_hugepages
counted "hugetlb" --hugetlb 3 --pairs 53
