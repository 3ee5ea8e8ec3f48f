#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# ksm-exporter's collector, and the sweep beside it, do in a minute what they do in hours, while processes come and go:
# neither grows.
. "$(dirname "$0")/../lib.sh"
live_begin
"$tools/growth" collector 150 9>&- || failures=$((failures + 1))
"$tools/growth" sweep 25 9>&- || failures=$((failures + 1))
[ "$failures" -eq 0 ]
