# SPDX-License-Identifier: GPL-2.0-or-later
"""
The programs that faults are put into (faults.py), how each is run, and what has to hold of a run however it ended: an
exit status of ours with a message, whole output or none, an answer that says what is missing, nothing left changed.
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("KSMSCOPE_BUILD", os.path.join(TOP, "build")))
TOOLS = os.path.abspath(os.environ.get("KSMSCOPE_TOOLS", BUILD))
CAPTURED = os.path.join(TOP, "tests/golden/systems/linux-6.18")
KSM = "/sys/kernel/mm/ksm"
THP = "/sys/kernel/mm/transparent_hugepage"
LIMIT = 60                      # seconds that one run may take: it hangs, however slow the machine


class NotHere(Exception):
    """This machine can't be used for a scenario, for a reason that is no failure."""


class Point:
    """Where something fails: what stands before the command, what is in its environment, what is done to its files."""

    def __init__(self, name, prefix=(), env=None, may_end_by=0, spoil=None, may_differ=False):
        self.name, self.prefix, self.env, self.spoil = name, list(prefix), env or {}, spoil
        self.may_end_by = may_end_by    # a signal
        self.may_differ = may_differ    # other facts are the right answer


class Run:
    """One run of a program: what it said and how it ended. stop_after: told to end after so many seconds."""

    def __init__(self, argv, env=None, stop_after=None, limit=LIMIT):
        self.argv = argv
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={**os.environ, **(env or {})}, start_new_session=True)
        stopper = stop_after and threading.Timer(stop_after, self.stop, [process.pid, argv[0] == "strace"])
        if stopper:
            stopper.start()
        try:
            out, err = process.communicate(timeout=limit)
            self.hung = False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            self.hung = True
        if stopper:
            stopper.cancel()
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")
        # strace ends by the signal that its program ended by; the shell says 128 + n
        code = process.returncode
        self.signal = -code if code < 0 else code - 128 if code > 128 else 0
        self.status = code

    @staticmethod
    def stop(pid, traced):
        """The program is strace's child."""
        try:
            if traced:
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                    pid = int(file.read().split()[0])
            os.kill(pid, signal.SIGTERM)
        except (OSError, IndexError):
            pass                # it has ended


# ---- what has to hold -------------------------------------------------------------------------------------------

def wrong_end(run, program):
    """None, or what is wrong with how a run ended. A daemon's log has a priority before each line."""
    if run.hung:
        return f"took more than {LIMIT} s"
    if run.signal:
        return f"ended by signal {run.signal}: {run.err[-200:]}"
    if run.status not in (0, 1, 2, 3, 4):
        return f"status {run.status}: {run.err[-200:]}"
    if run.status and not re.search(rf"^({program}: |<[0-4]>)\S", run.err, re.M):
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
    stop_after = None           # seconds until it is told to end, where it does not by itself
    disk_pages = disk_files = ()        # room that is left on its disk, in turn

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

    def run(self, point=Point("none"), limit=LIMIT):
        return Run(point.prefix + self.argv(), point.env, self.stop_after, limit)

    def check_other(self, run):
        """Where other facts are the right answer."""
        return self.check(run)

    def learn(self):
        self.prepare()
        self.usual = self.run()
        if self.usual.status:
            raise RuntimeError(f"without a fault: status {self.usual.status}: {self.usual.err[-300:]}")
        self.check(self.usual)

    def clean(self):
        """After a run that is not checked."""

    def begin(self):
        """Before the first run, with the lock where it is needed."""

    def end(self):
        """After the last one."""


# What a file of /proc or /sys turns into.
SPOILED = {
    "vanished": os.unlink,
    "empty": lambda path: write(path, b""),
    "binary": lambda path: write(path, bytes(range(256)) * 16),
    "huge": lambda path: write(path, (read(path) or b"1\n") * (1 + (4 << 20) // max(1, len(read(path))))),
    "a huge line": lambda path: write(path, b"7" * (4 << 20)),
    "a folder": lambda path: (os.unlink(path), os.mkdir(path)),
    "unreadable": lambda path: (os.unlink(path), os.symlink("/proc/self/mem", path)),
}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, text):
    with open(path, "wb") as file:
        file.write(text)


def numbers(value, path=""):
    """The numbers of JSON, as {path: number}; places in lists go by the name of what is there."""
    if isinstance(value, dict):
        return {k: n for key, v in value.items() for k, n in numbers(v, f"{path}.{key}").items()}
    if isinstance(value, list):
        name = [str(v.get("pid") or v.get("code") or i) if isinstance(v, dict) else str(i) for i, v in enumerate(value)]
        return {k: n for key, v in zip(name, value) for k, n in numbers(v, f"{path}[{key}]").items()}
    return {path: value} if isinstance(value, (int, float)) and not isinstance(value, bool) else {}


class Captured(Scenario):
    """ksm-advise about a captured system"""
    kinds = ("call", "malloc", "shim", "file")

    def __init__(self, folder):
        super().__init__(folder)
        self.root = os.path.join(folder, "system")
        self.spoiled = True

    def prepare(self):
        if self.spoiled:
            shutil.rmtree(self.root, ignore_errors=True)
            shutil.copytree(CAPTURED, self.root)
            self.spoiled = False

    def files(self):
        found = sorted(glob.glob(os.path.join(CAPTURED, "**/[!.]*"), recursive=True))
        return [os.path.relpath(path, CAPTURED) for path in found if os.path.isfile(path)]

    def spoil(self, name, how):
        self.spoiled = True
        SPOILED[how](os.path.join(self.root, name))

    def argv(self):
        return [f"{BUILD}/ksm-advise", "--sysroot", self.root, "--pid", "17292,17294", "--format", "json"]

    def check(self, run):
        return wrong_answer(run, self.usual.out)

    def check_other(self, run):
        """What is not there must be null or absent, never zero."""
        if not run.out.strip() or run.status:
            return whole_lines(run.out) if run.out.strip() else None
        try:
            usual, now = (numbers(json.loads(text.splitlines()[-1] if text.count("\n{") else text))
                          for text in (self.usual.out, run.out))
        except ValueError as error:
            return f"status {run.status} and no JSON: {error}"
        zeros = [path for path, number in usual.items() if number and now.get(path) == 0]
        return f"not there, and told as zero: {', '.join(zeros[:8])}" if zeros else None


class TopCaptured(Captured):
    """ksmtop about a captured system"""

    def argv(self):
        return [f"{BUILD}/ksmtop", "--sysroot", self.root, "-b", "-n", "1", "-d", "0.1", "--json"]

    def check(self, run):
        return whole_lines(run.out)


class ExporterCaptured(Captured):
    """ksm-exporter about a captured system"""
    own = True                  # libseccomp 2.5 does not survive all of its own

    def argv(self):
        return [f"{BUILD}/ksm-exporter", "--sysroot", self.root, "--textfile", "-", "--once", "--no-potential"]

    def check(self, run):
        return None if run.status else wrong_page(run.out)      # a disk that is full in the middle has half of it

    def check_other(self, run):
        return self.check(run)


def wrong_page(page):
    """None, or what is no whole page of metrics."""
    for line in page.splitlines():
        if not re.match(r"# (HELP|TYPE|EOF|UNIT)|[a-z_]+(\{.*\})? (NaN|[-+0-9.e]+)$", line):
            return f"no line of a metric: {line[:80]!r}"
    if not page.endswith("\n") or "ksmscope_build_info{" not in page:
        return f"half a page: ends with {page[-60:]!r}"
    return None


class Disk:
    """A small one of its own, for what a program keeps; of full size until a point makes it smaller."""
    MOST = 256

    def __init__(self, folder):
        self.path = os.path.join(folder, "disk")
        os.mkdir(self.path)
        self.mounted = not subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.MOST}k,nr_inodes=64,mode=700", "ksmscope-test",
                                           self.path], check=False, stderr=subprocess.DEVNULL).returncode

    def empty(self):
        for name in os.listdir(self.path):
            path = os.path.join(self.path, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def fill(self, left, files=0):
        """Leave room for so many pages, and for `files` more files where that is not 0."""
        free = os.statvfs(self.path)
        if files:
            for i in range(free.f_ffree - files):
                os.mkfifo(os.path.join(self.path, f"fill{i}"))
        else:
            write(os.path.join(self.path, "fill"), b"x" * max(0, free.f_bavail - left) * free.f_bsize)

    def give_back(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=False)


class TopRecording(Scenario):
    """ksmtop on this system, with BPF, recording"""
    own = True
    most = 3
    kinds = ("call", "malloc", "shim", "disk")
    disk_pages = (0, 1, 2, 3, 4, 6, 8, 12)

    def __init__(self, folder):
        super().__init__(folder)
        self.disk = Disk(folder)
        self.file = os.path.join(self.disk.path, "a.rec")

    def prepare(self):
        self.disk.empty()

    def end(self):
        self.disk.give_back()

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


class TopMaps(Scenario):
    """ksmtop, whose maps have no room for another process"""
    kinds = ("maps",)

    def argv(self):
        return [f"{BUILD}/ksmtop", "-b", "-n", "3", "-d", "0.3", "--precise", "--json"]

    def begin(self):
        """Processes that fault all the time."""
        self.busy = [subprocess.Popen(["/bin/sh", "-c", "while :; do /bin/true; done"], stdin=subprocess.DEVNULL)
                     for _ in range(3)]

    def end(self):
        for process in self.busy:
            process.kill()
            process.wait()

    def check(self, run):
        if run.status:
            return f"status {run.status}: {run.err[-200:]}"
        sample = json.loads(run.out.splitlines()[-1])
        paths = {path["path"]: path for path in sample["lost"]}
        if "faults" not in paths:
            return None if any("fault" in missing["what"] for missing in sample["missing"]) else "nothing of faults"
        wrong = [name for name, path in paths.items() if path["produced"] != path["consumed"] + path["lost"]]
        if wrong:
            return f"neither consumed nor lost: {wrong}"
        if run is not self.usual and not paths["faults"]["lost"]:
            return f"nothing is counted as lost: {paths['faults']}"
        return f"{paths['faults']} lost with maps as they are" if run is self.usual and paths["faults"]["lost"] else None


class Exporter(TopRecording):
    """ksm-exporter on this system, writing a file"""

    def __init__(self, folder):
        super().__init__(folder)
        self.file = os.path.join(self.disk.path, "ksm.prom")

    def argv(self):
        return [f"{BUILD}/ksm-exporter", "--textfile", self.file, "--once", "--no-potential", "--top", "2"]

    def check(self, run):
        found = sorted(set(os.listdir(self.disk.path)) - {"fill"})
        if run.status:
            return f"status {run.status}, and left behind: {found}" if found else None
        return wrong_page(read(self.file).decode()) if found == ["ksm.prom"] else f"status 0, and there is: {found}"


class Serving(Scenario):
    """ksm-exporter, serving until it is told to end"""
    own = True
    most = 2
    stop_after = 1.0
    kinds = ("call", "malloc", "shim")

    def __init__(self, folder):
        super().__init__(folder)
        self.config = os.path.join(folder, "web.yaml")
        self.socket = os.path.join(folder, "socket")
        write(self.config, b"basic_auth_users:\n  a: $2b$05$abcdefghijklmnopqrstuuJ1o0Lh0mZ1Wn1q8Yb1v0l0J5vI1gG5a\n")

    def argv(self):
        return [f"{BUILD}/ksm-exporter", "--web.listen-address", f"unix:{self.socket}", "--web.config.file",
                self.config, "--no-potential", "--no-bpf", "--interval", "0.2"]

    def check(self, run):
        left = subprocess.run(["pgrep", "-f", self.config], stdout=subprocess.PIPE, check=False).stdout
        return f"processes are left: {left.decode().split()}" if left.strip() else None


class Opted(Scenario):
    """ksm-run with a command"""
    kinds = ("call", "shim")

    def argv(self):
        return [f"{BUILD}/ksm-run", "--", "/bin/echo", "started"]

    def check(self, run):
        if run.out not in ("", "started\n"):
            return f"said {run.out!r}"
        return None if bool(run.out) == (run.status == 0) else f"status {run.status}, said {run.out!r}"


def read_if(path):
    return read(path) if os.path.exists(path) else b""


def settings():
    values = {}
    for folder in (KSM, THP):
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if name == "pages_to_scan" and b"[scan-time]" in read_if(f"{KSM}/advisor_mode"):
                continue        # the kernel's advisor moves it by itself
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
    kinds = ("call", "malloc", "shim", "signal", "disk")
    disk_pages = (0, 1, 2, 3)
    disk_files = (1, 2, 3)

    def __init__(self, folder):
        super().__init__(folder)
        self.disk = Disk(folder)
        self.state = os.path.join(self.disk.path, "state")
        self.memory = self.before = None
        self.left = 0

    def begin(self):
        self.before = settings()
        if self.before[f"{KSM}/run"] == "1":
            raise NotHere("the engine of this machine is at work")
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
        self.disk.give_back()

    def prepare(self):
        self.disk.empty()

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
        wrong = wrong or wrong_end(undo, "ksm-advise") or self.restored()
        return self.settle(None if self.lost_with_tracer(run) else wrong)

    def lost_with_tracer(self, run):
        """Not we, our tracer was killed, in the middle of a call: what can't be prevented, see user/sys/inject.c."""
        return (self.memory.poll() is not None and run.signal != signal.SIGKILL and
                any("signal=SIGKILL" in argument for argument in run.argv))

    def settle(self, wrong):
        """What one fault left must not be held against the next ones."""
        put_back(self.before)
        if self.memory.poll() is not None or self.opted():
            self.memory.kill()
            self.memory.wait()
            self.memory = None
            self.make_memory()
        return wrong


class Undo(Apply):
    """ksm-advise --undo of what was applied"""
    kinds = ("call", "malloc", "shim", "signal", "disk")
    disk_files = ()

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
        wrong = wrong_end(undo, "ksm-advise") or self.restored()
        return self.settle(None if self.lost_with_tracer(run) else wrong)


class Policy(Apply):
    """ksm-policyd --apply for some decisions, then --restore"""

    def __init__(self, folder):
        super().__init__(folder)
        self.config = os.path.join(folder, "p.conf")
        self.domains = os.path.join(folder, "domains.conf")
        write(self.domains, b"")
        write(self.config, "\n".join([
            "[policy]", "interval = 0.1s", "cross_domains = yes", "[pressure]", "min_free = 500G", "worse_hold = 0",
            "[engine]", "hold = 0.1s", "[allow made]", f"executable = {os.path.realpath(TOOLS)}/tests/made_memory",
            "inject = yes", ""]).encode())

    def argv(self):
        return [f"{BUILD}/ksm-policyd", "--no-bpf", "--apply", "-n", "12", "-f", "json", "-c", self.config, "--domains",
                self.domains, "--state-dir", self.state]

    def program(self):
        return "ksm-policyd"

    def undo(self):
        return Run([f"{BUILD}/ksm-policyd", "--restore", "--state-dir", self.state])


class PolicyConfig(Scenario):
    """ksm-policyd reading its configuration"""

    def __init__(self, folder):
        super().__init__(folder)
        self.config = os.path.join(folder, "p.conf")
        self.domains = os.path.join(folder, "domains.conf")
        write(self.domains, b"")
        os.mkdir(f"{self.config}.d")
        write(self.config, b"[policy]\ninterval = 0.2s\n[pressure]\nmin_free = 2G\n")
        write(f"{self.config}.d/b.conf", b"[state low]\nengine_cpu = 20%\n[allow made]\nexecutable = /bin/true\n")

    def argv(self):
        return [f"{BUILD}/ksm-policyd", "--check", "-c", self.config, "--domains", self.domains]

    def check(self, run):
        return None


SCENARIOS = {"captured": Captured, "top_captured": TopCaptured, "exporter_captured": ExporterCaptured,
             "top_recording": TopRecording, "top_maps": TopMaps, "exporter": Exporter, "serving": Serving, "run": Opted,
             "apply": Apply, "undo": Undo, "policy": Policy, "policy_config": PolicyConfig}
