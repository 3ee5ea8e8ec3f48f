#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Questions to a Prometheus server that scrapes ksm-exporter.

    exporter_prometheus.py URL dashboard FILE    every query of a Grafana dashboard
    exporter_prometheus.py URL rules FILE        every expression of a file of rules is one of the server's
    exporter_prometheus.py URL value QUERY       the one number that answers

Prints one line per result, or the number.
"""
import json
import sys
import urllib.parse
import urllib.request

# What may have no answer on a machine where nothing goes wrong, or that this kernel does not tell.
MAY_BE_EMPTY = ("ksmscope_domain_merged_pages", "ksmscope_outcomes_total", "ksmscope_pass_", "ksmscope_potential",
                "ksmscope_crossing", "ksmscope_zero_",
                "ksmscope_cgroup_potential", "ksmscope_cgroup_cow_breaks", "ksmscope_merge_lifetime",
                "ksmscope_new_duplicates", "ksmscope_merges_undone", "ksmscope_collapses_undoing", "ksmscope_frontier_")


def ask(url, path, **arguments):
    whole = f"{url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
    try:
        with urllib.request.urlopen(whole, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def dashboard(url, path):
    with open(path, encoding="utf-8") as file:
        board = json.load(file)
    names = {variable["name"] for variable in board["templating"]["list"]}
    failures, queries = 0, 0
    if names != {"datasource", "instance", "cgroup"}:
        failures += 1
        print(f"not ok - the dashboard has its variables: {names}")
    metrics = set(ask(url, "label/__name__/values")["data"])
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            queries += 1
            query = target["expr"]
            for name, text in (("$instance", ".*"), ("$cgroup", ".*"), ("$__rate_interval", "10s")):
                query = query.replace(name, text)
            answer = ask(url, "query", query=query)
            empty = answer["status"] == "success" and not answer["data"]["result"]
            if answer["status"] != "success" or (empty and not any(name in query for name in MAY_BE_EMPTY)):
                failures += 1
                print(f"not ok - dashboard, {panel['title']}: {query}: {answer.get('error', 'no answer')}")
    print(f"{'not ok' if failures else 'ok'} - {queries} queries of the dashboard are answered" +
          (": see above" if failures else ""))
    print(f"ok - {len(metrics)} metrics are there" if len(metrics) > 100 else f"not ok - metrics: {len(metrics)}")
    return failures > 0 or len(metrics) <= 100


def rules(url, path):
    groups = ask(url, "rules")["data"]["groups"]
    bad = [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    count = sum(len(group["rules"]) for group in groups)
    with open(path, encoding="utf-8") as file:
        wanted = sum(line.strip().startswith(("- record:", "- alert:")) for line in file)
    good = not bad and count == wanted
    print(f"{'ok' if good else 'not ok'} - {count} rules are evaluated" + ("" if good else f": {bad}, {wanted} wanted"))
    return not good


def value(url, query):
    answer = ask(url, "query", query=query)
    found = answer.get("data", {}).get("result", [])
    print(found[0]["value"][1] if len(found) == 1 else f"{len(found)} answers: {answer.get('error', '')}")
    return len(found) != 1


sys.exit({"dashboard": dashboard, "rules": rules, "value": value}[sys.argv[2]](sys.argv[1], sys.argv[3]))
