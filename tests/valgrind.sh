#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What only valgrind sees: bytes that were never written, in what is read, written and handed to the kernel; and leaks
# of the programs as they are built for use. Unit tests, captured systems, a recording, and this system with BPF.
. "$(dirname "$0")/lib.sh"
cd "$top" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v valgrind >/dev/null || skip_rest "valgrind is not installed"
captured=tests/golden/systems/linux-6.18

# clean NAME COMMAND…
clean() {
	local name=$1
	shift
	valgrind -q --suppressions=tests/valgrind.suppressions --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
		--trace-children=no --log-file="$work/log" "$@" >"$work/out" 2>&1 </dev/null
	if [ $? -ne 99 ] && ! grep -qE 'Invalid (read|write)|ninitialised' "$work/log"; then
		ok "valgrind: $name"
	else
		not_ok "valgrind: $name" "$(grep -vE '^==[0-9]+== *$' "$work/log" | head -n 6)"
	fi
}

clean "ksm-advise, captured" "$build/ksm-advise" --sysroot "$captured" --pid 17292,17294 --format json
clean "ksmtop, captured" "$build/ksmtop" --sysroot "$captured" -b -n 1 -d 0.1 --json
"$tools/made_recording" "$work/a.rec" 5
clean "ksmtop, a recording" "$build/ksmtop" -b --replay "$work/a.rec"
clean "ksm-run" "$build/ksm-run" -- /bin/true
for test in recording journal portable domain top; do
	clean "unit tests of $test" "$build/unit/test_$test"
done
if [ "$(id -u)" -eq 0 ]; then
	clean "ksmtop, with BPF" "$build/ksmtop" -b -n 1 -d 0.5 --json --top 5
	clean "ksm-exporter, a page, with BPF" "$build/ksm-exporter" --textfile "$work/page.prom" --once
	: >"$work/policy.conf"
	clean "ksm-policyd, deciding, with BPF" "$build/ksm-policyd" -n 2 -c "$work/policy.conf" --domains "$work/policy.conf" \
		--state-dir "$work/policy"
	clean "ksm-advise, a sample of this shell" "$build/ksm-advise" --pid $$ --sample 1/4 --settle 0.2 --format json
	clean "ksm-advise, of this shell" "$build/ksm-advise" --pid $$ --settle 0 --format json
fi
[ "$failures" -eq 0 ]
