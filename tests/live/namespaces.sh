#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In a PID namespace of our own: BPF has the host's PIDs, /proc and system calls have ours. What names processes by
# BPF is not used there, and says why; and where /proc itself is another namespace's, nothing is looked at at all.
# check: once
. "$(dirname "$0")/../lib.sh"
live_begin

command -v unshare >/dev/null && unshare -p -f --mount-proc true 2>/dev/null || skip_rest "no PID namespace can be made here"

# A process whose memory is known, and what the programs say of it in there.
cat >"$work/inside.sh" <<'SH'
build=$1 tools=$2 work=$3
coproc made { exec "$tools/made_memory" --unique 2000 --pairs 1000 --stop; }
read -r word pid _ <&"${made[0]}"
[ "$word" = ready ] || exit 1
echo "$pid" >"$work/pid"
"$build/ksm-advise" --pid "$pid" --settle 0 --exact --format json >"$work/inside.json"
"$build/ksm-advise" --pid "$pid" --settle 0 --exact --reader copy --format json >"$work/copied.json"
"$build/ksm-advise" --pid "$pid" --settle 0 --heat 0.3 --heat-by auto --format json >"$work/heat.json"
"$build/ksmtop" --once --json >"$work/top.json"
kill -KILL "$pid"
SH
unshare -p -f --mount-proc bash "$work/inside.sh" "$build" "$tools" "$work" 2>"$work/err" ||
	bail "it could not be looked at in there: $(tail -n 2 "$work/err")"
pid=$(<"$work/pid")
at_most "the process has a small PID in there" "$pid" 50
for file in inside copied; do
	holds "$file: its pages are counted" ".processes[0] | .pid == $pid and .self_duplicates >= 1000 and .self_duplicates < 1100" \
		"$work/$file.json"
done
holds "ksmtop has the namespace's processes, by its PIDs" "[.processes[].pid] | max < 100 and index($pid) != null" "$work/top.json"
holds "ksmtop has the memory of that one" ".processes[] | select(.pid == $pid) | .anon_bytes >= 4000 * $page_bytes and .opted_in == \"no\"" \
	"$work/top.json"
holds "nothing is reckoned to a PID that is somebody else's" '[.processes[].merges_per_second, .faults.first_touch,
	.processes[].cow_breaks_per_second] | all(. == null)' "$work/top.json"
for what in "task iterator" "engine probe" "fault probe" "huge-page probe"; do
	holds "why not: $what" ".missing | any(.what == \"$what\" and .state == \"absent\" and (.why | test(\"PID namespace\")))" \
		"$work/top.json"
done
holds "heat is not read of somebody else: another source, or none" '.huge.heat_source != "page-tables"' "$work/heat.json"

# /proc of the host, system calls in the namespace: a PID of the one is somebody else in the other.
for words in "ksm-advise --pid 1" "ksm-advise --pid 1 --apply" "ksmtop --once"; do
	# shellcheck disable=SC2086
	unshare -p -f "$build"/$words >"$work/out" 2>"$work/err"
	equal "$words, with the host's /proc: status" 1 "$?"
	equal "$words, with the host's /proc: says why, and what to do" 1 "$(grep -c 'another PID namespace.*unshare --mount-proc' "$work/err")"
	equal "$words, with the host's /proc: no answer" "" "$(head -c 100 "$work/out")"
done

# In the host's own none of this is so.
"$build/ksmtop" --once --json >"$work/top.json" 2>/dev/null
holds "in the host's namespace nothing is refused for that" '[.missing[].why | select(test("in a PID namespace"))] == []' "$work/top.json"
