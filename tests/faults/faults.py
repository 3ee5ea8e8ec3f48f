#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Everything that can fail, fails in turn: each system call of a program (by strace, from the kernel's side, so that what
libraries call is in it), each request for memory, reads and writes that do a part, a wall clock that jumps, files of
/proc and /sys that vanish, are empty, binary or huge, a disk that is full, BPF maps that are full, and signals at every
point. What has to hold each time: no crash and no hang; an exit status of ours, with a message where it is not 0;
output that is whole or none; an answer that is the usual one or says what is missing; nothing left changed.

  faults.py [--all] [--seconds N] [--only PATTERN] [--count] [SCENARIO...]

Without --all a spread of points that takes some seconds; --all: every one; --seconds: as many of the spread as there
is time for, from all kinds. Lines are "ok - ..." and "not ok - ...".
"""
import argparse
import fcntl
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from scenarios import LIMIT, SCENARIOS, SPOILED, TOOLS, NotHere, Point, Run, wrong_end

LOCK = "/run/lock/ksmscope-test.lock"

# What a call may fail with; others fail with EIO. None: it can't fail, or libc takes a failure for its own corruption.
# The kernel's brk() has no errors: it returns where the heap ends, as before. ptrace() answers ESRCH of a process that
# stands only when it was killed there, and then its end is waited for: inject_test kills them.
ERRORS = {
    "openat": ["EACCES", "EMFILE"], "read": ["EIO", "EINTR"], "pread64": ["EIO"], "write": ["ENOSPC", "EINTR"],
    "mmap": ["ENOMEM"], "brk": ["0"], "mremap": ["ENOMEM"], "bpf": ["EPERM", "ENOMEM"],
    "ptrace": ["EPERM", "EIO"], "wait4": ["EINTR"], "process_vm_readv": ["EPERM"], "clone": ["EAGAIN"],
    "clone3": ["EAGAIN"], "fork": ["EAGAIN"], "socketpair": ["EMFILE"], "pipe2": ["EMFILE"], "ftruncate": ["EIO"],
    "fdatasync": ["EIO"], "fsync": ["EIO"], "kill": ["EPERM"], "prctl": ["EINVAL"], "ioctl": ["ENOTTY"],
    "execve": None, "exit_group": None, "exit": None, "rt_sigreturn": None, "munmap": None, "set_tid_address": None,
    "set_robust_list": None, "rseq": None, "arch_prctl": None, "restart_syscall": None, "getpid": None,
    "gettid": None, "getuid": None, "geteuid": None,
    "futex": None,
}


class Trace:
    """The log of strace, read line by line: what each process called as its n-th call of that name, and from where."""

    def __init__(self):
        self.first = self.cache = self.site = None
        self.loading, self.over = True, False
        self.counts = {}        # (process, call) -> how often
        self.loader = {}        # call -> how often the loader of the program's own process made it
        self.sites = {}         # (call, stack) -> numbers

    def add_call(self, pid, call, rest):
        if pid == self.first and call == "execve" and rest.endswith("= 0"):
            self.over = True    # another program from here on
            return
        self.first = self.first or pid
        number = self.counts[pid, call] = self.counts.get((pid, call), 0) + 1
        self.site = None
        if pid == self.first and self.loading:
            self.loader[call] = number
            self.follow_loader(call, rest)
        else:
            self.site = [call, number]

    def follow_loader(self, call, rest):
        """It is done when it gives the cache of libraries back."""
        if call == "openat" and "ld.so.cache" in rest:
            self.cache = "next"
        elif self.cache == "next" and call == "mmap":
            self.cache = rest.rsplit("= ", 1)[-1].strip()
        elif call == "munmap" and self.cache and rest.startswith(self.cache):
            self.loading = False

    def end_of_site(self):
        if self.site:
            call, number, *stack = self.site
            self.sites.setdefault((call, tuple(stack)), []).append(number)
        self.site = None

    def read(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                call = re.match(r"(\d+) +(\w+)\((.*)", line)
                if call:
                    self.end_of_site()
                    self.add_call(*call.groups())
                elif self.site and line.startswith(" > "):
                    self.site.append(line)
                if self.over:
                    break
        self.end_of_site()
        return self


def calls_of(scenario, everything):
    """
    At which of its calls, by number, a program is made to fail: {call: numbers}. For everything, from each place of the
    code from which it is made: the first call, the second and the last.
    """
    log = os.path.join(scenario.folder, "calls")
    scenario.run(Point("calls", ["strace", "-f", "-qq", *(["-k"] if everything else []), "-o", log]), limit=10 * LIMIT)
    trace, calls = Trace().read(log), {}
    os.unlink(log)
    for (call, _), numbers in trace.sites.items():
        # a fault is counted in each process by itself: a child's first call is the loader's first as well
        numbers = [number for number in numbers if number > trace.loader.get(call, 0)]
        if numbers and ERRORS.get(call, ["EIO"]):
            calls.setdefault(call, set()).update(numbers[:2] + numbers[-1:] if everything else numbers)
    return {call: sorted(numbers) for call, numbers in calls.items()}


def spread(numbers, most):
    """At most so many of these; 0: all."""
    if not most or len(numbers) <= most:
        return list(numbers)
    return sorted({numbers[(len(numbers) - 1) * i // max(1, most - 1)] for i in range(most)})


# ---- the points -------------------------------------------------------------------------------------------------

def inject(call, what, number):
    return ["strace", "-f", "-qq", "-e", f"trace={call}", "-e", "signal=none", "-o", "/dev/null", "-e",
            f"inject={call}:{what}:when={number}"]


def call_points(calls, most):
    for call, numbers in sorted(calls.items()):
        for number in spread(numbers, most):
            for error in ERRORS.get(call, ["EIO"]):
                how = f"error={error}" if error[0] == "E" else f"retval={error}"
                yield Point(f"{call} {number} {error}", inject(call, how, number))


def signal_points(calls, most):
    for call, numbers in sorted(calls.items()):
        for number in spread(numbers, most and max(1, most // 2)):
            for name in ("SIGTERM", "SIGKILL"):
                yield Point(f"{name} at {call} {number}", inject(call, f"signal={name}", number),
                            may_end_by=getattr(signal, name))


def memory_points(scenario, shim, most):
    count = os.path.join(scenario.folder, "count")
    scenario.prepare()
    scenario.run(Point("count", env={**shim, "KSMSCOPE_FAULT_COUNT": count}))
    scenario.clean()
    with open(count, encoding="ascii") as file:
        total = int(file.read())
    for number in spread(range(1, total + 1), most and 20 * most):
        for onwards in ("", "+"):
            yield Point(f"malloc {number}{onwards}", env={**shim, "KSMSCOPE_FAULT": f"malloc {number}{onwards}"})


def file_points(scenario, most):
    names = scenario.files()
    for name in spread(names, most and 2 * most):
        for how in SPOILED:
            yield Point(f"{name}: {how}", spoil=lambda name=name, how=how: scenario.spoil(name, how), may_differ=True)


def disk_points(scenario):
    if not scenario.disk.mounted:
        return                  # without the right to mount there is no small disk
    for pages in scenario.disk_pages:
        yield Point(f"a disk with {pages} pages free", may_differ=True,
                    spoil=lambda pages=pages: scenario.disk.fill(pages))
    for files in scenario.disk_files:
        yield Point(f"a disk with room for {files} files", may_differ=True,
                    spoil=lambda files=files: scenario.disk.fill(0, files))


def points(scenario, everything):
    most = 0 if everything else scenario.most
    calls = {}
    if {"call", "signal"} & set(scenario.kinds):
        scenario.prepare()
        calls = calls_of(scenario, everything)
        scenario.clean()
    shim = {"LD_PRELOAD": f"{TOOLS}/tests/faults.so", **({"KSMSCOPE_FAULT_OWN": "1"} if scenario.own else {})}
    makers = {
        "call": lambda: call_points(calls, most),
        "signal": lambda: signal_points(calls, most),
        "malloc": lambda: memory_points(scenario, shim, most),
        "file": lambda: file_points(scenario, most),
        "disk": lambda: disk_points(scenario),
        "maps": lambda: [Point(f"maps of {room}", env={**shim, "KSMSCOPE_FAULT": f"maps {room}"}) for room in (1, 4, 16)],
        "shim": lambda: [Point(how, env={**shim, "KSMSCOPE_FAULT": how}) for how in ("short", "eintr", "clock")],
    }
    return [point for kind in scenario.kinds for point in makers[kind]()]


def chosen(scenario, options):
    """The points to go through; where time is short, all kinds are among the first."""
    found = [point for point in points(scenario, options.all) if re.search(options.only, point.name)]
    if options.seconds:
        random.Random(7).shuffle(found)
    return found


# ---- the loop ---------------------------------------------------------------------------------------------------

class Lock:
    """The machine's, for some seconds at a time."""

    def __init__(self, wanted):
        self.wanted, self.file, self.since = wanted, None, 0

    def take(self, scenario=None):
        if self.wanted and not self.file:
            self.file = open(LOCK, "w", encoding="ascii")
            fcntl.flock(self.file, fcntl.LOCK_EX)
            self.since = time.monotonic()
            if scenario:
                scenario.begin()

    def pause(self, seconds=20):
        if self.file and time.monotonic() - self.since > seconds:
            self.give()
            time.sleep(0.2)

    def give(self):
        if self.file:
            self.file.close()
            self.file = None


def try_point(scenario, point):
    """What is wrong with a run in which that fails, or None; and its exit status."""
    scenario.prepare()
    if point.spoil:
        point.spoil()
    run = scenario.run(point)
    wrong = None if point.may_end_by and run.signal == point.may_end_by else wrong_end(run, scenario.program())
    checked = scenario.check_other(run) if point.may_differ else scenario.check(run)
    wrong = wrong or checked
    if point.name in ("short", "eintr", "clock") and not wrong and run.status:
        wrong = f"status {run.status}: {run.err[-200:]}"
    if wrong and run.status and point.name.startswith("write") and "half an answer" in wrong:
        wrong = None            # a disk that is full in the middle has half of it
    if wrong and "without a message" in wrong and re.match(r"write \d+ ENOSPC", point.name):
        wrong = checked         # each process fails at its n-th write: that of the message may be one of them
    return wrong, run.status


def try_all(name, scenario, lock, options):
    """The failures, and how often each status came."""
    failures, statuses, spent = [], {}, 0
    for point in chosen(scenario, options):
        if options.seconds and spent > options.seconds:
            break
        lock.take(scenario)
        began = time.monotonic()
        wrong, status = try_point(scenario, point)
        spent += time.monotonic() - began
        statuses[status] = statuses.get(status, 0) + 1
        if wrong:
            failures.append(f"{name}: {point.name}: {wrong}".replace("\n", "; "))
            print(f"not ok - {failures[-1]}", flush=True)
        lock.pause()
    return failures, statuses


def run_scenario(name, options):
    """The number of failures."""
    folder = tempfile.mkdtemp(prefix="ksmscope-faults-")
    scenario = SCENARIOS[name](folder)
    lock = Lock(scenario.locked)
    failures, statuses = [], {}
    try:
        lock.take(scenario)
        if not scenario.locked:
            scenario.begin()
        scenario.learn()
        if options.count:
            print(f"{name}: {len(chosen(scenario, options))} points")
        else:
            failures, statuses = try_all(name, scenario, lock, options)
    except NotHere as reason:
        print(f"ok - {scenario.__doc__} # SKIP {reason}", flush=True)
    except (RuntimeError, OSError) as error:
        failures.append(str(error))
        print(f"not ok - {name}: {error}", flush=True)
    finally:
        lock.take()
        scenario.end()
        lock.give()
        shutil.rmtree(folder, ignore_errors=True)
    if statuses and not failures:
        left = f", {scenario.left} left to --undo" if getattr(scenario, "left", 0) else ""
        print(f"ok - {scenario.__doc__}: {sum(statuses.values())} faults (statuses "
              f"{', '.join(f'{k}: {v}' for k, v in sorted(statuses.items()))}{left})", flush=True)
    return len(failures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--only", default="", metavar="PATTERN", help="points whose name has it")
    parser.add_argument("--count", action="store_true", help="say how many points there are")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # what was changed is put back
    failures = sum(run_scenario(name, options) for name in options.scenarios or SCENARIOS)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
