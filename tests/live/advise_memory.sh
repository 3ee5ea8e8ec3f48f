#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What ksm-advise itself needs: at most 16 bytes per frame looked at, and 16 MiB.
# check: once
. "$(dirname "$0")/../lib.sh"
live_begin
command -v /usr/bin/time >/dev/null || skip_rest "/usr/bin/time is not installed"

# bounded NAME ARGUMENT…: of made memory
bounded() {
	local name=$1 peak frames
	shift
	make_memory --stop "$@" || { skip "$name" "this machine can't make $*"; return; }
	/usr/bin/time -f %M -o "$work/peak" "$build/ksm-advise" --format json --pid "$made_all" --settle 0 \
		>"$work/advise.json" 2>"$work/advise.err" || { not_ok "$name" "$(head -c 200 "$work/advise.err")"; return; }
	peak=$(($(tail -n 1 "$work/peak") * 1024))
	frames=$(jq .looked.frames "$work/advise.json")
	at_most "$name: bytes at most, of $frames frames" "$peak" $((16 * frames + (16 << 20)))
	end_processes
}

bounded "1 GiB of unique pages" --unique 262147
bounded "256 MiB of pairs" --pairs 32771
bounded "256 MiB of huge pages" --thp-regions 128 --thp-dup 101 --thp-zero 11
bounded "a forked family of 512 MiB" --unique 131071 --fork 3 --cow 10007
bounded "every other page untouched, 256 MiB" --holes 65537
