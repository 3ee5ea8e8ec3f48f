#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# All tests: builds the programs twice, the second time with AddressSanitizer
# and UBSan, and runs with each build the unit tests, the golden tests and the
# live tests; the last line is "N passed, N failed, N skipped".
#
#   tests/check.sh            everything
#   tests/check.sh NAME…      only tests with NAME in their name (live/advise, unit/tally, …)
#
#   BUILD             the build directory (build); $BUILD/asan is the second one
#   KSMSCOPE_TIMEOUT  seconds that one test may take (300)
#   KSMSCOPE_LOGS     where each test's output goes ($BUILD/check)
#   KSMSCOPE_PREBUILT when not empty: nothing is built, what is in $BUILD is run once (as in a virtual machine)
#
# A test is a program that prints lines "ok - name", "not ok - name: why",
# "ok - name # SKIP why", or what cmocka makes of it. A test that dies, hangs,
# prints no result, or leaves a setting of KSM or of huge pages changed, fails.
# A script that says "# check: once" is not run again with the second build; one that says "# check: beside" takes no
# lock and one processor, and runs beside those that change nothing on the machine.
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

BUILD=${BUILD:-build}
limit=${KSMSCOPE_TIMEOUT:-300}
only=("$@")
logs=${KSMSCOPE_LOGS:-$BUILD/check}
passed=0 failed=0 skipped=0 number=0
beside=()
declare -A met=()
reports=$(mktemp -d)
chmod 755 "$reports"
trap 'rm -rf "$reports"' EXIT
trap interrupted INT TERM HUP

export CMOCKA_MESSAGE_OUTPUT=TAP

interrupted() {
	local running
	running=$(jobs -rp)
	# shellcheck disable=SC2086
	[ -n "$running" ] && kill -TERM $running 2>/dev/null && wait
	echo "interrupted" >&2
	exit 130
}

# results LOG: each result as "pass|fail|skip<TAB>text"; cmocka's explanations follow its "not ok" as comments
results() {
	awk '
	function flush() { if (failure != "") print "fail\t" failure; failure = "" }
	/^not ok [0-9]+ # SKIP / { flush(); sub(/^not ok [0-9]+ # SKIP /, ""); print "skip\t" $0; next }
	/^not ok( [0-9]+)? - / { flush(); sub(/^not ok( [0-9]+)? - /, ""); failure = $0; next }
	/^ok( [0-9]+)? - .* # SKIP/ { flush(); sub(/^ok( [0-9]+)? - /, ""); print "skip\t" $0; next }
	/^ok( [0-9]+)? - / { flush(); sub(/^ok( [0-9]+)? - /, ""); print "pass\t" $0; next }
	/^# not ok/ { flush(); next }
	/^# / { if (failure != "") failure = failure "; " substr($0, 3) }
	END { flush() }' "$1"
}

# add LABEL KIND TEXT: one more result
add() {
	case $2 in
	pass) passed=$((passed + 1)) ;;
	skip) skipped=$((skipped + 1)); echo "$1: $3" >>"$logs/skipped" ;;
	fail)
		failed=$((failed + 1))
		echo "$1: $3" >>"$logs/failed"
		# a virtual machine may not live to the summary
		[ -z "${KSMSCOPE_PREBUILT-}" ] || printf '     failed: %s: %s\n' "$1" "${3:0:400}"
		;;
	esac
}

# wanted LABEL: by one of the names at least; each that asks for something is noted
wanted() {
	local name found=1
	[ ${#only[@]} -eq 0 ] && return 0
	for name in "${only[@]}"; do
		case $1 in *"$name"*) met[$name]=1 found=0 ;; esac
	done
	return $found
}

# under_lock COMMAND…: while nobody else changes settings
under_lock() {
	mkdir -p "$(dirname "$lock_file")" 2>/dev/null
	(
		exec 8>"$lock_file" && flock -w 600 8
		"$@"
	)
}

# log_of LABEL
log_of() { echo "$logs/${1//\//-}.log"; }

# launch LABEL COMMAND…: in the background as $launched, with no input, in limited time. A sanitizer's reports go to files:
# when it speaks up in a program whose failure a test expects, it is heard all the same.
launch() {
	local log report
	log=$(log_of "$1")
	report=$reports/$(basename "$log")
	shift
	mkdir -p "$report"
	chmod 1777 "$report"
	ASAN_OPTIONS="log_path=$report/report:exitcode=99:detect_leaks=1:strict_string_checks=1" \
		UBSAN_OPTIONS="log_path=$report/report:exitcode=99:print_stacktrace=1" \
		timeout -k 30 "$limit" "$@" </dev/null >"$log" 2>&1 &
	launched=$!
}

# judge LABEL STATUS: what the test printed, and what it did not
judge() {
	local label=$1 status=$2 log report kind text counts failures_before=$failed before=$((passed + failed + skipped))
	log=$(log_of "$label")
	report=$reports/$(basename "$log")
	while IFS=$'\t' read -r kind text; do
		add "$label" "$kind" "$text"
	done < <(results "$log")
	counts=$((passed + failed + skipped - before))
	if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
		add "$label" fail "took more than $limit seconds, or was killed"
	elif [ "$status" -ne 0 ] && [ "$failed" -eq "$failures_before" ]; then
		add "$label" fail "ended with status $status: $(tail -n 5 "$log" | paste -sd ';')"
	elif [ "$counts" -eq 0 ]; then
		add "$label" fail "printed no result: $(tail -n 5 "$log" | paste -sd ';')"
	fi
	if [ -n "$(ls "$report")" ]; then
		cat "$report"/* >"$log.sanitizer"
		add "$label" fail "sanitizer: $(grep -hE 'ERROR|SUMMARY|runtime error' "$log.sanitizer" | head -n 3 | paste -sd ';')"
	fi
}

# finish LABEL PID [START]: wait for what was launched, judge it, say so; a live test is held to its settings
finish() {
	local label=$1 p=$passed f=$failed s=$skipped
	number=$((number + 1))
	wait "$2" 2>/dev/null
	judge "$label" $?
	[[ $label = live/* ]] && compare_settings "$label"
	printf '%3d  %-40s %4d passed%s%s%s\n' "$number" "$label" $((passed - p)) \
		"$([ $failed -gt $f ] && echo ", $((failed - f)) FAILED")" \
		"$([ $skipped -gt $s ] && echo ", $((skipped - s)) skipped")" "${3:+  $((SECONDS - $3)) s}"
}

# run LABEL COMMAND…
run() {
	local start=$SECONDS
	wanted "$1" || return 0
	[[ $1 = live/* ]] && under_lock settings >"$logs/settings.before"
	launch "$@"
	finish "$1" "$launched" "$start"
}

# start_beside TEST…: in the background, until finish_beside
start_beside() {
	local test label
	for test in "$@"; do
		label=$(basename "${test%.*}")
		{ grep -q '^# check: beside' "$test" && wanted "$label"; } || continue
		# other kernels boot at emulation's pace
		limit=1300 launch "$label" nice -n 5 env KSMSCOPE_BUILD="$BUILD" "$test"
		beside+=("$label $launched $SECONDS")
	done
}

finish_beside() {
	local one
	for one in "${beside[@]}"; do
		# shellcheck disable=SC2086
		limit=1300 finish $one
	done
	beside=()
}

# units SUFFIX DIRECTORY: the unit tests, one per processor at a time: they touch nothing but their own memory
units() {
	local test label i labels=() pids=()
	for test in tests/unit/test_*.c; do
		label=$(basename "$test" .c)
		label=unit/${label#test_}$1
		{ [ -e "$test" ] && wanted "$label"; } || continue
		while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
			wait -n 2>/dev/null
		done
		launch "$label" "$2/unit/$(basename "$test" .c)"
		labels+=("$label")
		pids+=("$launched")
	done
	for i in "${!labels[@]}"; do
		finish "${labels[$i]}" "${pids[$i]}"
	done
}

compare_settings() {
	under_lock settings >"$logs/settings.after"
	cmp -s "$logs/settings.before" "$logs/settings.after" && return
	add "$1" fail "left settings changed: $(diff "$logs/settings.before" "$logs/settings.after" |
		grep '^[<>]' | paste -sd ';')"
	under_lock settings_restore "$logs/settings.before"
}

# build_into LABEL DIRECTORY MAKE-ARGUMENT…
build_into() {
	local label=$1 directory=$2 log start=$SECONDS limit=1200
	[ -n "${KSMSCOPE_PREBUILT-}" ] && { [ "$directory" = "$BUILD" ]; return; }
	log=$(log_of "$label")
	shift 2
	launch "$label" make -j"$(nproc)" BUILD="$directory" "$@" programs tests
	if ! wait "$launched"; then
		add "$label" fail "$(grep -E 'error|Error|\*\*\*' "$log" | head -n 5 | paste -sd ';')"
		return 1
	elif grep -q 'warning:' "$log"; then
		add "$label" fail "warnings: $(grep 'warning:' "$log" | head -n 5 | paste -sd ';')"
	else
		add "$label" pass ok
	fi
	printf '     %-40s %d s\n' "$label" $((SECONDS - start))
}

# each SUFFIX DIRECTORY: everything that is run with one build
each() {
	local suffix=$1 directory=$2 test name label
	export KSMSCOPE_BUILD=$directory KSMSCOPE_TOOLS=$BUILD
	units "$suffix" "$directory"
	for test in tests/golden/*.sh tests/fuzz/*.sh; do
		name=${test#tests/}
		is_run "$test" "$suffix" && run "${name%.sh}$suffix" bash "$test"
	done
	finish_beside
	for test in tests/live/test_*.c tests/live/*_test.c; do
		name=$(basename "$test" .c)
		label=${name#test_}
		[ -e "$test" ] && run "live/${label%_test}$suffix" "$directory/tests/$name"
	done
	for test in tests/live/*.sh; do
		name=$(basename "$test" .sh)
		is_run "$test" "$suffix" && run "live/$name$suffix" bash "$test"
	done
}

# is_run SCRIPT SUFFIX
is_run() {
	[ -e "$1" ] && { [ -z "$2" ] || ! grep -q '^# check: once' "$1"; }
}

summary() {
	local name
	for name in "${only[@]}"; do
		[ -n "${met[$name]-}" ] || add check fail "no test has $name in its name"
	done
	[ "$number" -gt 0 ] || add check fail "no test was run"
	if [ -s "$logs/skipped" ]; then
		printf '\nskipped:\n'
		sed 's/^/  /' "$logs/skipped"
	fi
	if [ -s "$logs/failed" ]; then
		printf '\nfailed (logs are in %s):\n' "$logs"
		cut -c1-1500 "$logs/failed" | sed 's/^/  /'
	fi
	printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" -eq 0 ]
}

mkdir -p "$logs" || exit 1
rm -f "$logs"/*
if build_into build "$BUILD"; then
	checks=$(grep -L '^# check: beside' tests/check_*)
	for test in $checks; do
		[ -x "$test" ] && run "$(basename "${test%.*}")" env KSMSCOPE_BUILD="$BUILD" "$test"
	done
	start_beside tests/check_*
	each "" "$BUILD"
fi
if build_into build.asan "$BUILD/asan" SANITIZE=1; then
	each ".asan" "$BUILD/asan"
fi
summary
