# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the live tests, the demo and the runner share: one line per result, the
# machine's memory settings saved and put back, the lock, made memory, and the
# comparison of ksm-advise with the brute-force count.
#
#   KSMSCOPE_BUILD   where the programs under test are (build)
#   KSMSCOPE_TOOLS   where the tests' own programs are ($KSMSCOPE_BUILD)
#
# A live test:
#   . tests/lib.sh
#   live_begin
#   make_memory --pairs 1009 --stop || skip_rest "…"
#   agrees "pairs" "$made_all"

set -u
export LC_ALL=C PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
unset MAKEFLAGS MFLAGS MAKELEVEL

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(realpath -m "${KSMSCOPE_BUILD:-$top/build}")
tools=$(realpath -m "${KSMSCOPE_TOOLS:-$build}")/tests
lock_file=/run/lock/ksmscope-test.lock
ksm=/sys/kernel/mm/ksm
thp=/sys/kernel/mm/transparent_hugepage
page_bytes=$(getconf PAGESIZE)

# ---- results -----------------------------------------------------------------

failures=0

ok() { echo "ok - $1"; }
not_ok() { failures=$((failures + 1)); echo "not ok - $1: ${2//$'\n'/; }"; }
skip() { echo "ok - $1 # SKIP $2"; }
# The rest of this test can't be done here.
skip_rest() { skip "$(basename "$0" .sh)" "$1"; exit 0; }
bail() { not_ok "$(basename "$0" .sh)" "$1"; exit 1; }

# equal NAME EXPECTED ACTUAL
equal() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected '$2', have '$3'"; fi
}

# at_most NAME ACTUAL LIMIT, integers; a value that is no number fails
at_most() {
	if [ "$2" -le "$3" ] 2>/dev/null; then ok "$1 ($2 of at most $3)"; else not_ok "$1" "$2 is more than $3"; fi
}

# at_least NAME ACTUAL LIMIT
at_least() {
	if [ "$2" -ge "$3" ] 2>/dev/null; then ok "$1 ($2 of at least $3)"; else not_ok "$1" "$2 is less than $3"; fi
}

# holds NAME JQ-CONDITION FILE: the condition is true of the JSON
holds() {
	local text
	# -n and input: without any JSON jq would be content.
	text=$(jq -n -e "input | $2" "$3" 2>&1) && ok "$1" && return
	not_ok "$1" "$2 is not true: ${text:0:200}, where ${2%% *} is $(jq -c "${2%% *}" "$3" 2>&1 | head -c 200)"
}

# ---- settings ----------------------------------------------------------------

settings_files() {
	find "$ksm" "$thp" -type f -perm -u+w 2>/dev/null | sort
	echo /proc/sys/vm/nr_hugepages
}

# One line "path value" for every setting of KSM and of huge pages.
settings() {
	local file value
	for file in $(settings_files); do
		{ value=$(<"$file"); } 2>/dev/null || continue
		# The kernel's advisor moves pages_to_scan by itself.
		[ "$file" = "$ksm/pages_to_scan" ] && grep -q '\[scan-time\]' "$ksm/advisor_mode" 2>/dev/null && continue
		case $value in *'['*) value=${value#*[}; value=${value%%]*} ;; esac
		echo "$file $value"
	done
}

# settings_restore FILE: write what differs from a snapshot, advisor_mode before what it locks
settings_restore() {
	local file value
	while read -r file value; do
		{ echo "$value" >"$file"; } 2>/dev/null || echo "# $file could not be set back to $value" >&2
	done < <(diff <(settings) "$1" | sed -n 's/^> //p')
}

set_ksm() { echo "$2" >"$ksm/$1"; }
get_ksm() { cat "$ksm/$1"; }

# Frames that the engine saves now.
saved_pages() {
	local zero=0
	[ -r "$ksm/ksm_zero_pages" ] && zero=$(<"$ksm/ksm_zero_pages")
	echo $(($(<"$ksm/pages_sharing") + zero))
}

# The engine at full pace, whatever its settings were.
run_engine_fast() {
	[ -e "$ksm/advisor_mode" ] && set_ksm advisor_mode none
	[ -e "$ksm/smart_scan" ] && set_ksm smart_scan 0
	set_ksm pages_to_scan 20000
	set_ksm sleep_millisecs 1
	set_ksm run 1
}

# Let it run until all is merged that is opted in, and stop it. Merged pages stay merged.
merge_now() {
	local last
	run_engine_fast
	last=$(($(get_ksm full_scans) + 4))
	wait_for 120 has_scanned "$last" || return 1
	set_ksm run 0
}
has_scanned() { [ "$(get_ksm full_scans)" -ge "$1" ]; }

# Can a running process be opted in? By ptrace, on x86-64 alone.
can_opt_in() { [ "$(uname -m)" = x86_64 ]; }

# ---- life --------------------------------------------------------------------

started=()
clean_ups=()

# A live test begins: root, the lock, and whatever happens: our processes ended, every setting as it was.
live_begin() {
	[ "$(id -u)" -eq 0 ] || skip_rest "needs root"
	[ -d "$ksm" ] || skip_rest "this kernel has no KSM"
	[ -x "$build/ksm-advise" ] || bail "$build/ksm-advise is not there: make first"
	take_lock 600 || bail "another test holds $lock_file"
	begin
}

# One at a time on this machine. File descriptor 9 must not be left to processes that live longer.
take_lock() {
	mkdir -p "$(dirname "$lock_file")"
	exec 9>"$lock_file"
	flock -w "$1" 9
}

begin() {
	work=$(mktemp -d)
	chmod 755 "$work"
	settings >"$work/settings"
	trap end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	forget_ended
	merged_at_start=$(get_ksm pages_shared)
}

# A stopped engine goes on counting the merged pages of processes that have ended, until it passes by.
forget_ended() {
	local last
	[ "$(get_ksm run)" != 1 ] && [ "$(get_ksm pages_shared)" -gt 0 ] || return 0
	run_engine_fast
	last=$(($(get_ksm full_scans) + 2))
	# With nobody left to scan there are no more scans to wait for.
	wait_for 30 forgot "$last"
	settings_restore "$work/settings"
}
forgot() { has_scanned "$1" || [ "$(get_ksm pages_shared)" -eq 0 ]; }

end() {
	local status=$? command
	trap - EXIT
	trap '' INT TERM HUP
	for command in ${clean_ups[@]+"${clean_ups[@]}"}; do
		eval "$command"
	done
	end_processes
	forget_merged
	settings_restore "$work/settings"
	rm -rf "$work"
	exit $((status ? status : failures > 0))
}

# Where nothing was merged before us, let the engine forget what it merged for us: some settings can't be changed
# until it does.
forget_merged() {
	[ "${merged_at_start:-1}" -eq 0 ] && [ "$(get_ksm pages_shared)" -gt 0 ] && set_ksm run 2
	return 0
}

# wait_for SECONDS COMMAND…: until it succeeds
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

state_of() { sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null; }
is_stopped() { [ "$(state_of "$1")" = T ]; }
is_gone() { [ ! -e "/proc/$1" ]; }
is_zombie() { [ "$(state_of "$1")" = Z ]; }
is_over() { is_gone "$1" || is_zombie "$1"; }

# stop_process PID: SIGSTOP, and wait until it stands
stop_process() {
	kill -STOP "$1" && wait_for 10 is_stopped "$1"
}

# start COMMAND…: in the background, ended with the test; its PID is in $started_pid
start() {
	"$@" 9>&- </dev/null &
	started_pid=$!
	started+=("$started_pid")
}

# End what start() and make_memory() started.
end_processes() {
	local pid
	for pid in ${started[@]+"${started[@]}"}; do
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	started=()
	# The children of made memory die with it, a moment later.
	for pid in ${made_children_all[@]+"${made_children_all[@]}"}; do
		wait_for 10 is_over "$pid"
	done
	made_children_all=()
}
made_children_all=()

# ---- made memory -------------------------------------------------------------

# make_memory ARGUMENT…: sets made_pid, made_children (a,b,c), made_all, made_range and the map `made` with the counts
# that hold by construction. Returns 77 where this machine can't make it. made_as=(setpriv --reuid …) makes it as
# somebody else, who can't reach every build directory: hence the copy.
declare -A made
made_as=()
make_memory() {
	local out word words status
	[ -x "$work/made_memory" ] || cp "$tools/made_memory" "$work/"
	out=$(mktemp "$work/made.XXXXXX")
	start ${made_as[@]+"${made_as[@]}"} "$work/made_memory" "$@" >"$out"
	wait_for 120 is_ready_or_over "$out" "$started_pid"
	if ! grep -q '^ready ' "$out"; then
		kill -KILL "$started_pid" 2>/dev/null
		wait "$started_pid"
		status=$?
		[ $status -eq 77 ] || echo "# made_memory $*: status $status" >&2
		return $status
	fi
	made=()
	read -r _ made_pid words <"$out"
	for word in $words; do
		made[${word%%=*}]=${word#*=}
	done
	made_children=${made[children]}
	made_all=$made_pid${made_children:+,$made_children}
	made_range=${made[from]#0x}-${made[to]#0x}
	made_children_all+=(${made_children//,/ })
	case " $* " in *" --stop "*) wait_for 10 is_stopped "$made_pid" ;; esac
}
is_ready_or_over() { grep -q '^ready ' "$1" || is_over "$2"; }

# ---- ksm-advise and the brute-force count -------------------------------------

# advise ARGUMENT…: its status in $status, its JSON in $work/advise.json, what it says in $work/advise.err
advise() {
	"$build/ksm-advise" --format json --state-dir "$work/state" "$@" >"$work/advise.json" 2>"$work/advise.err" 9>&- </dev/null
	status=$?
}

# fixed_calibration FILE: a calibration that holds here, in which base pages cost half of an access, however large the
# set is: what a test expects then does not depend on how fast the memory is today. 1 where none can be taken.
fixed_calibration() {
	"$build/ksm-advise" --calibrate 5 --no-writes --calibration "$work/taken.json" >/dev/null 2>"$work/taken.err" 9>&- || return 1
	jq 'def fixed($ns): { median: $ns, low: ($ns * 0.9), high: ($ns * 1.1), count: 9 };
		.access |= map(.extra_ns = fixed(100) | .huge_ns = fixed(200))' "$work/taken.json" >"$1"
}

# oracle PIDS FILE [--only FROM-TO]
oracle() {
	local pids=$1 file=$2
	shift 2
	/usr/bin/python3 "$top/tests/live/oracle.py" "$pids" "$@" >"$file"
}

# What is compared, row by row: NAME|JQ
facts='frames|.frames | {candidate, zero, zero_in_huge, merged, huge, saved_now, zero_page_mappings, file}
not mergeable|.frames.not_mergeable | with_entries(select(.value > 0))
duplicates|.duplicates | {frames, within_processes, capped}
block sizes|[.granularity[] | select(.blocks > 0) | {block_bytes, blocks, distinct}] | sort
processes|[.processes[] | {pid, candidate, self_duplicates}] | sort
mappings|[.mappings[] | {pid, start, name, candidate}] | sort
huge pages|.huge | {hidden_in_hugetlb_frames, ledger: [.ledger[] | {pid, address, duplicates, zero, unique, benefit_bytes}] | sort}
sharing|[.sharing[] | {a: ([.a, .b] | min), b: ([.a, .b] | max), frames}] | sort'

# fact FILE JQ
fact() { jq -cS "$2" "$1" 2>&1; }

# all_facts FILE: a line per row of $facts, in one go: emulated kernels take their time to start a program
all_facts() {
	local row query queries=
	while IFS='|' read -r row query; do
		queries+="${queries:+, }($query)"
	done <<<"$facts"
	fact "$1" "$queries"
}

# compare_facts NAME EXPECTED.json ACTUAL.json
compare_facts() {
	local i=0 row expected actual
	mapfile -t expected < <(all_facts "$2")
	mapfile -t actual < <(all_facts "$3")
	while IFS='|' read -r row _; do
		if [ -n "${expected[i]-}" ] && [ "${expected[i]}" = "${actual[i]-}" ]; then
			ok "$1: $row"
		else
			not_ok "$1: $row" "$(first_difference "${expected[i]-}" "${actual[i]-}")"
		fi
		i=$((i + 1))
	done <<<"$facts"
}

first_difference() {
	diff <(jq . <<<"$1" 2>&1) <(jq . <<<"$2" 2>&1) | sed -n 's/^</brute force/p; s/^>/ksm-advise/p' |
		tr -s ' ' | head -8 | paste -sd ';' | cut -c1-600
}

# agrees NAME PIDS [ARGUMENT…]: ksm-advise on stopped processes says what the brute-force count says. The count is
# taken before and after: memory that the kernel moved about meanwhile (khugepaged, reclaim) is looked at again.
agrees() {
	local name=$1 pids=$2 try
	shift 2
	for try in 1 2 3; do
		oracle "$pids" "$work/before.json" || { not_ok "$name" "the brute-force count failed"; return; }
		advise --pid "$pids" --settle 0 --ledger "$@"
		oracle "$pids" "$work/after.json"
		cmp -s "$work/before.json" "$work/after.json" && break
	done
	if ! cmp -s "$work/before.json" "$work/after.json"; then
		not_ok "$name" "the memory of $pids does not stand still: $(diff <(jq -S . "$work/before.json") \
			<(jq -S . "$work/after.json") | head -10 | tr -s ' ' | paste -sd ';')"
	elif [ $status -ne 0 ]; then
		not_ok "$name" "ksm-advise: status $status: $(head -c 300 "$work/advise.err")"
	else
		compare_facts "$name" "$work/before.json" "$work/advise.json"
		equal "$name: nothing is missing that should be there" "" \
			"$(jq -c 'select(.complete | not) | .missing' "$work/advise.json")"
		holds "$name: complete and exact" '.complete and .duplicates.exact and .frames.volatile == 0 and
			.duplicates.low == .duplicates.frames and .duplicates.high == .duplicates.frames' "$work/advise.json"
		holds "$name: the shares of the processes add up to the whole" '
			([.processes[].attributed_bytes] | add) as $sum | (.duplicates.frames * .looked.page_bytes) as $all |
			($sum - $all | fabs) <= (.processes | length)' "$work/advise.json"
	fi
}
