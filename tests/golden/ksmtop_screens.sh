#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksmtop on a terminal: golden screens of a made recording, resizing, keys, and
# the terminal given back whatever happens. UPDATE=1 writes the screens anew:
# look at the difference before you commit it.
. "$(dirname "$0")/../lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
made() { "$tools/made_recording" "$@" || bail "made_recording failed"; }
made "$work/made.recording"
made "$work/many.recording" 40 5000
made "$work/old.recording" 40 13 old
made "$work/denied.recording" 40 13 denied
/usr/bin/python3 -c 'import pexpect, pyte' 2>/dev/null || skip_rest "needs python3-pexpect and python3-pyte"
/usr/bin/python3 "$top/tests/golden/ksmtop_screens.py" "$build/ksmtop" "$work" "$top/tests/golden"
