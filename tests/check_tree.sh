#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Is the tree in order? Licence lines, no trailing blanks, no paths of somebody's machine; links in the documents lead
# somewhere; what the documents list is what the code has: options, reasons, JSON keys, knobs.
. "$(dirname "$0")/lib.sh"
cd "$top" || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ours: the files of the project, without captured systems, expected outputs and inputs of fuzzers, which are as they are
ours() {
	{ git ls-files 2>/dev/null || find . -type f -not -path './.git/*' -not -path './build/*' | sed 's|^\./||'; } |
		grep -vE '^tests/(golden/systems/|fuzz/(corpus|regressions)/|.*\.expected$)' | while read -r file; do [ -f "$file" ] && echo "$file"; done
}

# none NAME LIST: there is nothing in LIST
none() {
	local list
	list=$(head -n 20 <<<"$2")
	if [ -z "$list" ]; then ok "$1"; else not_ok "$1" "$list"; fi
}

# same NAME EXPECTED ACTUAL: two lists have the same lines
same() {
	none "$1" "$(diff <(sort -u <<<"$2") <(sort -u <<<"$3") | sed -n 's/^</only in the code:/p; s/^>/only in the document:/p')"
}

# ---- every file ----

mapfile -t files < <(ours)
[ ${#files[@]} -gt 100 ] && ok "files of the project are found" || not_ok "files of the project are found" "${#files[@]}"

# What can hold no comment, or is the licence itself.
no_comment='^(LICENSE|VERSION|debian/.*|.*\.(json|csv|html|png|svg|screen|rec))$'
none "every file names its licence" "$(printf '%s\n' "${files[@]}" | grep -vE "$no_comment" |
	while read -r file; do head -n 4 "$file" | grep -q 'SPDX-License-Identifier: GPL-2\.0-or-later' || echo "$file"; done)"
none "no trailing blanks" "$(grep -nIE '[[:blank:]]+$' -- "${files[@]}" | cut -c1-100)"
none "every file ends with a newline" "$(for file in "${files[@]}"; do
	[ -s "$file" ] && [ -n "$(tail -c 1 "$file" | tr -d '\n')" ] && grep -qI . "$file" && echo "$file"; done)"
# Spelled so that this line is not found by itself.
none "no paths of a machine" "$(grep -nIE '(^|[^A-Za-z0-9_.])/(work|hom[e])/[a-z.]|/roo[t]/' -- "${files[@]}" | cut -c1-120)"

# ---- documents ----

mapfile -t documents < <(printf '%s\n' "${files[@]}" | grep -E '\.md$')
none "links in the documents lead somewhere" "$(/usr/bin/python3 - "${documents[@]}" <<'PYTHON'
import os, re, sys

def text(path):
    """The document without code."""
    with open(path, encoding="utf-8") as file:
        return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", file.read(), flags=re.M | re.S))

def anchors(path):
    with open(path, encoding="utf-8") as file:
        titles = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", file.read(), flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

for document in sys.argv[1:]:
    for link in re.findall(r"\]\(([^)\s]+)\)", text(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
        if not os.path.exists(target):
            print(f"{document}: {link}: no such file")
        elif anchor and anchor not in anchors(target):
            print(f"{document}: {link}: no such heading")
PYTHON
)"

# ---- what the documents list is what the code has ----

# [`name`](../tests/file): the test is in the file.
none "docs/security.md names tests that there are" "$(grep -oE '\[`[^`]+`\]\(\.\./tests/[^)]+\)' docs/security.md |
	sed -E 's/^\[`([^`]+)`\]\(\.\.\/(.*)\)$/\2\t\1/' | while IFS=$'\t' read -r file name; do
		grep -qF -- "$name" "$file" || echo "$file: $name"; done)"
at_least "docs/security.md: tests" "$(grep -oE '\]\(\.\./tests/' docs/security.md | wc -l)" 30

tests/vm/kept.py && ok "docs/kernels.md is made of tests/vm/measured.tsv" ||
	not_ok "docs/kernels.md is made of tests/vm/measured.tsv" "tests/vm/check_vm.sh --keep"

same "docs/anatomy.md has every reason of the doctor" \
	"$(sed -n '/reason_names\[REASON_COUNT\] = {/,/};/s/.*"\([a-z-]*\)".*/\1/p' user/core/judge/doctor.c)" \
	"$(sed -n '/^## Why is nothing merged/,$s/^| `\([a-z-]*\)` .*/\1/p' docs/anatomy.md)"
none "docs/json.md has every key of ksm-advise" \
	"$(grep -ohE '(json_[a-z0-9]+|count|sharing|pair_member|figure|comparison|ppm)\(&?j, "[a-z_0-9]+"' user/out/{advise,advise_huge,fleet}_json.c | sed 's/.*"\(.*\)"/\1/' | sort -u |
		while read -r key; do grep -q "\`$key\`" docs/json.md || echo "$key"; done)"
none "docs/json.md has every knob" \
	"$(sed -n 's/.*\[KNOB_[A-Z_]*\] = { "\([a-z_]*\)".*/\1/p' user/core/knobs.c |
		while read -r knob; do grep -q "\`$knob\`" docs/json.md || echo "$knob"; done)"

same "docs/metrics.md is what ksm-exporter offers (make metrics-doc)" "$("$build/ksm-exporter" --list-metrics)" "$(<docs/metrics.md)"

# table PROGRAM: "--name -x" of each option it has
table() { "$build/$1" --print-options | awk -F '\t' '{ print "--" $1 ($2 == "-" ? "" : " -" $2) }'; }
# described PAGE: the same of each option that the page describes
described() {
	sed -n '/^# OPTIONS/,/^# [A-NP-Z]/p' "$1" | grep -E '^\*-' | sed -E 's/_[^ ]*//g; s/[*,]//g; s/[][]//g' |
		awk '{ long = short = ""
			for (i = 1; i <= NF; i++) { if ($i ~ /^--/) long = $i; else if ($i ~ /^-./) short = " " $i }
			print long short }'
}

for source in user/prog/*.c; do
	program=$(basename "$source" .c | tr _ -)
	page=$(find docs/man -name "$program.[1-8].scd")
	if [ ! -x "$build/$program" ]; then
		not_ok "$program: its manual page has its options" "$build/$program is not built"
	elif [ -z "$page" ]; then
		not_ok "$program: its manual page has its options" "there is no manual page"
	else
		same "$program: its manual page has its options" "$(table "$program")" "$(described "$page")"
	fi
done

# ---- manual pages ----

if ! command -v scdoc mandoc >/dev/null; then
	skip "manual pages are well formed" "scdoc or mandoc is not installed"
elif ! make -s BUILD="$work/build" PREFIX=/usr manuals >"$work/make.log" 2>&1; then
	not_ok "manual pages are well formed" "$(tail -n 5 "$work/make.log")"
else
	none "manual pages are well formed" "$(mandoc -T lint -W all "$work"/build/man/* 2>&1)"
	none "manual pages name the version" "$(grep -L "\"ksmscope $(<VERSION)\"" "$work"/build/man/*)"
fi

[ "$failures" -eq 0 ]
