#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real programs, stopped and counted: what they do with memory nobody made up.
. "$(dirname "$0")/../lib.sh"
live_begin

# A program that has done something, stopped at some point of it: NAME COMMAND…
real() {
	local name=$1
	shift
	command -v "$1" >/dev/null || { skip "$name" "$1 is not installed"; return; }
	start "$@" >"$work/real.out" 2>"$work/real.err"
	wait_for 60 said_ready "$started_pid"
	stop_process "$started_pid" || { not_ok "$name" "did not start: $(head -c 200 "$work/real.err")"; return; }
	agrees "$name" "$started_pid"
	pids=${pids:+$pids,}$started_pid
}
said_ready() { grep -q ready "$work/real.out" || is_over "$1"; }
pids=

python='
import json, sys, time
table = [{"number": n, "name": "row %d" % n, "tags": ["a", "b", str(n % 7)]} for n in range(20011)]
blob = bytes(1 << 20) + json.dumps(table).encode() * 2
print("ready", flush=True)
time.sleep(600)'
real "python" /usr/bin/python3 -c "$python"
real "python once more" /usr/bin/python3 -c "$python"

real "perl" perl -e '$| = 1; my %h = map { $_ => "value $_" x 3 } 1 .. 30011; my $z = "\0" x 1000003;
	print "ready\n"; sleep 600'

real "perl that forks" perl -e '$| = 1; my @a = (1 .. 50021); for (1 .. 3) { last unless fork } $a[$_] .= "x" for 1 .. 997;
	print "ready\n"; sleep 5; sleep 600'
children=$(pgrep -d, -P "$started_pid")
made_children_all+=(${children//,/ })
clean_ups+=("kill -KILL ${children//,/ } 2>/dev/null")
for child in ${children//,/ }; do stop_process "$child"; done
agrees "perl and its children" "$started_pid,$children"

rows="with recursive n(i) as (values(1) union all select i + 1 from n where i < 40009) insert into t select i, 'row '||i from n;"
mkfifo "$work/sql"
clean_ups+=("exec 7>&-")
real_sqlite() { exec sqlite3 -cmd "pragma cache_size=-20000;" :memory: <"$work/sql"; }
if command -v sqlite3 >/dev/null; then
	real_sqlite >"$work/real.out" 2>"$work/real.err" 9>&- &
	sqlite_pid=$!
	started+=("$sqlite_pid")
	exec 7>"$work/sql"
	printf 'create table t(a integer primary key, b text);\n%s\ncreate index i on t(b);\nselect "ready";\n' "$rows" >&7
	wait_for 60 said_ready "$sqlite_pid"
	stop_process "$sqlite_pid" && agrees "sqlite" "$sqlite_pid"
	pids=$pids,$sqlite_pid
else
	skip "sqlite" "sqlite3 is not installed"
fi

real "node" node -e 'const a = []; for (let i = 0; i < 50021; i++) a.push({ n: i, s: "row " + i });
	console.log("ready"); setTimeout(() => console.log(a.length), 600000)'

agrees "all of them together" "$pids"
