#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-exporter's metrics of a recording are what ksmtop shows of its last moment; what can't be replayed is refused.
. "$(dirname "$0")/../lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tools/made_recording" "$work/made.recording" || bail "made_recording failed"
"$build/ksmtop" --replay "$work/made.recording" --json | tail -n 1 >"$work/top.json"

# exports NAME STATUS ARGUMENT…
exports() {
	local name=$1 expected=$2
	shift 2
	"$build/ksm-exporter" "$@" >"$work/page" 2>"$work/err" </dev/null
	equal "$name: status" "$expected" $?
}
metric() { awk -v name="$1" '$1 == name { print $2 }' "$work/page"; }

exports "a recording" 0 --replay "$work/made.recording" --textfile -
while read -r name value; do
	equal "$name" "$(jq "$value" "$work/top.json")" "$(metric "ksmscope_$name")"
done <<-'TABLE'
	saved_bytes .engine.saved_bytes
	profit_bytes .engine.profit_bytes
	ksm_pages_sharing .engine.pages_sharing
	huge_bytes .huge.anon_bytes
TABLE
equal "a cgroup's merged pages" \
	"$(jq '[.processes[] | select(.cgroup == "/machine.slice/db.scope") | .merged_pages] | add' "$work/top.json")" \
	"$(metric 'ksmscope_cgroup_merged_pages{cgroup="/machine.slice/db.scope"}')"
equal "labels name groups, never processes" "" "$(grep -oE '[{,](pid|tgid|comm|process|start)="[^"]*"' "$work/page" | head -n 3)"
at_least "labels name groups, never processes: there are groups" "$(grep -c '{cgroup="' "$work/page")" 1
if command -v promtool >/dev/null; then
	equal "promtool has nothing to say" "" "$(promtool check metrics <"$work/page" 2>&1)"
else
	skip "promtool has nothing to say" "promtool is not installed"
fi
exports "served over HTTP" 2 --replay "$work/made.recording"
exports "no recording" 1 --replay /dev/null --textfile -
exports "no such file" 1 --replay "$work/none" --textfile -
