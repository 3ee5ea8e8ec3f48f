#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ksmtop in a terminal emulator. Usage: ksmtop_screens.py PROGRAM RECORDING GOLDEN-DIRECTORY"""
import os
import signal
import subprocess
import sys
import termios
import time

import pexpect
import pyte

PROGRAM, RECORDING, GOLDEN = sys.argv[1:4]
UPDATE = os.environ.get("UPDATE")
LAST = "REPLAY 40/40"
failures = 0


def result(name, why=None):
    global failures
    failures += why is not None
    print(f"ok - {name}" if why is None else f"not ok - {name}: {why}", flush=True)


# screen-256color, since pyte does not know how xterm repeats a character
class Terminal:
    """A program on a terminal of a size, and what is to be seen there."""

    def __init__(self, width, height, arguments=("--replay", RECORDING), command=PROGRAM, **environment):
        env = dict(os.environ, TERM="screen-256color", TZ="UTC", LC_ALL="C.UTF-8", **environment)
        env.pop("NO_COLOR", None)
        # a signal that is sent is no fault to report
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":handle_segv=0:handle_abort=0"
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        # it waits until the terminal's settings are known
        self.child = pexpect.spawn("/bin/sh", ["-c", 'read go; exec "$@"', "sh", command, *arguments],
                                   dimensions=(height, width), env=env, timeout=20, echo=False)
        self.before = termios.tcgetattr(self.child.child_fd)
        self.child.send("\n")

    def read(self, seconds=0.05):
        try:
            data = self.child.read_nonblocking(65536, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        self.raw += data
        self.stream.feed(data)
        return True

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, text, seconds=20):
        """Until it is to be seen and nothing changes any more."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            changed = self.read()
            if not changed and text in self.text():
                return True
        return False

    def press(self, keys):
        self.child.send(keys)

    def resize(self, width, height):
        self.screen.resize(height, width)
        self.screen.reset()
        self.child.setwinsize(height, width)

    def end(self):
        """Until the program has ended; its exit status, or minus the signal."""
        end = time.monotonic() + 20
        while self.child.isalive() and time.monotonic() < end:
            self.read()
        while self.read():
            pass
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
            return "it does not end"
        self.child.wait() if self.child.isalive() else None
        return self.child.exitstatus if self.child.signalstatus is None else -self.child.signalstatus

    def close(self):
        self.child.close(force=True)

    def drawing_process(self):
        """The child that draws; its parent guards the terminal."""
        out = subprocess.run(["pgrep", "-P", str(self.child.pid)], capture_output=True, text=True).stdout.split()
        return int(out[0])


def compare(name, terminal):
    path = os.path.join(GOLDEN, f"ksmtop-{name}.screen")
    text = terminal.text() + "\n"
    if UPDATE:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    try:
        with open(path, encoding="utf-8") as file:
            expected = file.read()
    except OSError as error:
        return result(f"screen {name}", str(error))
    differences = [f"line {i + 1}: expected '{a}', have '{b}'"
                   for i, (a, b) in enumerate(zip(expected.split("\n"), text.split("\n"))) if a != b]
    result(f"screen {name}", differences[0] if differences else None)


def at_the_end(width, height, **options):
    """A recording at its last sample: nothing moves there."""
    terminal = Terminal(width, height, **options)
    terminal.wait("REPLAY")
    terminal.press("}")
    if not terminal.wait(LAST):
        result(f"{width}x{height} comes to the last sample", terminal.text())
    return terminal


def screens():
    pages = [("80x24", 80, 24, ""), ("200x60", 200, 60, ""), ("tree", 100, 40, "t"), ("users", 100, 30, "tt"),
             ("guests", 100, 30, "ttt"), ("help", 100, 30, "?"), ("missing", 100, 30, "m"),
             ("sort", 100, 30, "s"), ("detail", 100, 30, "\r"), ("filter", 80, 24, "fguni\r"),
             ("40x12", 40, 12, ""), ("20x5", 20, 5, "")]
    for name, width, height, keys in pages:
        terminal = Terminal(width, height)
        terminal.read(5)
        terminal.press("}")
        for key in keys:
            terminal.press(key)
        while terminal.read(0.7):
            pass
        compare(name, terminal)
        terminal.close()
    terminal = Terminal(80, 24, command="/usr/bin/env",
                        arguments=("LC_ALL=C", "NO_COLOR=1", PROGRAM, "--replay", RECORDING))
    terminal.wait("REPLAY")
    terminal.press("}")
    terminal.wait(LAST)
    compare("ascii", terminal)
    coloured = [code for code in (b"[3%dm" % i for i in range(8)) if code in terminal.raw]
    result("NO_COLOR: no colours", f"{coloured}" if coloured or b"38;5;" in terminal.raw else None)
    terminal.close()


def resizing():
    terminal = at_the_end(80, 24)
    before = terminal.text()
    for width, height in ((200, 60), (20, 5), (1, 1), (131, 17), (80, 24)):
        terminal.resize(width, height)
        while terminal.read(0.3):
            pass
    result("resized to and fro, the screen is the same", None if terminal.text() == before else terminal.text())
    terminal.close()


def steps():
    terminal = at_the_end(80, 24)
    for key, text in (("[", "REPLAY 39/40"), ("[", "REPLAY 38/40"), ("]", "REPLAY 39/40"), ("{", "REPLAY 1/40"),
                      ("[", "REPLAY 1/40"), ("]", "REPLAY 2/40"), ("}", LAST), ("]", "the end of the recording")):
        terminal.press(key)
        if not terminal.wait(text):
            result(f"step {key} to {text}", terminal.text())
            break
    else:
        result("steps through a recording")
    terminal.close()
    terminal = Terminal(80, 24, arguments=("--replay", RECORDING, "-d", "0.1"))
    played = terminal.wait("the end of the recording")
    result("plays a recording to its end", None if played else terminal.text())
    terminal.close()


def is_given_back(terminal):
    """Settings as they were; the other screen left, the cursor shown; None or what is wrong."""
    if termios.tcgetattr(terminal.child.child_fd) != terminal.before:
        return "the terminal's settings are not what they were"
    if terminal.raw.rfind(b"\x1b[?1049l") < terminal.raw.rfind(b"\x1b[?1049h"):
        return "the screen is not left"
    if terminal.raw.rfind(b"\x1b[?25h") < terminal.raw.rfind(b"\x1b[?25l"):
        return "the cursor is not shown"
    return None


def ends(name, expected, act):
    terminal = at_the_end(80, 24)
    act(terminal)
    status = terminal.end()
    wrong = is_given_back(terminal)
    if status != expected:
        wrong = f"status {status} instead of {expected}"
    result(f"the terminal is given back: {name}", wrong)
    terminal.close()


def ending():
    ends("q", 0, lambda t: t.press("q"))
    ends("q on another page, twice", 0, lambda t: t.press("?qq"))
    ends("F10", 0, lambda t: t.press("\x1b[21~"))
    ends("^C", 0, lambda t: t.press("\x03"))
    ends("SIGTERM", 0, lambda t: os.kill(t.child.pid, signal.SIGTERM))
    ends("SIGHUP", 0, lambda t: os.kill(t.child.pid, signal.SIGHUP))
    ends("SIGSEGV in the program", -signal.SIGSEGV, lambda t: os.kill(t.drawing_process(), signal.SIGSEGV))
    ends("SIGABRT in the program", -signal.SIGABRT, lambda t: os.kill(t.drawing_process(), signal.SIGABRT))
    ends("SIGKILL of the program", -signal.SIGKILL, lambda t: os.kill(t.drawing_process(), signal.SIGKILL))
    ends("SIGSEGV sent to its guard", -signal.SIGSEGV, lambda t: os.kill(t.child.pid, signal.SIGSEGV))


def stopping():
    """^Z gives the terminal to the shell, fg takes it again."""
    terminal = Terminal(80, 24, command="/bin/bash", arguments=("--norc", "--noprofile", "-i"))
    terminal.press("PS1='prompt> '\r")
    terminal.wait("prompt>")
    terminal.press(f"{PROGRAM} --replay {RECORDING}\r")
    shown = terminal.wait("REPLAY")
    terminal.press("}")
    terminal.wait(LAST)
    terminal.press("\x1a")
    terminal.press("echo st''opped\r")
    stopped = terminal.wait("stopped")
    left = terminal.raw.rfind(b"\x1b[?1049l") > terminal.raw.rfind(b"\x1b[?1049h")
    terminal.press("fg\r")
    again = terminal.wait(LAST)
    terminal.press("q")
    terminal.press("echo ba''ck $?\r")
    back = terminal.wait("back 0")
    steps_done = (("shown", shown), ("stopped", stopped), ("screen left", left), ("shown again", again),
                  ("back in the shell", back))
    wrong = [what for what, done in steps_done if not done]
    result("^Z and fg", f"not {wrong[0]}: {terminal.text()}" if wrong else None)
    terminal.close()


screens()
resizing()
steps()
ending()
stopping()
sys.exit(failures > 0)
