# SPDX-License-Identifier: GPL-2.0-or-later
"""A service in Python: a table in memory; for each line "SECONDS" on stdin it works so long and prints its operations."""
import json
import random
import sys
import time

ROWS = 120_000
table = {n: {"name": f"customer {n}", "city": f"city {n % 977}", "tags": [n % 7, n % 11], "text": "x" * (n % 97)}
         for n in range(ROWS)}
index = {}
for number, row in table.items():
    index.setdefault(row["city"], []).append(number)
print("ready", flush=True)

for line in sys.stdin:
    end, operations = time.monotonic() + float(line), 0
    while time.monotonic() < end:
        for _ in range(100):
            row = table[random.randrange(ROWS)]
            row["seen"] = json.dumps(index[row["city"]][:20])
        operations += 100
    print(operations, flush=True)
