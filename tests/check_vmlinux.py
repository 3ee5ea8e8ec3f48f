#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Does vmlinux/vmlinux.h say of the running kernel what its own type information
(BTF) says? For each record of the header: the kernel has it, with each field
that the header names, of the same kind: a pointer for a pointer, a number of
the same size, the same record. Where fields lie means nothing, since accesses
are relocated. For each enumerator: the kernel's value, unless the header says
of it that it is relocated too; where it says "may be absent", a kernel without
it will do. Types with ___ in their name are alternatives of which one
kernel has one, and are left to the programs.

The build needs none of this: it is a check of the running kernel alone. What
it does not see: fields whose meaning changed under the same name and type.

Prints "ok - name", "not ok - name: why" or "ok - name # SKIP why".
"""
import json
import os
import re
import shutil
import subprocess
import sys

KERNEL = "/sys/kernel/btf/vmlinux"
HEADER = "vmlinux/vmlinux.h"
TRANSPARENT = {"TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "TYPE_TAG"}


def bpftool():
    return shutil.which("bpftool") or "/usr/sbin/bpftool"


class Btf:
    """A kernel's types, from bpftool's raw dump: number -> (kind, name, attributes, members)."""

    def __init__(self, path):
        text = subprocess.run([bpftool(), "btf", "dump", "file", path], check=True, capture_output=True,
                              text=True).stdout
        self.types, self.by_name, self.enumerators = {}, {}, {}
        head = re.compile(r"\[(\d+)\] (\w+) '([^']*)' ?(.*)")
        member = re.compile(r"\t'([^']*)' (.*)")
        for line in text.splitlines():
            found = head.match(line)
            if found:
                number, kind, name, attributes = found.groups()
                current = (kind, name, self.attributes(attributes), [])
                self.types[int(number)] = current
                self.by_name.setdefault((kind, name), current)
                continue
            found = member.match(line)
            if found:
                attributes = self.attributes(found.group(2))
                current[3].append((found.group(1), attributes))
                if current[0].startswith("ENUM"):
                    self.enumerators.setdefault(found.group(1), (current[1], int(attributes["val"].rstrip("UL"))))

    @staticmethod
    def attributes(text):
        return dict(part.split("=", 1) for part in text.split() if "=" in part)

    def resolve(self, number):
        kind, name, attributes, members = self.types.get(number, ("VOID", "", {}, []))
        while kind in TRANSPARENT:
            kind, name, attributes, members = self.types.get(int(attributes["type_id"]), ("VOID", "", {}, []))
        return kind, name, attributes, members

    def field(self, record, name):
        """The type number of a field, also of one inside nameless records."""
        for member, attributes in record[3]:
            number = int(attributes["type_id"])
            if member == name:
                return number
            if member == "(anon)" and self.resolve(number)[0] in ("STRUCT", "UNION"):
                inner = self.field(self.resolve(number), name)
                if inner is not None:
                    return inner
        return None

    def shape(self, number):
        """A type in the words of shape_of()."""
        kind, name, attributes, _ = self.resolve(number)
        if kind == "PTR":
            return "pointer"
        if kind in ("INT", "ENUM", "ENUM64", "FLOAT"):
            return "%s bytes" % attributes["size"]
        if kind == "ARRAY":
            return "array of %s" % self.shape(int(attributes["type_id"]))
        return name_of_record(name) if kind in ("STRUCT", "UNION") else kind.lower()


def name_of_record(name):
    return "record %s" % name if name and name != "(anon)" else "nameless record"


class Header:
    """The header's records and enumerators, from clang's syntax tree."""

    SIZES = {"char": 1, "signed char": 1, "unsigned char": 1, "_Bool": 1, "short": 2, "unsigned short": 2, "int": 4,
             "unsigned int": 4, "long long": 8, "unsigned long long": 8, "long": 8, "unsigned long": 8}

    def __init__(self, path):
        clang = os.environ.get("CLANG", "clang")
        tree = subprocess.run([clang, "-target", "bpf", "-fsyntax-only", "-Xclang", "-ast-dump=json", path], check=True,
                              capture_output=True, text=True).stdout
        self.records, self.enumerators = {}, {}
        self.nameless = {}
        for node in json.loads(tree)["inner"]:
            if node["kind"] == "RecordDecl" and node.get("completeDefinition"):
                self.record(node)
            elif node["kind"] == "EnumDecl":
                self.enumeration(node)
            elif node["kind"] == "TypedefDecl":
                self.typedef(node)

    def record(self, node):
        fields = [(f["name"], f["type"].get("desugaredQualType", f["type"]["qualType"]))
                  for f in node.get("inner", []) if f["kind"] == "FieldDecl"]
        if "name" in node:
            self.records[(node["tagUsed"].upper(), node["name"])] = fields
        else:
            self.nameless[node["id"]] = fields

    def typedef(self, node):
        """typedef struct { … } name: the kernel has it by its typedef."""
        for inner in node.get("inner", []):
            owner = inner.get("ownedTagDecl") or {}
            if owner.get("id") in self.nameless:
                self.records[("TYPEDEF", node["name"])] = self.nameless.pop(owner["id"])

    def enumeration(self, node):
        value = -1
        for constant in node.get("inner", []):
            if constant["kind"] != "EnumConstantDecl":
                continue
            given = [i.get("value") for i in constant.get("inner", []) if i["kind"] == "ConstantExpr"]
            value = int(given[0]) if given else value + 1
            self.enumerators[constant["name"]] = value

    def shape(self, text):
        """A C type's text as a shape: "pointer", "4 bytes", "array of …", "record name"."""
        text = re.sub(r"\b(const|volatile|restrict)\b", "", text).strip()
        array = re.match(r"(.*?)\s*\[\d*\]$", text)
        if array:
            return "array of %s" % self.shape(array.group(1))
        if text.endswith("*"):
            return "pointer"
        if text.startswith(("struct ", "union ")):
            named = text.split()[1]
            return name_of_record("" if "(" in named else named)
        if text.startswith("enum "):
            return "4 bytes"
        if text in self.SIZES:
            return "%d bytes" % self.SIZES[text]
        return "nameless record" if ("TYPEDEF", text) in self.records else text


class Results:
    def __init__(self):
        self.failed = 0

    def say(self, name, wrong):
        self.failed += bool(wrong)
        print("not ok - %s: %s" % (name, "; ".join(wrong)) if wrong else "ok - %s" % name)


def check_record(kernel, header, key, fields):
    kind, name = key
    record = kernel.by_name.get(key)
    if kind == "TYPEDEF" and record:
        record = kernel.resolve(int(record[2]["type_id"]))
    if not record:
        return ["this kernel has no such type"]
    wrong = []
    for field, text in fields:
        number = kernel.field(record, field)
        if number is None:
            wrong.append("this kernel has no field %s" % field)
            continue
        here, there = header.shape(text), kernel.shape(number)
        if here != there:
            wrong.append("%s is %s in the header, %s in this kernel" % (field, here, there))
    return wrong


def check_enumerators(kernel, header, remarks):
    wrong = []
    for name, value in header.enumerators.items():
        there, remark = kernel.enumerators.get(name), remarks.get(name, "")
        if there is None:
            if "may be absent" not in remark:
                wrong.append("this kernel has no %s" % name)
        elif there[1] != value and "relocated" not in remark:
            wrong.append("%s is %d in the header, %d in this kernel" % (name, value, there[1]))
    return wrong


def remarks_of(path):
    """What the header says beside its enumerators."""
    with open(path, encoding="ascii") as header:
        return dict(re.findall(r"(\w+)(?: = \w+)?,\s*/\* (.*) \*/", header.read()))


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    if not os.path.exists(KERNEL):
        print("ok - vmlinux.h # SKIP this kernel has no type information (%s)" % KERNEL)
        return 0
    kernel, header, results = Btf(KERNEL), Header(HEADER), Results()
    for key, fields in header.records.items():
        if "___" not in key[1] and fields:
            results.say("%s %s" % (key[0].lower(), key[1]), check_record(kernel, header, key, fields))
    results.say("enumerators", check_enumerators(kernel, header, remarks_of(HEADER)))
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
