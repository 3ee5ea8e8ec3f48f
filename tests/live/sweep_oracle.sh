#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With every content kept, a pass of the sweep is a count: of stopped processes
# of two users it says what the brute-force count says, for the host and for
# each user, cgroup and process; with huge pages, frames that the engine merged,
# pages of files and of shared memory, which don't count, and forked processes.
# Where pages are found by a scan of page tables (Linux 6.17 and later), this is
# also where it has to tell merged frames: of its own pages none is merged.
. "$(dirname "$0")/../lib.sh"
live_begin

needs_reader=$("$tools/sweep_tell" $$ 2>&1 >/dev/null) || skip_rest "$needs_reader"

# count NAME PIDS: the brute-force count of some of them, in $work/NAME.json
count() { oracle "$2" "$work/$1.json" || bail "the brute-force count of $1 failed"; }

# told JQ: of the host that the sweep tells
told() { jq -r "$1" "$work/told.json"; }
counted() { jq -r "$2" "$work/$1.json"; }

# holder KIND KEY VALUE WHAT
holder() { told "[.holders[] | select(.kind == \"$1\" and .$2 == $3)] | if length == 1 then .[0].$4 | round else \"\(length) of them\" end"; }

# of_user NAME UID PIDS: what the sweep says of a user is the count of his processes alone
of_user() {
	count "$1" "$3"
	equal "$1: frames" "$(counted "$1" .frames.candidate)" "$(holder user uid "$2" frames)"
	equal "$1: duplicates" "$(counted "$1" .duplicates.frames)" "$(holder user uid "$2" self)"
	equal "$1: what merging frees" "$(counted "$1" .duplicates.capped)" "$(holder user uid "$2" capped)"
}

# of_process PID ALL REST: alone, and what it adds to those of its user
of_process() {
	count "process" "$1"
	count "rest" "$3"
	equal "process $4: frames" "$(counted process .frames.candidate)" "$(holder process pid "$1" frames)"
	equal "process $4: duplicates of its own" "$(counted process '.processes[0].self_duplicates')" "$(holder process pid "$1" self)"
	equal "process $4: what it adds by being there" \
		"$(($(counted "$2" .duplicates.frames) - $(counted rest .duplicates.frames)))" "$(holder process pid "$1" marginal)"
}

head -c 200000 /dev/urandom >"$work/file"
chmod 644 "$work/file"
make_memory --stop --seed 31 --common 101 --pairs 211 --copies 3x300 --unique 53 --zero 31 --zeropage-mappings 17 \
	--mergeable --file-private "$work/file" --file-cow 7 --memfd 13 --shared 11 --memfd-cow 5 || bail "no memory was made"
first=$made_pid
make_memory --stop --seed 32 --common 103 --unique 59 --copies 2x700 --zero 5 || bail "no memory was made"
second=$made_pid
make_memory --stop --seed 33 --common 107 --unique 83 --fork 2 --cow 7 --cow-same 3 || bail "no memory was made"
third=$made_all
huge=
make_memory --stop --seed 34 --thp-regions 2 --thp-dup 9 --thp-zero 21 --fork 1 --thp-cow 2 && huge=$made_all
[ -n "$huge" ] || skip "huge pages" "none were to be had"
made_as=(setpriv --reuid 1234 --regid 1234 --clear-groups)
make_memory --stop --seed 31 --common 109 --pairs 97 --zero 3 || bail "no memory was made for another user"
other=$made_pid
made_as=()
ours=$first,$second,$third${huge:+,$huge}
all=$ours,$other

merge_now || bail "the engine did not complete four scans in two minutes"

# Memory that the kernel moved about meanwhile is looked at again.
for _ in 1 2 3; do
	count before "$all"
	"$tools/sweep_tell" ${all//,/ } >"$work/told.json" 2>"$work/told.err" || bail "$(<"$work/told.err")"
	count after "$all"
	cmp -s "$work/before.json" "$work/after.json" && break
done
cmp -s "$work/before.json" "$work/after.json" || bail "the memory of the processes does not stand still"

for what in candidate zero merged huge; do
	equal "$what frames" "$(counted before ".frames.$what")" "$(told ".$what")"
done
at_least "merged frames are among them" "$(told .merged)" 200
[ -z "$huge" ] || at_least "huge pages are among them" "$(told .huge)" 512
equal "pages of files and shared memory don't count, and there were some" true \
	"$(counted before '.frames.file > 40 and .frames.not_mergeable.shared >= 48')"
holds "everything is exact" '.holders | all(.exact)' "$work/told.json"

of_user "this user" 0 "$ours"
of_user "another user" 1234 "$other"
inside=$(($(holder user uid 0 self) + $(holder user uid 1234 self)))
equal "the host: inside its users" "$inside" "$(holder host kind '"host"' self)"
equal "the host: across users" "$(($(counted before .duplicates.frames) - inside))" "$(told '.crossing | round')"
at_least "there is something across users" "$(told '.crossing | round')" 100
equal "shares of processes add up to what merging frees" "$(holder host kind '"host"' capped)" \
	"$(told '[.holders[] | select(.kind == "process").capped] | add | round')"
equal "frames of processes add up, each once" "$(told .candidate)" \
	"$(told '[.holders[] | select(.kind == "process").frames] | add')"
for kind in cgroup "cgroup tree"; do
	holds "$kind: those at one level say what the host says" ".candidate as \$all | [.holders[] | select(.kind == \"$kind\")] |
		length == 0 or any(.frames == \$all)" "$work/told.json"
done

of_process "$first" "this user" "${ours#*,}" "with merged frames"
of_process "$second" "this user" "$first,${ours#"$first,$second",}" "without"
