#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The study of the estimator, with the memory of real processes beside the made
# populations: workers of an interpreter that load the same data. About 1.3 GiB
# for as long as it runs, and root, to read them.
#
#   tests/study/study.sh BUILD [RUNS]
#
# PYTHON: the interpreter (python3). Memory differs between its versions.
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build} runs=${2:-400} python=${PYTHON:-python3}
workers=()
ready=$(mktemp -d)

stop() {
	[ ${#workers[@]} -gt 0 ] && kill "${workers[@]}" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$ready"
}
trap stop EXIT

# Objects by the hundred thousand on a heap, and the bytes of some libraries: what pre-started workers have.
worker='
import glob, json, signal, sys
rows = [{"id": i, "name": "user %d" % i, "tags": [str(i % 7), str(i % 11)], "score": i * 0.5} for i in range(135000)]
index = {row["name"]: row for row in json.loads(json.dumps(rows))}
files = [open(f, "rb").read() for f in sorted(glob.glob("/usr/lib/x86_64-linux-gnu/lib[a-g]*.so.*"))[:60]]
open(sys.argv[1], "w").close()
signal.pause()
'
if [ "$(id -u)" = 0 ] && command -v "$python" >/dev/null; then
	for i in 1 2 3 4 5 6 7 8; do
		"$python" -c "$worker" "$ready/$i" &
		workers+=($!)
	done
	until [ "$(ls "$ready" | wc -l)" = 8 ]; do
		kill -0 "${workers[@]}" || exit 1
		sleep 0.2
	done
else
	echo "study: no root or no python3: without the memory of processes" >&2
fi
"$build/tests/study" "$runs" "${workers[@]}"
