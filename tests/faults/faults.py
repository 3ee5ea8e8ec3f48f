#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Everything that can fail, fails in turn: each system call of a program (by strace, from the kernel's side, so that what
libraries call is in it), each request for memory, reads and writes that do a part, a wall clock that jumps, and signals
at every point. What has to hold each time: no crash and no hang; an exit status of ours, with a message where it is not
0; output that is whole or none; an answer that is the usual one or says what is missing; nothing left changed.

  faults.py [--all] [--seconds N] [SCENARIO...]

Without --all a spread of points that takes some seconds; --all: every one. Lines are "ok - ..." and "not ok - ...".
"""
import argparse
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("KSMSCOPE_BUILD", os.path.join(TOP, "build")))
TOOLS = os.path.abspath(os.environ.get("KSMSCOPE_TOOLS", BUILD))
CAPTURED = os.path.join(TOP, "tests/golden/systems/linux-6.18")
LOCK = "/run/lock/ksmscope-test.lock"
KSM = "/sys/kernel/mm/ksm"
LIMIT = 30                      # seconds that one run may take

# What a call may fail with; others fail with EIO. None: it can't fail, or libc takes a failure for its own corruption.
# The kernel's brk() has no errors: it returns where the heap ends, as before.
ERRORS = {
    "openat": ["EACCES", "EMFILE"], "read": ["EIO", "EINTR"], "pread64": ["EIO"], "write": ["ENOSPC", "EINTR"],
    "mmap": ["ENOMEM"], "brk": ["0"], "mremap": ["ENOMEM"], "bpf": ["EPERM", "ENOMEM"],
    "ptrace": ["EPERM", "ESRCH"], "wait4": ["EINTR"], "process_vm_readv": ["EPERM"], "clone": ["EAGAIN"],
    "clone3": ["EAGAIN"], "fork": ["EAGAIN"], "socketpair": ["EMFILE"], "pipe2": ["EMFILE"], "ftruncate": ["EIO"],
    "fdatasync": ["EIO"], "fsync": ["EIO"], "kill": ["EPERM"], "prctl": ["EINVAL"], "ioctl": ["ENOTTY"],
    "execve": None, "exit_group": None, "exit": None, "rt_sigreturn": None, "munmap": None, "set_tid_address": None,
    "set_robust_list": None, "rseq": None, "arch_prctl": None, "restart_syscall": None, "getpid": None,
    "gettid": None, "getuid": None, "geteuid": None,
    "futex": None,
}


class Run:
    """One run of a program: what it said and how it ended."""

    def __init__(self, argv, env=None, cwd=None):
        self.argv = argv
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True)
        try:
            out, err = process.communicate(timeout=LIMIT)
            self.hung = False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            self.hung = True
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")
        # strace ends by the signal that its program ended by; the shell says 128 + n
        code = process.returncode
        self.signal = -code if code < 0 else code - 128 if code > 128 else 0
        self.status = code


def calls_of(argv, folder, env=None):
    """How often the program itself makes each call once the loader is done, and before that: {call: (first, last)}."""
    log = os.path.join(folder, "calls")
    run = subprocess.run(["strace", "-f", "-qq", "-o", log] + argv, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})},
                         timeout=LIMIT, check=False)
    lines, first, before, total, cache, loading = [], None, {}, {}, None, True
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = file.readlines()
    for line in lines:
        match = re.match(r"(\d+) +(\w+)\((.*)", line)
        if not match:
            continue
        pid, call, rest = match.groups()
        if pid == first and call == "execve" and rest.endswith("= 0"):
            break               # another program from here on
        first = first or pid
        if pid == first:
            total[call] = total.get(call, 0) + 1
            if loading:
                before[call] = total[call]
        else:
            total.setdefault(call, 1)
        if loading and call == "openat" and "ld.so.cache" in rest:
            cache = "next"
        elif cache == "next" and call == "mmap":
            cache = rest.rsplit("= ", 1)[-1].strip()
        elif loading and call == "munmap" and cache and rest.startswith(cache):
            loading = False
    assert not loading, "the end of loading is not in the log"
    return {call: (before.get(call, 0) + 1, count) for call, count in total.items()
            if ERRORS.get(call, ["EIO"]) and count > before.get(call, 0)}, run.returncode


def spread(first, last, most):
    """At most so many numbers from first to last: all of them, or the first ones and then ever rarer ones."""
    count = last - first + 1
    if not most or count <= most:
        return list(range(first, last + 1))
    return sorted({first + (count - 1) * i // max(1, most - 1) for i in range(most)})


# ---- what has to hold -------------------------------------------------------------------------------------------

def wrong_end(run, program):
    """None, or what is wrong with how a run ended."""
    if run.hung:
        return f"took more than {LIMIT} s"
    if run.signal:
        return f"ended by signal {run.signal}: {run.err[-200:]}"
    if run.status not in (0, 1, 2, 3, 4):
        return f"status {run.status}: {run.err[-200:]}"
    if run.status and not re.search(rf"^{program}: \S", run.err, re.M):
        return f"status {run.status} without a message: {run.err[-200:]!r}"
    if re.search(r": Success\b|\(null\)|errno 0\b", run.err):
        return f"a message that says nothing: {run.err[-200:]}"
    return None


def facts(text):
    """JSON without what differs from run to run."""
    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in ("time", "seconds", "cpu_seconds", "missing")}
        return [strip(v) for v in value] if isinstance(value, list) else value
    value = json.loads(text)
    return strip(value), value


def wrong_answer(run, usual):
    """None, or what is wrong with a JSON answer beside the usual one."""
    if run.status:
        return None if not run.out.strip() else whole_lines(run.out)
    try:
        stripped, full = facts(run.out)
        expected, expected_full = facts(usual)
    except ValueError as error:
        return f"status 0 and no JSON: {error}: {run.out[:100]!r}"
    if stripped == expected:
        return None
    said = full.get("missing") or []
    if said != (expected_full.get("missing") or []) or full.get("complete") is False:
        return None
    differs = [k for k in expected if stripped.get(k) != expected[k]]
    return f"another answer ({', '.join(differs)}) that does not say what is missing"


def whole_lines(out):
    try:
        json.loads(out)
        return None
    except ValueError:
        pass
    for line in out.splitlines():
        try:
            json.loads(line)
        except ValueError:
            return f"half an answer: {line[:80]!r}"
    return None


# ---- scenarios --------------------------------------------------------------------------------------------------

class Scenario:
    """A program, and what is checked of each run. Those that change settings hold the lock, in short pieces."""
    locked = False
    own = False                 # memory runs out for the program's own requests only, not for those of libraries
    most = 6                    # points per call without --all
    kinds = ("call", "malloc", "shim")

    def __init__(self, folder):
        self.folder = folder
        self.usual = None

    def prepare(self):
        """Before each run."""

    def argv(self):
        raise NotImplementedError

    def program(self):
        return os.path.basename(self.argv()[0])

    def check(self, run):
        return wrong_answer(run, self.usual.out)

    def learn(self):
        self.prepare()
        self.usual = Run(self.argv())
        if self.usual.status:
            raise RuntimeError(f"without a fault: status {self.usual.status}: {self.usual.err[-300:]}")
        self.check(self.usual)

    def clean(self):
        """After a run that is not checked."""

    def begin(self):
        """Before the first run, with the lock where it is needed."""

    def end(self):
        """After the last one."""


class Captured(Scenario):
    """ksm-advise about a captured system"""

    def argv(self):
        return [f"{BUILD}/ksm-advise", "--sysroot", CAPTURED, "--pid", "17292,17294", "--format", "json"]


class TopCaptured(Scenario):
    """ksmtop about a captured system"""

    def argv(self):
        return [f"{BUILD}/ksmtop", "--sysroot", CAPTURED, "-b", "-n", "1", "-d", "0.1", "--json"]

    def check(self, run):
        return whole_lines(run.out)


class TopRecording(Scenario):
    """ksmtop on this system, with BPF, recording"""
    own = True
    most = 3

    def __init__(self, folder):
        super().__init__(folder)
        self.file = os.path.join(folder, "a.rec")

    def prepare(self):
        if os.path.exists(self.file):
            os.unlink(self.file)

    def argv(self):
        return [f"{BUILD}/ksmtop", "-b", "-n", "2", "-d", "0.1", "--json", "--top", "3", "--record", self.file]

    def check(self, run):
        wrong = whole_lines(run.out)
        if wrong or not os.path.exists(self.file) or not os.path.getsize(self.file):
            return wrong or (None if run.status else "status 0 and no recording")
        replay = Run([f"{BUILD}/ksmtop", "-b", "--json", "--replay", self.file])
        wrong = wrong_end(replay, "ksmtop") or whole_lines(replay.out)
        if not wrong and not run.status and (replay.status or "was not closed" in replay.err):
            wrong = f"status 0, but the recording is not whole: {replay.err[-200:]}"
        return wrong and f"the recording: {wrong}"


class Opted(Scenario):
    """ksm-run with a command"""
    kinds = ("call", "shim")

    def argv(self):
        return [f"{BUILD}/ksm-run", "--", "/bin/echo", "started"]

    def check(self, run):
        if run.out not in ("", "started\n"):
            return f"said {run.out!r}"
        return None if bool(run.out) == (run.status == 0) else f"status {run.status}, said {run.out!r}"


def settings():
    values = {}
    for folder in (KSM, "/sys/kernel/mm/transparent_hugepage"):
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.stat(path).st_mode & 0o200:
                try:
                    with open(path, encoding="ascii") as file:
                        values[path] = re.sub(r".*\[(.*)\].*", r"\1", file.read().strip())
                except OSError:
                    pass
    return values


def put_back(before):
    for path, value in before.items():
        if settings().get(path) != value:
            with open(path, "w", encoding="ascii") as file:
                file.write(value)


class Apply(Scenario):
    """ksm-advise --apply on made memory, then --undo"""
    locked = True
    own = True
    most = 3
    kinds = ("call", "malloc", "shim", "signal")

    def __init__(self, folder):
        super().__init__(folder)
        self.state = os.path.join(folder, "state")
        self.memory = self.before = None
        self.left = 0

    def begin(self):
        self.before = settings()
        if self.before[f"{KSM}/run"] == "1":
            raise RuntimeError("the engine of this machine is at work")
        self.make_memory()

    def make_memory(self):
        if not self.memory:
            self.memory = subprocess.Popen([f"{TOOLS}/tests/made_memory", "--seed", "7", "--common", "83", "--pairs",
                                            "61", "--unique", "47"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            if not self.memory.stdout.readline().startswith(b"ready"):
                raise RuntimeError("no memory could be made")

    def end(self):
        if self.memory:
            self.memory.kill()
            self.memory.wait()
        if self.before:
            put_back(self.before)

    def prepare(self):
        shutil.rmtree(self.state, ignore_errors=True)

    def argv(self):
        return [f"{BUILD}/ksm-advise", "--pid", str(self.memory.pid), "--state-dir", self.state, "--settle", "0",
                "--apply", "--for", "0", "--format", "json"]

    def clean(self):
        self.undo()

    def undo(self):
        return Run([f"{BUILD}/ksm-advise", "--undo", "--state-dir", self.state])

    def changed(self):
        now = settings()
        return "; ".join(f"{os.path.basename(path)}: {value} -> {now.get(path)}"
                         for path, value in self.before.items() if now.get(path) != value)

    def opted(self):
        with open(f"/proc/{self.memory.pid}/smaps", encoding="ascii", errors="replace") as file:
            return sum(" mg" in line for line in file if line.startswith("VmFlags"))

    def restored(self):
        """None, or what is not as it was after an undo without faults."""
        if self.changed():
            return f"settings are left changed: {self.changed()}"
        with open(f"/proc/{self.memory.pid}/status", encoding="ascii", errors="replace") as file:
            status = file.read()
        if re.search(r"^State:\s+[TtZX]", status, re.M) or not re.search(r"^TracerPid:\s+0$", status, re.M):
            return "the process was left stopped or traced"
        return f"{self.opted()} mappings are left opted in" if self.opted() else None

    def check(self, run):
        wrong = whole_lines(run.out) if run.out.strip() else None if run.status or run.signal else "no answer"
        left = self.changed()
        journal = os.path.isdir(self.state) and any(name.endswith(".journal") for name in os.listdir(self.state))
        if left and not journal:
            wrong = wrong or f"changed, and nothing to take it back by: {left}"
        self.left += bool(left)
        for _ in range(3):      # one after the other: an undo that is at work holds the lock
            undo = self.undo()
            if not self.restored():
                break
        return self.settle(wrong or wrong_end(undo, "ksm-advise") or self.restored())

    def settle(self, wrong):
        """What one fault left must not be held against the next ones."""
        put_back(self.before)
        if self.opted():
            self.memory.kill()
            self.memory.wait()
            self.memory = None
            self.make_memory()
        return wrong


class Undo(Apply):
    """ksm-advise --undo of what was applied"""
    kinds = ("call", "shim", "signal")

    def prepare(self):
        super().prepare()
        applied = Run(super().argv())
        if applied.status:
            raise RuntimeError(f"--apply: {applied.err[-200:]}")

    def argv(self):
        return [f"{BUILD}/ksm-advise", "--undo", "--state-dir", self.state]

    def check(self, run):
        for _ in range(3):
            undo = self.undo()
            if not self.restored():
                break
        return self.settle(wrong_end(undo, "ksm-advise") or self.restored())


SCENARIOS = {"captured": Captured, "top_captured": TopCaptured, "top_recording": TopRecording, "run": Opted,
             "apply": Apply, "undo": Undo}


# ---- the loops --------------------------------------------------------------------------------------------------

def inject(call, what, number):
    return ["strace", "-f", "-qq", "-e", f"trace={call}", "-e", "signal=none", "-o", "/dev/null", "-e",
            f"inject={call}:{what}:when={number}"]


def points(scenario, everything):
    """Each point as (name, prefix of the command, environment, signal that it may end by)."""
    most = 0 if everything else scenario.most
    calls, _ = calls_of(scenario.argv(), scenario.folder) if {"call", "signal"} & set(scenario.kinds) else ({}, 0)
    scenario.clean()
    for call, (first, last) in sorted(calls.items()):
        for number in spread(first, last, most):
            for error in ERRORS.get(call, ["EIO"]):
                how = f"error={error}" if error[0] == "E" else f"retval={error}"
                yield f"{call} {number} {error}", inject(call, how, number), {}, 0
    if "signal" in scenario.kinds:
        for call, (first, last) in sorted(calls.items()):
            for number in spread(first, last, most and max(1, most // 2)):
                for name in ("SIGTERM", "SIGKILL"):
                    yield (f"{name} at {call} {number}", inject(call, f"signal={name}", number), {},
                           getattr(signal, name))
    shim = {"LD_PRELOAD": f"{TOOLS}/tests/faults.so", **({"KSMSCOPE_FAULT_OWN": "1"} if scenario.own else {})}
    if "malloc" in scenario.kinds:
        count = os.path.join(scenario.folder, "count")
        scenario.prepare()
        Run(scenario.argv(), {**shim, "KSMSCOPE_FAULT_COUNT": count})
        scenario.clean()
        with open(count, encoding="ascii") as file:
            total = int(file.read())
        for number in spread(1, total, most and 20 * most):
            for onwards in ("", "+"):
                yield f"malloc {number}{onwards}", [], {**shim, "KSMSCOPE_FAULT": f"malloc {number}{onwards}"}, 0
    if "shim" in scenario.kinds:
        for fault in ("short", "eintr", "clock"):
            yield fault, [], {**shim, "KSMSCOPE_FAULT": fault}, 0


class Lock:
    """The machine's, for some seconds at a time."""

    def __init__(self, wanted):
        self.wanted, self.file, self.since = wanted, None, 0

    def take(self, scenario):
        if self.wanted and not self.file:
            self.file = open(LOCK, "w", encoding="ascii")
            fcntl.flock(self.file, fcntl.LOCK_EX)
            self.since = time.monotonic()
            scenario.begin()

    def pause(self, seconds=20):
        if self.file and time.monotonic() - self.since > seconds:
            self.give()
            time.sleep(0.2)

    def give(self):
        if self.file:
            self.file.close()
            self.file = None


def run_scenario(name, everything, seconds):
    """The number of failures."""
    folder = tempfile.mkdtemp(prefix="ksmscope-faults-")
    scenario = SCENARIOS[name](folder)
    lock = Lock(scenario.locked)
    failures, done, statuses, spent = [], 0, {}, 0
    try:
        lock.take(scenario)
        if not scenario.locked:
            scenario.begin()
        scenario.learn()
        scenario.prepare()
        for point, prefix, env, may_end_by in points(scenario, everything):
            if seconds and spent > seconds:
                break
            lock.take(scenario)
            began = time.monotonic()
            scenario.prepare()
            run = Run(prefix + scenario.argv(), env)
            if may_end_by and run.signal == may_end_by:
                wrong = None
            else:
                wrong = wrong_end(run, scenario.program())
            checked = scenario.check(run)
            wrong = wrong or checked
            if point in ("short", "eintr", "clock") and not wrong and run.status:
                wrong = f"status {run.status}: {run.err[-200:]}"
            done += 1
            spent += time.monotonic() - began
            statuses[run.status] = statuses.get(run.status, 0) + 1
            if wrong and run.status and point.startswith("write") and "half an answer" in wrong:
                wrong = None    # a disk that is full in the middle has half of it
            if wrong:
                failures.append(f"{name}: {point}: {wrong}".replace("\n", "; "))
                print(f"not ok - {failures[-1]}", flush=True)
            lock.pause()
    except (RuntimeError, OSError) as error:
        failures.append(str(error))
        print(f"not ok - {name}: {error}", flush=True)
    finally:
        if scenario.locked and not lock.file:
            lock.file = open(LOCK, "w", encoding="ascii")
            fcntl.flock(lock.file, fcntl.LOCK_EX)
        scenario.end()
        lock.give()
        shutil.rmtree(folder, ignore_errors=True)
    if not failures:
        left = f", {scenario.left} left to --undo" if getattr(scenario, "left", 0) else ""
        print(f"ok - {scenario.__doc__}: {done} faults (statuses "
              f"{', '.join(f'{k}: {v}' for k, v in sorted(statuses.items()))}{left})", flush=True)
    return len(failures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_args()
    failures = sum(run_scenario(name, options.all, options.seconds) for name in options.scenarios or SCENARIOS)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
