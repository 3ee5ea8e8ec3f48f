#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# Everything fails in turn under programs that change nothing: a spread of points (tests/faults/faults.py).
. "$(dirname "$0")/../lib.sh"

command -v strace >/dev/null || skip_rest "strace is not installed"
exec nice -n 5 /usr/bin/python3 "$top/tests/faults/faults.py" captured top_captured exporter_captured policy_config
