#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What ksmtop takes itself, by the kernel's account of its CPU time and memory:
# one sample a second for half a minute, with 2,000 processes beside those that
# run anyway. Usage: bench_ksmtop.sh BUILD. A missed aim is said, but is no
# failure: it depends on the machine. Root.
set -u
build=$1
work=$(mktemp -d)
trap 'kill "$many" 2>/dev/null; rm -rf "$work"' EXIT

"$build/tests/many_processes" 2000 >"$work/many" &
many=$!
for _ in {1..300}; do grep -q ready "$work/many" && break; sleep 0.2; done

# figure WHAT VALUE UNIT [MOST]
figure() { awk -v what="$1" -v is="$2" -v unit="$3" -v most="${4:-}" 'BEGIN {
	printf "%-44s %8.2f %s", what, is, unit
	if (most != "") printf "  (aim: at most %g) %s", most, is + 0 <= most + 0 ? "" : "MISSED"
	print "" }'; }

# The first samples load the programs: they are not what it costs from then on.
# cost WAY [MOST-PER-CENT MOST-MIB]
cost() {
	"$build/ksmtop" --json -n 33 -d 1 --top 20 ${1:+"$1"} >"$work/run" || exit 1
	figure "ksmtop${1:+ $1}, 2,000 processes: of a CPU" \
		"$(jq -s '[.[3:][] | .own.cpu_ratio] | 100 * add / length' "$work/run")" % "${2:-}"
	figure "ksmtop${1:+ $1}, 2,000 processes: memory" "$(tail -n 1 "$work/run" | jq '.own.rss_bytes / 1048576')" MiB "${3:-}"
}

cost "" 1 32
cost --precise
