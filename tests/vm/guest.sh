#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In a virtual machine: what this kernel has, then the tests named, with what is already built. Lines that begin with
# "ksmscope-vm:" are for tests/vm/check_vm.sh.
#
#   tests/vm/guest.sh NAME…
cd "$(dirname "$0")/../.." || exit 1
export BUILD=${BUILD:-build} KSMSCOPE_PREBUILT=1 KSMSCOPE_TIMEOUT=${KSMSCOPE_TIMEOUT:-1800}
logs=${KSMSCOPE_LOGS:-$BUILD/check}

echo "ksmscope-vm: kernel $(uname -r) $(uname -m)"
"$BUILD/tests/kernel_features" | sed 's/^/ksmscope-vm: feature /'
tests/check.sh "$@"
status=$?
sed -n 's/^# \(program\|refused\): /ksmscope-vm: \1 /p' "$logs/live-programs.log"
for log in "$logs"/*.log; do
	grep -aq '^not ok' "$log" || continue
	echo "--- $log"
	grep -a -B 3 -A 3 '^not ok' "$log" | cut -c1-600
done
exit $status
