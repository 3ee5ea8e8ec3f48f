#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What huge pages hide that KSM cannot take: hugetlb of 2 MiB and of 1 GiB, and shared memory in huge pages. The memory's
# own process counts what merging it would free; ksm-advise has to say the same.
. "$(dirname "$0")/../lib.sh"
live_begin
[ -e "$thp/hpage_pmd_size" ] || skip_rest "this kernel has no huge pages"

# What is in the pages: zeros, contents that come again and again, and contents that do not.
cat >"$work/hidden.py" <<'PYTHON'
import collections, mmap, os, sys, time
how, size, page, limit = sys.argv[1], int(sys.argv[2]), mmap.PAGESIZE, int(sys.argv[3])
flags = mmap.MAP_ANONYMOUS | (mmap.MAP_SHARED if how == "shared" else mmap.MAP_PRIVATE)
if how != "shared":
    flags |= 0x40000 | int(how) << 26  # MAP_HUGETLB, of 2 to the power of this
memory = mmap.mmap(-1, size, flags=flags)
if how == "shared":
    memory.madvise(14)  # MADV_HUGEPAGE
salt, copies = os.urandom(16), collections.Counter()
for i in range(size // page):
    what = "zero" if i % 8 == 0 else i % 50 if i % 8 < 5 else -i
    copies[what] += 1
    at = i * page
    memory[at:at + page] = bytes(page) if what == "zero" else (salt + what.to_bytes(16, "big", signed=True)) * (page // 32)
zero = copies.pop("zero")
print("ready", sum(c - -(-c // limit) for c in copies.values()), zero, flush=True)
while True:
    time.sleep(1000)
PYTHON

# hides NAME HOW BYTES
hides() {
	local duplicates zero
	start /usr/bin/python3 "$work/hidden.py" "$2" "$3" "$(get_ksm max_page_sharing)" >"$work/hidden" 2>"$work/hidden.err"
	if ! wait_for 120 is_ready_or_over "$work/hidden" "$started_pid" || ! grep -q ready "$work/hidden"; then
		skip "$1" "so many of these pages are not to be had: $(tail -n 1 "$work/hidden.err")"
		end_processes
		return
	fi
	read -r _ duplicates zero <"$work/hidden"
	kill -STOP "$started_pid"
	wait_for 10 is_stopped "$started_pid"
	advise --pid "$started_pid" --ledger --settle 0
	equal "$1: status: $(head -c 200 "$work/advise.err")" 0 "$status"
	holds "$1: what they hide is what is in them" \
		".huge | .hidden_in_hugetlb_frames - .hidden_zero_frames == $duplicates" "$work/advise.json"
	# zeros elsewhere in the process count with them
	holds "$1: their zeros" ".huge.hidden_zero_frames | . <= $zero and . >= $zero * 0.99 - 1" "$work/advise.json"
	holds "$1: KSM cannot take them: none is a region that could be broken" \
		".huge.regions * .huge.region_bytes < $3" "$work/advise.json"
	kill -CONT "$started_pid"
	end_processes
}

pmd_bytes=$(<"$thp/hpage_pmd_size")
pmd_shift=0
while [ $((1 << pmd_shift)) -lt "$pmd_bytes" ]; do pmd_shift=$((pmd_shift + 1)); done
pool=/sys/kernel/mm/hugepages/hugepages-$((pmd_bytes / 1024))kB/nr_hugepages
if [ -w "$pool" ]; then
	pool_before=$(<"$pool")
	clean_ups+=("echo $pool_before >$pool")
	echo $((pool_before + 8)) >"$pool"
	hides "hugetlb, $((pmd_bytes >> 20)) MiB" "$pmd_shift" $((8 * pmd_bytes))
	echo "$pool_before" >"$pool"
else
	skip "hugetlb" "this kernel has none of that size"
fi

giant=/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages
if [ -w "$giant" ] && [ "$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)" -ge 4 ]; then
	giant_before=$(<"$giant")
	clean_ups+=("echo $giant_before >$giant")
	echo $((giant_before + 1)) >"$giant"
	hides "hugetlb, 1 GiB" 30 $((1 << 30))
	echo "$giant_before" >"$giant"
else
	skip "hugetlb, 1 GiB" "this machine gives none"
fi

if [ -w "$thp/shmem_enabled" ] && echo advise >"$thp/shmem_enabled" 2>/dev/null; then
	hides "shared memory" shared $((8 * pmd_bytes))
else
	skip "shared memory" "this kernel has no shared huge pages"
fi
