#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# The services are as locked down as they were, say what must not run beside them, and put things back; the
# capabilities that they leave are enough.
. "$(dirname "$0")/../lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$top" || exit 1

# Exposure as systemd counts it, in tenths: 0 is none, 100 all.
declare -A most=([ksm-exporter]=38 [ksm-policyd]=26)

for unit in contrib/systemd/*.service; do
	name=$(basename "$unit" .service)
	sed "s|@BINDIR@|$build|" "$unit" >"$work/$name.service"
	if ! command -v systemd-analyze >/dev/null; then
		skip "$name: hardened" "systemd-analyze is not installed"
		continue
	fi
	said=$(systemd-analyze verify --man=no "$work/$name.service" 2>&1)
	equal "$name: systemd finds nothing wrong" "" "$said"
	if said=$(systemd-analyze security --no-pager --offline=true --threshold="${most[$name]:-20}" "$work/$name.service" 2>&1); then
		ok "$name: hardened ($(tail -n 1 <<<"$said" | grep -oE '[0-9]\.[0-9] [A-Z]+'))"
	else
		not_ok "$name: hardened" "$(tail -n 1 <<<"$said")"
	fi
done

# has UNIT LINE
has() { grep -qxF "$2" "contrib/systemd/$1" && ok "$1: $2" || not_ok "$1: $2" "is not in it"; }
has ksm-policyd.service "Conflicts=ksmtuned.service ksm.service"
has ksm-policyd.service "ExecStopPost=@BINDIR@/ksm-policyd --restore"
has ksm-policyd.service "WatchdogSec=60"
has ksm-policyd.service "ReadWritePaths=/sys/kernel/mm/ksm"
has ksm-policyd.service "ExecStart=@BINDIR@/ksm-policyd"

# caps UNIT: its capabilities as setpriv has them
caps() {
	sed -n 's/^CapabilityBoundingSet=//p' "contrib/systemd/$1" | tr ' ' '\n' | sed 's/^CAP_/+/' | tr 'A-Z\n' 'a-z,' | sed 's/,$//'
}

# within UNIT COMMAND…: with no capability that the unit does not leave
within() {
	local set
	set=$(caps "$1")
	shift
	setpriv --bounding-set="-all,$set" --inh-caps=-all --no-new-privs "$@"
}

if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
	skip "the capabilities are enough" "needs root and setpriv"
	exit $((failures > 0))
fi
within ksm-exporter.service "$build/ksm-exporter" --once --textfile - --no-potential >"$work/metrics" 2>"$work/err"
equal "ksm-exporter within its capabilities: status" 0 $?
"$build/ksm-exporter" --once --textfile - --no-potential >"$work/all" 2>/dev/null
equal "ksm-exporter within its capabilities: all metrics that root gets" \
	"$(grep -o '^ksmscope_[a-z_]*' "$work/all" | sort -u)" "$(grep -o '^ksmscope_[a-z_]*' "$work/metrics" | sort -u)"
: >"$work/empty.conf"
within ksm-policyd.service "$build/ksm-policyd" -n 1 --config "$work/empty.conf" --state-dir "$work/state" >"$work/out" 2>"$work/err"
equal "ksm-policyd within its capabilities, a dry run: status" 0 $?
none=$(grep -iE 'not permitted|denied' "$work/err")
equal "ksm-policyd within its capabilities: nothing is denied" "" "$none"

# ---- for a cluster ----

manifest=$(/usr/bin/python3 - contrib/kubernetes/ksm-exporter.yaml contrib/systemd/ksm-exporter.service <<'PYTHON' 2>&1
import re, sys, yaml
kinds = {d["kind"]: d for d in yaml.safe_load_all(open(sys.argv[1]))}
pod = kinds["DaemonSet"]["spec"]["template"]["spec"]
security = pod["containers"][0]["securityContext"]
unit = open(sys.argv[2]).read()
wanted = {c[4:] for line in re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.M) for c in line.split()}
assert set(security["capabilities"]["add"]) == wanted, "other capabilities than the service's"
assert security["capabilities"]["drop"] == ["ALL"] and not security["privileged"]
assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
assert pod["hostPID"] and not pod["automountServiceAccountToken"] and "hostNetwork" not in pod
assert kinds["NetworkPolicy"]["spec"]["egress"] == []
PYTHON
)
equal "the manifest gives what the service gives, and no more" "" "$(tail -n 1 <<<"$manifest")"
[ "$failures" -eq 0 ]
