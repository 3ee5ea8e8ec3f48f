#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Debian packages and their services under a systemd that is PID 1: `make check-services`. This machine's own tree
# under an overlay is booted as a container (systemd-nspawn) with its own network; what is installed, changed and purged
# there is gone with it. What happens in it is inside.sh. The engine is this machine's, and put back.
#
#   services.sh FOLDER-OF-PACKAGES
. "$(dirname "$0")/../lib.sh"
live_begin
packages=$(realpath "${1:-$build/deb}")
ls "$packages"/ksmscope-policyd_*.deb >/dev/null 2>&1 || skip_rest "no packages in $packages: make deb makes them"
command -v systemd-nspawn >/dev/null || skip_rest "systemd-nspawn is not installed (systemd-container)"
[ -x /lib/systemd/systemd ] || skip_rest "systemd is not installed"
[ "$(get_ksm run)" != 1 ] || skip_rest "the engine of this machine is at work"

# ---- a tree of its own ----

mkdir "$work/over" && mount -t tmpfs -o size=600M,mode=755 tmpfs "$work/over" || skip_rest "nothing can be mounted here"
clean_ups+=('umount -l "$work/over/root" 2>/dev/null; umount -l "$work/over"')
mkdir "$work/over/upper" "$work/over/work" "$work/over/root"
root=$work/over/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/over/upper,workdir=$work/over/work" "$root" ||
	skip_rest "this kernel has no overlay file system"
# nothing of this machine's begins there but what we ask for
rm -rf "$root"/etc/systemd/system/*.wants "$root/usr/sbin/policy-rc.d" "$root"/etc/ksmscope "$root"/var/lib/ksmscope
: >"$root/etc/machine-id"
mkdir -p "$root/services" "$root/etc/systemd/system/multi-user.target.wants"
cp "$packages"/ksmscope*.deb "$top/tests/services/inside.sh" "$tools/made_memory" "$root/services/"
rm -f "$root"/services/*dbgsym*
cat >"$root/etc/systemd/system/services-test.service" <<'UNIT'
[Unit]
After=dbus.socket basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash /services/inside.sh
StandardOutput=file:/services/results
StandardError=file:/services/errors
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=280
UNIT
ln -s ../services-test.service "$root/etc/systemd/system/multi-user.target.wants/services-test.service"

# ---- boot it ----

SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 timeout 300 systemd-nspawn --register=no --keep-unit --quiet --private-network \
	--capability=all --system-call-filter="bpf perf_event_open ptrace process_madvise process_vm_readv" \
	--machine=ksmscope-services --directory="$root" --boot systemd.unit=multi-user.target \
	>"$work/console" 2>&1 </dev/null 9>&-
status=$?
if ! grep -q '^PID 1 is systemd' "$root/services/results" 2>/dev/null; then
	skip_rest "systemd can't be booted here: $(tail -n 2 "$work/console" | tr -d '\r\033' | paste -sd ' ')"
fi
cat "$root/services/results"
grep -q '^the end' "$root/services/results" && ok "all of it was run" ||
	not_ok "all of it was run" "status $status; $(tail -n 3 "$root/services/errors")"
failures=$((failures + $(grep -c '^not ok' "$root/services/results")))
equal "the engine of this machine is as it was" "" "$(diff "$work/settings" <(settings))"
[ -z "${KSMSCOPE_KEEP:-}" ] || cp "$root/services/errors" "$work/console" "$KSMSCOPE_KEEP"
[ "$failures" -eq 0 ]
