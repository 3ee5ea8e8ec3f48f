#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured on each kernel, kept, and the tables that docs/kernels.md makes of it.

    tests/vm/kept.py            is the generated part of docs/kernels.md made of tests/vm/measured.tsv? 0 or 1
    tests/vm/kept.py --keep     facts from standard input take the place of those of the same kernel; the document follows

A fact is a line "KERNEL<TAB>KIND<TAB>NAME<TAB>VALUE"; kinds are release, feature, program (verified instructions, "-"
where the kernel refuses it) and test ("12 passed, 1 skipped").
"""
import os
import re
import sys

FACTS = "tests/vm/measured.tsv"
DOCUMENT = "docs/kernels.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEAD = """# SPDX-License-Identifier: GPL-2.0-or-later
# What each kernel has, measured: written by tests/vm/check_vm.sh --keep. Kernel, kind, name, value, apart by tabs.
"""
KEPT = ("release", "feature", "program", "test")


def parse(lines):
    facts = []
    for line in lines:
        parts = line.rstrip("\n").split("\t")
        # a test that failed is for whoever ran it to look into, not to be kept
        if len(parts) == 4 and parts[1] in KEPT and "FAILED" not in parts[3]:
            facts.append(tuple(parts))
    return facts


def order(kernel):
    """6.1 before 6.12, each before its arm64 sister."""
    release, *rest = kernel.split("-")
    return rest, [int(part) for part in release.split(".")]


def cells(facts, kind, name, kernels):
    return [next((f[3] for f in facts if f[:3] == (kernel, kind, name)), "") for kernel in kernels]


def names(facts, kind):
    return list(dict.fromkeys(f[2] for f in facts if f[1] == kind))


def mark(value):
    """✓ and – for yes and no; everything else as it is."""
    if value.startswith("yes"):
        return "✓"
    return {"no": "–", "": "not run", "-": "refused"}.get(value, value)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def tested(value):
    passed = re.match(r"(\d+) passed(?:, (\d+) skipped)?$", value)
    if not passed:
        return mark(value)
    return passed.group(1) + (" (%s skipped)" % passed.group(2) if passed.group(2) else "")


def document(facts):
    kernels = sorted({f[0] for f in facts}, key=order)
    releases = ", ".join("%s: %s" % (k, cells(facts, "release", "kernel", [k])[0]) for k in kernels)
    lines = [BEGIN, "", "Kernels measured (%s). Features:" % releases, ""]
    lines += table(["feature"] + kernels,
                   [[n] + [mark(v) for v in cells(facts, "feature", n, kernels)] for n in names(facts, "feature")])
    lines += ["", "BPF programs: instructions that the verifier goes through (a tenth more fails the test); empty where "
              "another program does the work on that kernel, or nothing is kept for it yet:", ""]
    lines += table(["program"] + kernels,
                   [["`%s`" % n] + [v.replace("-", "refused") for v in cells(facts, "program", n, kernels)]
                    for n in names(facts, "program")])
    lines += ["", "Live tests, results passed:", ""]
    lines += table(["test"] + kernels,
                   [[n] + [tested(v) for v in cells(facts, "test", n, kernels)] for n in names(facts, "test")])
    return "\n".join(lines + ["", END])


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def keep(facts):
    new = parse(sys.stdin)
    fresh = {(f[0], f[1]) for f in new}
    tests = {f[:3] for f in new}
    old = [f for f in facts if f[:3] not in tests and (f[1] == "test" or (f[0], f[1]) not in fresh)]
    facts = sorted(old + new, key=lambda f: (order(f[0]), KEPT.index(f[1])))
    write(FACTS, HEAD + "".join("\t".join(f) + "\n" for f in facts))
    return facts


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    facts = parse(read(FACTS).splitlines())
    keeping = sys.argv[1:] == ["--keep"]
    if keeping:
        facts = keep(facts)
    text = read(DOCUMENT)
    made = text[:text.index(BEGIN)] + document(facts) + text[text.index(END) + len(END):]
    if keeping:
        write(DOCUMENT, made)
    return 0 if made == text or keeping else 1


if __name__ == "__main__":
    sys.exit(main())
