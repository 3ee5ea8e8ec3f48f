#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real programs, one after the other: tests/real/check.sh [PROGRAM…]. Prints the
# table of docs/real.md and, as its last line, "N passed, N failed, N skipped".
cd "$(dirname "$0")/../.." || exit 1
programs=("$@")
[ ${#programs[@]} -eq 0 ] && programs=(redis postgres node python java)
rows=$(mktemp)
log=$(mktemp)
trap 'rm -f "$rows" "$log"' EXIT

for program in "${programs[@]}"; do
	echo "# $program" | tee -a "$log"
	timeout -k 30 600 tests/real/real.sh "$program" "$rows" 2>&1 | tee -a "$log"
	[ "${PIPESTATUS[0]}" -eq 0 ] || echo "not ok - $program ended with a failure" | tee -a "$log"
done
echo
echo "| program | processes | candidates, MiB | duplicates, MiB | predicted, MiB | came, MiB | ksmd, s | op/s before | merged | after | breaks/s |"
echo "|---|---|---|---|---|---|---|---|---|---|---|"
cat "$rows"
echo
skipped=$(grep -c '^ok .*# SKIP' "$log")
failed=$(grep -c '^not ok' "$log")
echo "$(($(grep -c '^ok' "$log") - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
