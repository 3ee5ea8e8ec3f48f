#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whom ksm-advise looks at: by PID, name, uid, control group (those below it
# too), virtual machine; several kinds together; and nobody else.
. "$(dirname "$0")/../lib.sh"
live_begin

# waiting NAME ARGUMENT…: a process of that name (a copy of the interpreter) that waits; its PID is in $started_pid
waiting() {
	local name=$1
	shift
	[ -e "$work/$name" ] || cp "$(readlink -f /usr/bin/python3)" "$work/$name"
	chmod 755 "$work" "$work/$name"
	start "$@" "$work/$name" -c 'import time; time.sleep(600)' "${guest[@]}"
	wait_for 10 grep -q . "/proc/$started_pid/cmdline"
}

# looks_at NAME PIDS ARGUMENT…: exactly these processes are in the answer
looks_at() {
	local name=$1 pids=$2
	shift 2
	advise --settle 0 "$@"
	equal "$name" "$(tr ' ' '\n' <<<"$pids" | sort -n | paste -sd ' ')" \
		"$(jq -r '[.processes[].pid] | join(" ")' "$work/advise.json" 2>/dev/null || head -c 200 "$work/advise.err")"
}

guest=(-name guest=targets-web,debug-threads=on)
waiting qemu-system-x86_64 && web=$started_pid
guest=(-name targets-db)
waiting qemu-system-x86_64 && db=$started_pid
guest=()
waiting targets-one && one=$started_pid
waiting targets-two setpriv --reuid 54321 --clear-groups && two=$started_pid

# comm appears when the program has been started
wait_for 10 grep -q targets-two "/proc/$two/comm" || bail "setpriv did not start its program"
looks_at "by PID" "$one $web" --pid "$one,$web"
looks_at "by name" "$one" --comm targets-one
looks_at "by uid" "$two" --uid 54321
looks_at "by virtual machine: guest=NAME,…" "$web" --vm targets-web
looks_at "by virtual machine: NAME" "$db" --vm targets-db
looks_at "several kinds together" "$web $one $two" --vm targets-web --uid 54321 --pid "$one"
advise --vm targets-none
equal "a virtual machine that there is not: status" 1 "$status"
advise --vm ''
equal "a virtual machine without a name: status" 2 "$status"
advise --all --settle 0
holds "all: every one of them, and not ourselves" \
	"[.processes[].pid] | (map(select(. == $one or . == $two or . == $web or . == $db)) | length) == 4" "$work/advise.json"

group=
for mount in /sys/fs/cgroup/unified /sys/fs/cgroup /sys/fs/cgroup/pids; do
	[ -e "$mount/cgroup.procs" ] && mkdir "$mount/ksmscope-targets" 2>/dev/null && group=$mount/ksmscope-targets && break
done
if [ -z "$group" ] || ! mkdir "$group/below"; then
	skip "by control group" "no control group can be made here"
else
	echo "$one" >"$group/cgroup.procs" && echo "$db" >"$group/below/cgroup.procs" || bail "control groups take nobody"
	looks_at "by control group, those below it too" "$one $db" --cgroup "$group"
	looks_at "by control group: one below" "$db" --cgroup "$group/below"
	looks_at "by control group, as /proc/PID/cgroup names it" "$db" --cgroup /ksmscope-targets/below/
	echo "$one" >"${group%/*}/cgroup.procs"
	echo "$db" >"${group%/*}/cgroup.procs"
	rmdir "$group/below" "$group"
fi
