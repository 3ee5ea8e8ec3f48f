#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Metrics as two independent readers see them: prometheus_client's reader of the
text format and its strict reader of OpenMetrics. Both have to find the same
series, and what the system says has to be in them.

    exporter_pages.py TEXT-FILE OPENMETRICS-FILE [KSM-DIRECTORY]

Prints one line per result, as the tests do.
"""
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

failures = 0


def result(name, good, why=""):
    global failures
    failures += not good
    print(f"ok - {name}" if good else f"not ok - {name}: {why}")


def series(families):
    found = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key in found:
                result("every series is there once", False, str(key))
            found[key] = sample.value
    return found


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def main():
    plain = series(text(read(sys.argv[1])))
    strict = list(openmetrics(read(sys.argv[2])))
    result("OpenMetrics is read by the strict parser", len(strict) > 50, str(len(strict)))
    result("both formats have the same series", set(plain) == set(series(strict)),
           str(sorted(set(plain) ^ set(series(strict)))[:5]))
    result("units are named", {"bytes", "seconds", "ratio"} <= {family.unit for family in strict})
    result("there is no label for a process", not any(k in ("pid", "process") for _, labels in plain for k, _ in labels))
    result("counters do not fall below 0", all(v >= 0 for (name, _), v in plain.items() if name.endswith("_total")))
    losses = {}
    for (name, labels), value in plain.items():
        if name.startswith("ksmscope_events_"):
            losses.setdefault(labels, {})[name.split("_")[2]] = value
    result("produced = consumed + lost", losses and all(
        path["produced"] == path["consumed"] + path["lost"] for path in losses.values()), str(losses))
    for name, file in (("pages_to_scan", "pages_to_scan"), ("pages_shared", "pages_shared"),
                       ("pages_sharing", "pages_sharing"), ("max_page_sharing", "max_page_sharing"), ("run", "run")):
        if len(sys.argv) > 3:
            with open(f"{sys.argv[3]}/{file}", encoding="ascii") as is_:
                have, want = plain.get((f"ksmscope_ksm_{name}", ())), float(is_.read())
                result(f"{name} is the kernel's", have == want, f"{have}, not {want}")
    return failures > 0


sys.exit(main())
