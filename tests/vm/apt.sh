#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian's packages, fetched and unpacked, never installed: for the virtual machines. Nothing of this machine's own
# package management is used or changed: sources, lists and the (empty) state of what is installed are kept in a
# folder of their own, so that packages of another architecture can be had, and each with all that it needs.
#
#   tests/vm/apt.sh DIR ARCH fetch PACKAGE…          into DIR/ARCH/archives, with dependencies
#   tests/vm/apt.sh DIR ARCH unpack INTO PACKAGE…    the same, and unpacked into INTO
#   tests/vm/apt.sh DIR ARCH kernel INTO PACKAGE     the kernel that a linux-image package stands for now: INTO/vmlinuz,
#                                                    INTO/config; prints its version
#
# The lists are fetched anew when they are older than a week; offline, what is there serves.
set -eu -o pipefail
export LC_ALL=C PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
release=bookworm

die() { echo "apt: $*" >&2; exit 1; }
[ $# -ge 4 ] || die "usage: apt.sh DIR ARCH fetch|unpack|kernel …"
mkdir -p "$1/$2"
base=$(realpath "$1/$2") arch=$2 action=$3
shift 3

configure() {
	mkdir -p "$base"/{lists/partial,archives/partial,etc/apt.conf.d,etc/preferences.d}
	: >"$base/status"
	cat >"$base/sources.list" <<-END
		deb [signed-by=$keyring] http://deb.debian.org/debian $release main
		deb [signed-by=$keyring] http://deb.debian.org/debian-security $release-security main
	END
	cat >"$base/apt.conf" <<-END
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Dir::State "$base";
		Dir::State::status "$base/status";
		Dir::State::lists "$base/lists";
		Dir::Cache "$base";
		Dir::Cache::archives "$base/archives";
		Dir::Etc "$base/etc";
		Dir::Etc::sourcelist "$base/sources.list";
		Dir::Etc::sourceparts "-";
		Debug::NoLocking "true";
	END
	export APT_CONFIG="$base/apt.conf"
}

refresh() {
	[ -n "$(find "$base/refreshed" -mtime -7 2>/dev/null)" ] && return
	if apt-get -qq update >&2; then
		touch "$base/refreshed"
	else
		[ -e "$base/refreshed" ] || die "the package lists can't be had"
		echo "apt: the package lists are old: they can't be had now" >&2
	fi
}

# archives PACKAGE…: fetched with all they need; prints the files
archives() {
	apt-get -qq -y -d install "$@" >&2 || die "can't be fetched: $*"
	apt-get -qq -y --print-uris --reinstall install "$@" | sed "s|.* \(.*\.deb\) .*|$base/archives/\1|" >/dev/null
	apt-get -y -s install "$@" | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' | while read -r name version; do
		ls "$base/archives/${name%%:*}_${version//:/%3a}"_*.deb
	done
}

# unpack INTO FILE…: without what only people read
unpack() {
	local into=$1 file
	shift
	mkdir -p "$into"/usr/{bin,sbin,lib,lib64}
	for file in bin sbin lib lib64; do
		ln -sfn "usr/$file" "$into/$file"
	done
	for file in "$@"; do
		dpkg-deb --fsys-tarfile "$file" | tar -x -C "$into" --keep-directory-symlink --no-same-owner \
			--exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' \
			--exclude='./usr/share/i18n' --exclude='./usr/lib/*/gconv'
	done
}

# A package like linux-image-cloud-amd64 depends on the present version's.
real_kernel() {
	local real
	real=$(apt-cache depends "$1" | sed -n 's/^  Depends: \(linux-image-.*\)/\1/p' | head -n 1)
	echo "${real:-$1}"
}

kernel() {
	local into=$1 package
	package=$(real_kernel "$2")
	if [ "$(cat "$into/package" 2>/dev/null)" != "$package" ]; then
		rm -rf "$into" && mkdir -p "$into/tree"
		(cd "$into" && apt-get -qq download "$package" >&2) || die "can't be fetched: $package"
		dpkg-deb --fsys-tarfile "$into"/*.deb | tar -x -C "$into/tree" --wildcards './boot/*'
		mv "$into"/tree/boot/vmlinuz-* "$into/vmlinuz"
		mv "$into"/tree/boot/config-* "$into/config"
		dpkg-deb -f "$into"/*.deb Version >"$into/version"
		rm -rf "$into/tree" "$into"/*.deb
		echo "$package" >"$into/package"
	fi
	cat "$into/version"
}

configure
refresh
case $action in
fetch) archives "$@" ;;
unpack)
	into=$1
	shift
	mapfile -t files < <(archives "$@")
	[ ${#files[@]} -gt 0 ] || die "nothing to unpack: $*"
	unpack "$into" "${files[@]}"
	;;
kernel) kernel "$1" "$2" ;;
*) die "$action: no such action" ;;
esac
