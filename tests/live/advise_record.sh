#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-advise --record and --replay: the same answer to the byte, whatever the look; torn and damaged files; without
# rights; other trust domains; what does not go together.
# check: once
. "$(dirname "$0")/../lib.sh"
live_begin

make_memory --stop --common 3000 --pairs 900 --unique 2000 --zero 300 --thp-regions 4 --thp-dup 100 --thp-zero 50 \
	--fork 2 --cow 100 --cow-same 50 || skip_rest "this machine can't make the memory"
all=$made_all
made_as=(setpriv --reuid 61001 --regid 61001 --clear-groups)
make_memory --stop --seed 5 --common 3000 --pairs 70 && all+=,$made_pid
made_as=()
printf '[domain both]\nuid = 0-61001\n' >"$work/domains.conf"

# looked NAME STATUS ARGUMENT…: recorded with these, replayed, compared
looked() {
	local name=$1 expected=$2 form rows=()
	shift 2
	case " $* " in *" --ledger "*) rows=(--ledger) ;; esac
	for form in json text; do
		"$build/ksm-advise" "$@" --format $form --record "$work/file" >"$work/before" 2>"$work/before.err" 9>&-
		equal "$name, $form: status" "$expected" $?
		"$build/ksm-advise" --replay "$work/file" --format $form ${rows[@]+"${rows[@]}"} >"$work/after" 2>"$work/after.err" 9>&-
		equal "$name, $form: status of the replay" "$expected" $?
		cmp -s "$work/before" "$work/after" && [ -s "$work/after" ] && cmp -s "$work/before.err" "$work/after.err" &&
			ok "$name, $form: the same answer" || not_ok "$name, $form: the same answer" "$(diff "$work/before" "$work/after" | head -n 5)"
	done
}
looked "two looks" 0 --pid "$all" --settle 0.3
looked "with domains" 0 --pid "$all" --settle 0 --domains "$work/domains.conf"
looked "a sample" 0 --pid "$all" --sample 25%
looked "all of a sample" 0 --pid "$all" --sample 100% --reader copy
looked "with heat" 0 --pid "$all" --settle 0 --heat 0.5 --ledger
looked "a process that is not there" 1 --pid "$all,4000000" --settle 0
looked "a captured system" 0 --sysroot "$top/tests/golden/systems/linux-6.18" --all
looked "everything" 0 --all --settle 0

"$build/ksm-advise" --pid "$all" --settle 0 --format json --record "$work/file" >"$work/before" 9>&-
equal "the file is its owner's alone" 600 "$(stat -c %a "$work/file")"
at_most "bytes of the file" "$(stat -c %s "$work/file")" $(($(jq .looked.frames "$work/before") * 2))

# ---- the answer can be another, where it follows from the same facts

"$build/ksm-advise" --replay "$work/file" --format json --domains "$work/domains.conf" >"$work/other" 9>&-
holds "other trust domains" '[.domains[].name] == ["both"] and .duplicates.crossing_domains == 0' "$work/other"
holds "as it was recorded, one crossed" '.duplicates.crossing_domains >= 2000' "$work/before"
cp "$work/file" "$work/theirs" && chown 65534 "$work/theirs"
(cd / && setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$build/ksm-advise" --replay "$work/theirs" --format json) \
	>"$work/after" 2>"$work/err" 9>&-
if grep -q 'ermission denied' "$work/err" && [ ! -s "$work/after" ]; then
	skip "replayed without any right" "the build directory is not everybody's"
else
	cmp -s "$work/before" "$work/after" && ok "replayed without any right" || not_ok "replayed without any right" "$(head -c 200 "$work/err")"
fi

# ---- torn and damaged

# replayed FILE: answer in after, status in $status
replayed() {
	"$build/ksm-advise" --replay "$1" --format json >"$work/after" 2>"$work/err" 9>&-
	status=$?
}
head -c -20 "$work/file" >"$work/torn"
replayed "$work/torn"
equal "torn in its index: status" 0 $status
cmp -s "$work/before" "$work/after" && grep -q 'index\|closed' "$work/err" && ok "torn in its index: answered, and said" ||
	not_ok "torn in its index: answered, and said" "$(<"$work/err")"
size=$(stat -c %s "$work/file")
for share in 1 10 50 90; do
	head -c $((size * share / 100)) "$work/file" >"$work/torn"
	replayed "$work/torn"
	[ $status -eq 1 ] && [ ! -s "$work/after" ] && [ -s "$work/err" ] && ok "torn at $share %: refused" ||
		not_ok "torn at $share %: refused" "status $status: $(<"$work/err")"
done
cp "$work/file" "$work/damaged"
printf '\377\376' | dd of="$work/damaged" bs=1 seek=$((size / 2)) conv=notrunc status=none
replayed "$work/damaged"
equal "damaged: refused" "1 1" "$status $(grep -c 'checksum is wrong\|header is damaged\|no whole sample' "$work/err")"
replayed "$build/ksm-advise"
equal "no recording: refused" "1 1" "$status $(grep -c 'is no recording' "$work/err")"
"$build/ksmtop" --once --no-bpf --json --record "$work/top" >/dev/null 2>&1 9>&-
replayed "$work/top"
equal "a recording of another program: refused" "1 1" "$status $(grep -c 'is a recording of ksmtop/1' "$work/err")"
echo "something else" >"$work/precious"
"$build/ksm-advise" --pid "$made_pid" --settle 0 --record "$work/precious" >/dev/null 2>"$work/err" 9>&-
equal "a file that is no recording is left alone" "1 something else" "$? $(<"$work/precious")"

# ---- what does not go together

for words in "--replay x --pid 1" "--replay x --all" "--replay x --record y" "--replay x --exact" "--replay x --sample 0.1" \
	"--pid 1 --record x --apply" "--replay x --undo" "--replay x --sysroot /"; do
	# shellcheck disable=SC2086
	"$build/ksm-advise" $words >/dev/null 2>&1 9>&-
	equal "$words is refused" 2 $?
done
