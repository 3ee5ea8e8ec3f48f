#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Inside the container that services.sh boots: install the packages, and see what their services do under a real
# systemd. Prints results as all tests do.
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
ksm=/sys/kernel/mm/ksm
url=http://127.0.0.1:9877
config=/etc/ksmscope/ksm-policyd.conf

ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1: ${2//$'\n'/; }"; }
equal() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected '$2', have '$3'"; fi; }
# wait_for SECONDS COMMAND…
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
# within SECONDS NAME COMMAND…: it comes true
within() {
	local seconds=$1 name=$2
	shift 2
	wait_for "$seconds" "$@" && ok "$name" || not_ok "$name" "$(journalctl --no-pager -o cat -n 4 -u 'ksm-*')"
}
active() { systemctl is-active --quiet "$1"; }
inactive() { ! active "$1"; }
property() { systemctl show --value -p "$2" "$1"; }
pid_of() { property "$1" MainPID; }
# said UNIT TEXT: since it was started last
said() { journalctl --no-pager -o cat -u "$1" | grep -qF -e "$2"; }
scraped() { curl -sf --max-time 5 "$@" >/services/page && grep -q '^ksmscope_build_info{program="ksm-exporter"' /services/page; }
knobs() { grep -r . "$ksm" 2>/dev/null | grep -E "/(run|pages_to_scan|sleep_millisecs|use_zero_pages|smart_scan|advisor_[a-z_]*|merge_across_nodes|max_page_sharing):" | sort; }
files() { find /etc /usr /var /run /lib/systemd -xdev ! -path '/var/lib/dpkg/*' ! -path '/var/lib/apt/*' ! -path '/var/cache/*' ! -path '/var/log/*' \
	! -path '/run/systemd/*' ! -path '/run/log/*' ! -path '/run/udev/*' 2>/dev/null | grep -E 'ksm' | sort; }
# drop_in UNIT LINE…: as an operator would
drop_in() {
	mkdir -p "/run/systemd/system/$1.d"
	printf '%s\n' "${@:2}" >"/run/systemd/system/$1.d/test.conf"
	systemctl daemon-reload
}
no_drop_in() {
	rm -rf "/run/systemd/system/$1.d"
	systemctl daemon-reload
}

echo "PID 1 is $(</proc/1/comm)"
files >/services/before
knobs >/services/found
ip link set lo up 2>/dev/null

# ---- installation ----

apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 /services/ksmscope*.deb >/services/apt 2>&1
equal "apt installs the three packages" 0 $?
equal "their configurations are complete" "" "$(dpkg --audit)"
equal "ksm-exporter is enabled" enabled "$(systemctl is-enabled ksm-exporter)"
within 10 "and runs" active ksm-exporter
equal "ksm-policyd is disabled" disabled "$(systemctl is-enabled ksm-policyd 2>&1)"
equal "and does not run" inactive "$(systemctl is-active ksm-policyd)"
id ksm-exporter >/dev/null 2>&1 && ok "the user of the HTTP side is there" || not_ok "the user of the HTTP side is there" "$(getent passwd | tail -n 2)"
equal "the folder of the journals is root's alone" "700 root" "$(stat -c '%a %U' /run/ksmscope)"

# ---- ksm-exporter ----

within 20 "it is scraped by the loopback" scraped $url/metrics
http=$(pgrep -P "$(pid_of ksm-exporter)" -x ksm-http)
equal "the HTTP side has that user" ksm-exporter "$(stat -c %U "/proc/$http" 2>&1)"
for source in files "task iterator" "engine probe" "fault probe" "huge-page probe"; do
	grep -qF "ksmscope_source_success{source=\"$source\"} 1" /services/page && ok "within its unit it has the $source" ||
		not_ok "within its unit it has the $source" "$(grep -F "{source=\"$source\"" /services/page)"
done
has_contents() { scraped $url/metrics && grep -q '^ksmscope_potential_bytes ' /services/page; }
within 60 "within its unit it looks at contents" has_contents
for way in KILL ABRT; do
	old=$(pid_of ksm-exporter)
	kill -$way "$http"
	is_new() { active ksm-exporter && [ "$(pid_of ksm-exporter)" != "$old" ] && scraped $url/metrics; }
	within 30 "its HTTP side ended by SIG$way: it is started again" is_new
	http=$(pgrep -P "$(pid_of ksm-exporter)" -x ksm-http)
done

# by a socket, as its manual page has it
systemctl stop ksm-exporter
equal "it is stopped without a failure" "inactive success" "$(systemctl is-active ksm-exporter) $(property ksm-exporter Result)"
printf '%s\n' '[Socket]' 'ListenStream=127.0.0.1:9878' '[Install]' 'WantedBy=sockets.target' >/run/systemd/system/ksm-exporter.socket
drop_in ksm-exporter.service '[Service]' 'ExecStart=' 'ExecStart=/usr/bin/ksm-exporter --web.systemd-socket'
systemctl start ksm-exporter.socket
equal "by a socket: nobody runs before somebody asks" inactive "$(systemctl is-active ksm-exporter)"
within 20 "by a socket: who asks is answered" scraped http://127.0.0.1:9878/metrics
systemctl stop ksm-exporter.socket ksm-exporter
rm -f /run/systemd/system/ksm-exporter.socket
no_drop_in ksm-exporter.service
systemctl start ksm-exporter

# ---- ksm-policyd, a dry run ----

systemctl start ksm-policyd
equal "ksm-policyd starts (it says when it is ready)" 0 $?
ksm-policyd --status --format json >/services/status 2>&1
equal "it is asked where it stands" 0 $?
sleep 2
equal "a dry run changes nothing" "" "$(diff /services/found <(knobs))"
systemctl reload ksm-policyd
equal "reload: status" 0 $?
within 10 "reload: it says so" said ksm-policyd "configuration"
systemctl stop ksm-policyd
equal "ksm-policyd is stopped without a failure" "inactive success" "$(systemctl is-active ksm-policyd) $(property ksm-policyd Result)"

# ---- ksm-policyd acting ----

mkdir -p /etc/ksmscope
printf '%s\n' '[policy]' 'apply = yes' 'interval = 0.2s' 'cross_domains = yes' '[pressure]' 'min_free = 500G' 'worse_hold = 0' \
	'[engine]' 'hold = 0.1s' '[allow made]' 'executable = /services/made_memory' 'inject = yes' >$config
# a container's processes are all under a filter of system calls, behind which nobody can be opted in from outside
systemd-run --quiet --unit=made /usr/bin/ksm-run -- /services/made_memory --seed 61 --common 3001
systemd-run --quiet --unit=made2 /usr/bin/ksm-run -- /services/made_memory --seed 62 --common 3001
changed() { [ -n "$(diff /services/found <(knobs))" ]; }
as_found() { [ -z "$(diff /services/found <(knobs))" ]; }
# the processes that BPF knows are numbered as outside of this container: those of /proc are what it is to go by
drop_in ksm-policyd.service '[Service]' 'WatchdogSec=4' 'TimeoutAbortSec=2' 'RestartSec=6' 'ExecStart=' \
	'ExecStart=/usr/bin/ksm-policyd --no-bpf'
systemctl enable --now ksm-policyd >/dev/null 2>&1
equal "it is enabled and started by its administrator" enabled "$(systemctl is-enabled ksm-policyd)"
within 20 "acting: the knobs are changed" changed
systemctl stop ksm-policyd
within 10 "stopped: the knobs are as they were found" as_found

# killed, its guardian too: what the unit says about it is all that is left
systemctl start ksm-policyd
within 20 "acting again" changed
restarts=$(property ksm-policyd NRestarts)
systemctl kill --kill-whom=all --signal=KILL ksm-policyd
within 5 "killed with its guardian: the knobs are as they were found, before it is started again" as_found
restarted() { [ "$(property ksm-policyd NRestarts)" -gt "$restarts" ] && active ksm-policyd; }
within 20 "and it is started again" restarted
within 20 "and acts" changed

# hanging: the watchdog's
restarts=$(property ksm-policyd NRestarts)
kill -STOP "$(pid_of ksm-policyd)"
within 15 "hanging: the watchdog ends it, and the knobs are put back" as_found
within 20 "hanging: it is started again" restarted
within 5 "hanging: it was the watchdog" said ksm-policyd "Watchdog timeout"

# beside somebody else who writes the same knobs
printf '%s\n' '[Service]' 'ExecStart=/bin/sleep infinity' >/run/systemd/system/ksmtuned.service
systemctl daemon-reload
systemctl start ksmtuned
within 10 "ksmtuned is started: ksm-policyd ends" inactive ksm-policyd
within 10 "and puts everything back" as_found
systemctl start ksm-policyd
within 10 "ksm-policyd is started: ksmtuned ends" inactive ksmtuned
systemctl stop ksm-policyd
rm -f /run/systemd/system/ksmtuned.service
no_drop_in ksm-policyd.service
systemctl stop made made2

# ---- and gone again ----

rm -rf $config
rmdir /etc/ksmscope
apt-get purge -y -o Dpkg::Use-Pty=0 'ksmscope*' >/services/purge 2>&1
equal "purged" 0 $?
equal "nobody of ours runs" "" "$(ps -e -o comm= | grep -E '^ksm-(exp|http|pol|gua)')"
equal "purging leaves nothing" "" "$(comm -13 /services/before <(files))"
equal "the knobs are as they were found" "" "$(diff /services/found <(knobs))"
echo "the end"
