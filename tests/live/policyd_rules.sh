#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-policyd on this kernel: whom its rules allow, ranges and whole processes, the kernel's advisor, its metrics, and
# what does not pay: volatile memory, ranges that begin to churn, ping-pong with khugepaged.
. "$(dirname "$0")/../lib.sh"
live_begin
. "$top/tests/policyd.sh"
can_opt_in || skip_rest "processes can't be opted in here"
printf '%s\n' '[domain all]' 'uid = 0-65534' >"$work/none.conf"

# begin_with NAME LINE…: the daemon acts by this configuration
begin_with() {
	local name=$1
	shift
	configure "$@"
	launch_policyd --apply --no-bpf
	says 'acting;' || not_ok "$name: it acts" "$(tail -n 2 "$work/log")"
}
end_with() {
	stopped
	equal "$1: status" 0 "$status"
	unchanged "$1"
}

# ---- whom the rules allow ----

group=
for mount in /sys/fs/cgroup/unified /sys/fs/cgroup /sys/fs/cgroup/pids; do
	[ -e "$mount/cgroup.procs" ] && mkdir "$mount/ksmscope-policyd" 2>/dev/null && group=$mount/ksmscope-policyd && break
done
clean_ups+=('[ -z "$group" ] || rmdir "$group/plain" "$group/worker-1.service" "$group" 2>/dev/null')
make_memory --seed 71 --common 5001 && root_a=$made_pid
make_memory --seed 72 --common 5001 && root_b=$made_pid
made_as=(setpriv --reuid 54321 --clear-groups)
make_memory --seed 73 --common 5001 && user_a=$made_pid
make_memory --seed 74 --common 5001 && user_b=$made_pid
made_as=()

# only NAME RULE PID PID OTHER OTHER: the first two are opted in, the others are not
only() {
	allow=$2 begin_with "$1"
	expect "$1: they are opted in" 20 are_opted_in "$3" "$4"
	equal "$1: nobody else is" 0 $(($(ranges_of "$5") + $(ranges_of "$6")))
	end_with "$1"
}
only "by uid" 'uid = 54321' "$user_a" "$user_b" "$root_a" "$root_b"
if [ -n "$group" ] && mkdir "$group/plain" "$group/worker-1.service"; then
	for pid in "$root_a" "$root_b"; do echo "$pid" >"$group/plain/cgroup.procs"; done
	for pid in "$user_a" "$user_b"; do echo "$pid" >"$group/worker-1.service/cgroup.procs"; done
	only "by control group" 'cgroup = /ksmscope-policyd/plain' "$root_a" "$root_b" "$user_a" "$user_b"
	only "by unit" 'unit = worker-*.service' "$user_a" "$user_b" "$root_a" "$root_b"
	for pid in "$root_a" "$root_b" "$user_a" "$user_b"; do echo "$pid" >"${group%/*}/cgroup.procs"; done
else
	skip "by control group" "no control group can be made here"
fi
inject='inject = no' begin_with "without inject" '[opt-in]' 'look_interval = 1s'
sleep 3
equal "without inject: nobody is opted in" 0 $(($(ranges_of "$user_a") + $(ranges_of "$root_a") + $(ranges_of "$root_b")))
policyd --status --format json >"$work/status.json"
holds "without inject: nobody is looked at" '.looks == 0 and .opted_in_ranges == 0' "$work/status.json"
end_with "without inject"

# ---- whole processes ----

opted_whole() { grep -q '^ksm_merge_any: yes' "/proc/$1/ksm_stat"; }
are_whole() { opted_whole "$root_a" && opted_whole "$root_b"; }
if grep -qs ksm_merge_any "/proc/$root_a/ksm_stat"; then
	allow="uid = 0" begin_with "whole processes" '[state low]' 'opt_in = processes'
	expect "whole processes: they are opted in" 20 are_whole
	expect "whole processes: and said to be" 5 says 'opt in process .* as a whole'
	end_with "whole processes"
	are_whole && not_ok "whole processes: not any more" "they still are" || ok "whole processes: not any more"
else
	skip "whole processes" "this kernel does not tell who is opted in"
fi

# ---- the kernel's advisor ----

if [ -e "$ksm/advisor_mode" ]; then
	set_ksm advisor_mode scan-time
	most=$(get_ksm advisor_max_cpu)
	begin_with "the kernel's advisor"
	expect "the kernel's advisor: the engine is started" 20 runs
	equal "the kernel's advisor: it is given the budget" 20 "$(get_ksm advisor_max_cpu)"
	policyd --status --format json >"$work/status.json"
	holds "the kernel's advisor: and nothing that it sets itself" '.written | index("advisor_max_cpu") and
		(index("pages_to_scan") | not)' "$work/status.json"
	stopped
	equal "the kernel's advisor: its bound is as before" "$most" "$(get_ksm advisor_max_cpu)"
	grep -q '\[scan-time\]' "$ksm/advisor_mode" && ok "the kernel's advisor: it is still on" || not_ok "the kernel's advisor" "it is off"
	settings_restore "$work/settings"
	unchanged "the kernel's advisor"
else
	skip "the kernel's advisor" "this kernel has none"
fi

# ---- metrics ----

if command -v curl >/dev/null; then
	port=19961
	configure
	launch_policyd --apply --no-bpf --web.listen-address 127.0.0.1:$port
	wait_for 20 are_opted_in "$root_a" "$root_b"
	has_metrics() { curl -s --max-time 5 "http://127.0.0.1:$port/metrics" >"$work/metrics" && grep -q '^ksmscope_policy_opted_in_ranges [1-9]' "$work/metrics"; }
	expect "metrics: served, with what was opted in" 10 has_metrics
	grep -q '^ksmscope_policy_memory_state{state="low"} 1' "$work/metrics" && ok "metrics: the state of memory" ||
		not_ok "metrics: the state of memory" "$(grep state "$work/metrics" | head -n 3)"
	if command -v promtool >/dev/null; then
		equal "metrics: promtool" "" "$(promtool check metrics <"$work/metrics" 2>&1)"
	fi
	end_with "metrics"
else
	skip "metrics" "curl is not installed"
fi
end_processes

# ---- what does not pay ----

make_memory --seed 75 --volatile 9001 --churn 1 --merge-any && first=$made_pid
make_memory --seed 76 --volatile 9001 --churn 1 --merge-any && second=$made_pid
passes=$(get_ksm full_scans)
scanned=$(get_ksm pages_scanned 2>/dev/null)
allow='uid = 54321' begin_with "never pays"
expect "never pays: the engine is started" 20 runs
expect "never pays: and stopped again" 60 is_off
expect "never pays: for that reason" 5 says 'engine: rest: two scans of everything saved'
# the first end may be of a scan that had begun before
at_most "never pays: passes until then" $(($(get_ksm full_scans) - passes)) 3
[ -z "$scanned" ] || at_most "never pays: pages looked at, of 18002 and what libraries have" $(($(get_ksm pages_scanned) - scanned)) 50000
ksmd_before=$(cut -d ' ' -f 1 "/proc/$(pgrep -x ksmd)/schedstat")
sleep 2
equal "never pays: ksmd does nothing any more" "$ksmd_before" "$(cut -d ' ' -f 1 "/proc/$(pgrep -x ksmd)/schedstat")"
end_with "never pays"
end_processes

# what was rich begins to change all the time: somebody writes to it from outside
make_memory --seed 77 --common 5001 && first=$made_pid from=${made[from]} to=${made[to]}
make_memory --seed 78 --common 5001 && second=$made_pid
begin_with "churn" '[opt-in]' 'look_interval = 1s' 'look_cpu = 100%'
expect "churn: opted in while it is worth it" 20 are_opted_in "$first" "$second"
start /usr/bin/python3 "$top/tests/live/rewrite.py" "$from" "$to" "$first" "$second"
are_out() { [ $(($(ranges_of "$first") + $(ranges_of "$second"))) = 0 ]; }
expect "churn: taken out again" 40 are_out
expect "churn: for that reason" 5 says 'take process.*it changes from look to look'
end_with "churn"
end_processes

# khugepaged puts huge pages together again in which pages are merged, ksmd breaks them, and so on
printf '%s\n' 20 >"$thp/khugepaged/scan_sleep_millisecs"
printf '%s\n' 20 >"$thp/khugepaged/alloc_sleep_millisecs"
if make_memory --seed 79 --thp-regions 12 --thp-dup 200 && first=$made_pid; then
	configure '[opt-in]' 'patience = 3s' 'least_range = 0'
	launch_policyd --apply
	expect "ping-pong: opted in" 20 are_opted_in "$first"
	undone() { says "take process $first out again: khugepaged undoes"; }
	if wait_for 45 undone; then
		ok "ping-pong: taken out again"
		sleep 2
		equal "ping-pong: and left alone" 0 "$(ranges_of "$first")"
		settings_restore "$work/settings"
	elif grep -q 'huge' <(policyd --status --format json | jq -r '.missing[]?' 2>/dev/null); then
		skip "ping-pong" "collapses can't be seen here"
	else
		not_ok "ping-pong: taken out again" "$(tail -n 3 "$work/log")"
	fi
	stopped
	settings_restore "$work/settings"
	unchanged "ping-pong"
else
	skip "ping-pong" "no huge pages can be had"
	settings_restore "$work/settings"
fi
