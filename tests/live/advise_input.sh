#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bad input and bad luck: each gets a clear message and its exit status, and
# nothing is left changed. 0 done, 1 failed, 2 usage, 3 this kernel cannot,
# 4 not permitted.
. "$(dirname "$0")/../lib.sh"
live_begin

# refused NAME STATUS PATTERN ARGUMENT…: that status, a message with the pattern, and no answer
refused() {
	local name=$1 expected=$2 pattern=$3
	shift 3
	advise "$@"
	said "$name" "$expected" "$pattern"
}

# said NAME STATUS PATTERN: what advise() left behind
said() {
	if [ "$status" -ne "$2" ]; then
		not_ok "$1" "status $status, not $2: $(head -c 200 "$work/advise.err")"
	elif ! grep -qiE -- "$3" "$work/advise.err"; then
		not_ok "$1" "the message says nothing of '$3': $(head -c 200 "$work/advise.err")"
	elif [ -s "$work/advise.json" ]; then
		not_ok "$1" "an answer was printed all the same: $(head -c 200 "$work/advise.json")"
	else
		ok "$1"
	fi
}

# A PID that nobody has.
free_pid=$(($(</proc/sys/kernel/pid_max) - 1))
while [ -e "/proc/$free_pid" ]; do free_pid=$((free_pid - 1)); done

refused "a PID that does not exist" 1 "$free_pid" --pid "$free_pid"
refused "a kernel thread" 1 "kernel thread" --pid 2
refused "an unknown option" 2 "no-such-option" --no-such-option
refused "no target at all" 2 "."
refused "a format that there is not" 2 "xml" --pid $$ --format xml
refused "a reader that there is not" 2 "psychic" --pid $$ --reader psychic
refused "a cgroup that does not exist" 1 "no/such/group" --cgroup /no/such/group
refused "a uid without a process" 1 "." --uid 4294967293
for rubbish in "" abc 1x 0 -1 1,,2 1, ,1 1.5 0x10 99999999999999999999 " 1" "1 2" '1;2'; do
	refused "--pid '$rubbish'" 2 "pid" --pid "$rubbish"
done
for rubbish in "" abc -1 nan inf 1x 1/0 1/ /16 1e-9 1/16/2; do
	refused "--sample '$rubbish'" 2 "sample.*(share|needs)" --pid $$ --sample "$rubbish"
done
for rubbish in 0 0% 1.5 200%; do
	refused "--sample $rubbish" 2 "sample.*share" --pid $$ --sample "$rubbish"
done
for rubbish in "" abc -1 1e99 nan inf 1x; do
	refused "--settle '$rubbish'" 2 "settle" --pid $$ --settle "$rubbish"
done
refused "--uid rubbish" 2 "uid" --uid abc
refused "an argument too many" 2 "surplus" --pid $$ surplus

# A zombie: a child that ended, of a parent that does not ask.
start bash -c 'sleep 0.01 & echo $!; exec sleep 600' >"$work/zombie"
wait_for 10 test -s "$work/zombie"
zombie=$(<"$work/zombie")
if wait_for 10 is_zombie "$zombie"; then
	refused "a zombie" 1 "zombie" --pid "$zombie"
else
	not_ok "a zombie" "could not make one"
fi

bash -c 'exec "$0" --format json --pid $$' "$build/ksm-advise" >"$work/advise.json" 2>"$work/advise.err" </dev/null
status=$?
said "itself" 1 "ourselves|itself"

# Some of the named are there, some not: an answer, and it is partial.
make_memory --stop --pairs 101 && target=$made_pid
advise --settle 0 --pid "$target,$free_pid"
holds "one of two exists: the answer is marked as partial" \
	".complete == false and ([.missing[].state] | index(\"gone\") != null)" "$work/advise.json"
holds "one of two exists: the other is counted" ".processes | map(.pid) == [$target]" "$work/advise.json"
equal "one of two exists: status" 1 "$status"

# PID lists of thousands.
make_memory --stop --unique 7 --fork 1500 --cow 2 && family=$made_all
advise --settle 0 --pid "$family,$(seq -s, 4000000 4002000)"
holds "3,500 PIDs, 2,000 of them not there" \
	'.complete == false and (.processes | length) == 1501 and (.missing | length) > 0' "$work/advise.json"
end_processes
make_memory --stop --unique 7 --fork 306 --cow 2 && family=$made_all
advise --settle 0 --pid "$family"
oracle "$family" "$work/oracle.json"
for row in frames duplicates processes; do
	query=$(sed -n "s/^$row|//p" <<<"$facts")
	if [ "$(fact "$work/oracle.json" "$query")" = "$(fact "$work/advise.json" "$query")" ]; then
		ok "307 processes: $row"
	else
		not_ok "307 processes: $row" "$(first_difference "$(fact "$work/oracle.json" "$query")" \
			"$(fact "$work/advise.json" "$query")")"
	fi
done
refused "2,000 PIDs, none there" 1 "." --pid "$(seq -s, 4000000 4002000)"
end_processes

# It ends between the two looks.
make_memory --pairs 1009 && leaving=$made_pid
make_memory --stop --pairs 211 && staying=$made_pid
(
	sleep 0.7
	kill -KILL "$leaving"
) 9>&- &
advise --pid "$leaving,$staying" --settle 2
holds "a process that ends meanwhile: the answer is marked as partial" \
	'.complete == false and ([.missing[].state] | index("gone") != null)' "$work/advise.json"
holds "a process that ends meanwhile: the other is counted" \
	"[.processes[] | select(.pid == $staying)][0].self_duplicates >= 211" "$work/advise.json"
end_processes

# Processes that come and go all the time.
start bash -c 'while :; do (:) & (:); wait; done'
restless=$started_pid
for _ in 1 2 3 4 5; do
	advise --pid "$restless" --settle 0
	[ $status -eq 0 ] || break
done
equal "a process that forks all the time" 0 "$status"
advise --all --settle 0
equal "everything, while processes come and go" 0 "$((status > 1 ? status : 0))"
holds "everything: an answer" '.frames.candidate > 0' "$work/advise.json"

# Without the rights: from a copy that nobody can reach.
cp "$build/ksm-advise" "$work/ksm-advise"
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@" </dev/null 9>&-; }
for target in "--pid $$" "--all" "--comm bash"; do
	# shellcheck disable=SC2086
	nobody "$work/ksm-advise" --format json $target >"$work/advise.json" 2>"$work/advise.err"
	status=$?
	said "not permitted: $target" 4 "permi|root|CAP_"
done
nobody "$work/ksm-advise" --help >"$work/help" 2>&1
equal "--help needs no right" 0 $?
nobody "$work/ksm-advise" --version >"$work/version" 2>&1
equal "--version needs no right" "0 $(<"$top/VERSION")" "$? $(grep -oE '[0-9]+\.[0-9.]+' "$work/version" | head -n 1)"

# A full disk is no success.
"$build/ksm-advise" --format json --pid $$ --settle 0 >/dev/full 2>"$work/advise.err" </dev/null
equal "nowhere to write the answer to" 1 $?

# Ctrl-C between the looks.
make_memory --pairs 11
timeout -k 10 -s INT 1 "$build/ksm-advise" --pid "$made_pid" --settle 60 >"$work/advise.json" 2>"$work/advise.err" </dev/null
equal "interrupted: it ends at once" 124 $?
