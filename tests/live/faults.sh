#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# Everything fails in turn under ksm-advise --apply and --undo, ksm-policyd, the exporter and a recording: nothing is left
# changed, nothing is lost without being counted. Some seconds of it; `make check-faults` tries every point.
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" -eq 0 ] || skip_rest "needs root"
[ -d "$ksm" ] || skip_rest "this kernel has no KSM"
command -v strace >/dev/null || skip_rest "strace is not installed"
# The lock is taken by each piece for itself.
exec nice -n 5 /usr/bin/python3 "$top/tests/faults/faults.py" --seconds 10 run top_recording top_maps exporter serving apply undo policy
