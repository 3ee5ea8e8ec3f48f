#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
A brute-force count of what KSM could merge in some processes, for the tests.

It answers what ksm-advise answers, with the same keys (schema ksm-advise/1), in
the dullest way there is: page by page from /proc/PID/smaps, pagemap and mem and
from /proc/kpageflags, whole contents compared by SHA-256. It shares no code
with the programs. The processes must be stopped, and stay so. Contents are read
by /proc/PID/mem and not by process_vm_readv(), which pins pages and by that
gives each forked process a copy of its own (gup_must_unshare() in mm/gup.c).

    oracle.py PID[,PID...] [--only FROM-TO]

--only (hexadecimal addresses) counts nothing outside of the range.

Linux 6.10 to 6.17 set kpageflags' KSM bit for every anonymous page. There a frame counts as merged where its mapping is
opted in and smaps says that all of it is merged; where only some is, when it is mapped at two addresses or by somebody
who is not looked at, since relatives after a fork map what they share at the same address.

It does not know volatile pages, swap, reasons and verdicts.
"""
import argparse
import collections
import ctypes
import hashlib
import itertools
import json
import os
import re
import sys

PAGE = os.sysconf("SC_PAGE_SIZE")
PMD, PUD = PAGE * (PAGE // 8), PAGE * (PAGE // 8) ** 2
PRESENT, FILE_OR_SHARED, EXCLUSIVE, PFN = 1 << 63, 1 << 61, 1 << 56, (1 << 55) - 1  # bits of pagemap
KSM, THP, ZERO_PAGE = 1 << 21, 1 << 22, 1 << 24  # bits of kpageflags
CHUNK = 1 << 18  # pages of pagemap read at once
HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)")


class Area:
    """A mapping of a process, [start, end) in pages."""

    def __init__(self, pid, start, end, name):
        self.pid, self.start, self.end, self.name = pid, start, end, name
        self.refused = None  # why KSM can't take it; None where it can
        self.frames = {}  # page -> index into Count.frames, candidates only
        self.opted_in, self.ksm_pages = False, 0  # as smaps says


class Frame:
    """A physical frame that KSM could take."""

    def __init__(self, content, flags, first, pfn):
        self.content, self.first, self.pfn = content, first, pfn
        self.merged, self.huge = bool(flags & KSM), bool(flags & THP)


def why_refused(flags):
    """After vma_ksm_compatible() of mm/ksm.c; the order decides only in which row it is counted."""
    if "ht" in flags:
        return "hugetlb"
    if flags & {"pf", "io", "mm"}:
        return "pfnmap"
    if flags & {"sh", "ms"}:
        return "shared"
    if flags & {"de", "dp"}:
        return "special"
    return None


def areas_of(pid):
    """All mappings of a process, by address."""
    area = None
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="backslashreplace") as smaps:
        for line in smaps:
            head = HEAD.match(line)
            if head:
                area = Area(pid, int(head[1], 16) // PAGE, int(head[2], 16) // PAGE, head[4].strip())
            elif line.startswith("KSM:"):
                area.ksm_pages = int(line.split()[1]) * 1024 // PAGE
            elif line.startswith("VmFlags:") and area.name != "[vsyscall]":
                area.refused = why_refused(set(line.split()[1:]))
                area.opted_in = "mg" in line.split()
                yield area


def present_pages(pagemap, start, end):
    """(page, entry) of all present pages of [start, end)."""
    for chunk in range(start, end, CHUNK):
        wanted = 8 * (min(chunk + CHUNK, end) - chunk)
        data = os.pread(pagemap, wanted, 8 * chunk)
        if len(data) != wanted:
            sys.exit(f"oracle: pagemap is short at page {chunk:x}")
        if data.count(0) == wanted:
            continue
        for i, entry in enumerate(memoryview(data).cast("Q")):
            if entry & PRESENT:
                yield chunk + i, entry


class Count:
    """All frames of some processes, each once."""

    def __init__(self, pids, only):
        self.pids, self.only = sorted(set(pids)), only
        self.areas = []
        self.frames = []
        self.index = {}  # frame number of the machine -> index into frames
        self.contents = {}  # SHA-256 -> number of the content
        self.zero = self.number_of(bytes(PAGE))
        self.refused = collections.defaultdict(set)  # frames of mappings that KSM refuses, by reason
        self.zero_page_mappings = self.file_pages = 0
        self.hidden = {}  # frame number -> number of the content, of huge pages that KSM refuses
        self.kpageflags = os.open("/proc/kpageflags", os.O_RDONLY)
        self.places = collections.defaultdict(set)  # frame -> (process, page)
        self.shared = set()  # frames that are mapped more than once
        for pid in self.pids:
            self.look_at(pid)
        if self.all_called_merged():
            self.find_merged()
        self.merged_mappings = sum(self.frames[f].merged for area in self.areas for f in area.frames.values())

    def number_of(self, data):
        return self.contents.setdefault(hashlib.sha256(data).digest(), len(self.contents))

    def look_at(self, pid):
        pagemap = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        for area in list(areas_of(pid)):
            start, end = area.start, area.end
            if self.only:
                start, end = max(start, self.only[0]), min(end, self.only[1])
            if area.refused:
                present = list(present_pages(pagemap, start, end))
                self.refuse(area, {entry & PFN for _, entry in present})
                self.hide(area, present, memory)
                continue
            for page, entry in present_pages(pagemap, start, end):
                self.meet(area, page, entry, memory)
            self.areas.append(area)
        os.close(pagemap)
        os.close(memory)

    def refuse(self, area, pfns):
        """Each frame is counted once, in the row in which it was met first."""
        self.refused[area.refused] |= pfns.difference(*self.refused.values())

    def hide(self, area, present, memory):
        for page, entry in present:
            pfn = entry & PFN
            if pfn in self.hidden or area.refused not in ("hugetlb", "shared"):
                continue
            if area.refused == "hugetlb" or self.flags_of(pfn) & THP:
                self.hidden[pfn] = self.number_of(os.pread(memory, PAGE, page * PAGE))

    def flags_of(self, pfn):
        return int.from_bytes(os.pread(self.kpageflags, 8, 8 * pfn), sys.byteorder)

    def meet(self, area, page, entry, memory):
        pfn = entry & PFN
        if pfn not in self.index:
            flags = self.flags_of(pfn)
            # First of all: pagemap calls the huge zero page a page of a file.
            if flags & ZERO_PAGE:
                self.zero_page_mappings += 1
                return
            if entry & FILE_OR_SHARED:
                self.file_pages += 1
                return
            data = os.pread(memory, PAGE, page * PAGE)
            if len(data) != PAGE:
                sys.exit(f"oracle: process {area.pid}: can't read page {page:x}")
            self.index[pfn] = len(self.frames)
            self.frames.append(Frame(self.number_of(data), flags, (area, page), pfn))
        area.frames[page] = self.index[pfn]
        self.places[self.index[pfn]].add((area.pid, page))
        if not entry & EXCLUSIVE:
            self.shared.add(self.index[pfn])

    def all_called_merged(self):
        """A page that this program has just written can't be merged."""
        fresh = bytearray(os.urandom(4 * PAGE))
        page = ctypes.addressof((ctypes.c_char * len(fresh)).from_buffer(fresh)) // PAGE + 1
        with open("/proc/self/pagemap", "rb") as pagemap:
            entry = int.from_bytes(os.pread(pagemap.fileno(), 8, 8 * page), sys.byteorder)
        return bool(entry & PRESENT and self.flags_of(entry & PFN) & KSM)

    def find_merged(self):
        merged = {f for area in self.areas if area.opted_in and area.ksm_pages
                  for f in area.frames.values() if area.ksm_pages == len(area.frames) or self.is_merged(f)}
        for number, frame in enumerate(self.frames):
            frame.merged = number in merged

    def is_merged(self, number):
        places = self.places[number]
        return len({page for _, page in places}) > 1 or (number in self.shared and len(places) == 1)


def whole_blocks(area, size):
    """(first page, frames) of the aligned runs of `size` pages in which every page is a candidate."""
    for block, pages in itertools.groupby(sorted(area.frames), lambda page: page // size):
        pages = list(pages)
        if len(pages) == size:
            yield block * size, [area.frames[page] for page in pages]


def granularity(count):
    for size in (1, 4, 16, PMD // PAGE, PUD // PAGE):
        blocks, distinct = 0, set()
        for area in count.areas:
            for start, frames in whole_blocks(area, size):
                # A run whose frames were all met before is the same memory once more, in a forked process.
                if any(count.frames[f].first == (area, start + i) for i, f in enumerate(frames)):
                    blocks += 1
                    distinct.add(hash(tuple(count.frames[f].content for f in frames)) if size > 1
                                 else count.frames[frames[0]].content)
        yield {"block_bytes": size * PAGE, "blocks": blocks, "distinct": len(distinct)}


def by_process(count):
    """pid -> content -> set of frames."""
    held = {pid: collections.defaultdict(set) for pid in count.pids}
    for area in count.areas:
        for frame in area.frames.values():
            held[area.pid][count.frames[frame].content].add(frame)
    return held


def sharing(count, held):
    """Contents that two processes hold, unless they do so in a common frame that the engine did not merge."""
    holders = collections.defaultdict(list)
    for pid in count.pids:
        for content, frames in held[pid].items():
            if content != count.zero:
                holders[content].append((pid, frames))
    pairs = collections.Counter()
    for processes in holders.values():
        frames = set().union(*(frames for _, frames in processes))
        if len(frames) > 1 or count.frames[min(frames)].merged:
            for (a, of_a), (b, of_b) in itertools.combinations(processes, 2):
                if all(count.frames[frame].merged for frame in of_a & of_b):
                    pairs[a, b] += 1
    return [{"a": a, "b": b, "frames": n} for (a, b), n in sorted(pairs.items())]


def within_processes(held):
    """Frames beside which some process holds an equal one that was met earlier."""
    return len(set().union(*(sorted(frames)[1:] for contents in held.values() for frames in contents.values())))


def mappings(count):
    """The frames of each mapping; one that a process maps twice counts in the first."""
    seen = collections.defaultdict(set)
    for area in count.areas:
        frames = set(area.frames.values()) - seen[area.pid]
        seen[area.pid] |= frames
        if frames:
            yield {"pid": area.pid, "start": area.start * PAGE, "name": area.name, "candidate": len(frames)}


def regions(count):
    """(process, first page, frames) of the huge pages that are mapped whole, where they were met first."""
    size = PMD // PAGE
    for area in count.areas:
        for start, frames in whole_blocks(area, size):
            frames = [count.frames[f] for f in frames]
            if all(f.huge and f.first == (area, start + i) and f.pfn == frames[0].pfn + i
                   for i, f in enumerate(frames)) and frames[0].pfn % size == 0:
                yield area.pid, start, frames


def split_frees_zero():
    """Since 6.12 the zero pages of a huge page are freed when it is split."""
    return tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 12)


def use_zero_pages():
    with open("/sys/kernel/mm/ksm/use_zero_pages", encoding="ascii") as file:
        return file.read().strip() == "1"


def ledger(count):
    """What each huge page hides, and its share of what breaking all of them frees; a domain per uid."""
    most = max_page_sharing()
    found = list(regions(count))
    inside = {frame for _, _, frames in found for frame in frames}
    owner = {pid: os.stat(f"/proc/{pid}").st_uid for pid in count.pids}
    base, huge = collections.Counter(), collections.Counter()
    for frame in count.frames:
        (huge if frame in inside else base)[owner[frame.first[0].pid], frame.content] += 1

    def freed(n):
        return n - -(-n // most)

    for pid, start, frames in found:
        row = {"pid": pid, "address": start * PAGE, "duplicates": 0, "zero": 0, "unique": 0}
        share = 0.0
        for frame in frames:
            b, h = base[owner[pid], frame.content], huge[owner[pid], frame.content]
            zero = frame.content == count.zero
            row["zero" if zero else "duplicates" if b + h > 1 else "unique"] += 1
            gone = zero and (split_frees_zero() or use_zero_pages())
            share += 1 if gone else (freed(b + h) - freed(b)) / h
        yield row | {"benefit_bytes": int(share * PAGE + 0.5)}


def hidden_frames(count):
    most = max_page_sharing()
    candidates = collections.Counter(frame.content for frame in count.frames)
    hidden = collections.Counter(count.hidden.values())

    def freed(n):
        return n - -(-n // most)

    return sum(freed(candidates[c] + n) - freed(candidates[c]) for c, n in hidden.items())


def max_page_sharing():
    try:
        with open("/sys/kernel/mm/ksm/max_page_sharing", encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return 256


def report(count):
    held = by_process(count)
    copies = collections.Counter(frame.content for frame in count.frames)
    zero = [frame for frame in count.frames if frame.content == count.zero]
    most = max_page_sharing()
    return {
        "frames": {
            "candidate": len(count.frames),
            "zero": len(zero),
            "zero_in_huge": sum(frame.huge for frame in zero),
            "merged": sum(frame.merged for frame in count.frames),
            "huge": sum(frame.huge for frame in count.frames),
            "saved_now": count.merged_mappings - sum(frame.merged for frame in count.frames),
            "zero_page_mappings": count.zero_page_mappings,
            "file": count.file_pages,
            "not_mergeable": {why: len(pfns) for why, pfns in count.refused.items() if pfns},
        },
        "duplicates": {
            "frames": len(count.frames) - len(copies),
            "within_processes": within_processes(held),
            "capped": sum(c - -(-c // most) for c in copies.values() if c > 1),
        },
        "distinct": len(copies),
        "granularity": list(granularity(count)),
        "processes": [{"pid": pid,
                       "candidate": sum(map(len, held[pid].values())),
                       "self_duplicates": sum(len(frames) - 1 for frames in held[pid].values())}
                      for pid in count.pids],
        "mappings": list(mappings(count)),
        "sharing": sharing(count, held),
        "huge": {"ledger": list(ledger(count)), "hidden_in_hugetlb_frames": hidden_frames(count)},
    }


def main():
    parser = argparse.ArgumentParser(description="brute-force count of duplicate pages")
    parser.add_argument("pids", help="PID[,PID...]")
    parser.add_argument("--only", help="FROM-TO, hexadecimal addresses")
    arguments = parser.parse_args()
    only = arguments.only and [int(bound, 16) // PAGE for bound in arguments.only.split("-")]
    json.dump(report(Count([int(pid) for pid in arguments.pids.split(",")], only)), sys.stdout)
    print()


if __name__ == "__main__":
    main()
