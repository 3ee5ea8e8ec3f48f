#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Static analysis of everything in user/: cppcheck and clang-tidy (.clang-tidy), both without a word to say.
#
#   tests/lint.sh [FILE…]     some files only
. "$(dirname "$0")/lib.sh"
cd "$top" || exit 1

made_in=${BUILD:-build}
mapfile -t files < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else find user -name '*.c' | sort; fi)
tidy=$(command -v clang-tidy || command -v clang-tidy-14)
flags=(-std=gnu11 -D_GNU_SOURCE "-DKSMSCOPE_VERSION=\"$(<VERSION)\"" -Iuser -I. "-I$made_in")

# clean NAME OUTPUT
clean() { if [ -z "$2" ]; then ok "$1"; else not_ok "$1" "$(head -n 20 <<<"$2")"; fi; }

if command -v cppcheck >/dev/null; then
	clean "cppcheck" "$(cppcheck -q -j"$(nproc)" --std=c11 --library=gnu --enable=warning,portability,performance \
		--inline-suppr --suppressions-list=tests/lint.suppressions --template='{file}:{line}: {id}: {message}' \
		-D__linux__ -D_GNU_SOURCE -DKSMSCOPE_VERSION='""' -Iuser -I. "${files[@]}" 2>&1)"
else
	skip "cppcheck" "cppcheck is not installed"
fi
if [ -n "$tidy" ]; then
	clean "clang-tidy" "$(printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 8 sh -c \
		'tidy=$1 count=$2; shift 2; flags=; i=0
		while [ $i -lt "$count" ]; do flags="$flags $1"; shift; i=$((i + 1)); done
		"$tidy" --quiet "$@" -- $flags 2>/dev/null' - "$tidy" "${#flags[@]}" "${flags[@]}" |
		grep -E '(error|warning):' | sed "s|$top/||" | sort -u)"
else
	skip "clang-tidy" "clang-tidy is not installed"
fi
[ "$failures" -eq 0 ]
