#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksmscope on other kernels: each of tests/vm/kernels.txt is booted under QEMU, emulated, with our programs and tests in
# its initial memory, and runs tests/vm/tests.txt; so does the running kernel, as far as `make check` doesn't already.
# What each has, and what its verifier says of our BPF programs, has to be what tests/vm/measured.tsv holds.
#
#   tests/vm/check_vm.sh [--quick] [--keep] [KERNEL…]
#
#   --quick   only kernels and tests marked so
#   --keep    what was measured is written to tests/vm/measured.tsv, and docs/kernels.md made of it
#   KERNEL    names of tests/vm/kernels.txt, or "running"; all where none is given
#
#   BUILD                   the build directory (build)
#   KSMSCOPE_VM             where kernels and packages are kept ($BUILD/vm)
#   KSMSCOPE_VM_TIMEOUT     seconds that one virtual machine may take (7200; quick: 600)
#
# A machine counts as failed until it has said how its tests ended: a crash, a hang and a kernel that does not boot are
# failures.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C

quick='' keep='' wanted=()
for argument in "$@"; do
	case $argument in
	--quick) quick=1 ;;
	--keep) keep=1 ;;
	-*) echo "check_vm: $argument: no such option" >&2; exit 2 ;;
	*) wanted+=("$argument") ;;
	esac
done
BUILD=${BUILD:-build}
vm=${KSMSCOPE_VM:-$BUILD/vm}
results=$vm/results
limit=${KSMSCOPE_VM_TIMEOUT:-${quick:+600}}
limit=${limit:-7200}
failures=0
ok() { echo "ok - $1"; }
not_ok() { failures=$((failures + 1)); echo "not ok - $1: $2"; }
skip() { echo "ok - $1 # SKIP $2"; }

# listed FILE: its lines, without comments; with --quick only those marked so
listed() { sed 's/#.*//' "$1" | grep . | { [ -n "$quick" ] && grep -w quick || cat; }; }
# tests ARCH
tests() { listed tests/vm/tests.txt | awk -v only="only-$1" '!/only-/ || index($0, only) { print $1 }'; }

is_wanted() {
	local name
	[ ${#wanted[@]} -eq 0 ] && return 0
	for name in "${wanted[@]}"; do
		[ "$name" = "$1" ] && return 0
	done
	return 1
}

# Cross builds take headers and libraries from Debian's packages for that architecture.
build_arm64() {
	make -s -j"$(nproc)" BUILD="$BUILD/arm64" BPF_ARCH=arm64 AR=aarch64-linux-gnu-ar \
		CC="aarch64-linux-gnu-gcc --sysroot=$(realpath "$vm")/arm64/root" programs tests
}

# prepare ARCH: programs, tests and what they boot into; once per architecture
declare -A prepared
prepare() {
	local arch=$1 build=$BUILD log=$vm/prepare-$1.log
	[ -n "${prepared[$arch]-}" ] && return "${prepared[$arch]}"
	mkdir -p "$vm"
	prepared[$arch]=0
	if [ "$arch" = arm64 ]; then
		build=$BUILD/arm64
		{ tests/vm/image.sh "$vm" "$arch" && build_arm64; } >"$log" 2>&1 || prepared[$arch]=1
		grep -q 'warning:' "$log" && prepared[$arch]=1
	fi
	[ "${prepared[$arch]}" = 0 ] && { tests/vm/image.sh "$vm" "$arch" "$build" >>"$log" 2>&1 || prepared[$arch]=1; }
	return "${prepared[$arch]}"
}

# One processor: QEMU 7.2 makes kernels of 6.12 crash with two. Not a client of this machine's own KSM, where tests run.
emulate() {
	local arch=$1
	shift
	case $arch in
	amd64) timeout -k 10 "$limit" nice qemu-system-x86_64 -M pc,mem-merge=off -cpu max -m 1280 "$@" ;;
	arm64) timeout -k 10 "$limit" nice qemu-system-aarch64 -M virt,mem-merge=off -cpu max,pauth-impdef=on -m 1536 "$@" ;;
	esac
}

# A starved emulator makes timers late; no_timer_check: that is no broken hardware.
boot() {
	local name=$1 arch=$2 console=ttyS0
	[ "$arch" = arm64 ] && console=ttyAMA0
	cat "$vm/$arch/userland.cpio" "$vm/$arch/ksmscope.cpio" >"$results/$name/initrd"
	emulate "$arch" -accel tcg -smp 1 -nographic -no-reboot -nodefaults -serial stdio \
		-kernel "$vm/kernels/$name/vmlinuz" -initrd "$results/$name/initrd" \
		-append "console=$console rdinit=/init panic=-1 oops=panic no_timer_check loglevel=4 -- $(tests "$arch" | paste -sd ' ')" \
		</dev/null 2>&1 | sed -u 's/\r$//' >"$results/$name/log"
	rm -f "$results/$name/initrd"
}

# collect NAME: what the log holds, as facts "KERNEL<TAB>kind<TAB>name<TAB>value"
collect() {
	local name=$1
	{
		printf '%s\trelease\tkernel\t%s\n' "$name" "$(cat "$vm/kernels/$name/version" 2>/dev/null || uname -r)"
		sed -n "s/^ksmscope-vm: feature /$name\tfeature\t/p" "$results/$name/log"
		sed -n "s/^ksmscope-vm: program /$name\tprogram\t/p" "$results/$name/log"
		sed -n "s/^ *[0-9]*  \(live\/[a-z_]*\) *\([0-9]* passed.*\)/$name\ttest\t\1\t\2/p" "$results/$name/log" |
			sed 's/ *[0-9]* s$//'
	} >"$results/$name/facts"
}

# judge NAME: each test's line, then whether the machine came to its end and has what it is kept to have
judge() {
	local name=$1 log=$results/$1/log kind test counts why
	collect "$name"
	while IFS=$'\t' read -r _ kind test counts; do
		[ "$kind" = test ] || continue
		case $counts in
		*FAILED*) not_ok "$name: $test" "$counts: $(grep -aF " failed: $test:" "$log" | head -n 3 | cut -c1-300 | paste -sd ';')" ;;
		*) ok "$name: $test: $counts" ;;
		esac
	done <"$results/$name/facts"
	why=$(grep -aE 'BUG:|Oops|Kernel panic|WARNING: CPU' "$log" | head -n 2 | paste -sd ';')
	if grep -q '^ksmscope-vm: ended with status 0' "$log" && [ -z "$why" ]; then
		ok "$name: every test came to its end"
	else
		not_ok "$name: every test came to its end" \
			"$(grep -a '^ksmscope-vm: ended' "$log" || echo "it did not say how it ended (within $limit s)"); $why; $(tail -n 2 "$log" | cut -c1-200 | paste -sd ';')"
	fi
	[ -n "$keep" ] || kept_features "$name"
}

facts_of() { grep -P "^\Q$1\E\t$2\t" "$3" | sort; }
kept_features() {
	local differs
	differs=$(diff <(facts_of "$1" feature tests/vm/measured.tsv) <(facts_of "$1" feature "$results/$1/facts") |
		sed -n 's/^< .*feature\t/kept: /p; s/^> .*feature\t/now: /p' | tr '\t' ' ' | head -n 6 | paste -sd ';')
	if [ -z "$differs" ]; then ok "$1: has what it is known to have"; else not_ok "$1: has what it is known to have" "$differs"; fi
}

virtual_machine() {
	local name=$1 arch=$2 package=$3 start=$SECONDS
	rm -rf "${results:?}/$name"
	mkdir -p "$results/$name"
	if ! tests/vm/apt.sh "$vm" "$arch" kernel "$vm/kernels/$name" "$package" >"$vm/fetch-$name.log" 2>&1; then
		if [ -n "$quick" ]; then skip "$name" "$package can't be had: $(tail -n 1 "$vm/fetch-$name.log")"
		else not_ok "$name" "$package can't be had: $(tail -n 1 "$vm/fetch-$name.log")"; fi
	elif ! prepare "$arch"; then
		not_ok "$name" "what it boots into can't be made: $(grep -E 'error|warning|E:' "$vm/prepare-$arch.log" | head -n 3 | paste -sd ';')"
	else
		boot "$name" "$arch"
		judge "$name"
	fi
	echo "# $name: $((SECONDS - start)) s"
}

# The same of this machine, without emulation; settings are put back, and others wait, as always in live tests.
running() {
	local name
	name=$("$BUILD/tests/programs_test" | sed -n 's/^# kernel: //p')
	rm -rf "$results/$name"
	mkdir -p "$results/$name"
	BUILD=$BUILD KSMSCOPE_LOGS=$results/$name/logs tests/vm/guest.sh $(tests "$(dpkg --print-architecture)") >"$results/$name/log" 2>&1
	echo "ksmscope-vm: ended with status $?" >>"$results/$name/log"
	judge "$name"
}

for program in qemu-system-x86_64 cpio apt-get; do
	command -v "$program" >/dev/null || { skip "other kernels" "$program is not installed (tests/vm/packages.txt)"; exit 0; }
done
[ -n "$(ls "$BUILD/tests/programs_test" 2>/dev/null)" ] || { not_ok "other kernels" "$BUILD holds no tests: make tests"; exit 1; }
while read -r name arch package _; do
	is_wanted "$name" && virtual_machine "$name" "$arch" "$package" </dev/null
done < <(listed tests/vm/kernels.txt)
[ -z "$quick" ] && is_wanted running && running
[ -n "$keep" ] && cat "$results"/*/facts | tests/vm/kept.py --keep
[ "$failures" -eq 0 ]
