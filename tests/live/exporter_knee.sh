#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# Which huge pages are worth breaking, as metrics: known where it was looked at, a slow-down only with a calibration,
# and where a host is too large for it, nothing, which the source says.
. "$(dirname "$0")/../lib.sh"
live_begin
[ -e "$thp/hpage_pmd_size" ] || skip_rest "this kernel has no transparent huge pages"
command -v curl >/dev/null || skip_rest "curl is not installed"
echo madvise >"$thp/enabled"
port=19873
exporter() {
	start "$build/ksm-exporter" --interval 0.5 --web.listen-address 127.0.0.1:$port "$@" 2>"$work/err"
	exporter=$started_pid
}
end_exporter() {
	kill -TERM "$exporter"
	wait "$exporter" 2>/dev/null
}
page() { curl -s --max-time 5 "http://127.0.0.1:$port/metrics" >"$work/page" && grep -qF -e "$1" "$work/page"; }
value() { awk -v series="$1" 'substr($0, 1, length(series) + 1) == series " " { print substr($0, length(series) + 2) }' "$work/page"; }
largest_child() {
	for child in $(pgrep -P "$exporter" -x ksm-exporter) "$exporter"; do
		awk '/^VmHWM/ { print $2 }' "/proc/$child/status" 2>/dev/null
	done | sort -n | tail -n 1
}

start "$tools/huge_workload" 64 192 8 384 >"$work/workload"
wait_for 60 grep -q rate "$work/workload" || skip_rest "no huge pages are to be had"
hidden=$(awk '/^AnonHugePages/ { sum += $2 } END { print sum * 1024 }' "/proc/$started_pid/smaps")
resident=$(awk '/^AnonPages/ { print $2 }' /proc/meminfo)

exporter --no-potential --knee 60 --knee-memory 64G
wait_for 240 page "ksmscope_frontier_timestamp_seconds " || bail "there is no frontier: $(grep ledger "$work/page"); $(tail -n 1 "$work/err")"
most=$(largest_child)
equal "the source answers" 1 "$(value 'ksmscope_source_success{source="huge-page ledger"}')"
at_least "huge pages that were looked into, the workload's among them" "$(value ksmscope_frontier_huge_pages)" $((hidden / $(<"$thp/hpage_pmd_size")))
at_least "what breaking all of them frees" "$(value ksmscope_frontier_all_saved_bytes | awk '{ printf "%d", $1 }')" 10000000
at_least "up to the knee it is no more" "$(value ksmscope_frontier_all_saved_bytes | awk '{ printf "%d", $1 }')" \
	"$(value ksmscope_frontier_knee_saved_bytes | awk '{ printf "%d", $1 }')"
if [ ! -e /var/lib/ksmscope/calibration.json ]; then
	equal "no slow-down without a calibration" "" "$(value ksmscope_frontier_knee_slowdown_ratio)"
	equal "and that is said" 1 "$(value 'ksmscope_fact_missing{fact="slow-down",state="absent"}')"
fi
[ "$resident" -gt 4194304 ] || at_most "KiB resident, the collector and its helpers" "$most" 32768
promtool check metrics <"$work/page" >"$work/promtool" 2>&1
equal "promtool has nothing to say" "" "$(<"$work/promtool")"
end_exporter

exporter --no-potential --knee-memory 1M
wait_for 30 page 'ksmscope_source_success{source="huge-page ledger"}'
equal "a host that is too large: the source does not answer" 0 "$(value 'ksmscope_source_success{source="huge-page ledger"}')"
equal "and there is nothing, not nought" "" "$(grep -E '^ksmscope_frontier_(knee|all|huge)' "$work/page")"
end_exporter
