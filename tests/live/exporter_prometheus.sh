#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# A real Prometheus server scrapes ksm-exporter, and PromQL gets the right answers: what is saved, how many merged pages
# are broken a second, whose processes there are; rules, alerts and the dashboard are answered.
. "$(dirname "$0")/../lib.sh"
live_begin
command -v prometheus >/dev/null && command -v promtool >/dev/null || skip_rest "prometheus is not installed"

contrib=$top/contrib/prometheus
server=http://127.0.0.1:19890

promtool check rules "$contrib/ksmscope.rules.yml" >"$work/out" 2>&1
equal "the rules are well formed" 0 $?
promtool test rules "$contrib/ksmscope.test.yml" >"$work/out" 2>&1 && ok "alerts fire when they should, and not else" ||
	not_ok "alerts fire when they should, and not else" "$(grep -v '^$' "$work/out" | head -c 600)"
promtool check config "$contrib/scrape.yml" >"$work/out" 2>&1
equal "the scrape example is well formed" 0 $?

# ask QUERY: the one number
ask() { /usr/bin/python3 "$top/tests/live/exporter_prometheus.py" "$server" value "$1"; }
is_up() { [ "$(ask 'up{job="ksmscope"}')" = 1 ]; }

start "$build/ksm-exporter" --interval 1 --web.listen-address 127.0.0.1:19871
exporter=$started_pid
cat >"$work/prometheus.yml" <<YAML
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ["$contrib/ksmscope.rules.yml"]
scrape_configs:
  - job_name: ksmscope
    static_configs: [{targets: ["127.0.0.1:19871"]}]
YAML
mkdir "$work/data"
start prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" --web.listen-address=127.0.0.1:19890 \
	--log.level=warn 2>"$work/prometheus.log"
wait_for 60 is_up || bail "the server does not scrape: $(tail -n 2 "$work/prometheus.log" | head -c 400)"
ok "the server scrapes the exporter"

# ---- merged pages, broken at a known rate ----

rate=997
pages=$((rate * 40 / 2 * 2))
start "$tools/page_breaker" $pages $rate >"$work/breaker"
breaker=$started_pid
wait_for 60 grep -q '^ready' "$work/breaker" || bail "page_breaker is not ready"
merge_now || bail "nothing merges"
sleep 3
equal "PromQL: saved bytes are the kernel's" "$(($(saved_pages) * page_bytes))" "$(ask ksmscope_saved_bytes)"
equal "PromQL: profit is the kernel's" "$(get_ksm general_profit)" "$(ask ksmscope_profit_bytes)"
at_least "something is saved" "$(ask 'sum(ksmscope_domain_merged_pages)')" $((pages / 2))
cgroup=$(sed -n 's/^[0-9]*:memory://p; s/^0:://p' "/proc/$breaker/cgroup" | head -n 1)
merged=$(ask "ksmscope_cgroup_merged_pages{cgroup=\"$cgroup\"}")
equal "PromQL: merged pages of its cgroup" "$(sed -n 's/^ksm_merging_pages //p' "/proc/$breaker/ksm_stat")" "$merged"
kill -USR1 "$breaker"
sleep 13
broken=$(ask 'rate(ksmscope_cow_breaks_total[10s])')
broken=${broken%.*}
at_most "PromQL: breaks a second, to 5 %" $((100 * (broken > rate ? broken - rate : rate - broken))) $((5 * rate))
seen=$(ask "rate(ksmscope_cgroup_cow_breaks_total{cgroup=\"$cgroup\"}[10s])")
seen=${seen%.*}
at_most "PromQL: of its cgroup, estimated, to 15 %" $((100 * (seen > rate ? seen - rate : rate - seen))) $((15 * rate))
at_most "PromQL: all processes are in some trust domain (difference)" \
	"$(($(ask 'sum(ksmscope_domain_processes)') - $(ps -e -o pid=,vsz= | awk '$2 > 0' | wc -l)))" 20
/usr/bin/python3 "$top/tests/live/exporter_prometheus.py" "$server" rules "$contrib/ksmscope.rules.yml" || failures=$((failures + 1))
/usr/bin/python3 "$top/tests/live/exporter_prometheus.py" "$server" dashboard "$top/contrib/grafana/ksmscope.json" ||
	failures=$((failures + 1))
equal "no scrape was too large, twice the same, or out of order" 0 "$(curl -s "$server/metrics" |
	awk '/^prometheus_target_scrapes_(exceeded|sample_duplicate|sample_out_of|cache_flush).*_total/ { sum += $2 } END { print sum + 0 }')"

# ---- losing memory: pages opted in that are equal to none ----

kill -KILL "$breaker"
wait "$breaker" 2>/dev/null
set_ksm run 2
start "$build/ksm-run" -- /usr/bin/python3 -c 'import os, time; keep = os.urandom(64 << 20); time.sleep(300)'
run_engine_fast
loses() { [ "$(get_ksm general_profit)" -lt -100000 ]; }
if wait_for 20 loses; then
	sleep 2.5
	profit=$(ask ksmscope_profit_bytes)
	at_most "PromQL: profit below zero" "${profit%.*}" -100000
	pending() { [ "$(ask 'ALERTS{alertname="KsmLosesMemory",alertstate="pending"}')" = 1 ]; }
	wait_for 5 pending && ok "its alert is pending" || not_ok "its alert is pending" "$(ask 'ALERTS{alertname="KsmLosesMemory"}')"
else
	not_ok "the engine loses memory" "$(get_ksm general_profit)"
fi
set_ksm run 0

kill -TERM "$exporter"
wait "$exporter" 2>/dev/null
is_down() { [ "$(ask 'up{job="ksmscope"}')" = 0 ]; }
wait_for 10 is_down && ok "an exporter that ends is down" || not_ok "an exporter that ends is down" "$(ask up)"
