#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
For half an hour, processes come and go while ksmtop (batch, with its probes) and ksm-exporter (scraped) watch them:
neither may grow in memory or descriptors, and no event may be lost without being counted.

  soak.py [--minutes N] [--rate PROCESSES-PER-SECOND] [--leak-test]

What is taken for a look and given back is no growth: of each tenth of the time the least counts. Growth is the slope
of a robust line (Theil-Sen) through these after a warm-up of two tenths; a program passes when the slope over the whole
time stays below BOUND bytes and below one descriptor.

That is the program with the processes that only follow it. A child that looks at contents (the exporter has one that
sweeps for ever, and one that looks at all huge pages each quarter of an hour; they are known by their priority, the
lowest) has tables that are as large as what it finds: they follow the machine's memory, of which others take and give
gigabytes meanwhile. So it is held to what it is told to take: CHILD_BOUND bytes and CHILD_FILES descriptors at most,
over what its parent has, as whose copy it begins. That these tables do not grow of themselves is live/growth.sh's.

--leak-test watches a process that leaks on purpose, and has to fail.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("KSMSCOPE_BUILD", os.path.join(TOP, "build")))
BOUND = 1 << 20                 # bytes of growth over the whole time
CHILD_BOUND = 24 << 20          # bytes: 5 MiB for each GiB of 4 (--knee-memory); 16 MiB (SKETCH_DEFAULT_BYTES) and lists
CHILD_FILES = 32                # BPF programs, maps, files it reads
PORT = 19877
TENTHS = 10
LEAK = "import time\nkept = []\nfiles = []\nwhile True:\n kept.append(bytearray(100000)); files.append(open('/dev/null'))" \
       "\n time.sleep(0.1)"


def resident(pid):
    """Bytes that are its own: anonymous ones, so that a library that is paged in is no growth."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def floors(points):
    """The least of each tenth of the time."""
    start, tenth = points[0][0], (points[-1][0] - points[0][0]) / TENTHS
    parts = [[value for at, value in points if start + i * tenth <= at < start + (i + 1) * tenth] for i in range(TENTHS)]
    return [min(part) for part in parts if part]


def growth(values):
    """Over the whole time: the median of the slopes between all pairs (Theil-Sen), without the first two."""
    late = list(enumerate(values))[2:]
    slopes = [(b - a) / (j - i) for i, a in late for j, b in late if i < j]
    return statistics.median(slopes) * TENTHS if slopes else 0.0


def looks_at_contents(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[16]) == 19


class Watched:
    """A program, its children included, and what was measured of them."""

    def __init__(self, name, argv, out):
        self.name = name
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        self.points = {}        # of each process: moment, bytes, descriptors
        self.lookers = set()    # those that look at contents

    def pids(self):
        pids = [self.process.pid]
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
                pids += [int(pid) for pid in file.read().split()]
        except OSError:
            pass
        return pids

    def measure(self, now):
        for pid in self.pids():
            try:
                point = (now, resident(pid), descriptors(pid))
                if pid != self.process.pid and looks_at_contents(pid):
                    self.lookers.add(pid)
                self.points.setdefault(pid, []).append(point)
            except (FileNotFoundError, ProcessLookupError):
                pass            # a child that ended meanwhile; ended for good is seen at the end

    def end(self):
        alive = self.process.poll() is None
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return alive

    def sums(self, what):
        """Of the program and those that only follow it, at each moment when all of them were measured."""
        pids, by_moment = set(self.points) - self.lookers, {}
        for pid in pids:
            for point in self.points[pid]:
                by_moment.setdefault(point[0], []).append(point[what])
        return [(now, sum(values)) for now, values in sorted(by_moment.items()) if len(values) == len(pids)]

    def beyond(self):
        """What is wrong with those that look at contents; prints their figures."""
        wrong = []
        parent = self.points[self.process.pid]
        for pid in sorted(self.lookers):
            points = self.points[pid]
            memory, files = max(point[1] for point in points), max(point[2] for point in points)
            print(f"# {self.name}: looked at contents from {points[0][0]:.0f} s to {points[-1][0]:.0f} s: "
                  f"{memory >> 10} KiB and {files} descriptors at most")
            if memory > CHILD_BOUND + max(point[1] for point in parent):
                wrong.append(f"a child of {self.name} took {memory >> 10} KiB")
            if files > CHILD_FILES + max(point[2] for point in parent):
                wrong.append(f"a child of {self.name} took {files} descriptors")
        return wrong

    def failures(self, alive):
        """What is wrong; prints the figures."""
        if not alive:
            return [f"{self.name} ended by itself, status {self.process.returncode}"]
        memories, counts = self.sums(1), self.sums(2)
        if len(memories) < len(self.points[self.process.pid]) / 2:
            return [f"{self.name}: processes come and go that do not look at contents"]
        least, fewest = floors(memories), floors(counts)
        memory, files = growth(least), growth(fewest)
        print(f"# {self.name}: KiB by tenths of the time: {' '.join(str(value >> 10) for value in least)}; "
              f"descriptors: {' '.join(str(value) for value in fewest)}")
        print(f"# {self.name}: most {max(value for _, value in memories) >> 10} KiB, grew by {memory / 1024:.0f} KiB; "
              f"{counts[-1][1]} descriptors, grew by {files:.1f}; {len(memories)} measurements")
        wrong = self.beyond()
        if memory > BOUND:
            wrong.append(f"{self.name} grew by {memory / 1024:.0f} KiB")
        if files >= 1:
            wrong.append(f"{self.name} grew by {files:.1f} descriptors")
        return wrong


def come_and_go(stop, rate, count):
    """Processes of some milliseconds to seconds, with memory of their own."""
    running = []
    while not stop.is_set():
        code = f"a = bytearray({random.randrange(1 << 16, 1 << 22)}); import time; time.sleep({random.random() * 2:.2f})"
        argv = ["/bin/sh", "-c", ": "] if random.random() < 0.8 else ["/usr/bin/python3", "-S", "-c", code]
        running.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL))
        count[0] += 1
        running = [process for process in running if process.poll() is None]
        stop.wait(1 / rate)
    for process in running:
        process.wait()


def losses(line):
    """
    Events of a ksmtop sample that are neither consumed nor counted as lost, and the lost ones. Arrivals are pages
    chosen to be looked at some faults later: that a thread ends before is no loss of an event.
    """
    unaccounted = lost = 0
    for path in json.loads(line)["lost"]:
        unaccounted += abs(path["produced"] - path["consumed"] - path["lost"])
        lost += path["lost"] if path["path"] != "arrivals" else 0
        print(f"# ksmtop: {path['path']}: {path['produced']} events, {path['lost']} lost")
    return unaccounted, lost


def scrape(failed):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=10) as answer:
            failed[0] += answer.status != 200
            answer.read()
    except OSError:
        failed[0] += 1


def watch(seconds, rate, leak_test):
    """The list of what is wrong."""
    out = tempfile.TemporaryFile()
    if leak_test:
        watched = [Watched("a leaking process", ["/usr/bin/python3", "-c", LEAK], subprocess.DEVNULL)]
    else:
        watched = [Watched("ksmtop", [f"{BUILD}/ksmtop", "-b", "--json", "-d", "1", "--top", "5"], out)]
        if os.access(f"{BUILD}/ksm-exporter", os.X_OK):
            watched.append(Watched("ksm-exporter", [f"{BUILD}/ksm-exporter", "--interval", "2",
                                                    "--web.listen-address", f"127.0.0.1:{PORT}"], subprocess.DEVNULL))
    stop, count, failed = threading.Event(), [0], [0]
    worker = threading.Thread(target=come_and_go, args=(stop, rate, count))
    time.sleep(5)
    worker.start()
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        now = time.monotonic() - start
        for program in watched:
            program.measure(now)
        if len(watched) > 1:
            scrape(failed)
        time.sleep(1)
    stop.set()
    worker.join()
    wrong = [text for program in watched for text in program.failures(program.end())]
    print(f"# {count[0]} processes came and went in {seconds:.0f} s; {failed[0]} scrapes failed")
    if failed[0]:
        wrong.append(f"{failed[0]} scrapes failed")
    out.seek(0)
    lines = out.read().splitlines()
    if not leak_test:
        unaccounted, lost = losses(lines[-1])
        print(f"# ksmtop: {len(lines)} samples, {lost} events lost")
        if unaccounted or lost:
            wrong.append(f"{unaccounted} events are neither consumed nor counted as lost; {lost} were lost")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--leak-test", action="store_true")
    options = parser.parse_args()
    wrong = watch(options.minutes * 60, options.rate, options.leak_test)
    for text in wrong:
        print(f"not ok - soak: {text}")
    if not wrong:
        print("ok - soak: nothing grew")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
