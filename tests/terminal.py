# SPDX-License-Identifier: GPL-2.0-or-later
"""A program in a terminal emulator, for tests of what is to be seen there."""
import os
import signal
import subprocess
import termios
import time

import pexpect
import pyte

failures = 0


def result(name, why=None):
    """One line of the test's answer: `why` it failed."""
    global failures
    failures += why is not None
    print(f"ok - {name}" if why is None else f"not ok - {name}: {why}", flush=True)


# screen-256color, since pyte does not know how xterm repeats a character
class Terminal:
    """A program on a terminal of a size, and what is to be seen there."""

    def __init__(self, width, height, command, **environment):
        env = dict(os.environ, TERM="screen-256color", TZ="UTC", LC_ALL="C.UTF-8", **environment)
        env.pop("NO_COLOR", None)
        # a signal that is sent is no fault to report
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":handle_segv=0:handle_abort=0"
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        # it waits until the terminal's settings are known
        self.child = pexpect.spawn("/bin/sh", ["-c", 'read go; exec "$@"', "sh", *command],
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

    def wait_for(self, text, seconds=20):
        """Until it is to be seen; other things may go on changing."""
        end = time.monotonic() + seconds
        while text not in self.text():
            if time.monotonic() > end:
                return False
            self.read()
        return True

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
