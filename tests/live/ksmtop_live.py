#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ksmtop's display of this system. Usage: ksmtop_live.py PROGRAM PID PID, of two processes that share merged pages."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
import terminal as emulator  # noqa: E402
from terminal import Terminal, result  # noqa: E402

PROGRAM, FIRST, SECOND = sys.argv[1:4]


def line_with(terminal, text):
    return next((line for line in terminal.text().split("\n") if text in line), "")


def sees(terminal, name, text, seconds=20):
    shown = terminal.wait_for(text, seconds)
    result(name, None if shown else terminal.text())
    return shown


def main():
    display = Terminal(120, 40, (PROGRAM, "-d", "0.5"))
    sees(display, "it starts", "KSM stopped")
    sees(display, "processes with merged pages are first", "made_memory")
    row = line_with(display, f" {FIRST} ")
    result("with their merged pages", None if "4.01k" in row and " some " in row else row)

    child = subprocess.Popen(["/bin/sleep", "60"])
    display.press(f"f{child.pid}\r")
    sees(display, "a new process is found by its PID", f"{child.pid} ")
    sees(display, "and named", "sleep")
    child.send_signal(signal.SIGKILL)
    child.wait()
    sees(display, "it vanishes when it ends", "no process fits")

    display.press("\x1bf" + FIRST + "\r")
    display.wait_for(f"\"{FIRST}\": 1 of")
    display.press("\r")
    sees(display, "a process in detail: its mappings", "mergeable")
    sees(display, "with whom it shares", SECOND)
    row = line_with(display, SECOND)
    result("and how much", None if "7.82 MiB" in row else row)
    sees(display, "and why not more is merged", "engine-off")
    os.kill(int(FIRST), signal.SIGKILL)
    sees(display, "it says that the process has ended", "The process has ended")
    display.press("q")
    display.wait_for("no process fits")
    display.press("\x1bq")
    result("it ends", None if display.end() == 0 else "status")


main()
sys.exit(emulator.failures > 0)
