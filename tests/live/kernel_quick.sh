#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The shortest proof that the programs do their work on a kernel: an exact count against the brute-force one, by both
# readers; what is merged, seen by ksmtop; and what this kernel does not have named as absent, never as zero.
. "$(dirname "$0")/../lib.sh"
live_begin

make_memory --stop --pairs 211 --unique 23 --zero 17 --fork 1 --cow 5 || bail "no made memory"
agrees "both readers may" "$made_all"
for reader in direct-map copy; do
	agrees "reader $reader" "$made_all" --reader "$reader"
	equal "reader $reader is the one that read" "$reader" "$(jq -r .looked.reader "$work/advise.json")"
done

"$build/ksmtop" --once --json >"$work/top.json" 2>"$work/top.err" 9>&- </dev/null
equal "ksmtop --once: status" 0 $?
holds "ksmtop --once: sees the made process" "[.processes[].pid] | index($made_pid) != null" "$work/top.json"
equal "ksmtop --once: pages as large as they are" "$page_bytes" "$(jq .page_bytes "$work/top.json")"

# named FILE KEY: a number where this kernel has the file, null where it does not
named() {
	local is
	is=$(jq -r ".engine.$2 | type" "$work/top.json")
	if [ -e "$ksm/$1" ]; then
		[ "$is" != null ] && ok "$1 is there, and shown" || not_ok "$1 is there, and shown" "it is null"
	else
		equal "$1 is absent, and null" null "$is"
	fi
}
named pages_scanned pages_scanned
named pages_skipped pages_skipped
named ksm_zero_pages zero_pages
named smart_scan smart_scan
named advisor_mode advisor_mode

# metric FILE NAME: on the exporter's page where this kernel has the file, and not at all where it does not
metric() {
	local on_page
	on_page=$(grep -c "^$2[ {]" "$work/page")
	if [ -e "$ksm/$1" ]; then
		at_least "$1 is there, and a metric" "$on_page" 1
	else
		equal "$1 is absent, and no metric" 0 "$on_page"
	fi
}
"$build/ksm-exporter" --textfile - --once --no-potential >"$work/page" 2>"$work/page.err" 9>&- </dev/null
equal "the exporter's page: status" 0 $?
grep -q "^ksmscope_kernel_info{release=\"$(uname -r)\"} 1" "$work/page" && ok "the exporter's page names this kernel" ||
	not_ok "the exporter's page names this kernel" "$(grep kernel_info "$work/page"; head -c 300 "$work/page.err")"
metric pages_shared ksmscope_ksm_pages_shared
metric pages_scanned ksmscope_ksm_pages_scanned_total
metric pages_skipped ksmscope_ksm_pages_skipped_total
metric ksm_zero_pages ksmscope_ksm_zero_pages

# Opted in (by ourselves where a running process can be, else by itself), merged as predicted, and taken back.
end_processes
own=()
if ! can_opt_in; then
	make_memory --pairs 11 || bail "no made memory"
	advise --pid "$made_pid" --settle 0 --apply --for 60
	equal "apply to a process that has not opted in: status" 1 "$status"
	holds "apply to a process that has not opted in: refused, and says why" \
		'[.applied.changes[] | tostring | select(test("x86-64"))] | length > 0' "$work/advise.json"
	equal "apply to a process that has not opted in: nothing is freed" 0 \
		"$(grep -c ' mg' "/proc/$made_pid/smaps")"
	end_processes
	own=(--mergeable)
fi
make_memory --pairs 211 --unique 23 ${own[@]+"${own[@]}"} || bail "no made memory"
advise --pid "$made_pid" --settle 0 --apply --for 60
# What it opted in itself is merged; its other mappings may hold duplicates, too, and are refused where we can't reach in.
at_most "apply: status" "$status" "${#own[@]}"
holds "apply: what was refused is what can't be done here" '(.applied.changes | length > 0) and (.applied.changes |
	all((.outcome | test("^refused") | not) or ('"${#own[@]}"' == 1 and (.outcome | test("x86-64")))))' "$work/advise.json"
merged=$(sed -n 's/^ksm_merging_pages //p' "/proc/$made_pid/ksm_stat")
at_least "apply: the pairs are merged" "${merged:-$(<"/proc/$made_pid/ksm_merging_pages")}" 422
advise --pid "$made_pid" --undo
at_most "undo: status" "$status" "${#own[@]}"

# The controller decides and acts on this kernel, and leaves nothing behind: whoever ran the engine before has it back.
end_processes
settings_restore "$work/settings"
: >"$work/policy.conf"
settings >"$work/before_policy"
"$build/ksm-policyd" --apply -n 2 -f json -c "$work/policy.conf" --domains "$work/policy.conf" \
	--state-dir "$work/policy" >"$work/decisions" 2>"$work/policy.err" 9>&- </dev/null
equal "policyd: status" 0 $?
grep -q "^<5>acting; memory [a-z]*: " "$work/policy.err" && ok "policyd: says what memory it sees" ||
	not_ok "policyd: says what memory it sees" "$(head -c 300 "$work/policy.err")"
equal "policyd: every setting as before" "" "$(diff "$work/before_policy" <(settings))"
