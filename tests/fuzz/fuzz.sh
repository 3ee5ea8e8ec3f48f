#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# Runs the fuzz targets: first every input that once was a crash (regressions/),
# then from the kept corpus on for some seconds.
#
#   tests/fuzz/fuzz.sh [TARGET…]            all of them
#   tests/fuzz/fuzz.sh --keep [TARGET…]     take what was found into tests/fuzz/corpus, minimised
#
#   BUILD         where the program is built (build)
#   FUZZ_SECONDS  per target (2)
#
# What was found lies in $BUILD/fuzz/corpus/TARGET, an input that crashed in $BUILD/fuzz/crashes/TARGET: mend what it
# shows, and keep it in tests/fuzz/regressions/TARGET.
cd "$(dirname "$0")/../.." || exit 1
# as make was told: its dependencies have names of files, not files
made_in=${KSMSCOPE_TOOLS:-${BUILD:-build}}
export KSMSCOPE_BUILD=$made_in
. tests/lib.sh

seconds=${FUZZ_SECONDS:-2}
fuzzer=$build/fuzz/ksmscope-fuzz
# Files of a target are few and small: beyond this many bytes in all they are no corpus to keep in a tree.
most_kept=65536
work=$(mktemp -d)
export TMPDIR=$work
trap 'kill $(jobs -rp) 2>/dev/null; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
export ASAN_OPTIONS=exitcode=99:detect_leaks=1:strict_string_checks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1

# fuzz TARGET ARGUMENT…
fuzz() {
	local target=$1
	shift
	KSMSCOPE_FUZZ=$target timeout -k 10 $((seconds + 120)) "$fuzzer" -rss_limit_mb=1024 -timeout=10 \
		-max_len="${most[$target]}" "$@" </dev/null
}

# said FILE: what a crash says for itself
said() {
	grep -hE 'ERROR: |does not hold|runtime error|SUMMARY' "$1" | head -n 3 | paste -sd ';' | cut -c1-400
}

# The inputs that once were crashes are none.
regressions() {
	local inputs=(tests/fuzz/regressions/"$1"/*)
	[ -e "${inputs[0]}" ] || return 0
	fuzz "$1" "${inputs[@]}" >"$work/$1.regressions" 2>&1
}

# run_target TARGET: one result, in $work/TARGET.result
run_target() {
	local target=$1 log=$work/$1.log found=$build/fuzz/corpus/$1 crashes=$build/fuzz/crashes/$1 seeds=()
	mkdir -p "$found" "$crashes"
	[ -d "tests/fuzz/corpus/$target" ] && seeds=("tests/fuzz/corpus/$target")
	if ! regressions "$target"; then
		not_ok "fuzz $target: what once was a crash is none" "$(said "$work/$target.regressions")"
	elif fuzz "$target" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$crashes/" \
		"$found" ${seeds[@]+"${seeds[@]}"} >"$log" 2>&1; then
		ok "fuzz $target ($(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, $(
			grep -o 'cov: [0-9]*' "$log" | tail -n 1))"
	else
		cp "$log" "$crashes/log"
		not_ok "fuzz $target" "$(said "$log"); the input is in ${crashes#"$top"/}"
	fi
}

# Two crashes on purpose, and a property that does not hold: a fuzzer that sees nothing would pass everything.
crashes_are_seen() {
	local crash
	for crash in overrun overflow property; do
		printf '%s' "$crash" >"$work/$crash"
		if fuzz self "$work/$crash" >"$work/self.log" 2>&1; then
			not_ok "a crash is noticed: $crash" "the fuzzer ended with 0"
		elif [ -n "$(said "$work/self.log")" ]; then
			ok "a crash is noticed: $crash"
		else
			not_ok "a crash is noticed: $crash" "$(tail -n 3 "$work/self.log")"
		fi
	done
}

# keep TARGET: the fewest inputs that reach what all reach, small ones first
keep() {
	local target=$1 kept=tests/fuzz/corpus/$1
	mkdir -p "$work/kept" "$kept" "$build/fuzz/corpus/$target"
	rm -f "$work/kept"/*
	fuzz "$target" -set_cover_merge=1 -use_counters=0 "$work/kept" "$kept" "$build/fuzz/corpus/$target" >"$work/keep.log" 2>&1 ||
		{ tail -n 3 "$work/keep.log"; return 1; }
	rm -f "$kept"/*
	find "$work/kept" -type f -printf '%s %p\n' | sort -n | awk -v most=$most_kept '(sum += $1) <= most { print $2 }' |
		xargs -r cp -t "$kept"
	echo "$target: $(find "$kept" -type f | wc -l) inputs, $(du -sb --apparent-size "$kept" | cut -f 1) bytes"
}

if ! make -s -j"$(nproc)" BUILD="$made_in" "$made_in/fuzz/ksmscope-fuzz" >"$work/make.log" 2>&1; then
	bail "$(grep -E 'error|\*\*\*' "$work/make.log" | head -n 3)"
fi
declare -A most
while read -r name bytes; do
	most[$name]=$bytes
done < <("$fuzzer" --list)

action=run_target
[ "${1:-}" = --keep ] && action=keep && shift
mapfile -t targets < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else "$fuzzer" --list | cut -d ' ' -f 1 | grep -vx self; fi)
for target in "${targets[@]}"; do
	[ -n "${most[$target]:-}" ] || bail "$target is no target: see $fuzzer --list"
done

if [ $action = keep ]; then
	for target in "${targets[@]}"; do keep "$target" || exit 1; done
	exit 0
fi
crashes_are_seen
for target in "${targets[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n 2>/dev/null; done
	run_target "$target" >"$work/$target.result" &
done
wait
(cd "$work" && cat "${targets[@]/%/.result}")
! grep -q '^not ok' "$work"/*.result && [ "$failures" -eq 0 ]
