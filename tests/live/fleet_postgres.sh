#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The SQL of docs/fleet.md on a real PostgreSQL server, and on SQLite: what it
# says of a made fleet against what is true of it, and of sketches that
# ksm-advise took of processes, against its own comparison and the exact count. The
# server is one of its own, in a temporary directory, on a socket, without network.
# check: once
. "$(dirname "$0")/../lib.sh"

server=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
server=${server%/initdb}
[ -x "$server/initdb" ] || skip_rest "no PostgreSQL server is installed"
[ -x "$server/psql" ] || command -v psql >/dev/null || skip_rest "psql is not installed"
[ "$(id -u)" = 0 ] && id postgres >/dev/null 2>&1 || skip_rest "needs root, to run the server as user postgres"
[ -x "$tools/fleet_sketches" ] || bail "$tools/fleet_sketches was not built"

work=$(mktemp -d)
chmod 755 "$work"
server_runs=
finish() {
	end_processes
	[ -n "$server_runs" ] && runuser -u postgres -- "$server/pg_ctl" -D "$work/db" -m immediate stop >/dev/null 2>&1
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# block NAME: the block of docs/fleet.md whose first line names it
block() {
	awk -v name="$1" '
		/^```/ { inside = !inside; first = inside; keep = 0; next }
		inside && first { first = 0; line = $0; sub(/^(--|#) /, "", line); keep = line == name || index(line, name ":") == 1 }
		inside && keep' "$top/docs/fleet.md"
}

# ---- the fleet, loaded as the page says ----

"$tools/fleet_sketches" "$work" || bail "the fleet could not be made"
# Beside it three of processes, in a domain of their own; the first two have 9000 contents in common, 3000 of them with the third.
real=()
(umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$work/key")
for number in 1 2 3; do
	make_memory --stop --seed $number --common $((number < 3 ? 9000 : 3000)) --unique $((8000 * number)) --pairs 500 || break
	"$build/ksm-advise" --sketch "$work/real-$number.sketch" --fleet-key "$work/key" --label real-$number --domain real \
		--pid "$made_pid" >/dev/null 2>"$work/advise.err" || break
	real+=("$made_pid")
done
exact() {
	"$build/ksm-advise" --pid "$1" --settle 0 --exact --format json | jq '.duplicates.frames - .duplicates.zero'
}
if [ ${#real[@]} = 3 ]; then
	for pair in 1,2 1,3 2,3; do
		a=${pair%,*} b=${pair#*,}
		printf 'real-%s\treal-%s\t%s\n' "$a" "$b" $(($(exact "${real[a - 1]},${real[b - 1]}") -
			$(exact "${real[a - 1]}") - $(exact "${real[b - 1]}")))
	done >"$work/real.true"
	"$build/ksm-advise" --compare "$work"/real-?.sketch --format json | jq -r '.pairs[] |
		"\(.a)\t\(.b)\t\(.inside.frames)\t\(.inside.low)\t\(.inside.high)"' | sort >"$work/real.compared"
else
	skip "sketches of processes" "$(head -n 1 "$work/advise.err" 2>/dev/null)"
	rm -f "$work"/real-?.sketch
fi
end_processes
block load >"$work/load.sh"
(cd "$work" && sh load.sh ./*.sketch) || bail "loading failed"
equal "a row per sketch" $((12 + ${#real[@]})) "$(wc -l <"$work/sketch.tsv")"
equal "a row per content" $((6 * 4096 + 6 * 3000 + ${#real[@]} * 4096)) "$(wc -l <"$work/content.tsv")"

mkdir "$work/db" && chown postgres: "$work/db"
runuser -u postgres -- "$server/initdb" -D "$work/db" -A trust -U postgres --no-sync >"$work/initdb.log" 2>&1 ||
	bail "initdb: $(tail -n 2 "$work/initdb.log")"
server_runs=1
runuser -u postgres -- "$server/pg_ctl" -D "$work/db" -w -t 60 -l "$work/db/log" \
	-o "-c listen_addresses='' -c unix_socket_directories='$work/db' -c fsync=off" start >/dev/null ||
	bail "the server did not start: $(tail -n 2 "$work/db/log")"

postgres() { psql -X -q -v ON_ERROR_STOP=1 -h "$work/db" -U postgres -AtF $'\t' "$@"; }
cat >"$work/sqlite.py" <<'PY'
"""sqlite.py DATABASE [TABLE=FILE…]: loads the files, then runs what comes in on stdin."""
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for load in sys.argv[2:]:
    table, path = load.split("=")
    rows = [line.rstrip("\n").split("\t") for line in open(path)]
    db.executemany("INSERT INTO %s VALUES (%s)" % (table, ",".join("?" * len(rows[0]))), rows)
for statement in sys.stdin.read().split(";"):
    for row in db.execute(statement):
        print(*row, sep="\t")
db.commit()
PY
lite() { python3 "$work/sqlite.py" "$work/lite.db" "$@"; }

block tables | postgres || bail "PostgreSQL refuses the tables"
for table in sketch content placement; do
	postgres -c "\\copy $table from '$work/$table.tsv'" || bail "PostgreSQL refuses the rows of $table"
done
{ block pairs; block fits; } | postgres || bail "PostgreSQL refuses the views"
engines=(postgres)
if python3 -c 'import sqlite3; sqlite3.connect(":memory:").execute("select sqrt(2)")' 2>/dev/null; then
	block tables | lite && lite "sketch=$work/sketch.tsv" "content=$work/content.tsv" "placement=$work/placement.tsv" </dev/null &&
		{ block pairs; block fits; } | lite || bail "SQLite refuses the tables or the views"
	engines+=(lite)
else
	skip "the same on SQLite" "python3 has no SQLite with SQRT"
fi

# ---- what it says ----

for engine in "${engines[@]}"; do
	echo "SELECT a, b, shared, shared_low, shared_high FROM pair WHERE a LIKE 'vm-%'" | "$engine" >"$work/pairs" || bail "$engine: pairs"
	# 19 in 20 of the intervals hold what is true: of the pairs that share anything, all but three; none is missing or made up.
	result=$(awk -F '\t' '
		NR == FNR { true_of[$1, $2] = $3; there += $3 > 0; next }
		{ rows++; t = true_of[$1, $2]; invented += t == 0; missed += t < $4 || t > $5; off = $3 / t - 1
		  if (off < 0) off = -off; if (off > worst) worst = off }
		END { print rows == there, invented + 0, missed <= 3, worst < 0.2 }' "$work/pairs.true" "$work/pairs")
	equal "$engine: what two VMs share" "1 0 1 1" "$result"

	# The same contents are compared by the project itself: the intervals of both overlap for each pair.
	result=$(awk -F '\t' '
		NR == FNR { low[$1, $2] = $5; high[$1, $2] = $6; next }
		{ apart += $5 < low[$1, $2] || $4 > high[$1, $2] }
		END { print apart + 0 }' "$work/pairs.true" "$work/pairs")
	equal "$engine: as ksm-advise --compare says" 0 "$result"

	if [ ${#real[@]} = 3 ]; then
		echo "SELECT a, b, shared, shared_low, shared_high FROM pair WHERE a LIKE 'real-%'" | "$engine" | sort >"$work/real"
		# 3 intervals of 95 %, one less may hold what is true; those of --compare overlap with all three.
		result=$(awk -F '\t' '
			FILENAME ~ /true$/ { true_of[$1, $2] = $3; next }
			FILENAME ~ /compared$/ { low[$1, $2] = $4; high[$1, $2] = $5; next }
			{ rows++; missed += true_of[$1, $2] < $4 || true_of[$1, $2] > $5
			  apart += $5 < low[$1, $2] || $4 > high[$1, $2] }
			END { print rows + 0, missed <= 1, apart + 0 }' "$work/real.true" "$work/real.compared" "$work/real")
		equal "$engine: sketches of processes, as counted and as compared" "3 1 0" "$result"
	fi
	block partners | "$engine" | grep '^vm-' >"$work/partners" || bail "$engine: partners"
	result=$(awk -F '\t' '
		NR == FNR { true_of[$1, $2] = true_of[$2, $1] = $3; best[$1] = $3 > best[$1] ? $3 : best[$1]
			best[$2] = $3 > best[$2] ? $3 : best[$2]; next }
		!seen[$1]++ { wrong += true_of[$1, $2] != best[$1]; vms++ }
		END { for (vm in best) vms -= best[vm] > 0; print vms + 0, wrong + 0 }' "$work/pairs.true" "$work/partners")
	equal "$engine: the best partner of each VM that has one" "0 0" "$result"

	echo "SELECT label, host, shared FROM fit" | "$engine" >"$work/fits" || bail "$engine: fits"
	result=$(awk -F '\t' '
		NR == FNR { true_of[$1, $2] = $3; there += $3 > 0; next }
		{ rows++; t = true_of[$1, $2]; off = t ? $3 / t - 1 : 9; wrong += off > 0.15 || off < -0.15 }
		END { print rows == there, wrong + 0 }' "$work/fits.true" "$work/fits")
	equal "$engine: what a VM shares with a host" "1 0" "$result"

	block moves | "$engine" >"$work/moves" || bail "$engine: moves"
	# Each VM that shares more elsewhere is named with a host where it shares most, and nobody else.
	result=$(awk -F '\t' '
		FILENAME ~ /placement/ { host[$1] = $2; next }
		FILENAME ~ /true/ { true_of[$1, $2] = $3; if ($3 > best[$1]) best[$1] = $3; next }
		{ named[$1] = 1; wrong += true_of[$1, $3] != best[$1] || $2 != host[$1] }
		END { for (vm in host) if (!(vm in named) && best[vm] > true_of[vm, host[vm]]) wrong++; print wrong + 0 }' \
		"$work/placement.tsv" "$work/fits.true" "$work/moves")
	equal "$engine: which VM belongs elsewhere" "0" "$result"

	# 3 images and 4 applications are in both domains.
	crossing=$(block crossing | "$engine" | cut -f 3)
	awk -v n="$crossing" 'BEGIN { exit !(n > 33000 && n < 39000) }' && ok "$engine: what crosses domains" ||
		not_ok "$engine: what crosses domains" "$crossing, 36000 are true"
done
if [ ${#engines[@]} = 2 ]; then
	block moves | postgres | cut -f 1-3 | sort >"$work/one"
	block moves | lite | cut -f 1-3 | sort >"$work/two"
	equal "both engines say the same" "$(cat "$work/one")" "$(cat "$work/two")"
fi
exit $((failures > 0))
