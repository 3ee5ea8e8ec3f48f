#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ksmtop in a terminal emulator. Usage: ksmtop_screens.py PROGRAM RECORDINGS-DIRECTORY GOLDEN-DIRECTORY"""
import os
import signal
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
import terminal as emulator  # noqa: E402
from terminal import Terminal, result  # noqa: E402

PROGRAM, RECORDINGS, GOLDEN = sys.argv[1:4]
RECORDING = os.path.join(RECORDINGS, "made.recording")
UPDATE = os.environ.get("UPDATE")
LAST = "REPLAY 40/40"
REPLAY = (PROGRAM, "--replay", RECORDING)


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
    terminal = Terminal(width, height, REPLAY, **options)
    terminal.wait("REPLAY")
    terminal.press("}")
    if not terminal.wait(LAST):
        result(f"{width}x{height} comes to the last sample", terminal.text())
    return terminal


def screens():
    pages = [("80x24", 80, 24, ""), ("200x60", 200, 60, ""), ("tree", 100, 40, "t"), ("users", 100, 30, "tt"),
             ("guests", 100, 30, "ttt"), ("help", 100, 30, "?"), ("missing", 100, 30, "m"),
             ("machine", 120, 104, "e"),
             ("sort", 100, 30, "s"), ("detail", 100, 30, "\r"), ("filter", 80, 24, "fguni\r"),
             ("40x12", 40, 12, ""), ("20x5", 20, 5, ""),
             ("many", 100, 30, "t"), ("old", 100, 30, ""), ("denied", 100, 30, ""), ("old-missing", 100, 30, "m")]
    for name, width, height, keys in pages:
        special = os.path.join(RECORDINGS, name.split("-")[0] + ".recording")
        terminal = Terminal(width, height, (PROGRAM, "--replay", special if os.path.exists(special) else RECORDING))
        if width >= 80:
            terminal.wait("REPLAY")
            terminal.press("}")
            terminal.wait(LAST)
        else:
            terminal.read(5)
            terminal.press("}")
        for key in keys:
            terminal.press(key)
        while terminal.read(0.7):
            pass
        compare(name, terminal)
        terminal.close()
    terminal = Terminal(80, 24, ("/usr/bin/env", "LC_ALL=C", "NO_COLOR=1", *REPLAY))
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
    terminal = Terminal(80, 24, (*REPLAY, "-d", "0.1"))
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
    terminal = Terminal(80, 24, ("/bin/bash", "--norc", "--noprofile", "-i"))
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
sys.exit(emulator.failures > 0)
