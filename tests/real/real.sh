#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A real program, some instances of it beside one another: what merging would
# save, what it saves, how fast the program is before and while it is merged,
# and that everything is as it was afterwards. Usage: real.sh PROGRAM ROWS; the
# figures are added to the file ROWS as a row of docs/real.md's table.
. "$(dirname "$0")/../lib.sh"
live_begin
program=${1:?} rows=${2:?}
here=$(cd "$(dirname "$0")" && pwd)
seconds=${SECONDS_OF_LOAD:-4}
rounds=3
pids=()

# ---- programs that take "SECONDS" on stdin and print how much they did ----

workers=0
# worker COMMAND…
worker() {
	local in=$work/in.$workers out=$work/out.$workers
	mkfifo "$in"
	: >"$out"
	"$@" <"$in" >"$out" 2>"$work/err.$workers" 9>&- &
	started+=($!)
	pids+=($!)
	exec {writer}>"$in"
	writers+=("$writer")
	workers=$((workers + 1))
	wait_for 60 grep -q ready "$out" || bail "$program does not start: $(head -c 300 "$work/err.$((workers - 1))")"
}
writers=()

# All of them at once; their operations per second together.
ask_workers() {
	local i before sum=0
	before=$(wc -l <"$work/out.0")
	for i in "${!writers[@]}"; do echo "$seconds" >&"${writers[$i]}"; done
	for ((i = 0; i < workers; i++)); do
		wait_for $((seconds * 10 + 30)) has_lines "$work/out.$i" $((before + 1)) || bail "$program gives no answer"
		sum=$((sum + $(tail -n 1 "$work/out.$i")))
	done
	echo $((sum / seconds))
}
has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }

# ---- the programs: start_NAME, load_NAME ----

start_python() { for _ in 1 2 3 4; do worker /usr/bin/python3 "$here/worker.py"; done; }
start_node() { for _ in 1 2 3 4; do worker node "$here/worker.js"; done; }
start_java() {
	javac -d "$work" "$here/Worker.java" || bail "javac failed"
	for _ in 1 2 3; do worker java -XX:+UseSerialGC -Xms128m -Xmx256m -cp "$work" Worker; done
}
load_python() { ask_workers; }
load_node() { ask_workers; }
load_java() { ask_workers; }

redis_ports=(17001 17002 17003 17004)
start_redis() {
	local port
	for port in "${redis_ports[@]}"; do
		start redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" \
			--enable-debug-command local >"$work/redis.$port"
		pids+=("$started_pid")
		wait_for 30 redis-cli -p "$port" ping >/dev/null 2>&1 || bail "redis-server does not start"
		redis-cli -p "$port" debug populate 200000 key 100 >/dev/null || bail "redis-server can't be filled"
	done
}
# Reads and writes, in turn, of keys that are there and of some that come.
load_redis() {
	local port
	for port in "${redis_ports[@]}"; do
		timeout "$seconds" redis-benchmark -p "$port" -t get,set -r 20000 -n 100000000 -c 8 -q -l --csv \
			>/dev/null 2>&1 9>&- &
	done
	local before after
	before=$(redis_commands)
	sleep $((seconds - 1))
	after=$(redis_commands)
	wait $(jobs -rp | grep -vxF -e "$(printf '%s\n' "${pids[@]}")") 2>/dev/null
	echo $(((after - before) / (seconds - 1)))
}
redis_commands() {
	local port sum=0
	for port in "${redis_ports[@]}"; do
		sum=$((sum + $(redis-cli -p "$port" info stats | tr -d '\r' | sed -n 's/^total_commands_processed://p')))
	done
	echo "$sum"
}

# Two servers with the same table each, which have read it into their private memory as well: backends that sort.
postgres_ports=(17011 17012)
start_postgres() {
	local port bin data
	bin=$(dirname "$(readlink -f "$(command -v postgres || ls /usr/lib/postgresql/*/bin/postgres | tail -n 1)")")
	chmod 711 "$work"
	for port in "${postgres_ports[@]}"; do
		data=$work/pg.$port
		install -d -o postgres -m 700 "$data"
		setpriv --reuid postgres --regid postgres --init-groups "$bin/initdb" -D "$data" -A trust --no-sync \
			>"$work/initdb" 2>&1 || bail "initdb: $(tail -n 2 "$work/initdb")"
		start setpriv --reuid postgres --regid postgres --init-groups "$bin/postgres" -D "$data" -p "$port" \
			-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c work_mem=256MB \
			-c synchronize_seqscans=off -c max_parallel_workers_per_gather=0 \
			2>"$work/pg.$port.log"
		servers+=("$started_pid")
		wait_for 30 psql -h 127.0.0.1 -p "$port" -U postgres -c 'select 1' >/dev/null 2>&1 || bail "postgres does not start"
		pgbench -h 127.0.0.1 -p "$port" -U postgres -i -q -s 4 postgres >/dev/null 2>&1 || bail "pgbench -i failed"
	done
	# Sessions that stay, each with a sorted result in its own memory.
	for port in "${postgres_ports[@]}" "${postgres_ports[@]}"; do
		mkfifo "$work/session.$workers"
		psql -h 127.0.0.1 -p "$port" -U postgres -q <"$work/session.$workers" >"$work/out.$workers" 2>&1 9>&- &
		started+=($!)
		exec {writer}>"$work/session.$workers"
		echo "begin; declare c cursor for select * from pgbench_accounts order by md5(aid::text); fetch 1 from c; \\echo ready" >&"$writer"
		wait_for 60 grep -q ready "$work/out.$workers" || bail "a session of postgres does not answer"
		workers=$((workers + 1))
	done
	for port in "${servers[@]}"; do mapfile -t -O "${#pids[@]}" pids < <(pgrep -P "$port"); done
	pids+=("${servers[@]}")
}
servers=()
load_postgres() {
	local port
	for port in "${postgres_ports[@]}"; do
		pgbench -h 127.0.0.1 -p "$port" -U postgres -S -n -c 4 -T "$seconds" postgres 2>/dev/null >"$work/tps.$port" 9>&- &
		loads+=($!)
	done
	wait "${loads[@]}"
	loads=()
	sed -n 's/^tps = \([0-9]*\).*/\1/p' "$work"/tps.* | paste -sd + | bc
}
loads=()

# ---- before, merged, after ----

# The median of some rounds.
throughput() {
	local round
	for ((round = 0; round < rounds; round++)); do "load_$program"; done | sort -n | sed -n "$((rounds / 2 + 1))p"
}
all_alive() { kill -0 "${pids[@]}" 2>/dev/null; }
mib() { jq -r "($1) / 1048576 * 10 | round / 10" "$work/advise.json"; }

case $program in
redis) needed=redis-server ;; postgres) needed=pgbench ;; java) needed=javac ;; python) needed=python3 ;; *) needed=$program ;;
esac
command -v "$needed" >/dev/null || skip_rest "$needed is not installed (tests/real/packages.txt)"

# The engine is one for the machine: what others have opted in would be merged, and counted, with it.
others=$(grep -ls 'ksm_rmap_items [1-9]\|ksm_mergeable: yes\|ksm_merge_any: yes' /proc/[0-9]*/ksm_stat)
[ -z "$others" ] || bail "others have opted in to merging: $(sed 's|/proc/||; s|/ksm_stat||' <<<"$others" | paste -sd ' ')"

"start_$program"
list=$(IFS=,; echo "${pids[*]}")
before=$(throughput)
at_least "$program does something" "$before" 1

advise --pid "$list" --settle 2
equal "$program: looked at" 0 "$status"
candidates=$(mib ".frames.candidate * $page_bytes")
duplicates=$(mib ".duplicates.frames * $page_bytes")

opted_before=$(grep -c ' mg' <(cat $(printf '/proc/%s/smaps ' "${pids[@]}")))
advise --pid "$list" --settle 2 --apply --for 120 --state-dir "$work/state"
equal "$program: carried out" 0 "$status"
predicted=$(mib .applied.predicted_bytes)
actual=$(mib .applied.kernel_bytes)
ksmd=$(jq -r '.applied.ksmd_cpu_seconds * 10 | round / 10' "$work/advise.json")
all_alive && ok "$program: lives" || not_ok "$program: lives" "one of $list has ended"
# By the kernel's own counters: the program is not stopped, and gives memory back by itself (Node's collector does).
holds "$program: what came is what was predicted, to 10 %" \
	'.applied | .predicted_bytes > 0 and (.kernel_bytes - .predicted_bytes | fabs) <= 0.1 * .predicted_bytes' "$work/advise.json"
breaks=$(awk '/^cow_ksm/ { print $2 }' /proc/vmstat)
merged=$(throughput)
breaks=$((($(awk '/^cow_ksm/ { print $2 }' /proc/vmstat) - breaks) / (rounds * seconds)))
at_least "$program does something while it is merged" "$merged" 1

"$build/ksm-advise" --undo --state-dir "$work/state" >/dev/null 2>"$work/undo.err" 9>&-
equal "$program: taken back" 0 $?
equal "$program: mappings opted in are those of before" "$opted_before" \
	"$(grep -c ' mg' <(cat $(printf '/proc/%s/smaps ' "${pids[@]}")))"
equal "$program: settings are as before" "$(<"$work/settings")" "$(settings)"
after=$(throughput)
at_least "$program does something afterwards" "$after" 1
echo "| $program | ${#pids[@]} | $candidates | $duplicates | $predicted | $actual | $ksmd | $before | $merged | $after | $breaks |" >>"$rows"
