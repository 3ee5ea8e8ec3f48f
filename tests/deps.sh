#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs what is missing of Debian's packages that a file names, one a line, # for comments.
# Does nothing, and needs no right to anything, where nothing is missing.
#
#   tests/deps.sh packages.txt
set -u
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

file=${1:?usage: deps.sh FILE}
mapfile -t wanted < <(sed 's/#.*//' "$file" | tr -s ' \t' '\n' | grep .)

if ! command -v dpkg-query >/dev/null; then
	echo "deps: this is not Debian; these packages, or what they are called here, are needed: ${wanted[*]}" >&2
	exit 0
fi

declare -A installed
while read -r state package; do
	[ "$state" = installed ] && installed[$package]=1
done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null)

missing=()
for package in "${wanted[@]}"; do
	[ -n "${installed[$package]-}" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps: not root, so these packages can't be installed: ${missing[*]}" >&2
	echo "deps: as root: apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi

# Another package manager may be at work on a machine that has just booted: wait for its lock.
apt_get() {
	DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# Servers are installed for the tests to start; none is to run as a service of this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi

# PostgreSQL's package makes a database of its own and starts a server on it, unless it finds this. The tests bring
# up a server for themselves, and none is to run beside them.
no_database() {
	local config=/etc/postgresql-common/createcluster.conf
	[ -e "$config" ] && return
	mkdir -p "${config%/*}" && echo "create_main_cluster = false" >"$config"
}

echo "deps: installing ${missing[*]}"
case " ${missing[*]} " in *" postgresql-"*) no_database ;; esac
# Old lists may do where the network does not: what counts is whether the installation works.
apt_get update || echo "deps: apt-get update failed; trying with the package lists that are here" >&2
if ! apt_get install -y --no-install-recommends "${missing[@]}"; then
	echo "deps: installing failed (no network, or packages that this release does not have?): ${missing[*]}" >&2
	exit 1
fi
