#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# ksm-exporter on this system: its formats by readers of others, what it says against what the kernel says, names of all
# kinds, its two processes and what they may do, a collector that hangs, TLS and users, sockets of all kinds, textfiles.
. "$(dirname "$0")/../lib.sh"
live_begin
command -v curl >/dev/null && command -v promtool >/dev/null || skip_rest "curl or promtool is not installed"
/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || skip_rest "python3-prometheus-client is not installed"

port=19871
url=http://127.0.0.1:$port

# exporter ARGUMENT…: started and with its first page; its PIDs are in $collector and $http
exporter() {
	start "$build/ksm-exporter" --interval 0.5 --web.listen-address 127.0.0.1:$port "$@" 2>"$work/err"
	collector=$started_pid
	wait_for 30 grep -q "listening on" "$work/err" || bail "it does not start: $(head -c 300 "$work/err")"
	http=$(pgrep -P "$collector" -x ksm-http)
	[ -n "$http" ] || bail "there is no HTTP side: $(head -c 300 "$work/err")"
}
end_exporter() {
	kill -TERM "$collector" 2>/dev/null
	wait "$collector"
}
get() { curl -s --max-time 10 "$@"; }
# code EXPECTED NAME ARGUMENT…
code() {
	local expected=$1 name=$2
	shift 2
	equal "$name" "$expected" "$(get -o /dev/null -w '%{http_code}' "$@")"
}
has_page() { get -f -o /dev/null "$url/metrics"; }
# value SERIES: from $work/text
value() { awk -v series="$1" '$0 ~ /^[^#]/ && substr($0, 1, length(series) + 1) == series " " { print substr($0, length(series) + 2) }' "$work/text"; }
status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

# ---- pages ----

exporter --compat node
wait_for 30 has_page || bail "there is no page: $(get "$url/metrics" | head -c 300)"
get "$url/metrics" >"$work/text"
promtool check metrics <"$work/text" >"$work/promtool" 2>&1
equal "promtool check metrics has nothing to say" "0:" "$?:$(<"$work/promtool")"
get -H 'Accept: application/openmetrics-text; version=1.0.0' -D "$work/headers" "$url/metrics" >"$work/openmetrics"
get "$url/metrics" >"$work/text"
/usr/bin/python3 "$top/tests/live/exporter_pages.py" "$work/text" "$work/openmetrics" "$ksm" || failures=$((failures + 1))
grep -qi '^content-type: application/openmetrics-text; version=1.0.0; charset=utf-8' "$work/headers" &&
	ok "OpenMetrics has its type" || not_ok "OpenMetrics has its type" "$(<"$work/headers")"
get -H 'Accept-Encoding: gzip' -D "$work/headers" "$url/metrics" | gzip -dc >"$work/unpacked"
grep -qi '^content-encoding: gzip' "$work/headers" && promtool check metrics <"$work/unpacked" >/dev/null 2>&1 &&
	ok "compressed, it is a page" || not_ok "compressed, it is a page" "$(head -c 200 "$work/unpacked")"
grep -qi '^age: [01]' "$work/headers" && ok "it says how old it is" || not_ok "it says how old it is" "$(<"$work/headers")"
equal "ten names of node_exporter" 10 "$(grep -c '^node_ksmd_' "$work/text")"
equal "this kernel's profit, signed" "$(get_ksm general_profit)" "$(value ksmscope_profit_bytes)"
code 200 "a landing page" "$url/"
get "$url/" | grep -q '<a href="/metrics">' && ok "it leads to the metrics" || not_ok "it leads to the metrics" ""
code 200 "healthy" "$url/healthz"
code 404 "nothing elsewhere" "$url/metrics/x"
code 405 "nothing to write to" -X POST -d x "$url/metrics"

# ---- what its processes may do ----

equal "the HTTP side has no capability" "0000000000000000" "$(status_of "$http" CapEff)"
equal "nor can it get one" "0000000000000000 1" "$(status_of "$http" CapBnd) $(status_of "$http" NoNewPrivs)"
equal "its system calls are filtered" 2 "$(status_of "$http" Seccomp)"
[ "$(status_of "$http" Uid | cut -f1)" -ne 0 ] && ok "it is not root" || not_ok "it is not root" "$(status_of "$http" Uid)"
equal "the collector has no socket of the network" "" "$(for fd in /proc/"$collector"/fd/*; do readlink "$fd"; done |
	sed -n 's/socket:\[\(.*\)\]/\1/p' | while read -r inode; do awk -v i="$inode" '$10 == i' /proc/net/tcp /proc/net/tcp6; done)"
equal "the collector's system calls are filtered, too" "2 1" "$(status_of "$collector" Seccomp) $(status_of "$collector" NoNewPrivs)"
at_most "KiB resident: the HTTP side" "$(status_of "$http" VmRSS | cut -d' ' -f1)" 8192
at_most "KiB resident: the collector" "$(status_of "$collector" VmRSS | cut -d' ' -f1)" 32768
end_exporter
is_over "$http" && ok "both end together" || not_ok "both end together" "$(status_of "$http" State)"

# ---- a collector that hangs, an HTTP side that hangs ----

exporter --no-potential --web.stale-after 3
wait_for 30 has_page || bail "there is no page"
stop_process "$collector"
sleep 1.2
code 200 "a hanging collector: the last page is served" "$url/metrics"
equal "with its age" 1 "$(get -D - -o /dev/null "$url/metrics" | tr -d '\r' | sed -n 's/^Age: //p')"
sleep 2.5
code 503 "after the stated time: 503" "$url/metrics"
code 503 "and not healthy" "$url/healthz"
code 200 "but the landing page is there" "$url/"
kill -CONT "$collector"
wait_for 10 has_page && ok "it goes on when the collector does" || not_ok "it goes on when the collector does" ""
stop_process "$http"
sleep 3
before=$(sed 's/.*) //' "/proc/$collector/stat" | cut -d' ' -f12)
sleep 1.5
[ "$(sed 's/.*) //' "/proc/$collector/stat" | cut -d' ' -f12)" -ge "$before" ] && [ "$(state_of "$collector")" != D ] &&
	kill -CONT "$http" && sleep 1.2 && get "$url/metrics" >"$work/text"
at_least "a hanging HTTP side: the collector goes on, and counts what was not taken" \
	"$(value ksmscope_http_pages_unsent_total)" 3
kill -KILL "$http"
wait "$collector"
equal "without its HTTP side the collector ends, failed" 1 $?
grep -q "HTTP side was ended by signal 9" "$work/err" && ok "and says why" || not_ok "and says why" "$(tail -1 "$work/err")"
exporter --no-potential
kill -KILL "$collector"
wait_for 5 is_over "$http" && ok "without the collector the HTTP side ends" || not_ok "without the collector the HTTP side ends" ""

# ---- names ----

names=(/sys/fs/cgroup/memory /sys/fs/cgroup)
for tree in "${names[@]}"; do
	[ -e "$tree/cgroup.procs" ] && break
done
name=$'ksmscope "quoted" \\x2d \xff gr\xc3\xbc\xc3\x9f'
if ! mkdir "$tree/$name" 2>/dev/null; then
	skip "names of all kinds" "no cgroup can be made here"
else
	long=$(printf 'l%.0s' {1..250})
	deep=$tree/$name
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		mkdir "$deep/$long" 2>/dev/null || break
		deep=$deep/$long
	done
	clean_ups+=('cd "$tree" && find "$name" -depth -type d -exec rmdir {} + 2>/dev/null; cd /')
	start sleep 300
	echo "$started_pid" >"$tree/$name/cgroup.procs"
	start sleep 300
	echo "$started_pid" >"$deep/cgroup.procs"
	exporter --no-potential --top 100
	wait_for 30 has_page
	get "$url/metrics" >"$work/text"
	get -H 'Accept: application/openmetrics-text' "$url/metrics" >"$work/openmetrics"
	/usr/bin/python3 - "$work/text" "$work/openmetrics" "${deep#"$tree"}" <<'PYTHON' || failures=$((failures + 1))
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text
short = '/ksmscope "quoted" \\x2d \\xff grüß'
deep = sys.argv[3].encode("utf-8", "surrogateescape").replace(b"\xff", b"\\xff").decode()
bad = False
for path, read in ((sys.argv[1], text), (sys.argv[2], openmetrics)):
    page = open(path, encoding="utf-8", newline="").read()
    labels = {s.labels["cgroup"] for f in read(page) if f.name == "ksmscope_cgroup_processes" for s in f.samples}
    for name, what in ((short, "quotes, backslashes, bytes that are no UTF-8"), (deep, f"a name of {len(deep)} characters")):
        good = any(label.endswith(name) for label in labels)
        bad |= not good
        print(f"{'ok' if good else 'not ok'} - {what}, by {read.__module__}" + ("" if good else f": {sorted(labels)[:9]}"))
sys.exit(bad)
PYTHON
	end_exporter
	end_processes
fi

# ---- TLS and users ----

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/server.key" \
	-out "$work/server.crt" -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/client.key" \
	-out "$work/client.crt" -days 2 -subj /CN=client 2>/dev/null
# "secret"
hash=$(/usr/bin/python3 -W ignore -c 'import crypt; print(crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1 << 6)))')
tls="tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS12}"
printf '%s\nbasic_auth_users:\n  prom: %s\nhttp_server_config: {headers: {X-Frame-Options: deny}}\n' "$tls" "$hash" >"$work/web.yml"
exporter --no-potential --web.config.file "$work/web.yml"
secure=https://127.0.0.1:$port
has_secure_page() { get -f -o /dev/null --cacert "$work/server.crt" -u prom:secret "$secure/metrics"; }
wait_for 30 has_secure_page && ok "TLS, and a user with the right password" || not_ok "TLS, and a user with the right password" \
	"$(get -v --cacert "$work/server.crt" -u prom:secret "$secure/metrics" 2>&1 | tail -3)"
code 401 "a wrong password" --cacert "$work/server.crt" -u prom:Secret "$secure/metrics"
code 401 "no password" --cacert "$work/server.crt" "$secure/"
code 401 "another user" --cacert "$work/server.crt" -u root:secret "$secure/metrics"
get -D - -o /dev/null --cacert "$work/server.crt" "$secure/" | grep -qi '^x-frame-options: deny' && ok "configured headers" ||
	not_ok "configured headers" ""
get -o /dev/null "$url/metrics"
[ $? -ne 0 ] && ok "nothing without TLS" || not_ok "nothing without TLS" "it answered"
get -o /dev/null -k --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 "$secure/"
equal "no TLS 1.1" 35 $?
end_exporter
printf 'tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: client.crt, %s}\n' \
	"client_auth_type: RequireAndVerifyClientCert" >"$work/web.yml"
exporter --no-potential --web.config.file "$work/web.yml"
code 403 "no client certificate" --cacert "$work/server.crt" "$secure/"
code 200 "a client certificate" --cacert "$work/server.crt" --cert "$work/client.crt" --key "$work/client.key" "$secure/"
code 403 "another's client certificate" --cacert "$work/server.crt" --cert "$work/server.crt" --key "$work/server.key" "$secure/"
end_exporter
printf 'tls_server_config:\n  cipher_suites: [x]\n' >"$work/web.yml"
"$build/ksm-exporter" --web.config.file "$work/web.yml" 2>"$work/err" 9>&-
equal "a configuration that is not supported is refused, with its line" "1 1" "$? $(grep -c 'web.yml:2: cipher_suites' "$work/err")"

# ---- sockets ----

exporter --no-potential --web.listen-address "unix:$work/socket" --web.listen-address '[::1]:19872' --web.telemetry-path /m
# the telemetry path is another
wait_for 30 get -f -o /dev/null "$url/m"
code 200 "a Unix socket" --unix-socket "$work/socket" http://localhost/m
equal "open to those who may enter its folder" 666 "$(stat -c %a "$work/socket")"
code 200 "IPv6" 'http://[::1]:19872/m'
code 404 "the path that was asked for, and no other" "$url/metrics"
kill -KILL "$collector"
wait_for 5 is_over "$http"
exporter --no-potential --web.listen-address "unix:$work/socket"
code 200 "a Unix socket that was left over is made anew" --unix-socket "$work/socket" http://localhost/
"$build/ksm-exporter" --web.listen-address "127.0.0.1:$port" 2>"$work/err2" 9>&-
equal "an address that is taken" "1 1" "$? $(grep -c 'another program listens there' "$work/err2")"
end_exporter
[ ! -e "$work/socket" ] && ok "its socket is gone afterwards" || not_ok "its socket is gone afterwards" ""
cat >"$work/activate.py" <<'PYTHON'
import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 19873))
s.listen()
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
PYTHON
start /usr/bin/python3 "$work/activate.py" "$build/ksm-exporter" --no-potential --no-bpf --web.systemd-socket 2>"$work/err"
wait_for 30 get -f -o /dev/null http://127.0.0.1:19873/metrics && ok "a socket of systemd's" ||
	not_ok "a socket of systemd's" "$(head -c 300 "$work/err")"
kill -TERM "$started_pid"
wait "$started_pid"

# ---- textfiles ----

"$build/ksm-exporter" --once --no-potential --textfile "$work/x.prom" 9>&- && promtool check metrics <"$work/x.prom" >/dev/null 2>&1 &&
	ok "a textfile" || not_ok "a textfile" "$(head -c 200 "$work/x.prom")"
equal "readable by all" 644 "$(stat -c %a "$work/x.prom")"
start "$build/ksm-exporter" --interval 0.1 --no-bpf --no-potential --textfile "$work/x.prom"
whole=0
for i in {1..200}; do
	[ "$(tail -n 1 "$work/x.prom" | cut -c1-23)" = "ksmscope_series_dropped" ] && whole=$((whole + 1))
done
equal "whoever reads it finds it whole" 200 "$whole"
kill -TERM "$started_pid"
wait "$started_pid"
equal "nothing is left beside it" "" "$(find "$work" -name 'x.prom.*')"

# ---- without permission ----

chmod 755 "$work" && cp "$build/ksm-exporter" "$work/" && mkdir -m 777 "$work/nobody"
setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$work/ksm-exporter" --once --textfile - >"$work/text" 2>"$work/err" 9>&-
equal "without permission: there is a page" 0 $?
equal "without permission: probes are denied" 3 "$(grep -cE '^ksmscope_source_state\{source="(fault|engine|huge-page) probe",state="denied"\} 1' "$work/text")"
grep -q '^ksmscope_cow_breaks_attributed_total' "$work/text" && not_ok "without permission: no zero stands for what is not known" "" ||
	ok "without permission: no zero stands for what is not known"
grep -q '^ksmscope_ksm_pages_sharing ' "$work/text" && ok "without permission: the engine is there" || not_ok "without permission: the engine is there" ""
