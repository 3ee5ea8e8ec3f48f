#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a virtual machine boots into, as two archives that the kernel unpacks one after the other: Debian's programs and
# libraries, made once per list of packages, and ours, made each time.
#
#   tests/vm/image.sh DIR ARCH         makes DIR/ARCH/userland.cpio; leaves what a cross build needs in DIR/ARCH/root
#   tests/vm/image.sh DIR ARCH BUILD   also DIR/ARCH/ksmscope.cpio, with the programs and tests that are in BUILD
set -eu -o pipefail
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(realpath "$1")/$2 arch=$2 build=${3:+$(realpath -m "$3")}
names() { sed 's/#.*//' "$1" | grep .; }

# Our programs' libraries come with what is needed to build them.
libraries() { names "$top/packages.txt" | grep -E '^(lib|zlib).*-dev$' | grep -v clang; }

pack() { (cd "$1" && cpio --quiet -0 -o -H newc -R 0:0 2>/dev/null); }

userland() {
	local made_of
	made_of=$({ names "$top/tests/vm/userland.txt"; libraries; cat "$0"; } | cksum)
	[ "$(cat "$dir/userland.of" 2>/dev/null)" = "$made_of" ] && return
	rm -rf "$dir/root"
	# shellcheck disable=SC2046
	"$top/tests/vm/apt.sh" "$(dirname "$dir")" "$arch" unpack "$dir/root" \
		$(names "$top/tests/vm/userland.txt") $(libraries)
	(cd "$dir/root" && find . \( -path ./usr/include -o -path ./usr/share/perl -o -path ./usr/share/perl5 \
		-o -path '*/perl' -o -path '*/perl-base' -o -path ./usr/share/zoneinfo -o -path '*/audit' \
		-o -path '*/python3*/test' -o -path ./usr/lib/gcc -o -path ./usr/share/bug \) -prune \
		-o -not -name '*.a' -not -name '*.o' -not -name 'perl*' -print0) | pack "$dir/root" >"$dir/userland.cpio"
	echo "$made_of" >"$dir/userland.of"
}

# The tree as the tests know it, without sources: the built programs below build/, stripped.
ours() {
	local tree=$dir/tree strip
	strip=$([ "$arch" = arm64 ] && echo aarch64-linux-gnu-strip || echo strip)
	rm -rf "$tree"
	mkdir -p "$tree"/{proc,sys,dev,run,tmp,root,etc,usr/bin,ksmscope/build/{tests,unit}}
	ln -s mawk "$tree/usr/bin/awk"	# what installing would have done
	cp "$top/tests/vm/init" "$tree/init"
	cp -r "$top"/{tests,VERSION} "$tree/ksmscope/"
	(cd "$build" && find . -maxdepth 2 \( -path './tests/*' -o -path './unit/*' -o -path './ksm*' \) -type f -perm -u+x \
		-exec cp --parents -t "$tree/ksmscope/build" {} +)
	find "$tree/ksmscope/build" -type f -exec "$strip" {} + 2>/dev/null || :
	(cd "$tree" && find . -print0) | pack "$tree" >"$dir/ksmscope.cpio"
	rm -rf "$tree"
}

mkdir -p "$dir"
userland
[ -z "$build" ] || ours
