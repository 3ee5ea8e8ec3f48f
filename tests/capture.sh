#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Capture what ksm-advise --sysroot reads of this system, for a golden test:
#
#   tests/capture.sh DIR PID…
#
# DIR gets proc/ and sys/. No page contents, no environment, no command lines
# but those of QEMU guests; host names in paths are yours to look for.
set -eu
dir=$1
shift

copy() { # FILE…: what can be read of them
	local file
	for file in "$@"; do
		[ -r "$file" ] && [ -f "$file" ] || continue
		mkdir -p "$dir$(dirname "$file")"
		cat "$file" >"$dir$file" 2>/dev/null || rm -f "$dir$file"
	done
}

copy /sys/kernel/mm/ksm/* /sys/kernel/mm/transparent_hugepage/enabled /sys/kernel/mm/transparent_hugepage/hpage_pmd_size
copy /proc/meminfo /proc/vmstat /proc/sys/kernel/osrelease
mkdir -p "$dir"/sys/devices/system/node
for node in /sys/devices/system/node/node[0-9]*; do
	mkdir -p "$dir$node" && : >"$dir$node/.keep"
done
for pid in "$@" $(pgrep -x ksmd || true); do
	copy /proc/"$pid"/{stat,status,cgroup,ksm_stat,smaps,comm}
	case $(cat /proc/"$pid"/comm) in qemu-*|kvm) copy /proc/"$pid"/cmdline ;; esac
done
