#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Memory that the engine merged already: one frame behind many mappings, in one
# process and in several, and what COW breaks left of it.
. "$(dirname "$0")/../lib.sh"
live_begin

make_memory --stop --seed 21 --common 101 --pairs 211 --copies 3x300 --unique 53 --zero 31 --mergeable && first=$made_pid
make_memory --stop --seed 22 --common 103 --unique 59 --mergeable --fork 2 --cow 7 && second=$made_all
make_memory --stop --seed 21 --common 107 --unique 53 && third=$made_pid
all=$first,$second,$third

merge_now || bail "the engine did not complete four scans in two minutes"
at_least "the engine merged, in pages" "$(get_ksm pages_sharing)" 900
agrees "merged pages" "$all"
agrees "merged pages of one process" "$first"
holds "there are merged frames in it" '.frames.merged > 300' "$work/advise.json"
agrees "merged pages and their copies that were not opted in" "$first,$third"
holds "exposure: all that is merged here" \
	".exposure.needed_bytes >= $(get_ksm pages_sharing) * $page_bytes" "$work/advise.json"

# With the zero page as a merge partner there is no frame left at all.
set_ksm use_zero_pages 1
make_memory --stop --seed 23 --zero 307 --unique 11 --mergeable && fourth=$made_pid
merge_now || bail "the engine did not complete four scans in two minutes"
agrees "zero pages merged with the zero page" "$first,$fourth"
