#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rewrites the beginning of each page of a range in some processes, with contents that never come again, until killed.

    rewrite.py FROM TO PID...
"""
import os
import resource
import sys

start, end = int(sys.argv[1], 16), int(sys.argv[2], 16)
page = resource.getpagesize()
memories = [os.open(f"/proc/{pid}/mem", os.O_RDWR) for pid in sys.argv[3:]]
count = 0
while True:
    for memory in memories:
        for at in range(start, end, page):
            count += 1
            try:
                os.pwrite(memory, count.to_bytes(8, "little"), at)
            except OSError:
                pass                # not mapped
