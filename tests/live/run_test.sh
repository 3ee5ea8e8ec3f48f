#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-run starts a command opted in, hands its status on, and says what it can't do.
. "$(dirname "$0")/../lib.sh"
live_begin
run=$build/ksm-run
opted='grep -c "^ksm_merge_any: yes" /proc/self/ksm_stat'

# result NAME STATUS COMMAND…: its status; output in $out, messages in $err
result() {
	local name=$1 expected=$2
	shift 2
	out=$("$@" 2>"$work/err" 9>&-)
	equal "$name: status" "$expected" "$?"
	err=$(<"$work/err")
}
# says NAME TEXT: in the messages
says() {
	case $err in *"$2"*) ok "$1" ;; *) not_ok "$1" "'$2' is not in '$err'" ;; esac
}

set_ksm run 0
result "help" 0 "$run" --help
case $out in *"Usage: ksm-run"*) ok "help: usage" ;; *) not_ok "help: usage" "$out" ;; esac
result "version" 0 "$run" --version
equal "version" "$(<"$top/VERSION")" "${out##* }"
result "no command" 2 "$run"
says "no command" "which command"
result "unknown option" 2 "$run" --nosuch true

if "$run" -q true 2>"$work/err"; [ $? -eq 3 ]; then
	err=$(<"$work/err")
	says "a kernel before 6.4" "Linux 6.4"
	skip_rest "this kernel can't opt in a whole process"
fi

result "no such command" 1 "$run" -q -- "$work/nosuch"
says "no such command" "No such file"
touch "$work/not_executable"
result "not executable" 4 "$run" -q "$work/not_executable"
says "not executable" "Permission denied"

# A kernel before 6.4 answers EINVAL: a filter answers it here.
cat >"$work/old_kernel.py" <<'END'
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def op(code, jt, jf, k): return struct.pack("HBBI", code, jt, jf, k)
number = {"x86_64": 157, "aarch64": 167}[os.uname().machine]
code = (op(0x20, 0, 0, 0) + op(0x15, 0, 3, number) + op(0x20, 0, 0, 16) + op(0x15, 0, 1, 67) +
        op(0x06, 0, 0, 0x00050000 | 22) + op(0x06, 0, 0, 0x7fff0000))
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
    sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
END
result "old kernel" 3 /usr/bin/python3 "$work/old_kernel.py" "$run" true
says "old kernel" "Linux 6.4"

grep -q ksm_merge_any /proc/self/ksm_stat || skip_rest "this kernel does not tell who is opted in"
result "status is handed on" 42 "$run" -q sh -c 'exit 42'
equal "quiet: no word" "" "$err"
result "the command is opted in" 0 "$run" -- sh -c "$opted"
equal "the command is opted in" 1 "$out"
says "the engine is off" "KSM is off"
equal "said once" 1 "$(wc -l <"$work/err")"
result "its children are" 0 "$run" -q sh -c "sh -c '$opted'; true"
equal "its children are" 1 "$out"
equal "others are not" 0 "$(sh -c "$opted")"
result "arguments are handed on" 0 "$run" -q printf '%s|' -q -- --help 'a b'
equal "arguments are handed on" "-q|--|--help|a b|" "$out"
set_ksm run 1
result "the engine runs" 0 "$run" true
equal "the engine runs: no word" "" "$err"
set_ksm run 0

# What was started so really merges: 1009 pairs, with nobody asking for it.
start "$run" -q "$tools/made_memory" --pairs 1009 --seed $$ >"$work/made"
wait_for 60 grep -q "^ready " "$work/made" || bail "no made memory"
read -r _ pid _ <"$work/made"
merge_now || bail "the engine does not get through"
at_least "its pages are merged" "$(awk '/^ksm_merging_pages/ { print $2 }' "/proc/$pid/ksm_stat")" 2018
