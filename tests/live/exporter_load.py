#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
ksm-exporter under load and under attack.

    exporter_load.py PORT COLLECTOR-PID HTTP-PID load ROUNDS
    exporter_load.py PORT COLLECTOR-PID HTTP-PID abuse SECONDS

load: 100 scrapes a second in rounds of ten seconds, each beside ten seconds without: how many failed, how long they
took, and what the collector took in both. abuse: idle connections, requests of one byte a second, rubbish, readers that
do not read and heads without end, while somebody goes on scraping. Prints one line per result.
"""
import os
import random
import resource
import socket
import statistics
import sys
import threading
import time

PORT, COLLECTOR, HTTP = (int(word) for word in sys.argv[1:4])
failures = 0


def result(name, good, why=""):
    global failures
    failures += not good
    print(f"ok - {name}" if good else f"not ok - {name}: {why}", flush=True)


def scrape(gzip=True):
    """Seconds that one whole scrape took, connection included; it raises where the page is not whole."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as s:
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
                  (b"Accept-Encoding: gzip\r\n\r\n" if gzip else b"\r\n"))
        parts = []
        while part := s.recv(1 << 16):
            parts.append(part)
    answer = b"".join(parts)
    head, body = answer.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    if not head.startswith(b"HTTP/1.1 200") or len(body) != length:
        raise ValueError(head[:80])
    return time.monotonic() - begin


def scrapes(rate, seconds):
    """So many a second, at even distances, whatever each takes: how long each took, and how many failed."""
    took, failed, begin = [], 0, time.monotonic()
    for i in range(int(rate * seconds)):
        time.sleep(max(0, begin + i / rate - time.monotonic()))
        try:
            took.append(scrape(i % 2 == 0))
        except (OSError, ValueError) as error:
            failed += 1
            print(f"# scrape: {error!r}")
    return took, failed


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def cpu_seconds(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def kilobytes(pid, what):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what))


def load(rounds):
    took, failed, idle, busy = [], 0, [], []
    # what it reads in turns, it reads most of at first
    time.sleep(15)
    for _ in range(rounds):
        begin = cpu_seconds(COLLECTOR)
        more, bad = scrapes(100, 10)
        took += more
        failed += bad
        middle = cpu_seconds(COLLECTOR)
        time.sleep(10)
        busy.append(middle - begin)
        idle.append(cpu_seconds(COLLECTOR) - middle)
    result(f"{len(took)} scrapes at 100 a second: none failed", failed == 0, f"{failed} failed")
    p99 = quantile(took, 0.99) * 1e3
    result(f"p99 is {p99:.1f} ms, median {statistics.median(took) * 1e3:.2f} ms: at most 20 ms", p99 <= 20, f"{p99:.1f} ms")
    ratio = statistics.median(b / i for b, i in zip(busy, idle))
    result(f"the collector's CPU time with and without scrapes: {statistics.median(busy) / 10:.4f} and "
           f"{statistics.median(idle) / 10:.4f} of a CPU, ratio {ratio:.2f} of at most 1.25", ratio <= 1.25)


# ---- attacks: each opens its sockets, and does something whenever it is called ----

def connect():
    s = socket.create_connection(("127.0.0.1", PORT), timeout=5)
    s.setblocking(False)
    return s


class Attack:
    """Sockets that are opened again when they are closed on us."""

    def __init__(self, count):
        self.sockets = [None] * count

    def step(self, end):
        for i, s in enumerate(self.sockets):
            if time.monotonic() >= end:
                return
            try:
                if s is None:
                    self.sockets[i] = s = connect()
                self.act(i, s)
            except BlockingIOError:
                pass
            except OSError:
                if self.sockets[i]:
                    self.sockets[i].close()
                self.sockets[i] = None

    def act(self, i, s):
        """Nothing: it is idle."""

    def close(self):
        for s in self.sockets:
            if s:
                s.close()


class Slow(Attack):
    """One byte of a request in each step."""
    request = b"GET /metrics HTTP/1.1\r\nHost: slow\r\nX: " + b"y" * 1000

    def __init__(self, count):
        super().__init__(count)
        self.at = [0] * count

    def act(self, i, s):
        s.send(self.request[self.at[i] % len(self.request):][:1])
        self.at[i] += 1


class Rubbish(Attack):
    def act(self, i, s):
        s.send(random.choice((random.randbytes(3000), b"GET / HTTP/1.1\r\n\r\n" * 100, b"\0" * 500,
                              b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"z" * 2000,
                              b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")))


class Unread(Attack):
    """Asks for pages, and takes none of them."""

    def act(self, i, s):
        s.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")


class Endless(Attack):
    """A head of 10 MB."""
    part = b"X-Long: " + b"h" * 65000 + b"\r\n"

    def act(self, i, s):
        s.send(b"GET / HTTP/1.1\r\n")
        for _ in range(160):
            s.send(self.part)


def abuse(seconds):
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    attacks = (Attack(1000), Slow(60), Rubbish(30), Unread(30), Endless(10))
    end = time.monotonic() + seconds

    def attack(one):
        while time.monotonic() < end:
            begin = time.monotonic()
            one.step(end)
            time.sleep(max(0, begin + 1 - time.monotonic()))

    threads = [threading.Thread(target=attack, args=(one,), daemon=True) for one in attacks]
    cpu = cpu_seconds(COLLECTOR)
    for thread in threads:
        thread.start()
    took, failed = scrapes(10, seconds)
    cpu = (cpu_seconds(COLLECTOR) - cpu) / seconds
    descriptors = len(os.listdir(f"/proc/{HTTP}/fd"))
    for thread in threads:
        thread.join(20)
    for one in attacks:
        one.close()
    result(f"{len(took)} scrapes under attack: none failed", failed == 0, f"{failed} failed")
    result(f"their median is {statistics.median(took) * 1e3:.1f} ms, p99 {quantile(took, 0.99) * 1e3:.0f} ms: at most 1 s",
           quantile(took, 0.99) <= 1, f"{quantile(took, 0.99):.2f} s")
    high = kilobytes(HTTP, "VmHWM")
    result(f"the HTTP side had {high} KiB at most, of 8192", high <= 8192, f"{high} KiB")
    result(f"and {descriptors} open files, of at most 600", descriptors <= 600, str(descriptors))
    result(f"the collector took {cpu:.4f} of a CPU, and has {kilobytes(COLLECTOR, 'VmRSS')} KiB of at most 32768",
           kilobytes(COLLECTOR, "VmRSS") <= 32768)
    time.sleep(2)
    result("all is well afterwards", scrape() < 1)


{"load": load, "abuse": abuse}[sys.argv[4]](int(sys.argv[5]))
sys.exit(failures > 0)
