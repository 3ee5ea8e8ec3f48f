#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-advise on a recording that was made some time ago on another machine: its figures stay what they were. UPDATE=1
# writes them anew: look at the difference before you commit it.
. "$(dirname "$0")/../lib.sh"

here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

figures='{time, complete, missing: [.missing[].what], looked, frames, duplicates, net_bytes, net_worthwhile_bytes, eta_seconds,
	granularity, processes, domains, sharing, sharing_by_uid, sharing_by_cgroup, sharing_by_domain, mappings, engine,
	reasons: [.reasons[] | [.code, .pid]], verdict: .verdict.code}'

# golden NAME ARGUMENT…
golden() {
	local name=$1
	shift
	"$build/ksm-advise" --replay "$here/two-users.rec" --format json "$@" >"$work/json" 2>"$work/err"
	equal "$name: status" 0 $?
	jq "$figures" "$work/json" >"$work/out"
	[ -z "${UPDATE:-}" ] || cp "$work/out" "$here/$name.expected"
	if diff -u "$here/$name.expected" "$work/out" >"$work/diff" 2>&1; then ok "$name"; else
		not_ok "$name" "$(head -n 30 "$work/diff")"; fi
}

golden replay
printf '[domain both]\nuid = 61001-61002\n' >"$work/domains.conf"
golden replay-domains --domains "$work/domains.conf"
exit $((failures > 0))
