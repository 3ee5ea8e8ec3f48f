#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-exporter under load and under attack (live/exporter_load.py). It changes no setting and takes no lock, so it is
# none of the live tests, which are held to the settings that they leave.
#
#   KSMSCOPE_LOAD_ROUNDS  ten seconds each of 100 scrapes a second (6), and as long without
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" -eq 0 ] || skip_rest "needs root"
[ -d "$ksm" ] || skip_rest "this kernel has no KSM"

port=19875
work=$(mktemp -d)
trap 'kill -KILL "$exporter" 2>/dev/null; rm -rf "$work"' EXIT
"$build/ksm-exporter" --interval 1 --no-potential --web.listen-address 127.0.0.1:$port 2>"$work/err" </dev/null &
exporter=$!
answers() { curl -sf -o /dev/null "http://127.0.0.1:$port/metrics"; }
wait_for 30 answers || bail "there is no page: $(head -c 300 "$work/err")"
http=$(pgrep -P "$exporter" -x ksm-http)
/usr/bin/python3 "$top/tests/live/exporter_load.py" $port "$exporter" "$http" load "${KSMSCOPE_LOAD_ROUNDS:-6}" ||
	failures=$((failures + 1))
/usr/bin/python3 "$top/tests/live/exporter_load.py" $port "$exporter" "$http" abuse 30 || failures=$((failures + 1))
kill -TERM "$exporter"
wait "$exporter"
equal "it ends well" 0 $?
[ "$failures" -eq 0 ]
