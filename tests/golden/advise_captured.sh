#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-advise on captured systems: what it says where page contents can't be
# had, and that absent, denied and gone stay apart. UPDATE=1 writes the
# expected answers anew: look at the difference before you commit it.
#
# Older kernels are the capture less the files that they do not have.
. "$(dirname "$0")/../lib.sh"

here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=$here/systems/linux-6.18

# variant NAME: a copy to take things away from
variant() {
	cp -r "$base" "$work/$1"
	echo "$work/$1"
}

# without DIRECTORY FILE…
without() {
	local dir=$1 file
	shift
	for file in "$@"; do rm -rf "${dir:?}"/$file; done
}

old=$(variant linux-6.1)
without "$old" sys/kernel/mm/ksm/{smart_scan,pages_scanned,pages_skipped,advisor_\*,general_profit,ksm_zero_pages}
for file in "$old"/proc/*/ksm_stat; do sed -i '/^ksm_rmap_items/!d' "$file"; done
echo 6.1.0 >"$old/proc/sys/kernel/osrelease"
no_ksm=$(variant no-ksm)
without "$no_ksm" sys/kernel/mm/ksm
running=$(variant running)
echo 1 >"$running/sys/kernel/mm/ksm/run"
echo 1 >"$running/sys/kernel/mm/ksm/full_scans"
echo "none [scan-time]" >"$running/sys/kernel/mm/ksm/advisor_mode"
echo -81920 >"$running/sys/kernel/mm/ksm/general_profit"
rubbish=$(variant rubbish)
for file in "$rubbish"/sys/kernel/mm/ksm/*; do printf '\377\0 not a number' >"$file"; done
printf 'ends in the mid' >"$rubbish/proc/17292/stat"
: >"$rubbish/proc/17293/smaps"
head -c 3000 "$base/proc/17294/smaps" >"$rubbish/proc/17294/smaps"

# What differs from run to run, or with the machine it runs on, is no part of the answer.
stable() { sed -E 's/"(time|seconds)": [0-9.e+-]+/"\1": 0/; s/looked at in [0-9]+ ms/looked at in 0 ms/'; }

# golden NAME STATUS ARGUMENT…
golden() {
	local name=$1 expected=$2 status
	shift 2
	(cd "$work" && ln -sfn "$base" linux-6.18 && "$build/ksm-advise" "$@" 2>&1) >"$work/out"
	status=$?
	stable <"$work/out" >"$work/stable"
	[ -z "${UPDATE:-}" ] || cp "$work/stable" "$here/$name.expected"
	equal "$name: status" "$expected" "$status"
	if diff -u "$here/$name.expected" "$work/stable" >"$work/diff" 2>&1; then
		ok "$name"
	else
		not_ok "$name" "$(head -n 30 "$work/diff")"
	fi
}

golden captured-text 0 --sysroot linux-6.18 --all
golden captured-json 0 --sysroot linux-6.18 --pid 17292,17294 --format json
golden captured-6.1 0 --sysroot linux-6.1 --all --format json
golden captured-no-ksm 0 --sysroot no-ksm --comm python3
golden captured-running 0 --sysroot running --cgroup /system.slice/worker.service
golden captured-rubbish 0 --sysroot rubbish --all --format json
golden captured-missing-pid 1 --sysroot linux-6.18 --pid 17292,99999
golden captured-no-pid 1 --sysroot linux-6.18 --pid 99999
golden captured-kernel-thread 1 --sysroot linux-6.18 --pid 37
golden captured-no-root 1 --sysroot nowhere --all
exit $((failures > 0))
