#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `make check-packages`: the Debian packages, built in two folders that are named differently and checked out at
# different times, are the same byte by byte, hold all that is installed, and lintian has nothing to say. Some five minutes.
. "$(dirname "$0")/lib.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v lintian >/dev/null && command -v dpkg-buildpackage >/dev/null || skip_rest "lintian or dpkg-dev is not installed"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct)}

# built FOLDER DAYS: the packages of the tracked files as they are now, checked out so many days ago
built() {
	mkdir -p "$1"
	(cd "$top" && git ls-files -z | tar --null -T - -cf -) | tar -C "$1" -xf -
	find "$1" -exec touch -h -d "$2 days ago" {} +
	if ! make -C "$1" BUILD=build deb >"$1.log" 2>&1; then
		not_ok "make deb in ${1##*/}" "$(tail -n 5 "$1.log")"
		exit 1
	fi
	ok "make deb in ${1##*/}; lintian has nothing to say"
}
built "$work/one/tree" 0
built "$work/another/longer-name" 400
sums() { (cd "$1/build/deb" && sha256sum ./*.deb); }
equal "the same byte by byte" "$(sums "$work/one/tree")" "$(sums "$work/another/longer-name")"

# what `make install` installs is in one of them, but for what debian/not-installed names
make -s -C "$work/one/tree" BUILD=build PREFIX=/usr DESTDIR="$work/all" install >/dev/null 2>&1
for package in "$work"/one/tree/build/deb/*.deb; do
	case $package in *-dbgsym_*) ;; *) dpkg-deb -x "$package" "$work/packed" ;; esac
done
normal() { (cd "$1" && find . -type f -printf '%P\n') | sed 's|^usr/lib/systemd/|lib/systemd/|; s|^usr/share/zsh/site-functions|usr/share/zsh/vendor-completions|; s|\.md\.gz$|.md|' | sort; }
left_out=$(sed 's|^#.*||; /^$/d; s|\*|.*|g; s|^|^|; s|$|$|' "$work/one/tree/debian/not-installed")
equal "all that is installed is packed" "" "$(comm -23 <(normal "$work/all") <(normal "$work/packed") | grep -vE "${left_out:-^$}")"
for what in bin/ksm-advise bin/ksmtop bin/ksm-run bin/ksm-exporter bin/ksm-policyd share/man/man8/ksm-exporter.8.gz \
	share/bash-completion/completions/ksm-advise lib/sysusers.d/ksm-exporter.conf lib/tmpfiles.d/ksmscope.conf \
	share/ksmscope/prometheus/ksmscope.rules.yml share/ksmscope/grafana/ksmscope.json share/ksmscope/kubernetes/ksm-exporter.yaml; do
	[ -e "$work/packed/usr/$what" ] || not_ok "packed" "$what is in no package"
done
[ "$failures" -eq 0 ]
